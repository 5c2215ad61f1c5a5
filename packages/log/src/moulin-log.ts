import {
  checkOptions,
  closed,
  option,
  type Durability,
  type Failing,
  type Gauge,
  type Log,
  type LogRecovery,
  type LogStats,
  type TableIdentifier,
  type OptionTable,
  type Topic,
  type TopicConfig,
} from '@moulin/core'
import { failureOf, Failures, worstOf } from './chores/failures.ts'
import type { LogCore } from './log-core.ts'
import { logGauges } from './log-gauges.ts'
import { logTopic } from './log-topic.ts'
import { asPlainJson } from './plain-json.ts'
import type { TopicDirectory } from './topics/topic-directory.ts'
import type { TopicState } from './topics/topic-state.ts'
import { checkWritable } from './tiering/topic-tiering.ts'

const DRAIN_MS = 30_000

type CloseOptions = NonNullable<Parameters<Log['close']>[0]>
const closeTable: OptionTable<CloseOptions> = { drainMs: option.milliseconds(), tier: option.flag }

const identifierTable: OptionTable<TableIdentifier> = {
  namespace: option.required(option.listOf(option.text)),
  name: option.required(option.text),
}

/** An open log. See {@link Log}. */
export class MoulinLog implements Log {
  readonly durability: Durability
  readonly recovery: LogRecovery
  readonly #core: LogCore
  readonly #directory: TopicDirectory
  readonly #abort: AbortController
  readonly #following: Failures
  readonly #gauges: Gauge
  #closing: Promise<void> | undefined

