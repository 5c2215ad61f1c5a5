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

  /** Takes back a segment whose sections are all released. */
  async recycle(segment: SegmentFile): Promise<void> {
    if (this.#isClosed || this.#free.length >= MAX_FREE || segment.sizeBytes !== this.#segmentBytes) {
      await segment.close()
      await this.#place.files.unlink(segment.path)
      return
    }
    this.#free.push(segment)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const ahead = await this.#ahead?.catch(() => undefined)
    for (const segment of [...this.#free, ...(ahead === undefined ? [] : [ahead])]) {
      await segment.close()
    }
    this.#free.length = 0
    this.#ahead = undefined
  }

  // Generations are the order in which segments get their frames: a prepared one gets a later one. Not before ours has its header: who lists the
  // files must never see a generation while one below it is still to come.
  async #oversized(sizeBytes: number): Promise<SegmentFile> {
    const ahead = await this.#ahead
    const generation = ++this.#generation
    const segment = await SegmentFile.create(this.#place, { slot: ++this.#slots, generation, sizeBytes })
    try {
      await ahead?.use(++this.#generation)
      return segment
    } catch (error) {
      await segment.close()
      throw error
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
      await recycled.close()
      throw error
    }
  }
}

/** Preallocation ahead of the writer. Should it fail, the flush that needs the room tries again and reports. */
export function allocateInBackground(segment: SegmentFile): void {
  segment.allocate().catch(() => undefined)
}
