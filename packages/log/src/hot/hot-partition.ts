import { assert, corrupt, type OffsetRange, type SectionHeader, type WalLocation } from '@moulin/core'
import { AbortedRanges } from './aborted-ranges.ts'
import { SectionTable } from './section-table.ts'

/** A section in the write-ahead tier. */
export interface HotSection {
  readonly partition: number
  readonly baseOffset: bigint
  /** Inclusive. */
  readonly lastOffset: bigint
  /** Ids in the log's schema ledger; 0 for none. */
  readonly valueSchemaId: number
  readonly keySchemaId: number
  /** Of aborted transactions; absent: none. */
  readonly aborted?: readonly OffsetRange[]
  readonly location: WalLocation
  /** When it became durable, on the monotonic clock of this process: of one that was recovered, by its wall time of append. */
  readonly durableMs: number
}

/** What a partition has to know of a section. */
export type SectionFacts = Pick<
  SectionHeader,
  'baseOffset' | 'lastOffset' | 'aborted' | 'valueSchemaId' | 'keySchemaId'
>

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
  #sections = new SectionTable()
  readonly #aborted = new AbortedRanges()
  /** Of the first section: each of the others begins where the one before ends. */
  #firstOffset = 0n

  constructor(topicId: string, partition: number, released: bigint) {
    this.topicId = topicId
    this.partition = partition
    this.released = released
    this.highWatermark = released
  }

  /**
   * The section is durable: readers may see it. They come in offset order, without gaps. `durableMs`: when it became so, on the
   * monotonic clock of this process.
   */
  add(facts: SectionFacts, location: WalLocation, batchesBytes: number, durableMs: number): void {
    const isNext = facts.baseOffset === this.highWatermark
    // No text of two bigints for each append, which takes as long as all else here.
    assert(isNext, isNext ? '' : `section ${facts.baseOffset} follows ${this.highWatermark}`)
    this.#push(facts, location, batchesBytes, durableMs)
  }

  /**
   * A section found in the write-ahead tier, with the age that its wall time of append gives it. One that is known already has
   * moved. `gap`: what a hole before it means; a reader beside a writer may find that what was there has been released
   * (`skip`): it is forgotten. Returns the places that count no more.
   */
  recover(
    facts: SectionFacts,
    location: WalLocation,
    batchesBytes: number,
    durableMs: number,
    gap: 'corrupt' | 'skip',
  ): WalLocation[] {
    const { baseOffset, lastOffset } = facts
    if (lastOffset < this.highWatermark) {
      const index = this.#sections.indexOf(baseOffset)
      const isKnown = index < this.#sections.length && this.#baseOffset(index) === baseOffset
      return [isKnown ? this.#sections.move(index, location) : location]
    }
    const isFirst = this.#sections.length === 0
    const follows = isFirst ? baseOffset <= this.highWatermark : baseOffset === this.highWatermark
    let gone: WalLocation[] = []
    if (!follows) {
      if (gap === 'corrupt') throw this.#hole(baseOffset)
      gone = this.#sections.drop(this.#sections.length)
      this.released = baseOffset
      this.#aborted.dropBelow(baseOffset)
    }
    this.#push(facts, location, batchesBytes, durableMs)
    return gone
  }

  #push(facts: SectionFacts, location: WalLocation, batchesBytes: number, durableMs: number): void {
    if (this.#sections.length === 0) this.#firstOffset = facts.baseOffset
    this.#sections.push(facts, location, durableMs, this.totalBytes)
    if (facts.aborted !== undefined) this.#aborted.add(facts.aborted)
    this.totalBytes += batchesBytes
    this.highWatermark = facts.lastOffset + 1n
  }

  /** Exclusive: below it, every transaction has ended. There are none yet. */
  get stableOffset(): bigint {
    return this.highWatermark
  }

  /** The first section that reaches to `offset` or beyond. */
  find(offset: bigint): HotSection | undefined {
    const sections = this.#sections
    const index = sections.indexOf(offset)
    if (index === sections.length) return undefined
    const baseOffset = this.#baseOffset(index)
    const lastOffset = sections.lastOffset(index)
    const aborted = this.#aborted.meeting({ from: baseOffset, to: lastOffset + 1n })
    return {
      partition: this.partition,
      baseOffset,
      lastOffset,
      ...(aborted.length === 0 ? {} : { aborted }),
      valueSchemaId: sections.valueSchemaId(index),
      keySchemaId: sections.keySchemaId(index),
      location: sections.location(index),
      durableMs: sections.durableMs(index),
    }
  }

  /** Its sections that stand in one of these segments. */
  sectionsIn(segments: ReadonlySet<string>): HotSection[] {
    const found: HotSection[] = []
    for (let index = 0; index < this.#sections.length; index++) {
      if (segments.has(this.#sections.location(index).segment)) found.push(this.find(this.#sections.lastOffset(index))!)
    }
    return found
  }

  /** Whether the section is still held, and where it was. */
  holds({ baseOffset, location }: HotSection): boolean {
    const found = this.find(baseOffset)
    return found?.baseOffset === baseOffset && isSamePlace(found.location, location)
  }

  /** The section lies at `to` now. */
  move({ baseOffset }: HotSection, to: WalLocation): void {
    this.#sections.move(this.#sections.indexOf(baseOffset), to)
  }

  #baseOffset(index: number): bigint {
    return index === 0 ? this.#firstOffset : this.#sections.lastOffset(index - 1) + 1n
  }

  /**
   * When the oldest of the sections became durable that reach to `offset` or beyond; Infinity without any. None is younger than
   * one behind it, whatever the wall clock said: one that was appended under a clock too far ahead gets the age of its successors.
   */
  oldestFrom(offset: bigint): number {
    const sections = this.#sections
    const first = sections.indexOf(offset)
    if (first === sections.length) return Infinity
    let oldest = sections.durableMs(first)
    // Of this process's own the first is the oldest.
    for (let index = first + 1; index < sections.length && this.#baseOffset(index) < this.recovered; index++) {
      oldest = Math.min(oldest, sections.durableMs(index))
    }
    return oldest
  }

  /** When the youngest of the sections below `offset` became durable; undefined when the write-ahead tier holds none of them. */
  youngestBelow(offset: bigint): number | undefined {
    let youngest: number | undefined
    for (let index = 0; index < this.#sections.length && this.#baseOffset(index) < offset; index++) {
      youngest = Math.max(youngest ?? -Infinity, this.#sections.durableMs(index))
    }
    return youngest
  }

  /** Records of aborted transactions at `offset` or beyond. */
  abortedFrom(offset: bigint): bigint {
    return this.#aborted.countFrom(offset)
  }

  /** Bytes of the sections that reach to `offset` or beyond. */
  bytesFrom(offset: bigint): number {
    const index = this.#sections.indexOf(offset)
    return index === this.#sections.length ? 0 : this.totalBytes - this.#sections.bytesBefore(index)
  }

  /** Where so many bytes of sections end, from the one on that reaches to `offset`: exclusive, whole sections, and one at least. */
  endOf(offset: bigint, bytes: number): bigint {
    const sections = this.#sections
    const first = sections.indexOf(offset)
    if (first === sections.length) return this.highWatermark
    const limit = sections.bytesBefore(first) + bytes
    let [low, high] = [first + 1, sections.length]
    // The first section that begins beyond the limit, or fits only in part.
    while (low < high) {
      const middle = (low + high) >>> 1
      const end = middle + 1 === sections.length ? this.totalBytes : sections.bytesBefore(middle + 1)
      if (end <= limit) low = middle + 1
      else high = middle
    }
    return sections.lastOffset(low - 1) + 1n
  }

  /** How far {@link dropBelow} would release: up to the last section that ends below `offset`. */
  releasable(offset: bigint): bigint {
    const index = this.#sections.indexOf(offset)
    const until = index === this.#sections.length ? this.highWatermark : this.#baseOffset(index)
    return until > this.released ? until : this.released
  }

  /** Forgets the sections below `offset`, which {@link releasable} gave, and returns where they are. */
  dropBelow(offset: bigint): WalLocation[] {
    const count = this.#sections.indexOf(offset)
    if (offset > this.released) this.released = offset
    const firstOffset = count === 0 ? this.#firstOffset : this.#sections.lastOffset(count - 1) + 1n
    const dropped = this.#sections.drop(count)
    this.#firstOffset = firstOffset
    this.#aborted.dropBelow(this.released)
    return dropped
  }

  /**
   * A reader beside a writer learns that all below `offset` is released: seen here or not, it was acked. Returns where the
   * sections were that are forgotten.
   */
  releaseTo(offset: bigint): WalLocation[] {
    if (offset <= this.highWatermark) return this.dropBelow(this.releasable(offset))
    const dropped = this.#sections.drop(this.#sections.length)
    this.released = offset
    this.highWatermark = offset
    this.#aborted.dropBelow(offset)
    return dropped
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

function isSamePlace(a: WalLocation, b: WalLocation): boolean {
  return a.segment === b.segment && a.position === b.position
}
