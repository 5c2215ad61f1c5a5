import {
  checkOptions,
  closed,
  option,
  waitFor,
  type AdoptTableOptions,
  type AuditOptions,
  type AuditReport,
  type FetchedBatches,
  type FetchOptions,
  type JudgeTableOptions,
  type LogRecord,
  type OffsetForOptions,
  type PartitionOffsets,
  type Position,
  type Producer,
  type ProducerOptions,
  type ReadOptions,
  type Scan,
  type ScanOptions,
  type TableAdoption,
  type TableVerdict,
  type TierOptions,
  type TierResult,
  type Topic,
  type TopicConfig,
  type TopicStats,
  throwIfAborted,
} from '@moulin/core'
import { asPlainJson } from './plain-json.ts'
import { appendBatches, type AppendedOffsets, type AppendRequest } from './produce/batch-appender.ts'
import { readEarlier } from './read/earlier-reader.ts'
import { fetchBatches } from './read/fetch-batches.ts'
import {
  adoptionTable,
  appendTable,
  auditTable,
  checkPositions,
  checkTimestamp,
  fetchTable,
  FIRST_OFFSET,
  offsetForTable,
  readTable,
  scanTable,
  tierTable,
  verdictTable,
} from './topics/topic-options.ts'
import { lazyScan } from './read/lazy-scan.ts'
import { LogProducer } from './produce/log-producer.ts'
import { RecordInput } from './produce/record-input.ts'
import { offsetFor } from './read/timestamp-search.ts'
import { readTopic, readTopicAt } from './read/topic-reader.ts'
import type { TopicState } from './topics/topic-state.ts'
import { topicVerdict } from './topics/topic-verdict.ts'
import { checkWritable } from './tiering/topic-tiering.ts'

/** A topic as an application sees it. See `Topic`. */
export function logTopic<T>(state: TopicState): Topic<T> {
  return new LogTopic(state) as unknown as Topic<T>
}

class LogTopic {
  readonly #state: TopicState

  constructor(state: TopicState) {
    this.#state = state
  }

  get name(): string {
    return this.#state.record.name
  }

  get id(): string {
    return this.#state.record.id
  }

  get incarnation(): number {
    return this.#state.record.incarnation
  }

  get partitions(): number {
    return this.#state.record.config.partitions
  }

  get config(): TopicConfig {
    const { record, valueCodec, keyCodec } = this.#state
    const { freshnessMs, ...rest } = record.config
    return {
      ...rest,
      ...(freshnessMs === null ? {} : { freshnessMs }),
      ...(valueCodec === undefined ? {} : { value: valueCodec }),
      ...(keyCodec === undefined ? {} : { key: keyCodec }),
    } as TopicConfig
  }

  producer(options: ProducerOptions = {}): Producer {
    const { core, record, valueCodec, keyCodec, producers } = this.#state
    checkWritable(core.access, 'a producer')
    this.#checkOpen()
    this.#checkSchema()
    const { name, config } = record
    const { partitions, timestampBeforeMaxMs, timestampAfterMaxMs } = config
    const { limits, runtime } = core
    const bounds = { timestampBeforeMaxMs, timestampAfterMaxMs }
    const producer = new LogProducer(
      {
        topic: name,
        runtime,
        limits,
        input: new RecordInput({
          topic: name,
          partitions,
          valueCodec,
          keyCodec,
          limits,
          clock: runtime.clock,
          ...bounds,
        }),
        partitions,
        nextOffset: (partition) => this.#state.hot.partitions[partition]!.highWatermark,
        append: (batch) => this.#state.append(batch),
        room: core.pressure,
        unacked: core.unacked,
        feed: { valueCodec, keyCodec, worker: core.feedWorker, ...bounds },
        closed: (done) => void producers.delete(done),
      },
      options,
    )
    producers.add(producer)
    return producer as Producer
  }

