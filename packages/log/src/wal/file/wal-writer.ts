import {
  closed,
  unsupported,
  type FileHandle,
  type Runtime,
  type Section,
  type WalLocation,
  type WalSession,
  type WalSpace,
  type WalUsage,
  shown,
  withOutcome,
} from '@moulin/core'
import { crc32c } from '@moulin/format'
import { asRejected, isLivedThrough, isNoSpace, isReserved, spaceAt } from './disk-space.ts'
import { checkFence, epochPath, unmarkRunning } from './epoch-folder.ts'
import { FlushBuffer, sealFrame, type PendingSection } from './flush-buffer.ts'
import { FRAME_HEADER_BYTES, frameBytes, frameEnd, SEAL_BYTES, type SegmentIdentity } from './frame.ts'
import { LiveSegments } from './live-segments.ts'
import { patiently } from './patience.ts'
import { ReadSlots } from './read-slots.ts'
import { readSection, released } from './section-read.ts'
import type { SegmentFile, SegmentPlace } from './segment-file.ts'
import { allocateInBackground, SegmentSupply } from './segment-supply.ts'

/** How long appends wait for room on a disk of which only the reserve is left, and how often they look. */
const HOLD_MS = 10_000
const LOOK_MS = 200

/** A sealed file of an older epoch that this one lists: read, then deleted, never written. */
export interface ForeignSegment extends SegmentIdentity {
  readonly id: string
  readonly path: string
  /** Opened at the first read. */
  file: Promise<FileHandle> | undefined
}

interface Pending extends PendingSection {
  readonly resolve: (location: WalLocation) => void
  readonly reject: (error: Error) => void
}

/** The writing session of `fileWal`. One flusher: whatever is queued goes out in one writev and one fdatasync. */
export class WalWriter implements WalSession {
  readonly epoch: bigint
  readonly #runtime: Runtime
  readonly #place: SegmentPlace
  readonly #maxFlushBytes: number
  readonly #supply: SegmentSupply
  readonly #buffer = new FlushBuffer()
  readonly #live = new LiveSegments()
  readonly #reads = new ReadSlots()
  readonly #sealed = new Map<string, SegmentFile>()
  readonly #foreign = new Map<string, ForeignSegment>()
  #active: SegmentFile
  #queue: Pending[] = []
  #flushing: Promise<void> | undefined
  #failure: Error | undefined
  rejections = 0
  /** Since when appends wait for the disk. */
  #heldSinceMs: number | undefined
  #wake: (() => void) | undefined
  /** Once it is open. What a takeover copies may use all there is. */
  keepsReserve = false
  #closing: Promise<void> | undefined

  private constructor(
    runtime: Runtime,
    place: SegmentPlace,
    supply: SegmentSupply,
    active: SegmentFile,
    flush: number,
  ) {
    this.epoch = place.epoch
    this.#runtime = runtime
    this.#place = place
    this.#supply = supply
    this.#active = active
    this.#maxFlushBytes = flush
  }

  /** Begins a session in its epoch's folder, with one empty segment. */
  static async begin(
    runtime: Runtime,
    place: SegmentPlace,
    options: { readonly segmentBytes: number; readonly maxFlushBytes: number },
  ): Promise<WalWriter> {
    const supply = new SegmentSupply(place, options.segmentBytes)
    const active = await supply.next(0)
    allocateInBackground(active)
    return new WalWriter(runtime, place, supply, active, options.maxFlushBytes)
  }

  /** Live sections of an older epoch's file of `bytes`, which stay where they are. */
  adopt(segment: ForeignSegment, locations: readonly WalLocation[], bytes: number): void {
    this.#foreign.set(segment.id, segment)
    for (const location of locations) this.#live.add(location)
    this.#live.seal(segment.id, bytes)
  }

