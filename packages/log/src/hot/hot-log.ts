import {
  corrupt,
  isKind,
  notFound,
  throwIfAborted,
  waitFor,
  type BatchRun,
  type EarlierRange,
  type HotSource,
  type SectionFollower,
  type SectionHeader,
  type WalLocation,
  type WalSession,
} from '@moulin/core'
import type { ConfirmedFrontier, StoredCheckpoint, StoredCheckpointTopic } from '../stored/checkpoint-store.ts'
import { HotPartition, type HotSection } from './hot-partition.ts'
import { TailRing } from './tail-ring.ts'
import { Wakeups } from '../read/wakeups.ts'
import { LifeMap } from '../topics/life-map.ts'

/** The hot part of one topic, in one of its incarnations. */
export interface HotTopic {
  readonly id: string
  readonly incarnation: number
  readonly partitions: readonly HotPartition[]
  /** Woken whenever a high watermark moves. */
  readonly wakeups: Wakeups
  /** First offsets that someone reads from the write-ahead tier: nothing from there on is released. */
  readonly pins: Set<readonly bigint[]>
  /** Bytes of all sections ever added, of all partitions. */
  totalBytes: number
  /** The oldest frontier whose grace goes on: checkpoints keep it for the next process. */
  confirmed: ConfirmedFrontier | undefined
  /** Called after each durable section. */
  onAppended: (() => void) | undefined
  /** Called when a pin is let go. */
  onUnpinned: (() => void) | undefined
}

type SectionLife = Pick<SectionHeader, 'topicId' | 'incarnation' | 'partition'>

export interface HotLogOptions {
  readonly tailRingBytes: number
  readonly monotonic: () => number
  /** Wall time, for the age of what an earlier process appended. */
  readonly now: () => number
  /** What a hole means: a loss (`corrupt`) to the writer; to a reader beside it, that what was there is released. */
  readonly gap: 'corrupt' | 'skip'
}

/**
 * All that is in the write-ahead tier, by topic, incarnation and partition. Owns high watermarks and what is released. It is told of sections
 * by the Wal, at recovery and beside a writer, and by the sequencer, which it follows.
 */
export class HotLog implements SectionFollower {
  readonly #options: HotLogOptions
  readonly #ring: TailRing
  readonly #topics = new LifeMap<HotTopic>()
  #checkpointed = new LifeMap<StoredCheckpointTopic>()
  #wal: WalSession | undefined
  /** Places that counted no more before there was a session to say so to. */
  #unreleased: WalLocation[] = []
  /** The error that made the write-ahead tier final: no high watermark moves any more. */
  failure: Error | undefined
  /** Called when the write-ahead tier has failed for good. */
  onFailed: () => void = () => {}
  /** Called with the bytes of each durable section. */
  onAppended: (bytes: number) => void = () => {}
  /** Learns what has been released or moved, when a section is not where it was. */
  replan: () => Promise<void> = async () => {}

  constructor(options: HotLogOptions) {
    this.#options = options
    this.#ring = new TailRing(options.tailRingBytes)
  }

  /** Sets what recovery starts from, and forgets what the checkpoint releases. */
  begin(checkpoint: StoredCheckpoint | undefined): void {
    this.#checkpointed = new LifeMap()
    for (const topic of checkpoint?.topics ?? []) this.#checkpointed.set(topic.id, topic.incarnation, topic)
    for (const { id, incarnation, released } of this.#checkpointed.values()) {
      const topic = this.#topics.get(id, incarnation)
      if (topic === undefined) continue
      for (const partition of topic.partitions) {
        // A reader's session forgets them, too.
        this.#release(partition.releaseTo(released[partition.partition] ?? 0n))
      }
      topic.wakeups.wake()
    }
  }

  /** Memory of the batches that are kept to be read. */
  get ringBytes(): number {
    return this.#ring.bytes
  }

  attach(wal: WalSession): void {
    this.#wal = wal
    this.#release(this.#unreleased)
    this.#unreleased = []
  }

  #release(locations: readonly WalLocation[]): void {
    if (locations.length === 0) return
    if (this.#wal === undefined) this.#unreleased.push(...locations)
    else void this.#wal.release(locations)
  }