  // Not async: a promise more would cost more than all these checks.
  append(request: AppendRequest): Promise<AppendedOffsets> {
    try {
      checkOptions(this.#what('append'), request, appendTable)
      checkWritable(this.#state.core.access, 'append')
      this.#checkOpen()
      this.#checkSchema()
      return appendBatches(this.#state, request)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  read(options: ReadOptions = {}): AsyncIterable<LogRecord> {
    checkOptions(this.#what('read'), options, readTable)
    const { incarnation = this.incarnation } = options
    if (incarnation !== this.incarnation) return readEarlier(this.#state, incarnation, options)
    return readTopic(this.#state, options)
  }

  readAt(
    positions: readonly Position[],
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterable<LogRecord | undefined> {
    checkOptions(this.#what('readAt'), options, option.signalOnly)
    checkPositions(this.#what('readAt'), positions)
    return readTopicAt(this.#state, positions, options.signal)
  }

  async fetch(options: FetchOptions): Promise<FetchedBatches> {
    checkOptions(this.#what('fetch'), options, fetchTable)
    return fetchBatches(this.#state, options)
  }

  async offsetFor(timestamp: bigint, options: OffsetForOptions = {}): Promise<bigint | undefined> {
    checkTimestamp(this.#what('offsetFor'), timestamp)
    checkOptions(this.#what('offsetFor'), options, offsetForTable)
    return offsetFor(this.#state, timestamp, options)
  }

  scan(options: ScanOptions = {}): Scan<Record<string, unknown>> {
    checkOptions(this.#what('scan'), options, scanTable)
    return lazyScan(async () => {
      const { core } = this.#state
      if (core.access === 'read-only') await waitFor(core.refresh(), options.signal)
      try {
        return (await waitFor(this.#state.coldForReleased(), options.signal)).scan(options)
      } catch (error) {
        throwIfAborted(options.signal)
        return this.#state.scanHot(options, error)
      }
    })
  }

  async tier(options: TierOptions = {}): Promise<TierResult> {
    checkOptions(this.#what('tier'), options, tierTable)
    checkWritable(this.#state.core.access, 'tier')
    this.#checkOpen()
    return this.#state.tiering.tier(options)
  }

  async audit(options: AuditOptions = {}): Promise<AuditReport> {
    checkOptions(this.#what('audit'), options, auditTable)
    const cold = await waitFor(this.#state.coldForReleased(), options.signal)
    return waitFor(cold.audit(options), options.signal)
  }

  async adoptTable(options: AdoptTableOptions = {}): Promise<TableAdoption> {
    checkOptions(this.#what('adoptTable'), options, adoptionTable)
    checkWritable(this.#state.core.access, 'adoptTable')
    this.#checkOpen()
    return this.#state.adoptTable(options)
  }

  async judgeTable(options: JudgeTableOptions = {}): Promise<TableVerdict> {
    checkOptions(this.#what('judgeTable'), options, verdictTable)
    return waitFor(topicVerdict(this.#state, options), options.signal)
  }

  async dropEarlier(): Promise<void> {
    checkWritable(this.#state.core.access, 'dropEarlier')
    this.#checkOpen()
    await this.#state.dropEarlier()
  }

  offsets(): readonly PartitionOffsets[] {
    const { hot, attached } = this.#state
    const frontier = attached?.frontier()
    return hot.partitions.map(({ partition, highWatermark, released }) => ({
      partition,
      start: FIRST_OFFSET,
      highWatermark,
      frontier: frontier?.[partition] ?? released,
      released,
    }))
  }

  stats(): TopicStats {
    const { untieredBytes, untieredRecords, oldestMs, stoppedBy, failing } = this.#state.tiering
    const { attached, core } = this.#state
    const untieredAgeMs = oldestMs === Infinity ? null : core.runtime.clock.monotonic() - oldestMs
    const snapshotId = attached?.snapshotId() ?? null
    const lineage = attached?.lineage() ?? null
    const earlier = this.#state.earlier()
    const missing = attached?.missingFiles?.() ?? []
    const missingFiles = missing.slice(0, core.limits.maxMissingFiles)
    const table = { snapshotId, stoppedBy, lineage, missingFiles, missingFileCount: missing.length }
    return asPlainJson({ untieredBytes, untieredRecords, untieredAgeMs, ...table, earlier, ...failing })
  }

  // Records of a schema that nobody knows would be unreadable.
  #checkSchema(): void {
    if (this.#state.missingSchema !== undefined) throw this.#state.missingSchema
  }

  #what(call: string): string {
    return `Topic ${this.name}: ${call}`
  }

  #checkOpen(): void {
    if (this.#state.core.closing.aborted) throw closed('LOG_CLOSED', 'The log was closed.')
  }
}
