import { asRejected, spaceAt } from './disk-space.ts'
import { removeFile } from './durable-folder.ts'
import { SegmentFile, sizeForSection, type SegmentPlace } from './segment-file.ts'

/** Free files kept for the next generations. More are deleted: a burst should not hold its disk for ever. */
const MAX_FREE = 2

/**
 * Gives the writer its segments: recycled or new, always with a durable header, the next one made ahead of need so that a
 * roll does not stall. Owns the numbering of slots and generations.
 */
export class SegmentSupply {
  readonly #place: SegmentPlace
  readonly #segmentBytes: number
  readonly #free: SegmentFile[] = []
  #slots = 0
  #generation = 0n
  #ahead: Promise<SegmentFile> | undefined
  #isClosed = false

  constructor(place: SegmentPlace, segmentBytes: number) {
    this.#place = place
    this.#segmentBytes = segmentBytes
  }

  /** Free and prepared files. */
  get idleSegments(): number {
    return this.#free.length + (this.#ahead === undefined ? 0 : 1)
  }

  /** Begins to make the next segment. An error is met again, or gone, at {@link next}. */
  prepare(): void {
    if (this.#ahead !== undefined || this.#isClosed) return
    const ahead = this.#make(this.#segmentBytes)
    this.#ahead = ahead
    ahead.then(allocateInBackground, () => {
      if (this.#ahead === ahead) this.#ahead = undefined
    })
  }

  /** The next segment in order, big enough for one section of `batchesBytes`. */
  async next(batchesBytes: number): Promise<SegmentFile> {
    const needed = sizeForSection(batchesBytes)
    if (needed > this.#segmentBytes) return this.#oversized(needed)
    const ahead = this.#ahead ?? this.#make(this.#segmentBytes)
    this.#ahead = undefined
    return ahead
  }

  /** Takes back a segment whose sections are all released. On a full disk its room is worth more than its making. */
  async recycle(segment: SegmentFile): Promise<void> {
    const isKept = !this.#isClosed && this.#free.length < MAX_FREE && segment.sizeBytes === this.#segmentBytes
    if (isKept && !(await this.#isDiskFull())) this.#free.push(segment)
    else await this.#remove(segment)
  }

  /** Takes back a segment from {@link next} in which nothing was written. */
  async putBack(segment: SegmentFile): Promise<void> {
    if (this.#ahead === undefined && segment.sizeBytes === this.#segmentBytes) this.#ahead = Promise.resolve(segment)
    else await this.#remove(segment)
  }

  /** Removes the free and prepared files: they hold nothing. */
  async giveBack(): Promise<void> {
    const idle = this.#free.splice(0)
    const preparing = this.#ahead
    this.#ahead = undefined
    const ahead = await preparing?.catch(() => undefined)
    for (const segment of ahead === undefined ? idle : [...idle, ahead]) await this.#remove(segment)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.giveBack()
  }

  async #remove(segment: SegmentFile): Promise<void> {
    await segment.close()
    // A newer writer may have removed it.
    await removeFile(this.#place.files, segment.path)
  }

  async #isDiskFull(): Promise<boolean> {
    const { freeBytes, reserveBytes } = await spaceAt(this.#place.files, this.#place.dir)
    return freeBytes < reserveBytes
  }

  // Generations are the order in which segments get their frames: a prepared one gets a later one. Not before ours has its header: who lists the
  // files must never see a generation while one below it is still to come.
  async #oversized(sizeBytes: number): Promise<SegmentFile> {
    const preparing = this.#ahead
    this.#ahead = undefined
    const ahead = await preparing?.catch(() => undefined)
    const generation = ++this.#generation
    try {
      const segment = await SegmentFile.create(this.#place, { slot: ++this.#slots, generation, sizeBytes })
      if (ahead === undefined) return segment
      try {
        await ahead.use(++this.#generation)
        await this.putBack(ahead)
        return segment
      } catch (error) {
        await this.#remove(segment)
        throw error
      }
    } catch (error) {
      if (ahead !== undefined) await this.#remove(ahead)
      throw asRejected(error)
    }
  }

  async #make(sizeBytes: number): Promise<SegmentFile> {
    const generation = ++this.#generation
    const recycled = this.#free.shift()
    if (recycled === undefined) {
      return SegmentFile.create(this.#place, { slot: ++this.#slots, generation, sizeBytes })
    }
    try {
      await recycled.use(generation)
      return recycled
    } catch (error) {
      await this.#remove(recycled)
      throw asRejected(error)
    }
  }
}

/** Preallocation ahead of the writer. Should it fail, it has given back what it took; the flush that needs the room tries again and reports. */
export function allocateInBackground(segment: SegmentFile): void {
  segment.allocateAhead().catch(() => undefined)
}