  isLive({ topicId, incarnation, partition, lastOffset }: SectionHeader): boolean {
    return lastOffset >= (this.#checkpointed.get(topicId, incarnation)?.released[partition] ?? 0n)
  }

  /** Whether the newest checkpoint proves that the section was acked. */
  isAcked({ topicId, incarnation, partition, lastOffset }: SectionHeader): boolean {
    return lastOffset < (this.#checkpointed.get(topicId, incarnation)?.next[partition] ?? 0n)
  }

  /** See `WalOptions`. */
  recover(header: SectionHeader, location: WalLocation): void {
    const topic = this.#topicOf(header)
    const partition = topic.partitions[header.partition]!
    const { monotonic, now, gap } = this.#options
    // An append from the future says nothing but that a clock was wrong: its age begins now.
    const ageMs = Math.max(0, now() - header.appendedMs)
    const { totalBytes } = partition
    this.#release(partition.recover(header, location, location.sizeBytes, monotonic() - ageMs, gap))
    topic.totalBytes += partition.totalBytes - totalBytes
    topic.wakeups.wake()
  }

  /** A section has become durable: moves the high watermark and wakes readers. */
  add(header: SectionHeader, location: WalLocation, batches?: Uint8Array): void {
    const topic = this.#topicOf(header)
    const partition = topic.partitions[header.partition]!
    const bytes = batches?.length ?? location.sizeBytes
    partition.add(header, location, bytes, this.#options.monotonic())
    topic.totalBytes += bytes
    if (batches !== undefined) this.#ring.add(partition, header.lastOffset, batches)
    topic.wakeups.wake()
    this.onAppended(bytes)
    topic.onAppended?.()
  }

  /**
   * The topic, with at least `partitions` partitions; each begins where the checkpoint says that it was released, a new one
   * where its incarnation does.
   */
  topic(id: string, incarnation: number, partitions: number, starts: readonly bigint[] = []): HotTopic {
    const checkpointed = this.#checkpointed.get(id, incarnation)
    let topic = this.#topics.get(id, incarnation)
    if (topic === undefined) {
      const confirmed = checkpointed?.confirmed
      const wakeups = new Wakeups()
      const unheard = { onAppended: undefined, onUnpinned: undefined }
      topic = { id, incarnation, partitions: [], wakeups, pins: new Set(), confirmed, totalBytes: 0, ...unheard }
      this.#topics.set(id, incarnation, topic)
    }
    const list = topic.partitions as HotPartition[]
    while (list.length < partitions) {
      const start = starts[list.length] ?? 0n
      const partition = new HotPartition(id, list.length, checkpointed?.released[list.length] ?? start)
      partition.recovered = start
      list.push(partition)
    }
    return topic
  }

  /** The topic, with this partition. */
  #topicOf({ topicId, incarnation, partition }: SectionLife): HotTopic {
    const known = this.#topics.get(topicId, incarnation)
    return known?.partitions[partition] === undefined ? this.topic(topicId, incarnation, partition + 1) : known
  }

  /** Where a partition goes on. */
  nextOffset(topicId: string, incarnation: number, partition: number): bigint {
    return this.#topicOf({ topicId, incarnation, partition }).partitions[partition]!.highWatermark
  }

  topics(): Iterable<HotTopic> {
    return this.#topics.values()
  }

  /** The topic's incarnations before this one. */
  lives(id: string, incarnation: number): HotTopic[] {
    return [...this.#topics.ofTopic(id)].filter((topic) => topic.incarnation < incarnation)
  }

  /** What is held of the topic's incarnations before this one. */
  earlier(id: string, incarnation: number): EarlierRange[] {
    return this.lives(id, incarnation).flatMap((life) =>
      life.partitions.flatMap((partition) => {
        const { released: from, highWatermark: to } = partition
        const range = { incarnation: life.incarnation, partition: partition.partition, from, to }
        return from < to ? [{ ...range, bytes: partition.bytesFrom(from) }] : []
      }),
    )
  }

  /** The entries of the checkpoint that recovery started from. */
  checkpointed(): Iterable<StoredCheckpointTopic> {
    return this.#checkpointed.values()
  }

  /** Recovery has ended here: notes where. @throws `corrupt` when less was recovered than the checkpoint knows of. */
  checkComplete(): void {
    for (const { id, name, incarnation, next } of this.#checkpointed.values()) {
      const { partitions } = this.topic(id, incarnation, next.length)
      next.forEach((expected, index) => {
        const found = partitions[index]!.highWatermark
        if (found >= expected) return
        throw corrupt(
          'WAL_INCOMPLETE',
          `Topic ${name}, partition ${index}: the write-ahead data ends at offset ${found}, but ${expected} was durable. A segment file is missing or cut: restore it, or see what \`moulin repair\` would give up.`,
          { context: { topic: name, partition: index, expected, found } },
        )
      })
    }
    for (const { partitions } of this.#topics.values()) {
      for (const partition of partitions) partition.recovered = partition.highWatermark
    }
  }

  /** An append ended in an error after which nobody knows what the disk holds. */
  failed(error: Error): void {
    this.failure ??= error
    this.onFailed()
    this.wakeAll()
  }

  /** Lets every waiting reader look at the state of the log. */
  wakeAll(): void {
    for (const { wakeups } of this.#topics.values()) wakeups.wake()
  }

  /**
   * The section that holds `offset`, or follows it, with its batches. Undefined when the offset has left the write-ahead tier.
   * @throws `corrupt` when it is lost.
   */
  async read(partition: HotPartition, offset: bigint, signal?: AbortSignal): Promise<HotRead | undefined> {
    for (;;) {
      const section = partition.find(offset)
      const batches = section === undefined ? undefined : await this.batchesOf(partition, section, signal)
      if (section !== undefined && batches !== undefined) return { section, batches }
      await waitFor(this.replan(), signal)
      if (offset < partition.released) return undefined
      // Moved by a newer writer, or gone for no reason that we know.
      if (isSameLocation(partition.find(offset)?.location, section?.location)) throw lost(partition, offset)
    }
  }

  /** Undefined when the section is not there any more. */
  async batchesOf(partition: HotPartition, section: HotSection, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const kept = this.#ring.get(partition, section.lastOffset)
    if (kept !== undefined) return kept
    try {
      return await waitFor(this.#wal!.read(section.location, signal === undefined ? {} : { signal }), signal)
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined
      throw error
    }
  }

  /** The topic as its cold tier sees it. */
  source(topic: HotTopic): HotSource {
    const read = this.#readRuns.bind(this)
    return {
      committedOffsets: () => topic.partitions.map(({ stableOffset }) => stableOffset),
      releasedOffsets: () => topic.partitions.map(({ released }) => released),
      recoveredOffsets: () => topic.partitions.map(({ recovered }) => recovered),
      pin(from) {
        const pin = [...from]
        topic.pins.add(pin)
        return {
          release: () => {
            if (topic.pins.delete(pin)) topic.onUnpinned?.()
          },
        }
      },
      read: (request) => read(topic, request),
    }
  }

  async *#readRuns(
    topic: HotTopic,
    { partition: index, from, to, signal }: Parameters<HotSource['read']>[0],
  ): AsyncGenerator<BatchRun> {
    const partition = topic.partitions[index]!
    let offset = from
    while (offset < to) {
      // What is in memory asks nobody else.
      throwIfAborted(signal)
      if (offset >= partition.highWatermark) return
      const read = offset < partition.released ? undefined : await this.read(partition, offset, signal)
      if (read === undefined) throw gone(topic, index, offset)
      const run = runOf(read)
      yield run
      offset = run.nextOffset
    }
  }
}

function isSameLocation(a: WalLocation | undefined, b: WalLocation | undefined): boolean {
  return a?.segment === b?.segment && a?.position === b?.position
}

export interface HotRead {
  readonly section: HotSection
  readonly batches: Uint8Array
}

/** The section as a run. */
export function runOf({ section, batches }: HotRead): BatchRun {
  const { partition, baseOffset, lastOffset, aborted } = section
  const { valueSchemaId: valueSchemaIds, keySchemaId: keySchemaIds } = section
  const run = { partition, baseOffset, nextOffset: lastOffset + 1n, batches, valueSchemaIds, keySchemaIds }
  return aborted === undefined ? run : { ...run, aborted }
}

function lost({ topicId, partition, released }: HotPartition, offset: bigint): Error {
  return corrupt(
    'WAL_INCOMPLETE',
    `Offset ${offset} of partition ${partition} of topic ${topicId} is neither in the write-ahead tier nor released (up to ${released}).`,
    { context: { topicId, partition, offset, released } },
  )
}

function gone(topic: HotTopic, partition: number, offset: bigint): Error {
  return notFound(
    'RELEASED',
    `Offset ${offset} of partition ${partition} has left the write-ahead tier: read it from the table, or pin it first.`,
    { context: { topicId: topic.id, partition, offset } },
  )
}

/** The first offset of a partition that someone still reads from the write-ahead tier. */
export function lowestPin(topic: HotTopic, partition: number): bigint | undefined {
  let lowest: bigint | undefined
  for (const pin of topic.pins) {
    const from = pin[partition]
    if (from !== undefined && (lowest === undefined || from < lowest)) lowest = from
  }
  return lowest
}
