import {
  closed,
  invalid,
  isKind,
  type Appended,
  type Failing,
  type Runtime,
  type Section,
  type WalLocation,
  type WalSpace,
  type WalUsage,
  type WalWriter,
  messageOf,
  unsupported,
  waitFor,
  withOutcome,
} from '@moulin/core'
import { crc32c } from '@moulin/format'
import { AppendQueue, type PendingAppend } from './append-queue.ts'
import { isRejected, isReserved } from './disk-space.ts'
import { checkFence, epochPath, unmarkRunning } from './epoch-folder.ts'
import { FenceLook } from './fence-look.ts'
import { FlushBuffer, type PlacedSection } from './flush-buffer.ts'
import { FlushMeter } from './flush-meter.ts'
import { frameBytes, frameEnd, SEAL_BYTES } from './frame.ts'
import type { SegmentPlace } from './segment-file.ts'
import { WriterSegments, type ForeignSegment } from './writer-segments.ts'

/** How long appends wait for room on a disk of which only the reserve is left, and how often they look. */
const HOLD_MS = 10_000
const LOOK_MS = 200
/** Promises that lie between an ack and the next append of who waits for it, and some more. */
const HOPS = 8
/** Of what needs no wait. */
const done = Promise.resolve()

/** The writer of `fileWal`. One flusher: whatever is queued goes out in one writev, which syncs, or is followed by one fdatasync. */
export class FileWalWriter implements WalWriter {
  readonly epoch: bigint
  readonly #runtime: Runtime
  readonly #place: SegmentPlace
  readonly #maxFlushBytes: number
  readonly #segments: WriterSegments
  readonly #fence: FenceLook
  readonly #buffer = new FlushBuffer()
  readonly #queue = new AppendQueue()
  readonly #meter: FlushMeter | undefined
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
    { segments, fence }: { readonly segments: WriterSegments; readonly fence: FenceLook },
    maxFlushBytes: number,
  ) {
    this.epoch = place.epoch
    this.#runtime = runtime
    this.#place = place
    this.#segments = segments
    this.#fence = fence
    this.#maxFlushBytes = maxFlushBytes
    if (runtime.meter !== undefined) this.#meter = new FlushMeter(runtime.meter, runtime.clock)
  }

  /** Begins a session in its epoch's folder, with one empty segment. */
  static async begin(
    runtime: Runtime,
    place: SegmentPlace,
    { segmentBytes, maxFlushBytes }: { readonly segmentBytes: number; readonly maxFlushBytes: number },
  ): Promise<FileWalWriter> {
    const fence = await FenceLook.begin(runtime, place)
    const segments = await WriterSegments.begin(runtime, place, segmentBytes)
    return new FileWalWriter(runtime, place, { segments, fence }, maxFlushBytes)
  }

  /** See {@link WriterSegments.adopt}. */
  adopt(segment: ForeignSegment, locations: readonly WalLocation[], bytes: number): void {
    this.#segments.adopt(segment, locations, bytes)
  }

  append(section: Section): Promise<Appended> {
    if (this.#closing !== undefined) return Promise.reject(this.#closed())
    if (this.#failure !== undefined) return Promise.reject(this.#closedByFailure(this.#failure))
    if (!isPlaced(section)) return Promise.reject(withoutOffsets())
    if (section.aborted !== undefined && section.aborted.length > 0) return Promise.reject(withAborted(section))
    const { batches, batchesCrc = crc32c(batches) } = section
    return new Promise((resolve, reject) => {
      this.#queue.push({ section, batchesBytes: batches.length, batchesCrc, resolve, reject })
      if (section.frees === true) this.#wake?.()
      this.#flushing ??= this.#flushAll()
    })
  }

  async read(location: WalLocation, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    try {
      // No file is opened behind the close.
      if (this.#closing !== undefined) throw this.#closed()
      return await waitFor(this.#segments.read(location, options), options.signal)
    } catch (error) {
      // Its file was closed under it.
      if (this.#closing !== undefined && isKind(error, 'unavailable')) throw this.#closed(error)
      throw error
    }
  }

  release(locations: readonly WalLocation[]): Promise<void> {
    const emptied = this.#segments.release(locations)
    return emptied.length === 0 ? done : this.#segments.free(emptied).then(() => this.#wake?.())
  }

  checkFence(): Promise<void> {
    return checkFence(this.#place.files, this.#place.dir, this.epoch)
  }

  space(): Promise<WalSpace> {
    return this.#segments.space()
  }

  usage(): WalUsage {
    return { ...this.#segments.usage(), bufferBytes: this.#buffer.bytes }
  }

  get failing(): Failing {
    return this.#segments.failing
  }

  sparse(share: number): readonly string[] {
    return this.#segments.sparse(share)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    this.#wake?.()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#flushing
    await this.#segments.close(this.#failure === undefined)
    await unmarkRunning(this.#place.files, this.#place.dir, this.epoch)
  }

  /**
   * Where many wait, a flush is answered when the next one is on its way: the disk need not wait for those who hear of the last. Else
   * before, and who goes on at once goes out with those who wait.
   */
  async #flushAll(): Promise<void> {
    // All appends of this turn share the first flush.
    await Promise.resolve()
    let durable: Flushed | undefined
    while (this.#queue.length > 0 && this.#failure === undefined) {
      if (durable !== undefined && !this.#queue.isLong) {
        acknowledge(durable)
        durable = undefined
        await hops()
      }
      const flushing = this.#flush()
      if (durable !== undefined) acknowledge(durable)
      durable = await flushing
    }
    if (durable !== undefined) acknowledge(durable)
    this.#flushing = undefined
  }

  /** One flush, which waits for nothing before its write but for room. Undefined where there is nobody to answer. */
  async #flush(): Promise<Flushed | undefined> {
    const segments = this.#segments
    let taken: PendingAppend[] = []
    // From here on: a full disk says so where room is made.
    const timing = this.#meter?.begin()
    try {
      // Another one may have come to be the first meanwhile.
      while (!segments.hasRoom(this.#queue.first.batches.length))
        await segments.makeRoom(this.#queue.first.batches.length)
      const { active } = segments
      const start = active.position
      const flush = this.#queue.take(active, this.#maxFlushBytes)
      const { end, bytes } = flush
      taken = flush.appends
      // With room for the seal: it must not be the one thing that does not fit any more.
      const needed = end + SEAL_BYTES
      if (!active.isAllocated(needed))
        await active.allocate(needed, this.keepsReserve && taken[0]!.section.frees !== true)
      await active.store(this.#buffer.frames(taken, start, active), start, () => timing?.syncing())
      active.position = end
      timing?.synced()
      await this.#fence.pass()
      timing?.durable(end - start)
      // Nobody has heard of an ack before this turn ends.
      segments.add(active.id, taken.length, bytes)
      if (end >= active.sizeBytes / 4) segments.prepare()
      if (taken[0]!.section.frees !== true) this.#heldSinceMs = undefined
      return { taken, start, segment: active.id }
    } catch (error) {
      // Whoever the last flush made durable hears of it first, where this one got as far as nowhere.
      await done
      if (isReserved(error)) {
        this.#queue.putBack(taken)
        taken = []
        // It has not begun then: it is waited for.
        if (await this.#roomMayCome()) return undefined
      }
      timing?.failed(error)
      if (isRejected(error)) this.#reject(withOutcome(error, 'rejected', true), taken)
      else this.#fail(error, taken)
      return undefined
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

  /** The disk is full, and holds nothing of them: the next ones may find room. */
  #reject(error: Error, inFlight: readonly PendingAppend[]): void {
    const rejected = [...inFlight, ...this.#queue.takeAll()]
    this.rejections++
    const { logger } = this.#runtime
    // No `err`: whoever appended is told.
    const fields = { epoch: this.epoch, appends: rejected.length, reason: error.message }
    logger.warn(fields, 'The disk is full: appends were rejected')
    for (const { reject } of rejected) reject(error)
  }

  /** Final: what the disk holds of the last flush is unknown, and nothing may be acked on top of it. */
  #fail(error: unknown, inFlight: readonly PendingAppend[]): void {
    const failure = error instanceof Error ? error : closed('WAL_FAILED', messageOf(error))
    this.#failure = failure
    const behind = this.#queue.takeAll()
    const { logger } = this.#runtime
    logger.error(
      { err: failure, epoch: this.epoch, dir: epochPath(this.#place.dir, this.epoch) },
      'The write-ahead tier failed',
    )
    for (const { reject } of inFlight) reject(withOutcome(failure, 'unknown', false))
    for (const { reject } of behind) reject(withOutcome(failure, 'rejected', false))
  }

  #closed(cause?: unknown): Error {
    return closed('WAL_CLOSED', `${this.#place.dir} was closed.`, { cause })
  }

  #closedByFailure(cause: Error): Error {
    return closed('WAL_FAILED', `The write-ahead tier in ${this.#place.dir} failed before: open the log again.`, {
      cause,
    })
  }
}

/** What a flush has made durable, in one segment back to back from `start`. */
interface Flushed {
  readonly taken: readonly PendingAppend[]
  readonly start: number
  readonly segment: string
}

function acknowledge({ taken, start, segment }: Flushed): void {
  let position = start
  for (const { section, batchesBytes, resolve } of taken) {
    const { baseOffset, lastOffset } = section
    const sizeBytes = frameBytes(batchesBytes)
    resolve({ baseOffset, lastOffset, location: { segment, position, sizeBytes }, durability: 'disk' })
    position = frameEnd(position, batchesBytes)
  }
}

/** Long enough for who has heard of an ack to append again, by way of all that lies between. */
async function hops(): Promise<void> {
  for (let n = 0; n < HOPS; n++) await done
}

function isPlaced(section: Section): section is PlacedSection {
  return section.baseOffset !== undefined && section.lastOffset !== undefined
}

function withoutOffsets(): Error {
  return invalid(
    'OFFSETS',
    'A file Wal stores a section with the offsets that its sequencer gave it: this one has none.',
  )
}

function withAborted({ topicId, partition, baseOffset, lastOffset, aborted }: PlacedSection): Error {
  const offsets = aborted!.map(({ from, to }) => `[${from}, ${to})`).join(', ')
  return unsupported(
    'ABORTED_RANGES',
    `A file Wal cannot store that the records ${offsets} of partition ${partition} are aborted, and would show them again: keep them in a Wal that stores it, and tier the topic to release the section at [${baseOffset}, ${lastOffset}].`,
    { context: { topicId, partition, baseOffset, lastOffset } },
  )
}
