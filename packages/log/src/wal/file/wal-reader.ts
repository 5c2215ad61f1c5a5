import {
  closed,
  notFound,
  ReadGate,
  throwIfAborted,
  waitFor,
  type FileHandle,
  type SectionHeader,
  type WalLocation,
  type WalReader,
  type WalReaderOptions,
  type WalUsage,
} from '@moulin/core'
import { areOpenersGone } from './epoch-opener.ts'
import { checkLogId, epochPath, hasHigherEpoch, listEpochs, newestInfo, type EpochInfo } from './epoch-folder.ts'
import { EpochTail, type Place } from './epoch-tail.ts'
import { watchEpochs } from './epoch-watch.ts'
import { uuidBytes, type Frame } from './frame.ts'
import { partitionKey } from './life-partition.ts'
import { LiveSegments } from './live-segments.ts'
import { orderSections } from './section-order.ts'
import { readSection, released } from './section-read.ts'
import { parseSegmentId, segmentId } from './segment-file.ts'
import { scanSource, withFile, type SourceSegment } from './source-scan.ts'

/** Files that are open for reads of sections: those that wait for their turn at the disk have theirs open. */
const OPEN_AT_A_TIME = 16

/** The reader of `fileWal`. It shows a section by the rule of an ack. */
export class FileWalReader implements WalReader {
  readonly #dir: string
  readonly #options: WalReaderOptions
  readonly #logId: Uint8Array
  readonly #opens = new ReadGate(OPEN_AT_A_TIME)
  readonly #tail: EpochTail
  #info: EpochInfo
  #place: Place | undefined
  /** A newer opener was at work when we began here: what no checkpoint proves has not been shown. */
  #isPartial = false
  /** By partition, the end of what we have shown: a section below it may stand elsewhere by now. */
  readonly #shown = new Map<string, bigint>()
  /** Each section that was shown, once, at its last place: whatever moves, from one epoch to the next, too. */
  readonly #live = new LiveSegments()
  #refreshing: Promise<void> | undefined
  #nextRefresh: Promise<void> | undefined
  #watcher: { close(): void } | undefined
  #isClosed = false

  private constructor(dir: string, options: WalReaderOptions, info: EpochInfo) {
    this.#dir = dir
    this.#options = options
    this.#logId = uuidBytes(options.logId)
    this.#tail = new EpochTail(options.runtime.files, dir, this.#logId)
    this.#info = info
  }

  static async begin(dir: string, options: WalReaderOptions): Promise<FileWalReader> {
    const info = await newestSource(dir, options)
    const reader = new FileWalReader(dir, options, info)
    await reader.#begin(info)
    throwIfAborted(options.signal)
    return reader
  }

  get epoch(): bigint {
    return this.#info.epoch
  }