  constructor(
    core: LogCore,
    directory: TopicDirectory,
    {
      closing,
      durability,
      recovery,
    }: { readonly closing: AbortController; readonly durability: Durability; readonly recovery: LogRecovery },
  ) {
    this.#core = core
    this.#following = new Failures(core.runtime.clock)
    this.#directory = directory
    this.#gauges = logGauges(core, () => this.#states())
    this.#abort = closing
    this.durability = durability
    this.recovery = recovery
    core.reader?.follow((error) => this.#followed(error))
  }

  get id(): string {
    return this.#core.logId
  }

  get name(): string {
    return this.#core.name
  }

  get access(): 'read-write' | 'read-only' {
    return this.#core.access
  }

  get epoch(): bigint {
    return this.#core.wal.epoch
  }

  async createTopic<T = Uint8Array>(name: string, config: TopicConfig<T> = {}): Promise<Topic<T>> {
    this.#checkOpen()
    return logTopic(await this.#directory.create(name, config as TopicConfig))
  }

  async topic<T = unknown>(name: string, config?: TopicConfig<T>): Promise<Topic<T>> {
    this.#checkOpen()
    return logTopic(await this.#directory.find(name, config as TopicConfig | undefined))
  }

  async ensureTopic<T = Uint8Array>(name: string, config: TopicConfig<T> = {}): Promise<Topic<T>> {
    this.#checkOpen()
    return logTopic(await this.#directory.ensure(name, config as TopicConfig))
  }

  async topicOfTable<T = unknown>(identifier: TableIdentifier): Promise<Topic<T> | undefined> {
    checkOptions('log.topicOfTable', identifier, identifierTable)
    this.#checkOpen()
    const state = await this.#directory.ofTable(identifier)
    return state && logTopic(state)
  }

  async topics(): Promise<readonly string[]> {
    this.#checkOpen()
    return this.#directory.names()
  }

  stats(): LogStats {
    const wal = this.#core.wal.usage()
    let untieredBytes = 0
    let unreleasedBytes = 0
    for (const { hot } of this.#states()) {
      for (const partition of hot.partitions) unreleasedBytes += partition.bytesFrom(partition.released)
    }
    for (const { tiering } of this.#states()) untieredBytes += tiering.untieredBytes
    const { pressure } = this.#core
    const failing = worstOf([
      this.#tierFailing(),
      pressure.failing,
      this.#core.checkpoints.failing,
      this.#core.wal.failing,
      this.#following.now,
      ...this.#states().map(({ tiering }) => tiering.failing),
    ])
    const { unacked, hot } = this.#core
    const memory = { unackedBytes: unacked.bytes, tailRingBytes: hot.ringBytes }
    const waiting = { untieredBytes, unreleasedBytes: unreleasedBytes - untieredBytes }
    return asPlainJson({ wal, ...memory, ...waiting, walFull: pressure.walFull, ...failing })
  }

  /** Seen when it is asked for: since when, it does not say. */
  #tierFailing(): Failing {
    const error = this.#core.tier?.failing?.()
    if (error === undefined) return { lastError: null, failingSinceMs: null, retries: 0 }
    const now = this.#core.runtime.clock.now()
    return { lastError: failureOf(error, now), failingSinceMs: now, retries: 0 }
  }

  async releaseNow(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    checkOptions('log.releaseNow', options, option.signalOnly)
    checkWritable(this.access, 'releaseNow')
    this.#checkOpen()
    // Side by side: a table that does not answer holds up no other.
    const ended = await Promise.allSettled(this.#states().map(({ tiering }) => tiering.releaseNow(options.signal)))
    for (const end of ended) if (end.status === 'rejected') throw end.reason
  }

  async close(options: CloseOptions = {}): Promise<void> {
    checkOptions('log.close', options, closeTable)
    this.#closing ??= this.#close(options)
    await this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close({ drainMs = DRAIN_MS, tier = false }: CloseOptions): Promise<void> {
    const core = this.#core
    this.#gauges.close()
    const states = this.#states()
    const producers = states.flatMap((state) => [...state.producers].map((producer) => producer.close()))
    this.#abort.abort()
    core.pressure.stop()
    core.hot.wakeAll()
    await Promise.all(producers)
    await this.#drain(states, { drainMs, tier: tier && core.access === 'read-write' })
    await core.sequencer.close()
    if (core.access === 'read-write') await this.#lastCheckpoint()
    core.checkpoints.stop()
    await core.wal.close()
  }

  /** Ends tiering: waits for what has begun, but not for ever. */
  async #drain(states: readonly TopicState[], { drainMs, tier }: Required<CloseOptions>): Promise<void> {
    const { timers, logger } = this.#core.runtime
    const ended = this.#endTiering(states, tier).catch((error: unknown) => {
      logger.warn({ err: error }, 'Closing the cold tier failed')
    })
    let timer: { cancel(): void } | undefined
    const late = new Promise<'late'>((resolve) => (timer = timers.after(drainMs, () => resolve('late'), { ref: true })))
    const outcome = await Promise.race([ended, late])
    timer?.cancel()
    if (outcome === 'late') logger.warn({ drainMs }, 'A commit did not end in time: the next start settles it')
  }

  async #endTiering(states: readonly TopicState[], tier: boolean): Promise<void> {
    if (tier && this.#core.tier !== undefined) await Promise.all(states.map((state) => this.#lastTier(state)))
    await Promise.all(states.map(({ tiering }) => tiering.stop()))
    await Promise.all(states.map((state) => state.detach()))
    await this.#core.tier?.close()
  }

  /** Its records stay in the write-ahead tier where this fails: the next start goes on. */
  async #lastTier({ tiering, record }: TopicState): Promise<void> {
    if (tiering.untieredBytes === 0) return
    await tiering.tier().catch((error: unknown) => {
      this.#core.runtime.logger.warn({ err: error, topic: record.name }, 'The last commit of a topic failed')
    })
  }

  /** What it says is true without it, too: it only makes a later loss of files plain. */
  async #lastCheckpoint(): Promise<void> {
    const { checkpoints, hot, runtime } = this.#core
    if (hot.failure !== undefined) return
    try {
      await checkpoints.write()
    } catch (error) {
      runtime.logger.warn({ err: error }, 'The last checkpoint could not be written')
    }
  }

  /** The reader has looked what the writer has done. */
  #followed(error: Error | undefined): void {
    const { forgetReleased } = this.#core
    const look = error === undefined ? Promise.resolve() : Promise.reject(error)
    look.then(forgetReleased).then(
      () => this.#following.succeeded(),
      (failure: unknown) => {
        if (this.#abort.signal.aborted) return
        this.#following.failed(failure)
        this.#core.runtime.logger.warn({ err: failure }, 'Following the writer failed')
      },
    )
  }

  #states(): TopicState[] {
    return [...this.#directory.states()]
  }

  #checkOpen(): void {
    if (this.#abort.signal.aborted) throw closed('LOG_CLOSED', 'The log was closed.')
  }
}
