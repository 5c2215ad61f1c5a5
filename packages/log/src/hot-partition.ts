import { assert, corrupt, type SectionHeader, type WalLocation } from '@moulin/core'

/** A section in the write-ahead tier. */
export interface HotSection extends SectionHeader {
  location: WalLocation
  readonly batchesBytes: number
  /** Bytes of this partition's sections before it, ever. */
  readonly bytesBefore: number
  /** When it became durable, on the monotonic clock of this process: of one that was recovered, by its wall time of append. */
  readonly durableMs: number
  /** While it is in the tail ring. */
  batches: Uint8Array | undefined
}

/** The hot part of one partition: which sections the write-ahead tier holds, and how far readers may look. */
export class HotPartition {
  readonly topicId: string
  readonly partition: number
  /** First offset that the write-ahead tier holds. */
  released: bigint
  /** Exclusive: everything below is durable, acked and readable. */
  highWatermark: bigint
  /** Exclusive: the high watermark that recovery found when this writer opened the log; where a partition made since begins. */
  recovered = 0n
  /** Bytes of all sections ever added. */
  totalBytes = 0
  #sections: HotSection[] = []

  constructor(topicId: string, partition: number, released: bigint) {
    this.topicId = topicId
    this.partition = partition
    this.released = released
    this.highWatermark = released
  }

  /** The section is durable: readers may see it. They come in offset order, without gaps. */
  add(header: SectionHeader, location: WalLocation, batchesBytes: number, durableMs: number): HotSection {
    assert(header.baseOffset === this.highWatermark, `section ${header.baseOffset} follows ${this.highWatermark}`)
    const section = hotSection(header, location, batchesBytes, this.totalBytes, durableMs)
    this.#sections.push(section)
    this.totalBytes += batchesBytes
    this.highWatermark = header.lastOffset + 1n
    return section
  }

  /**
   * A section found in the write-ahead tier. One that is known already has moved. `gap`: what a hole before it means; a
   * reader beside a writer may find that what was there has been released (`skip`).
   */
  recover(
    header: SectionHeader,
    location: WalLocation,
    batchesBytes: number,
    durableMs: number,
    gap: 'corrupt' | 'skip',
  ): void {
    if (header.lastOffset < this.highWatermark) {
      const known = this.find(header.baseOffset)
      if (known?.baseOffset === header.baseOffset) known.location = location
      return
    }
    const isFirst = this.#sections.length === 0
    const follows = isFirst ? header.baseOffset <= this.highWatermark : header.baseOffset === this.highWatermark
    if (!follows) {
      if (gap === 'corrupt') throw this.#hole(header.baseOffset)
      this.#sections = []
      this.released = header.baseOffset
    }
    this.#sections.push(hotSection(header, location, batchesBytes, this.totalBytes, durableMs))
    this.totalBytes += batchesBytes
    this.highWatermark = header.lastOffset + 1n
  }

  /** The first section that reaches to `offset` or beyond. */
  find(offset: bigint): HotSection | undefined {
    return this.#sections[this.#indexOf(offset)]
  }

  /** Its sections that stand in one of these segments. */
  sectionsIn(segments: ReadonlySet<string>): HotSection[] {
    return this.#sections.filter(({ location }) => segments.has(location.segment))
  }

  #indexOf(offset: bigint): number {
    const sections = this.#sections
    let low = 0
    let high = sections.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sections[middle]!.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /**
   * When the oldest of the sections became durable that reach to `offset` or beyond; Infinity without any. None is younger than
   * one behind it, whatever the wall clock said: one that was appended under a clock too far ahead gets the age of its successors.
   */
  oldestFrom(offset: bigint): number {
    const first = this.find(offset)
    let oldest = first?.durableMs ?? Infinity
    // Of this process's own the first is the oldest.
    for (let at = this.#indexOf(offset) + 1; at < this.#sections.length; at++) {
      const { baseOffset, durableMs } = this.#sections[at]!
      if (baseOffset >= this.recovered) break
      oldest = Math.min(oldest, durableMs)
    }
    return oldest
  }

  /** When the youngest of the sections below `offset` became durable; undefined when the write-ahead tier holds none of them. */
  youngestBelow(offset: bigint): number | undefined {
    let youngest: number | undefined
    for (const { baseOffset, durableMs } of this.#sections) {
      if (baseOffset >= offset) break
      youngest = Math.max(youngest ?? durableMs, durableMs)
    }
    return youngest
  }

  /** Bytes of the sections that reach to `offset` or beyond. */
  bytesFrom(offset: bigint): number {
    const section = this.find(offset)
    return section === undefined ? 0 : this.totalBytes - section.bytesBefore
  }

  /** How far {@link dropBelow} would release: up to the last section that ends below `offset`. */
  releasable(offset: bigint): bigint {
    const kept = this.find(offset)
    const until = kept === undefined ? this.highWatermark : kept.baseOffset
    return until > this.released ? until : this.released
  }

  /** Forgets the sections below `offset`, which {@link releasable} gave, and returns them. */
  dropBelow(offset: bigint): HotSection[] {
    let count = 0
    while (count < this.#sections.length && this.#sections[count]!.lastOffset < offset) count++
    if (offset > this.released) this.released = offset
    return this.#sections.splice(0, count)
  }

  /** A reader beside a writer learns that all below `offset` is released: seen here or not, it was acked. */
  releaseTo(offset: bigint): void {
    if (offset <= this.highWatermark) {
      this.dropBelow(this.releasable(offset))
      return
    }
    this.#sections = []
    this.released = offset
    this.highWatermark = offset
  }

  #hole(baseOffset: bigint): Error {
    return corrupt(
      'WAL_INCOMPLETE',
      `Partition ${this.partition} of topic ${this.topicId}: the write-ahead data goes on at offset ${baseOffset}, but ${this.highWatermark} is due. A segment file is missing, or a newer checkpoint is damaged: restore it, or see what \`moulin repair\` would give up.`,
      {
        context: { topicId: this.topicId, partition: this.partition, expected: this.highWatermark, found: baseOffset },
      },
    )
  }
}

function hotSection(
  header: SectionHeader,
  location: WalLocation,
  batchesBytes: number,
  bytesBefore: number,
  durableMs: number,
): HotSection {
  const { topicId, incarnation, partition, baseOffset, lastOffset, recordCount } = header
  const { valueSchemaId, keySchemaId, appendedMs } = header
  return {
    topicId,
    incarnation,
    partition,
    baseOffset,
    lastOffset,
    recordCount,
    valueSchemaId,
    keySchemaId,
    appendedMs,
    location,
    batchesBytes,
    bytesBefore,
    durableMs,
    batches: undefined,
  }
}
