import type { Files } from '@moulin/core'
import { asRejected, spaceAt } from './disk-space.ts'
import type { DeadFiles } from './dead-files.ts'
import { withFile } from './source-scan.ts'
import { epochPath } from './epoch-folder.ts'
import { SegmentFile, segmentPath, sizeForSection, type SegmentPlace } from './segment-file.ts'

/** Free files kept for the next generations. More are deleted: a burst should not hold its disk for ever. */
const MAX_FREE = 2

/**
 * Gives the writer its segments: recycled or new, always with a durable header, the next one made ahead of need so that a
 * roll does not stall. Owns the numbering of slots and generations.
 */
export class SegmentSupply {
  readonly #place: SegmentPlace
  readonly #segmentBytes: number
  readonly #dead: DeadFiles
  readonly #free: SegmentFile[] = []
  readonly #leftovers = new Set<string>()
  #slots = 0
  #generation = 0n
  #ahead: Promise<SegmentFile> | undefined
  #isClosed = false

  constructor(place: SegmentPlace, segmentBytes: number, dead: DeadFiles) {
    this.#place = place
    this.#segmentBytes = segmentBytes
    this.#dead = dead
  }

  /** Free and prepared files. */
  get idleSegments(): number {
    return this.#free.length + (this.#ahead === undefined ? 0 : 1)
  }

  /** Begins to make the next segment. After an error {@link next} tries again. */
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
    const preparing = this.#ahead
    this.#ahead = undefined
    return (await preparing?.catch(() => undefined)) ?? this.#make(this.#segmentBytes)
  }

  /** Takes back a segment whose sections are all released. On a full disk its room is worth more than its making. Never rejects. */
  async recycle(segment: SegmentFile): Promise<void> {
    const isKept = !this.#isClosed && this.#free.length < MAX_FREE && segment.sizeBytes === this.#segmentBytes
    if (isKept && !(await this.#isDiskFull())) this.#free.push(segment)
    else await this.#remove(segment)
  }

  /** Takes back a segment from {@link next} in which nothing was written. */
  async putBack(segment: SegmentFile): Promise<void> {
    if (this.#ahead === undefined && segment.sizeBytes === this.#segmentBytes) this.#ahead = Promise.resolve(segment)
    else await this.#discard(segment)
  }

  /** Removes the free and prepared files: they hold nothing. Never rejects. */
  async giveBack(): Promise<void> {
    for (const segment of this.#free.splice(0)) await this.#remove(segment)
    const preparing = this.#ahead
    const ahead = await preparing?.catch(() => undefined)
    // The writer may have taken it meanwhile.
    if (ahead !== undefined && this.#ahead === preparing) {
      this.#ahead = undefined
      await this.#discard(ahead)
    }
    await this.#dead.retry()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.giveBack()
  }

  async #remove(segment: SegmentFile): Promise<void> {
    // Of a file that holds nothing it may say what it likes.
    await segment.close().catch(() => undefined)
    await this.#dead.remove(segment.path)
  }

  async #discard(segment: SegmentFile): Promise<void> {
    // In the turn in which nobody else has it any more: closing takes a while, and a roll must know of it.
    this.#leftovers.add(segment.path)
    await segment.close().catch(() => undefined)
    await this.#leave(segment.path)
  }

  /** A file whose generation gets no frame. Where it cannot be removed now, it is, or loses its header, before another one is given out. */
  async #leave(path: string): Promise<void> {
    this.#leftovers.add(path)
    await this.#clear().catch(() => undefined)
  }

  /** Durably: a header without frames below a generation that has some is taken for a segment that lost them. */
  async #clear(): Promise<void> {
    const leftovers = [...this.#leftovers]
    if (leftovers.length === 0) return
    const { files, dir, epoch } = this.#place
    try {
      for (const path of leftovers) if (!(await this.#dead.remove(path))) await empty(files, path)
      await files.syncDirectory(epochPath(dir, epoch))
    } catch (error) {
      throw asRejected(error)
    }
    // Not those that came meanwhile.
    for (const path of leftovers) this.#leftovers.delete(path)
  }

  async #isDiskFull(): Promise<boolean> {
    const space = await spaceAt(this.#place.files, this.#place.dir).catch(() => undefined)
    return space !== undefined && space.freeBytes < space.reserveBytes
  }

  // Generations are the order in which segments get their frames: a prepared one gets a later one. Not before ours has its header: who lists the
  // files must never see a generation while one below it is still to come.
  async #oversized(sizeBytes: number): Promise<SegmentFile> {
    const preparing = this.#ahead
    this.#ahead = undefined
    const ahead = await preparing?.catch(() => undefined)
    let segment: SegmentFile | undefined
    try {
      segment = await this.#create(sizeBytes)
      if (ahead === undefined) return segment
      await ahead.use(++this.#generation)
    } catch (error) {
      if (segment !== undefined) await this.#discard(segment)
      if (ahead !== undefined) await this.#discard(ahead)
      throw asRejected(error)
    }
    await this.putBack(ahead)
    return segment
  }

  async #make(sizeBytes: number): Promise<SegmentFile> {
    const recycled = this.#free.shift()
    if (recycled === undefined) return this.#create(sizeBytes)
    try {
      await this.#clear()
      await recycled.use(++this.#generation)
      return recycled
    } catch (error) {
      await this.#discard(recycled)
      throw asRejected(error)
    }
  }

  async #create(sizeBytes: number): Promise<SegmentFile> {
    await this.#clear()
    const slot = ++this.#slots
    try {
      return await SegmentFile.create(this.#place, { slot, generation: ++this.#generation, sizeBytes })
    } catch (error) {
      await this.#leave(segmentPath(this.#place, slot))
      throw asRejected(error)
    }
  }
}

/** Durable on return: a file without a header is none. It takes no room, and needs none. */
async function empty(files: Files, path: string): Promise<void> {
  await withFile(
    files,
    path,
    async (file) => {
      await file.truncate(0)
      await file.sync()
    },
    'write',
  )
}

/** Preallocation ahead of the writer. Should it fail, it has given back what it took; the flush that needs the room tries again and reports. */
export function allocateInBackground(segment: SegmentFile): void {
  segment.allocateAhead().catch(() => undefined)
}