  append(section: Section): Promise<WalLocation> {
    if (this.#closing !== undefined) return Promise.reject(closed('WAL_CLOSED', `${this.#place.dir} was closed.`))
    if (this.#failure !== undefined) return Promise.reject(this.#closedByFailure(this.#failure))
    const batchesCrc = crc32c(section.batches)
    const appendedMs = section.appendedMs ?? Math.trunc(this.#runtime.clock.now())
    return new Promise((resolve, reject) => {
      this.#enqueue([{ section, appendedMs, batchesCrc, resolve, reject }])
      if (section.frees === true) this.#wake?.()
      this.#flushing ??= this.#flushAll()
    })
  }

  read(location: WalLocation, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return this.#reads.run(() => this.#read(location), options.signal)
  }

  async #read(location: WalLocation): Promise<Uint8Array> {
    const { segment } = location
    try {
      const own = segment === this.#active.id ? this.#active : this.#sealed.get(segment)
      if (own !== undefined) return await readSection(own.file, location, identityOf(own))
      const foreign = this.#foreign.get(segment)
      if (foreign === undefined) throw released(segment)
      return await readSection(await this.#fileOf(foreign), location, foreign)
    } catch (error) {
      throw this.#holds(segment) ? error : released(segment)
    }
  }

  /** Opened once; an open that fails says nothing of the next. */
  #fileOf(foreign: ForeignSegment): Promise<FileHandle> {
    if (foreign.file !== undefined) return foreign.file
    const file = this.#place.files.open(foreign.path, 'read')
    foreign.file = file
    file.catch(() => {
      if (foreign.file === file) foreign.file = undefined
    })
    return file
  }

  async release(locations: readonly WalLocation[]): Promise<void> {
    for (const segment of this.#live.remove(locations)) await this.#free(segment)
  }

  checkFence(): Promise<void> {
    return checkFence(this.#place.files, this.#place.dir, this.epoch)
  }

  async space(): Promise<WalSpace> {
    const { files, dir } = this.#place
    const space = await spaceAt(files, dir)
    if (space.freeBytes >= space.reserveBytes || this.#closing !== undefined || this.#supply.idleSegments === 0)
      return space
    await this.#supply.giveBack()
    return spaceAt(files, dir)
  }

  usage(): WalUsage {
    return {
      liveBytes: this.#live.liveBytes,
      heldBytes: this.#live.heldBytes,
      segments: 1 + this.#sealed.size + this.#foreign.size + this.#supply.idleSegments,
      liveSegments: this.#live.size,
    }
  }

  sparse(share: number): readonly string[] {
    return this.#live.sparse(share)
  }

  watch(): { close(): void } {
    throw unsupported('WATCH', 'A writing session is told of every section that it appends: it has nothing to watch.')
  }

  async refresh(): Promise<void> {}

  close(): Promise<void> {
    this.#closing ??= this.#close()
    this.#wake?.()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#flushing
    await this.#supply.close()
    for (const segment of [this.#active, ...this.#sealed.values()]) {
      // What a flush left that failed is for the next opener to judge.
      if (this.#failure === undefined) await segment.trim()
      await segment.close()
    }
    for (const { file } of this.#foreign.values()) await closeFile(file)
    await unmarkRunning(this.#place.files, this.#place.dir, this.epoch)
  }

  #holds(segment: string): boolean {
    return segment === this.#active.id || this.#sealed.has(segment) || this.#foreign.has(segment)
  }

  async #flushAll(): Promise<void> {
    // All appends of this turn share the first flush.
    await Promise.resolve()
    while (this.#queue.length > 0 && this.#failure === undefined) await this.#flush()
    this.#flushing = undefined
  }

  /** What frees room first, and else in the order of the calls. */
  #enqueue(pending: readonly Pending[]): void {
    const first = this.#queue.findIndex(({ section }) => section.frees !== true)
    const freeing = pending.filter(({ section }) => section.frees === true)
    const others = pending.filter(({ section }) => section.frees !== true)
    if (first < 0) this.#queue.push(...freeing, ...others)
    else if (freeing.length === 0) this.#queue.push(...others)
    else this.#queue.splice(first, 0, ...freeing)
  }

  async #flush(): Promise<void> {
    let taken: Pending[] = []
    try {
      // Another one may have come to be the first meanwhile.
      do await this.#makeRoom(this.#queue[0]!.section.batches.length)
      while (this.#active.isSealed || !this.#active.fits(this.#queue[0]!.section.batches.length))
      const active = this.#active
      const start = active.position
      const end = this.#endOfFlush(start)
      // With room for the seal: it must not be the one thing that does not fit any more.
      taken = this.#take(end)
      await active.allocate(end + SEAL_BYTES, this.keepsReserve && taken[0]!.section.frees !== true)
      await this.#write(active, this.#buffer.frames(taken, start, active), start)
      active.position = end
      await active.datasync()
      await patiently(this.#runtime, () => this.checkFence())
      this.#acknowledge(taken, start, active.id)
      if (end >= active.sizeBytes / 4) this.#supply.prepare()
      if (taken[0]!.section.frees !== true) this.#heldSinceMs = undefined
    } catch (error) {
      if (isReserved(error)) {
        // First among their kind.
        this.#queue = [...taken, ...this.#queue]
        taken = []
        this.#enqueue(this.#queue.splice(0))
        if (await this.#roomMayCome()) return
      }
      if (isLivedThrough(error)) this.#reject(error as Error, taken)
      else this.#fail(error, taken)
    }
  }

  /** Waits for what is being freed, for {@link HOLD_MS} in all. */
  async #roomMayCome(): Promise<boolean> {
    const { clock, timers } = this.#runtime
    this.#heldSinceMs ??= clock.monotonic()
    if (this.#closing !== undefined || clock.monotonic() - this.#heldSinceMs >= HOLD_MS) {
      this.#heldSinceMs = undefined
      return false
    }
    await new Promise<void>((resolve) => {
      const timer = timers.after(LOOK_MS, resolve, { ref: true })
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = undefined
    return true
  }

  /** @throws `NO_SPACE`, rejected, where not one frame can be whole: a reader beside us may have shown the first that is. */
  async #write(segment: SegmentFile, parts: readonly Uint8Array[], start: number): Promise<void> {
    try {
      await segment.file.writev(parts, start)
    } catch (error) {
      const written = isNoSpace(error) ? error.context['written'] : undefined
      // Less than a header is no frame, whatever stands behind it, and the next flush writes over it.
      throw typeof written === 'number' && written < FRAME_HEADER_BYTES ? asRejected(error) : error
    }
  }

  /** How far the sections reach that go out together: at least one, at most a flush, all in this segment. */
  #endOfFlush(start: number): number {
    let end = start
    const { frees } = this.#queue[0]!.section
    for (const { section } of this.#queue) {
      const next = frameEnd(end, section.batches.length)
      const isFirst = end === start
      if (section.frees !== frees) break
      if (!isFirst && (next - start > this.#maxFlushBytes || next + SEAL_BYTES > this.#active.sizeBytes)) break
      end = next
    }
    return end
  }

  #take(end: number): Pending[] {
    let position = this.#active.position
    let count = 0
    while (position < end) position = frameEnd(position, this.#queue[count++]!.section.batches.length)
    return this.#queue.splice(0, count)
  }

  #acknowledge(taken: readonly Pending[], start: number, segment: string): void {
    let position = start
    for (const { section, resolve } of taken) {
      const location = { segment, position, sizeBytes: frameBytes(section.batches.length) }
      position = frameEnd(position, section.batches.length)
      this.#live.add(location)
      resolve(location)
    }
  }

  /** Seals a full segment before the next one gets its first frame: only the last may hold unsynced bytes. */
  async #makeRoom(batchesBytes: number): Promise<void> {
    const full = this.#active
    if (!full.isSealed && full.fits(batchesBytes)) return
    if (!full.isSealed) {
      await full.allocate(full.position + SEAL_BYTES)
      await this.#write(full, [sealFrame(full.position, full)], full.position)
      await full.datasync()
      this.#live.seal(full.id, full.position)
      full.isSealed = true
      full.position += SEAL_BYTES
    }
    // On a full disk there may be none for a while.
    this.#active = await patiently(this.#runtime, () => this.#supply.next(batchesBytes))
    allocateInBackground(this.#active)
    this.#sealed.set(full.id, full)
    if (!this.#live.has(full.id)) await this.#free(full.id)
  }

  async #free(segment: string): Promise<void> {
    const own = this.#sealed.get(segment)
    const foreign = this.#foreign.get(segment)
    this.#sealed.delete(segment)
    this.#foreign.delete(segment)
    if (own !== undefined) await this.#supply.recycle(own)
    if (foreign !== undefined) {
      await closeFile(foreign.file)
      await this.#place.files.unlink(foreign.path)
    }
    this.#wake?.()
  }

  /** The disk is full, and holds nothing of them: the next ones may find room. */
  #reject(error: Error, inFlight: readonly Pending[]): void {
    const rejected = [...inFlight, ...this.#queue]
    this.#queue = []
    this.rejections++
    const { logger } = this.#runtime
    logger.warn({ err: error, epoch: this.epoch, appends: rejected.length }, 'The disk is full: appends were rejected')
    for (const { reject } of rejected) reject(error)
  }

  /** Final: what the disk holds of the last flush is unknown, and nothing may be acked on top of it. */
  #fail(error: unknown, inFlight: readonly Pending[]): void {
    const failure = error instanceof Error ? error : closed('WAL_FAILED', shown(error))
    this.#failure = failure
    const behind = this.#queue
    this.#queue = []
    const { logger } = this.#runtime
    logger.error(
      { err: failure, epoch: this.epoch, dir: epochPath(this.#place.dir, this.epoch) },
      'The write-ahead tier failed',
    )
    for (const { reject } of inFlight) reject(withOutcome(failure, 'unknown', false))
    for (const { reject } of behind) reject(withOutcome(failure, 'rejected', false))
  }

  #closedByFailure(cause: Error): Error {
    return closed('WAL_FAILED', `The write-ahead tier in ${this.#place.dir} failed before: open the log again.`, {
      cause,
    })
  }
}

/** As it is now: the file object gets another generation when it is recycled. */
function identityOf({ logId, epoch, generation }: SegmentIdentity): SegmentIdentity {
  return { logId, epoch, generation }
}

async function closeFile(file: Promise<FileHandle> | undefined): Promise<void> {
  await (await file?.catch(() => undefined))?.close()
}
