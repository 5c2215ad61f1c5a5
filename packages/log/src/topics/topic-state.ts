import {
  conflict,
  invalid,
  isKind,
  isMoulinError,
  throwIfAborted,
  waitFor,
  type AdoptTableOptions,
  type Appended,
  type Codec,
  type ColdAdoption,
  type ColdContext,
  type ColdTopic,
  type EarlierRange,
  type OnBroken,
  type Scan,
  type ScanOptions,
  type TableAdoption,
  type Timer,
  type UnsequencedSection,
} from '@moulin/core'
import type { HotTopic } from '../hot/hot-log.ts'
import type { LogCore } from '../log-core.ts'
import { AckMeter } from '../produce/ack-meter.ts'
import type { LogProducer } from '../produce/log-producer.ts'
import type { TimestampBounds } from '../produce/record-input.ts'
import { beginIncarnation, lentTo } from './topic-lives.ts'
import { topicCodecs, type TopicCodecs } from './topic-codecs.ts'
import type { TopicRecord } from '../stored/topic-store.ts'
import { isLogBehind, type TieredTopic } from '../tiering/tiered-topic.ts'
import { TopicTiering } from '../tiering/topic-tiering.ts'

/** Batches that a producer or an appender hands over; the offsets come with durability. */
export type BatchesToAppend = Pick<UnsequencedSection, 'partition' | 'batches' | 'recordCount' | 'patch'>

/** One topic of an open log: its record, its hot part, its table. Shared by all handles of the topic. */
export class TopicState implements TieredTopic {
  readonly core: LogCore
  record: TopicRecord
  /** Of the timestamps of its records. */
  bounds: TimestampBounds
  hot: HotTopic
  /** Of this process alone. */
  onBroken: OnBroken
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
  #codecs: TopicCodecs | undefined
  /** While the table is being adopted, nobody attaches it. It never fails. */
  #adopting: Promise<void> | undefined
  #lastAdoption: Promise<unknown> = Promise.resolve()
  readonly #acks: AckMeter | undefined

  /** Without `codecs` they come from the schema ledger, at {@link loadCodecs}. */
  constructor(core: LogCore, record: TopicRecord, codecs?: TopicCodecs) {
    this.core = core
    this.record = record
    this.bounds = boundsOf(record)
    this.#codecs = codecs
    this.#isOpen = core.tier === undefined
    this.onBroken = core.onBroken
    this.hot = core.hot.topic(record.id, record.incarnation, record.config.partitions, record.start)
    this.tiering = new TopicTiering(this)
    const { meter, clock } = core.runtime
    if (meter !== undefined) this.#acks = new AckMeter(meter, clock, record.name)
  }

  /** @throws `unsupported` for a schema that a later version wrote. */
  async loadCodecs(): Promise<void> {
    this.#codecs ??= await topicCodecs(this.core.ledger, this.record)
  }

  /** The schema ledger does not have the topic's schema any more: what needs it is refused, all else goes on. */
  get missingSchema(): Error | undefined {
    return this.#codecs?.missing
  }

  /** Undefined for a topic of bytes. To be asked after {@link loadCodecs}. */
  get valueCodec(): Codec | undefined {
    return this.#codecs?.value
  }

  get keyCodec(): Codec | undefined {
    return this.#codecs?.key
  }

  /** The table's side, if it has been attached. */
  get attached(): ColdTopic | undefined {
    return this.#attached
  }