  async read(location: WalLocation, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const { epoch, name, generation } = parseSegmentId(location.segment)
    const identity = { logId: this.#logId, epoch, generation }
    const path = `${epochPath(this.#dir, epoch)}/${name}`
    const { files } = this.#options.runtime
    const read = (): Promise<Uint8Array | undefined> =>
      withFile(files, path, (file) => readSection(file, location, identity, options))
    const batches = await waitFor(this.#opens.run(read, options.signal), options.signal)
    if (batches === undefined) throw released(location.segment)
    return batches
  }

  async release(locations: readonly WalLocation[]): Promise<void> {
    this.#live.remove(locations)
  }

  usage(): WalUsage {
    const { liveBytes, heldBytes, size } = this.#live
    return { liveBytes, heldBytes, segments: size, liveSegments: size, bufferBytes: 0 }
  }

  follow(looked: (error: Error | undefined) => void): void {
    const look = (): void => void this.refresh().then(() => looked(undefined), looked)
    this.#watcher = watchEpochs(this.#options.runtime, this.#dir, () => this.epoch, look)
  }

  /** Calls made while one runs share the next one, so that each sees what was durable when it was made. */
  refresh(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed('WAL_CLOSED', `${this.#dir} was closed.`))
    if (this.#refreshing === undefined) return this.#startRefresh()
    this.#nextRefresh ??= this.#refreshing
      .catch(() => undefined)
      .then(() => {
        this.#nextRefresh = undefined
        return this.#startRefresh()
      })
    return this.#nextRefresh
  }

  #startRefresh(): Promise<void> {
    const refreshing = this.#refresh().finally(() => {
      // Until the next one has begun in its place: there are never two.
      if (this.#nextRefresh === undefined) this.#refreshing = undefined
    })
    this.#refreshing = refreshing
    return refreshing
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#watcher?.close()
    await (this.#nextRefresh ?? this.#refreshing)?.catch(() => undefined)
  }

  async #refresh(): Promise<void> {
    for (;;) {
      const info = await newestSource(this.#dir, this.#options, this.#info)
      if (info.epoch !== this.#info.epoch) {
        await this.#begin(info)
        return
      }
      // Nothing new until that opener is a source, or will never be one.
      if (this.#isPartial && (await areOpenersGone(this.#options.runtime, this.#dir, info.epoch))) {
        await this.#begin(info)
        return
      }
      const { found, isBehind } = await this.#tail.since(info.epoch, this.#place)
      // What was recycled before we came is released, or was copied on: the checkpoint says up to where.
      if (isBehind) await this.#options.beforeRecovery()
      if (found.length === 0) return
      const placed = found.flatMap(({ place, frames }) => placedIn({ epoch: info.epoch, ...place }, frames))
      if (!this.#isPartial && (await this.#isFinal(info))) {
        this.#show(placed)
        this.#place = found.at(-1)!.place
        return
      }
      if ((await newestSource(this.#dir, this.#options, info)).epoch !== info.epoch) continue
      // What has been shown was acked, wherever it was copied to.
      this.#show(placed.filter(({ header }) => this.#wasShown(header)))
      return
    }
  }

  /**
   * Asked when what was found is durable by our own sync. If a newer opener is at work, it may have looked before these frames were
   * there, and go on without them. One that is gone decides nothing, and the next one finds them (docs/formats/wal.md).
   */
  async #isFinal(info: EpochInfo): Promise<boolean> {
    const { runtime } = this.#options
    if (!(await hasHigherEpoch(runtime.files, this.#dir, info.epoch))) return true
    if (!(await areOpenersGone(runtime, this.#dir, info.epoch))) return false
    // Gone, but a source before.
    return (await newestSource(this.#dir, this.#options, info)).epoch === info.epoch
  }

  /** Reads all of an epoch, or of a newer one that appears meanwhile, and shows what the rule permits. */
  async #begin(first: EpochInfo): Promise<void> {
    const { runtime, beforeRecovery, isLive, isAcked } = this.#options
    const { files } = runtime
    for (let info = first; ;) {
      await beforeRecovery()
      const afterScan = (file: FileHandle): Promise<void> => file.datasync()
      const { bootId } = runtime.process
      const source = await scanSource({ files, dir: this.#dir, logId: this.#logId, info, bootId, isLive, afterScan })
      const segments = source.active === undefined ? source.sealed : [...source.sealed, source.active]
      const last = segments.findLast(({ epoch }) => epoch === info.epoch)
      const end = last && { ...last, position: last.end }
      // A file that was used anew while we read may hold what a living writer has copied to behind the end that we saw.
      const { found, isBehind } = await this.#tail.since(info.epoch, end)
      if (isBehind) await beforeRecovery()
      const isFinal = await this.#isFinal(info)
      // A newer writer deletes files of older epochs as soon as it is a source itself.
      const newest = await newestSource(this.#dir, this.#options, info)
      if (newest.epoch !== info.epoch) {
        info = newest
        continue
      }
      this.#info = info
      this.#place = found.at(-1)?.place ?? end
      this.#isPartial = !isFinal
      const placed = [
        ...segments.flatMap((segment) => placedIn(segment, segment.live)),
        ...found.flatMap(({ place, frames }) => placedIn({ epoch: info.epoch, ...place }, frames)),
      ]
      this.#show(isFinal ? placed : placed.filter(({ header }) => isAcked(header) || this.#wasShown(header)))
      return
    }
  }

  #show(placed: readonly PlacedSection[]): void {
    // Not what was released before it was seen here.
    const live = placed.filter(({ header }) => this.#options.isLive(header))
    for (const { header, location } of orderSections(live).ordered) {
      this.#live.add(location)
      this.#options.recover(header, location)
      if (!this.#wasShown(header)) this.#shown.set(partitionKey(header), header.lastOffset + 1n)
    }
  }

  #wasShown(header: SectionHeader): boolean {
    return header.lastOffset < (this.#shown.get(partitionKey(header)) ?? 0n)
  }
}

interface PlacedSection {
  readonly header: SectionHeader
  readonly location: WalLocation
}

function placedIn(
  { epoch, name, generation }: Pick<SourceSegment, 'epoch' | 'name' | 'generation'>,
  frames: readonly Frame[],
): PlacedSection[] {
  const segment = segmentId(epoch, name, generation)
  return frames.map(({ header, position, sizeBytes }) => ({ header, location: { segment, position, sizeBytes } }))
}

/** The newest epoch that holds something; `known` if there is no newer one. @throws `not-found`, `corrupt`. */
async function newestSource(dir: string, { runtime, logId }: WalReaderOptions, known?: EpochInfo): Promise<EpochInfo> {
  const epochs = await listEpochs(runtime.files, dir)
  const newer = known === undefined ? epochs : epochs.filter((epoch) => epoch > known.epoch)
  const info = (await newestInfo(runtime.files, dir, newer)) ?? known
  if (info === undefined) {
    throw notFound('WAL_MISSING', `There is no write-ahead data in ${dir}: no writer has opened this log here yet.`, {
      context: { dir },
    })
  }
  checkLogId(dir, info, logId)
  return info
}
