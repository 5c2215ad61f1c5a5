import {
  conflict,
  invalid,
  isKind,
  type Codec,
  type ColdTopic,
  type SchemaLedger,
  type Sequenced,
  type Timer,
} from '@moulin/core'
import type { BatchesToAppend, HotTopic } from './hot-log.ts'
import type { LogCore } from './log-core.ts'
import type { LogProducer } from './log-producer.ts'
import { storedRecordsOf } from './record-view.ts'
import type { TopicRecord } from './topic-store.ts'
import { TopicTiering } from './topic-tiering.ts'

/** Between two looks at a table that does not answer, also where nobody waits for it. */
const MIN_LOOK_MS = 1_000

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
  /** The table is newer than the log: nothing is accepted. */
  #refusal: Error | undefined
  /** The table has been seen since the process began to use the topic, so the end of the log has been judged. */
  #isJudged = false
  /** Appends go straight on; before, the first ones wait for the table. */
  #isOpen: boolean
  #waiting = 0
  #firstLook: Promise<unknown> | undefined
  #again: Timer | undefined

  constructor(core: LogCore, record: TopicRecord, codecs: { value: Codec | undefined; key: Codec | undefined }) {
    this.core = core
    this.record = record
    this.valueCodec = codecs.value
    this.keyCodec = codecs.key
    this.#isOpen = core.tier === undefined
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
      if (isLogBehind(error)) this.#refusal = error as Error
      throw error
    })
    return this.#attaching
  }

  /** Why nothing is accepted any more. */
  get refusal(): Error | undefined {
    return this.#refusal
  }

  /** {@link cold} as far as it answers within `catalogWaitMs`; undefined: it goes on in the background. */
  async coldInTime(): Promise<ColdTopic | undefined> {
    const { runtime, catalogWaitMs } = this.core
    let timer: Timer | undefined
    const late = new Promise<undefined>((resolve) => {
      timer = runtime.timers.after(catalogWaitMs, () => resolve(undefined), { ref: true })
    })
    const cold = this.cold()
    cold.catch(() => {})
    try {
      return await Promise.race([cold, late])
    } finally {
      timer?.cancel()
    }
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
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal)
    return this.#isOpen ? this.#append(batches) : this.#appendBehindTable(batches)
  }

  /**
   * A log that is older than its table would give out offsets that the table has given already, so the first appends wait
   * until the table has been seen. Without an answer they go on; the table is then judged when it comes.
   */
  async #appendBehindTable(batches: Omit<BatchesToAppend, 'valueSchemaId' | 'keySchemaId'>): Promise<Sequenced> {
    this.#waiting++
    if (this.#firstLook === undefined) {
      this.#look()
      this.#firstLook = this.coldInTime().catch(() => undefined)
    }
    await this.#firstLook
    // In the order of the calls: whoever comes while others wait is behind them.
    if (--this.#waiting === 0) this.#isOpen = true
    if (this.#refusal !== undefined) throw this.#refusal
    return this.#append(batches)
  }

  /** Looks at the table until it answers, whether or not anybody waits that long. */
  #look(): void {
    this.cold().catch((error: unknown) => {
      if (isKind(error, 'unavailable') && !this.core.closing.aborted) this.#lookAgain()
    })
  }

  #lookAgain(): void {
    const { runtime, catalogWaitMs, closing } = this.core
    this.#again = runtime.timers.after(Math.max(catalogWaitMs, MIN_LOOK_MS), () => {
      if (!closing.aborted) this.#look()
    })
  }

  #append(batches: Omit<BatchesToAppend, 'valueSchemaId' | 'keySchemaId'>): Promise<Sequenced> {
    const { valueSchemaId, keySchemaId } = this.record
    return this.core.hot.append(this.core.sequencer, this.hot, { ...batches, valueSchemaId, keySchemaId })
  }

  /** Detaches the table: the next use attaches it anew, which gives a fresh verdict on it. */
  async detach(): Promise<void> {
    this.#again?.cancel()
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
    this.#isJudged = true
    this.#refusal = undefined
    this.tiering.attached(cold)
    return cold
  }

  /**
   * A table that answers for more than the log had when it was opened, or has now, is newer than the log. A cold tier may
   * say so itself.
   */
  async #checkFrontier(cold: ColdTopic): Promise<void> {
    if (this.core.access === 'read-only') return
    const frontier = cold.frontier()
    for (const { partition, highWatermark, recovered } of this.hot.partitions) {
      const end = this.#isJudged ? highWatermark : recovered
      if ((frontier[partition] ?? 0n) <= end) continue
      await cold.close()
      const { name, config } = this.record
      const ranges = `partition ${partition} [${end}, ${frontier[partition]})`
      throw conflict(
        'LOG_BEHIND_TABLE',
        `The log is older than table ${config.table}: of topic ${name} the table holds ${ranges}, which the log does not have. Nothing more is accepted: open the right copy of the log.`,
        { context: { topic: name, table: config.table, ranges } },
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

/** Whether the error says that table and log do not belong together as they are, for which there is no retry. */
export function isLineageBroken(error: unknown): boolean {
  return isKind(error, 'conflict', 'LINEAGE_BROKEN') || isLogBehind(error)
}

function isLogBehind(error: unknown): boolean {
  return isKind(error, 'conflict', 'LOG_BEHIND_TABLE')
}