  /** Attaches the table, once. An error leaves it to the next call. `isByItself`: nobody is told it. @throws `invalid` without a cold tier. */
  cold(isByItself = false): Promise<ColdTopic> {
    if (this.core.tier === undefined) return Promise.reject(this.noTier())
    this.#attaching ??= this.tiering.attaching(async () => {
      try {
        await this.#adopting
        return await this.#attach()
      } catch (error) {
        this.#attaching = undefined
        if (isLogBehind(error)) this.#refusal = error as Error
        throw error
      }
    }, !isByItself)
    return this.#attaching
  }

  /** Does something with the table; where its history proves broken, once more after `onBroken` has mended it. */
  async withTable<T>(work: (cold: ColdTopic) => Promise<T>): Promise<T> {
    const cold = await this.cold()
    try {
      return await work(cold)
    } catch (error) {
      await this.mend(error, cold)
      return work(await this.cold())
    }
  }

  /** Attaches a table that `cold` found broken anew, which mends it as `onBroken` says. @throws the error where it does not. */
  async mend(error: unknown, cold: ColdTopic): Promise<void> {
    const wasDetached = this.#attached !== cold && isKind(error, 'closed') && !this.core.closing.aborted
    if (!wasDetached && !this.#isMended(error)) throw error
    // Unless that was done already for somebody else.
    if (this.#attached === cold) await this.detach()
    await this.cold()
  }

  #isMended(error: unknown): boolean {
    const { access, closing } = this.core
    const isWriter = access === 'read-write' && !closing.aborted
    return isWriter && this.onBroken !== 'error' && isKind(error, 'conflict', 'LINEAGE_BROKEN')
  }

  /** See {@link Topic.adoptTable}. */
  adoptTable(options: AdoptTableOptions): Promise<TableAdoption> {
    const { signal } = options
    const before = this.#lastAdoption
    let work: Promise<TableAdoption> | undefined
    const done = waitFor(before, signal).then(() => {
      work = this.#adoptTable(options)
      // Whatever it waits for. It goes on to where it can be stopped, and the next one begins behind that.
      return waitFor(work, signal, 'unknown')
    })
    this.#lastAdoption = before.then(() => done.catch(() => {})).then(() => work?.catch(() => {}))
    return done
  }

  async #adoptTable(options: AdoptTableOptions): Promise<TableAdoption> {
    const { core } = this
    const { tier } = core
    if (tier === undefined) throw this.noTier()
    let finished!: () => void
    this.#adopting = new Promise((resolve) => (finished = resolve))
    let done: ColdAdoption
    try {
      await this.detach()
      throwIfAborted(options.signal)
      // An older writer may see a table that a newer one has moved on.
      await core.wal.checkFence()
      await this.loadCodecs()
      const { info, context } = lentTo(this)
      done = await tier.adopt(info, context, { ...options, how: 'by-hand' })
      if (done.outcome === 'next-incarnation') await this.#begin(done)
    } finally {
      this.#adopting = undefined
      finished()
      // What waited for this, whatever became of it.
      this.tiering.evaluate()
    }
    if (done.outcome !== 'none') this.#refusal = undefined
    // It is done: a catalog that is away now is only waited for.
    await this.cold().catch((error: unknown) => {
      if (!isKind(error, 'unavailable')) throw error
    })
    return { ...done, earlier: this.earlier() }
  }

  /** What the write-ahead tier keeps of earlier incarnations. */
  earlier(): EarlierRange[] {
    return this.core.hot.earlier(this.record.id, this.record.incarnation)
  }

  /** See {@link Topic.dropEarlier}. */
  async dropEarlier(): Promise<void> {
    for (const life of this.core.hot.lives(this.record.id, this.record.incarnation)) {
      const ends = life.partitions.map(({ highWatermark }) => highWatermark)
      await this.core.checkpoints.release(life, ends)
    }
    // Producers may wait for just this room.
    this.core.pressure.ended()
  }

  async #begin(done: ColdAdoption): Promise<void> {
    const { record, hot } = await beginIncarnation(this.core, this.record, done)
    const { wakeups } = this.hot
    this.hot.onAppended = undefined
    this.hot.onUnpinned = undefined
    this.record = record
    this.bounds = boundsOf(record)
    this.hot = hot
    this.tiering.follow()
    // Who followed the earlier one goes on with this.
    wakeups.wake()
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
    // Before the table is asked: what is released while it answers may be of a later commit.
    const released = this.hot.partitions.map((partition) => partition.released)
    const cold = await this.cold()
    const isBehind = (): boolean => {
      const frontier = cold.frontier()
      return released.some((offset, index) => (frontier[index] ?? 0n) < offset)
    }
    if (isBehind()) await cold.refresh()
    if (isBehind()) throw this.#frontierBehind(cold)
    return cold
  }

  /** A scan of a topic whose table cannot be read (`error`), where the log still holds all of it. @throws `error` where it does not. */
  async scanHot(options: ScanOptions, error: unknown): Promise<Scan<Record<string, unknown>>> {
    const { tier, closing } = this.core
    const isWhole = this.hot.partitions.every(({ released }) => released === 0n)
    if (tier?.scanHot === undefined || !isWhole || closing.aborted || !isMoulinError(error)) throw error
    await this.loadCodecs()
    const { info, context } = lentTo(this)
    return tier.scanHot(info, context, options)
  }

  append(batches: BatchesToAppend): Promise<Appended> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal)
    return this.#isOpen ? this.#append(batches) : this.#appendBehindTable(batches)
  }

  /**
   * A log that is older than its table would give out offsets that the table has given already, so the first appends wait
   * until the table has been seen. Without an answer they go on; the table is then judged when it comes.
   */
  async #appendBehindTable(batches: BatchesToAppend): Promise<Appended> {
    this.#waiting++
    if (this.#firstLook === undefined) {
      this.#firstLook = this.coldInTime().catch(() => undefined)
    }
    await this.#firstLook
    // In the order of the calls: whoever comes while others wait is behind them.
    if (--this.#waiting === 0) this.#isOpen = true
    if (this.#refusal !== undefined) throw this.#refusal
    return this.#append(batches)
  }

  /** When the table is to be looked at: now, once the topic is appended to, until it has been seen. On the monotonic clock. */
  get lookDueMs(): number {
    const isWanted = this.#firstLook !== undefined && this.#attached === undefined && this.#refusal === undefined
    return isWanted && this.#adopting === undefined ? -Infinity : Infinity
  }

  #append(batches: BatchesToAppend): Promise<Appended> {
    const { record, hot, core } = this
    const section = {
      topicId: hot.id,
      incarnation: hot.incarnation,
      partition: batches.partition,
      recordCount: batches.recordCount,
      valueSchemaId: record.valueSchemaId,
      keySchemaId: record.keySchemaId,
      appendedMs: Math.trunc(core.runtime.clock.now()),
      batches: batches.batches,
      patch: batches.patch,
    }
    if (this.#acks === undefined) return core.sequencer.append(section)
    return this.#acks.measured(batches, () => core.sequencer.append(section))
  }

  /** Detaches the table: the next use attaches it anew, which gives a fresh verdict on it. */
  async detach(): Promise<void> {
    const attaching = this.#attaching
    const cold = await attaching?.catch(() => undefined)
    // Somebody may have begun anew meanwhile.
    if (this.#attaching === attaching) this.#attaching = undefined
    if (this.#attached === cold) this.#attached = undefined
    await cold?.close()
  }

  async #attach(): Promise<ColdTopic> {
    const { tier } = this.core
    if (tier === undefined) throw this.noTier()
    await this.loadCodecs()
    const { info, context: lent } = lentTo(this)
    const context: ColdContext = { ...lent, renewGrace: () => this.tiering.renewGrace() }
    const cold = await tier.attach(info, context).catch(async (error: unknown) => {
      if (!this.#isMended(error)) throw error
      await this.core.wal.checkFence()
      const how = this.onBroken as Exclude<OnBroken, 'error'>
      const { frontier, skippedOffsets } = await tier.adopt(info, context, { how })
      const fields = { err: error, topic: info.name, table: info.table, how, frontier, skippedOffsets }
      this.core.runtime.logger.warn(fields, 'The history of a table was broken: its ledger was counted anew')
      return tier.attach(info, context)
    })
    await this.#checkFrontier(cold)
    this.#attached = cold
    this.#isJudged = true
    this.#refusal = undefined
    this.tiering.attached(cold)
    return cold
  }

  /** A log without a cold tier: it was opened so, and nothing is wrong with it. */
  noTier(): Error {
    const { name } = this.record
    const message = `Topic ${name} has no table: this log was opened without a cold tier. Give openLog a tier.`
    return invalid('NO_COLD_TIER', message)
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
      // A newer writer knows more, and may tier it.
      await this.core.wal.checkFence()
      const { name, config } = this.record
      const ranges = `partition ${partition} [${end}, ${frontier[partition]})`
      throw conflict(
        'LOG_BEHIND_TABLE',
        `The log is older than table ${config.table}: of topic ${name} the table holds ${ranges}, which the log does not have. Nothing more is accepted: open the right copy of the log, or read what this one still holds and go on above the table with topic.adoptTable().`,
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

function boundsOf({ name, config }: TopicRecord): TimestampBounds {
  const { timestampBeforeMaxMs, timestampAfterMaxMs } = config
  return { topic: name, timestampBeforeMaxMs, timestampAfterMaxMs }
}
