import {
  closed,
  invalid,
  type AuditOptions,
  type AuditReport,
  type LogRecord,
  type PartitionOffsets,
  type Position,
  type Producer,
  type ProducerOptions,
  type ReadOptions,
  type Scan,
  type ScanOptions,
  type TableAdoption,
  type TierResult,
  type Topic,
  type TopicConfig,
  type TopicStats,
} from '@moulin/core'
import { asPlainJson } from './plain-json.ts'
import { appendBatches, type AppendRequest } from './batch-appender.ts'
import { readEarlier } from './earlier-reader.ts'
import { lazyScan } from './lazy-scan.ts'
import { LogProducer } from './log-producer.ts'
import { RecordInput } from './record-input.ts'
import { readTopic, readTopicAt } from './topic-reader.ts'
import type { TopicState } from './topic-state.ts'
import { checkWritable } from './topic-tiering.ts'

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
        room: (signal) => core.pressure.room(signal),
        closed: (done) => void producers.delete(done),
      },
      options,
    )
    producers.add(producer)
    return producer as Producer
  }

  async append(request: AppendRequest): Promise<{ baseOffset: bigint; lastOffset: bigint }> {
    checkWritable(this.#state.core.access, 'append')
    this.#checkOpen()
    return appendBatches(this.#state, request)
  }

  read(options: ReadOptions = {}): AsyncIterable<LogRecord> {
    const { incarnation = this.incarnation } = options
    if (incarnation !== this.incarnation) return readEarlier(this.#state, incarnation, options)
    return readTopic(this.#state, options)
  }

  readAt(
    positions: readonly Position[],
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterable<LogRecord | undefined> {
    return readTopicAt(this.#state, positions, options.signal)
  }

  scan(options: ScanOptions = {}): Scan<Record<string, unknown>> {
    return lazyScan(async () => {
      const { core } = this.#state
      if (core.access === 'read-only') await core.refresh()
      try {
        return (await this.#state.coldForReleased()).scan(options)
      } catch (error) {
        return this.#state.scanHot(options, error)
      }
    })
  }

  async tier(options: { readonly signal?: AbortSignal } = {}): Promise<TierResult> {
    checkWritable(this.#state.core.access, 'tier')
    this.#checkOpen()
    return this.#state.tiering.tier(options.signal)
  }

  async audit(options: AuditOptions = {}): Promise<AuditReport> {
    checkAudit(this.name, options)
    return (await this.#state.coldForReleased()).audit(options)
  }

  async adoptTable(options: { readonly signal?: AbortSignal } = {}): Promise<TableAdoption> {
    checkWritable(this.#state.core.access, 'adoptTable')
    this.#checkOpen()
    return this.#state.adoptTable(options.signal)
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
      start: 0n,
      highWatermark,
      frontier: frontier?.[partition] ?? released,
      released,
    }))
  }

  stats(): TopicStats {
    const { untieredBytes, untieredRecords, snapshotId, stoppedBy, failing } = this.#state.tiering
    const lineage = this.#state.attached?.lineage() ?? null
    const earlier = this.#state.earlier()
    return asPlainJson({ untieredBytes, untieredRecords, snapshotId, stoppedBy, lineage, earlier, ...failing })
  }

  #checkOpen(): void {
    if (this.#state.core.closing.aborted) throw closed('LOG_CLOSED', 'The log was closed.')
  }
}

// A shallow audit that was meant to be deep would call clean what it never looked at.
function checkAudit(topic: string, options: AuditOptions): void {
  const refuse = (fault: string): Error => invalid('AUDIT_OPTIONS', `Topic ${topic}: ${fault}.`, { context: { topic } })
  if (typeof options !== 'object' || options === null) {
    throw refuse(`audit takes an object of options such as { deep: true }, not ${String(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (!['deep', 'onProgress', 'signal'].includes(name)) {
      throw refuse(`audit has no option ${name}; it has deep, onProgress and signal`)
    }
  }
  const { deep = false, onProgress } = options
  if (typeof deep !== 'boolean') throw refuse(`deep is ${JSON.stringify(deep)}; it must be true or false`)
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw refuse(`onProgress is ${JSON.stringify(onProgress)}; it must be a function`)
  }
}
