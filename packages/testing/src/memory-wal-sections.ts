import {
  fenced,
  notFound,
  type NextOffset,
  type Section,
  type SectionFacts,
  type SectionHeader,
  type WalLocation,
  type WalUsage,
} from '@moulin/core'
import { batchesIn, patchBatch } from '@moulin/format'

/** A section that was committed. */
export interface CommittedSection {
  /** Rises with each one. */
  readonly number: number
  readonly header: SectionHeader
  readonly location: WalLocation
  /** As they were appended: without offsets. */
  readonly batches: Uint8Array
}

/** What a `memoryWal` holds, whoever has it open. */
export class MemoryWalSections {
  /** Of the newest writer. */
  epoch = 0n
  /** Called when something was committed or released, and when a writer opens. */
  readonly watchers: Set<() => void> = new Set()
  /** By place, in the order of their commits. */
  readonly #live = new Map<string, CommittedSection>()
  readonly #segments = new Map<string, { readonly bytes: number; liveBytes: number; sections: number }>()
  readonly #next = new Map<string, bigint>()
  #number = 0
  #flushes = 0
  #liveBytes = 0
  #heldBytes = 0

  nextEpoch(): bigint {
    this.epoch++
    this.#changed()
    return this.epoch
  }

  /** @throws `fenced` when a newer writer has opened. Nothing of what this one had under way was stored, but it does not know that. */
  checkFence(epoch: bigint): void {
    if (epoch === this.epoch) return
    const message = `A newer writer has opened this memoryWal, at epoch ${this.epoch}: this one, of epoch ${epoch}, is out.`
    throw fenced('FENCED', message, { outcome: 'unknown', context: { epoch, newest: this.epoch } })
  }

  /**
   * Stores a flush at once, as one segment, and gives offsets to the sections that have none. `nextOffset`: what the log knows of a
   * partition of which nothing was ever committed here.
   */
  commit(epoch: bigint, flush: readonly Section[], nextOffset: NextOffset): CommittedSection[] {
    this.checkFence(epoch)
    const segment = `flush-${epoch}-${++this.#flushes}`
    const bytes = flush.reduce((sum, { batches }) => sum + batches.length, 0)
    this.#segments.set(segment, { bytes, liveBytes: bytes, sections: flush.length })
    this.#liveBytes += bytes
    this.#heldBytes += bytes
    let position = 0
    const committed = flush.map((section): CommittedSection => {
      const sizeBytes = section.batches.length
      const location = { segment, position, sizeBytes }
      position += sizeBytes
      const header = this.#headerOf(section, nextOffset)
      const one = { number: ++this.#number, header, location, batches: new Uint8Array(section.batches) }
      this.#live.set(placeOf(location), one)
      return one
    })
    this.#changed()
    return committed
  }

  #headerOf(section: Section, nextOffset: NextOffset): SectionHeader {
    const { topicId, incarnation, partition, recordCount, valueSchemaId, keySchemaId, appendedMs } = section
    const facts = { topicId, incarnation, partition, recordCount, valueSchemaId, keySchemaId, appendedMs }
    // One that moves keeps what it was given, and moves no sequence.
    const { baseOffset: given, lastOffset, aborted } = section
    if (given !== undefined && lastOffset !== undefined)
      return { ...facts, baseOffset: given, lastOffset, ...(aborted && { aborted }) }
    const key = partitionOf(section)
    const baseOffset = this.#next.get(key) ?? nextOffset(topicId, incarnation, partition)
    const next = baseOffset + BigInt(recordCount)
    this.#next.set(key, next)
    return { ...facts, baseOffset, lastOffset: next - 1n }
  }

  /** The batches at a place, with their offsets. @throws `not-found` when it was released. */
  read(location: WalLocation): Uint8Array {
    const section = this.#live.get(placeOf(location))
    if (section === undefined) throw notFound('RELEASED', `${location.segment} has been released.`)
    const batches = new Uint8Array(section.batches)
    let { baseOffset } = section.header
    for (const { position, header } of batchesIn(batches)) {
      patchBatch(batches, position, { baseOffset, partitionLeaderEpoch: 0 })
      baseOffset += BigInt(header.lastOffsetDelta) + 1n
    }
    return batches
  }

  /** What lives, for the next writer: per partition in offset order, each section where it was appended last. The rest is released. */
  recovered(isLive: (header: SectionHeader) => boolean): CommittedSection[] {
    const last = new Map<string, CommittedSection>()
    for (const section of this.#live.values()) {
      if (isLive(section.header)) last.set(`${partitionOf(section.header)}@${section.header.baseOffset}`, section)
    }
    const kept = new Set(last.values())
    this.release([...this.#live.values()].filter((section) => !kept.has(section)).map(({ location }) => location))
    return [...kept].sort(byOffset)
  }

  /** What was committed behind number `number`, and lives. */
  *since(number: number): Generator<CommittedSection> {
    for (const section of this.#live.values()) if (section.number > number) yield section
  }

  release(locations: readonly WalLocation[]): void {
    for (const location of locations) {
      if (!this.#live.delete(placeOf(location))) continue
      const segment = this.#segments.get(location.segment)!
      segment.liveBytes -= location.sizeBytes
      segment.sections -= 1
      this.#liveBytes -= location.sizeBytes
      if (segment.sections > 0) continue
      this.#heldBytes -= segment.bytes
      this.#segments.delete(location.segment)
    }
    if (locations.length > 0) this.#changed()
  }

  /** See `WalWriter`. */
  sparse(share: number): string[] {
    return [...this.#segments]
      .filter(([, { bytes, liveBytes }]) => liveBytes <= bytes * share)
      .sort(([, a], [, b]) => a.liveBytes - b.liveBytes)
      .map(([segment]) => segment)
  }

  usage(): WalUsage {
    const segments = this.#segments.size
    return { liveBytes: this.#liveBytes, heldBytes: this.#heldBytes, segments, liveSegments: segments, bufferBytes: 0 }
  }

  #changed(): void {
    for (const changed of this.watchers) changed()
  }
}

/** Of two places of one section, the one that was appended last stays behind the other. */
export function byOffset({ header: a }: CommittedSection, { header: b }: CommittedSection): number {
  return a.baseOffset < b.baseOffset ? -1 : a.baseOffset > b.baseOffset ? 1 : 0
}

export const placeOf = ({ segment, position }: WalLocation): string => `${segment}@${position}`

const partitionOf = ({ topicId, incarnation, partition }: SectionFacts): string =>
  `${topicId}/${incarnation}/${partition}`
