import {
  conflict,
  corrupt,
  invalid,
  isKind,
  type Codec,
  type ColdTopic,
  type SchemaLedger,
  type Sequenced,
} from '@moulin/core'
import type { BatchesToAppend, HotTopic } from './hot-log.ts'
import type { LogCore } from './log-core.ts'
import type { LogProducer } from './log-producer.ts'
import { storedRecordsOf } from './record-view.ts'
import type { TopicRecord } from './topic-store.ts'
import { TopicTiering } from './topic-tiering.ts'

/** One topic of an open log: its record, its hot part, its table. Shared by all handles of the topic. */
export class TopicState {
  readonly core: LogCore
  readonly record: TopicRecord
  readonly hot: HotTopic
  readonly valueCodec: Codec | undefined
  readonly keyCodec: Codec | undefined
  readonly tiering: TopicTiering
  readonly producers: Set<LogProducer> = new Set()
  #attaching: Promise<ColdTopic> | undefined
  #attached: ColdTopic | undefined

  constructor(core: LogCore, record: TopicRecord, codecs: { value: Codec | undefined; key: Codec | undefined }) {
    this.core = core
    this.record = record
    this.valueCodec = codecs.value
    this.keyCodec = codecs.key
    this.hot = core.hot.topic(record.id, record.incarnation, record.config.partitions)
    this.tiering = new TopicTiering(this)
  }

  /** The table's side, if it has been attached. */
  get attached(): ColdTopic | undefined {
    return this.#attached
  }

  /** Attaches the table, once. An error leaves it to the next call. @throws `invalid` without a cold tier. */
  cold(): Promise<ColdTopic> {
    this.#attaching ??= this.#attach().catch((error: unknown) => {
      this.#attaching = undefined
      throw error
    })
    return this.#attaching
  }

  /** The table, answering for all that this log knows to be released. */
  async coldForReleased(): Promise<ColdTopic> {
    const cold = await this.cold()
    const isBehind = (): boolean => {
      const frontier = cold.frontier()
      return this.hot.partitions.some(({ released }, index) => (frontier[index] ?? 0n) < released)
    }
    if (isBehind()) await cold.refresh()
    if (isBehind()) throw this.#frontierBehind(cold)
    return cold
  }

  append(batches: Omit<BatchesToAppend, 'valueSchemaId' | 'keySchemaId'>): Promise<Sequenced> {
    const { valueSchemaId, keySchemaId } = this.record
    return this.core.hot.append(this.core.sequencer, this.hot, { ...batches, valueSchemaId, keySchemaId })
  }

  /** Detaches the table: the next use attaches it anew, which gives a fresh verdict on it. */
  async detach(): Promise<void> {
    const cold = await this.#attaching?.catch(() => undefined)
    this.#attaching = undefined
    this.#attached = undefined
    await cold?.close()
  }

  async #attach(): Promise<ColdTopic> {
    const { core, record, hot } = this
    const { name, id, incarnation, config } = record
    if (core.tier === undefined) {
      throw invalid(
        'NO_COLD_TIER',
        `Topic ${name} has no table: this log was opened without a cold tier. Give openLog a tier.`,
      )
    }
    const { partitions, table, partitionBy, valueMode, rowCrc } = config
    const { runtime, limits, store, access } = core
    const cold = await core.tier.attach(
      {
        logId: core.logId,
        name,
        id,
        incarnation,
        partitions,
        table,
        partitionBy,
        valueMode,
        rowCrc,
        valueCodec: this.valueCodec,
        valueSchemaId: record.valueSchemaId,
        startOffsets: Array.from({ length: partitions }, () => 0n),
      },
      {
        runtime,
        limits,
        store,
        schemas: core.ledger satisfies SchemaLedger,
        hot: core.hot.source(hot),
        recordsOf: (run) => storedRecordsOf(run, limits),
        access,
        epoch: core.wal.epoch,
      },
    )
    await this.#checkFrontier(cold)
    this.#attached = cold
    this.tiering.attached(cold)
    return cold
  }

  /** A table that answers for more than the log ever had means that write-ahead data is gone. */
  async #checkFrontier(cold: ColdTopic): Promise<void> {
    if (this.core.access === 'read-only') return
    const frontier = cold.frontier()
    for (const { partition, highWatermark } of this.hot.partitions) {
      if ((frontier[partition] ?? 0n) <= highWatermark) continue
      await cold.close()
      throw corrupt(
        'WAL_INCOMPLETE',
        `Topic ${this.record.name}, partition ${partition}: its table holds offsets below ${frontier[partition]}, but the log ends at ${highWatermark}. Write-ahead data is missing: restore it.`,
        { context: { topic: this.record.name, partition, frontier: frontier[partition], highWatermark } },
      )
    }
  }

  #frontierBehind(cold: ColdTopic): Error {
    const { name, config } = this.record
    const frontier = cold.frontier().join(', ')
    const released = this.hot.partitions.map((partition) => partition.released).join(', ')
    return conflict(
      'FRONTIER_BEHIND',
      `Topic ${name}: table ${config.table} answers for offsets below ${frontier} only, but the write-ahead data below ${released} has been released.`,
      { context: { topic: name, table: config.table, frontier, released } },
    )
  }
}

/** Whether the error says that the table is not what the marker claims, for which there is no retry. */
export function isLineageBroken(error: unknown): boolean {
  return isKind(error, 'conflict', 'LINEAGE_BROKEN')
}
