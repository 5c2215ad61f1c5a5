import {
  closed,
  invalid,
  isKind,
  SharedWork,
  throwIfAborted,
  waitFor,
  type ColdTopic,
  type Failing,
  type TierResult,
} from '@moulin/core'
import { atWallTime, Backoff, Chore, Scheduler, type ChoreEnded } from '../chores/chore.ts'
import { CommitSize } from './commit-size.ts'
import { worstOf } from '../chores/failures.ts'
import { holdingOf } from './holding.ts'
import { TopicRelease } from './topic-release.ts'
import { isLogBehind, refusalIn, type TieredTopic } from './tiered-topic.ts'
import type { Holding } from './wal-pressure.ts'

/** With fewer bytes than this waiting, freshness may take {@link QUIET_FRESHNESS_MS}: small files cost more than age. */
const BUSY_BYTES = 8 * 1024 * 1024
const BUSY_FRESHNESS_MS = 60_000
const QUIET_FRESHNESS_MS = 600_000

/**
 * Decides when a topic's records go to the table, and when their write-ahead copy goes. It owns every attempt: its own timer, room that
 * is wanted and calls from outside are reasons for one, and whichever ends, for whatever reason, what is due next is worked out anew.
 */
export class TopicTiering {
  readonly #topic: TieredTopic
  readonly #scheduler: Scheduler
  /** Attaches the table of a topic that is used: the end of the log is to be judged by it. */
  readonly #looks: Chore
  readonly #commits: Chore
  readonly #releases: Chore
  readonly #cleanUps: Chore
  readonly #repairs: Chore
  readonly #release: TopicRelease
  readonly #size: CommitSize
  #running: { readonly upTo: readonly bigint[]; readonly work: SharedWork<TierResult> } | undefined
  #waiting: SharedWork<TierResult> | undefined
  #evaluatedBytes = 0
  #refusal: Error | undefined
  /** Between commits that were to make room and did not. */
  readonly #roomBackoff: Backoff
  #hasBegun = false
  #isStopped = false

  constructor(topic: TieredTopic) {
    this.#topic = topic
    this.#release = new TopicRelease(topic)
    this.#size = new CommitSize(topic.core.limits.commitBytes)
    this.#roomBackoff = new Backoff(topic.core.runtime.clock)
    this.#looks = this.#chore(
      'Looking at the table',
      () => topic.lookDueMs,
      () => topic.cold(true),
    )
    this.#commits = this.#chore(
      'Tiering',
      () => this.#commitDueMs(),
      () => this.#start(),
    )
    this.#releases = this.#chore(
      'Releasing write-ahead data',
      () => this.#releaseDueMs(),
      () => this.#releases.attempt(() => this.#release.releaseDue(this.#isRoomWanted), { isInVain }),
    )
    this.#cleanUps = this.#chore(
      'Cleaning up',
      () => this.#atWallTime(topic.attached?.cleanUpDueMs?.()),
      () => this.#cleanUp(),
    )
    this.#repairs = this.#chore(
      'Repairing the table',
      () => this.#atWallTime(topic.attached?.repairDueMs?.()),
      () => this.#repair(),
    )
    this.#scheduler = new Scheduler(topic.core.runtime, this.#chores)
    this.follow()
  }

  /** The log is open: from now on it does what is due. */
  begin(): void {
    this.#hasBegun = true
    this.evaluate()
  }

  /** The topic's hot part is another one: it has begun an incarnation. */
  follow(): void {
    const { core, hot } = this.#topic
    this.#release.restart()
    if (core.access === 'read-only' || core.tier === undefined) return
    hot.onAppended = () => this.#appended()
    hot.onUnpinned = () => this.#unpinned()
  }

  /** The table is there: what it holds already has had a part of its grace. */
  attached(cold: ColdTopic): void {
    this.#refusal = undefined
    if (this.#topic.core.access === 'read-only') return
    this.#release.attached(cold)
    this.evaluate()
  }

  /** Files of the table are to be younger than their commits. Durable on return. */
  renewGrace(): Promise<void> {
    return this.#release.beginAnew()
  }

  /** One try to attach the table; `isAsked`: for somebody who is told its error. */
  attaching<T>(work: () => Promise<T>, isAsked: boolean): Promise<T> {
    return this.#looks.attempt(work, { isAsked })
  }

  /** Starts what is due, and sets the timer for what will be. */
  evaluate(): void {
    const { access, tier } = this.#topic.core
    if (!this.#hasBegun || this.#isStopped || access === 'read-only' || tier === undefined) return
    this.#evaluatedBytes = this.#topic.hot.totalBytes
    this.#scheduler.evaluate()
  }

  get failing(): Failing {
    // A repair that failed is no failure once nothing is missing, whoever put it back.
    if (this.#topic.attached?.repairDueMs?.() === undefined) this.#repairs.failures.succeeded()
    return worstOf(this.#chores.map(({ failures }) => failures.now))
  }

  get #chores(): readonly Chore[] {
    return [this.#looks, this.#commits, this.#releases, this.#cleanUps, this.#repairs]
  }

  get untieredBytes(): number {
    const frontier = this.#frontier()
    return sum(this.#topic.hot.partitions.map((partition, index) => partition.bytesFrom(frontier[index]!)))
  }

  /** Since when, on the monotonic clock, the oldest record waits that is not in the table; Infinity where there is none. */
  get oldestMs(): number {
    const frontier = this.#frontier()
    return this.#topic.hot.partitions.reduce(
      (oldest, partition, index) => Math.min(oldest, partition.oldestFrom(frontier[index]!)),
      Infinity,
    )
  }

  get stoppedBy(): Error | null {
    return this.#topic.refusal ?? this.#refusal ?? null
  }

  get untieredRecords(): number {
    const frontier = this.#frontier()
    return sum(
      this.#topic.hot.partitions.map((partition, index) => {
        const from = frontier[index]!
        return Number(partition.highWatermark - from - partition.abortedFrom(from))
      }),
    )
  }

  /** Moves all that is committed now into the table. Calls that are made while a commit runs share the next one. */
  tier(signal?: AbortSignal): Promise<TierResult> {
    // It begins after this call, even where the one before it has just ended.
    if (this.#isAsked) return this.#waiting!.wait(signal)
    if (this.#topic.core.tier === undefined) return Promise.reject(this.#topic.noTier())
    const running = this.#running
    if (running === undefined) return this.#start(signal, true)
    const { work } = running
    const highest = this.#topic.hot.partitions.map(({ highWatermark }) => highWatermark)
    const isCovered = highest.every((offset, index) => offset <= running.upTo[index]!)
    if (isCovered && !work.isAbandoned) return work.wait(signal)
    this.#waiting = new SharedWork(async (shared) => {
      await work.done.catch(() => undefined)
      throwIfAborted(shared)
      this.#waiting = undefined
      return this.#start(shared, true)
    })
    return this.#waiting.wait(signal)
  }

  /** Releases what is confirmed, grace or not. */
  async releaseNow(signal?: AbortSignal): Promise<void> {
    if (this.#topic.refusal !== undefined) return
    // What a table refuses that was never asked before is seen in the stats: nothing of it is confirmed.
    if (this.#release.isUnasked)
      await waitFor(
        this.#topic.cold().catch(() => undefined),
        signal,
      )
    if (this.#release.oldestMs === undefined) return
    await this.#releases.attempt(() => this.#release.releaseAll(signal), { isInVain, isAsked: true })
  }

  /** Since when, by wall time, the oldest data waits that could be released now; undefined when there is none, or it was tried in vain a moment ago. */
  get oldestConfirmedMs(): number | undefined {
    return this.#releases.isWaiting ? undefined : this.#release.oldestMs
  }

  get isReleasing(): boolean {
    return this.#releases.isRunning
  }

  /** Something that may make room is under way. */
  get isBusy(): boolean {
    return this.#releases.isRunning || this.#commits.isRunning
  }

  /** What keeps this topic's write-ahead data. */
  get holding(): readonly Holding[] {
    return holdingOf(this.#topic, { isBusy: this.isBusy, lastError: this.failing.lastError })
  }

  /** Starts nothing more; resolves when a commit or release already begun has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#topic.hot.onAppended = undefined
    this.#topic.hot.onUnpinned = undefined
    this.#scheduler.stop()
    await this.#waiting?.done.catch(() => undefined)
    await this.#running?.work.done.catch(() => undefined)
    await this.#release.stop()
  }

  #chore(name: string, due: () => number, run: () => Promise<unknown>): Chore {
    const { core } = this.#topic
    // Its error is the chore's, which `stats()` shows.
    const work = { name, due, run: () => run().catch(() => undefined) }
    const chore = new Chore(core.runtime.clock, work, (...end) => this.#ended(chore, ...end))
    return chore
  }

  #ended(chore: Chore, ...[error, retryMs, isAsked]: Parameters<ChoreEnded>): void {
    if (this.#isStopped) return
    const { core, record } = this.#topic
    if (chore === this.#commits || chore === this.#looks) this.#refusal = refusalIn(error, this.#refusal)
    const isFinal = isKind(error, 'fenced') || isLogBehind(error)
    if ((isFinal || retryMs !== null) && core.access === 'read-write') {
      const fields = { err: error, topic: record.name, table: record.config.table, retryMs: isFinal ? null : retryMs }
      const end = isFinal ? ' for good' : isAsked ? ': whoever asked for it is told' : ': it will be tried again'
      core.runtime.logger[isAsked && !isFinal ? 'info' : 'warn'](fields, `${chore.name} failed${end}`)
    }
    // First what is wanted now, then what is due.
    core.pressure.ended()
    this.evaluate()
  }

  #frontier(): readonly bigint[] {
    const { attached, hot } = this.#topic
    const frontier = attached?.frontier()
    return hot.partitions.map(({ released }, index) => {
      const offset = frontier?.[index] ?? 0n
      return offset > released ? offset : released
    })
  }

  #start(signal?: AbortSignal, isAsked = false): Promise<TierResult> {
    if (this.#isStopped) return Promise.reject(closed('LOG_CLOSED', 'The log was closed.'))
    const upTo = this.#topic.hot.partitions.map(({ highWatermark }) => highWatermark)
    const work = new SharedWork(async (shared) => {
      try {
        return await this.#commitAll(upTo, shared, isAsked)
      } finally {
        this.#running = undefined
        this.evaluate()
      }
    })
    this.#running = { upTo, work }
    return work.wait(signal)
  }

  /** As many commits as it takes, each an attempt of its own. */
  async #commitAll(upTo: readonly bigint[], signal: AbortSignal, isAsked: boolean): Promise<TierResult> {
    let rows = 0
    for (;;) {
      const before = this.#frontier()
      const result = await this.#commits.attempt(() => this.#commitSome(upTo, signal), { signal, isAsked })
      rows += result.rows
      const isDone = upTo.every((offset, index) => offset <= result.frontier[index]!)
      const isMoving = result.frontier.some((offset, index) => offset > before[index]!)
      if (isDone || !isMoving) return { ...result, rows }
      if (this.#isStopped) throw closed('LOG_CLOSED', 'The log was closed.')
    }
  }

  async #commitSome(upTo: readonly bigint[], signal: AbortSignal): Promise<TierResult> {
    const { core, hot } = this.#topic
    // The commit before may have taken the last of the disk. What the table has had for longest makes room for this one.
    await core.pressure.measure()
    if (core.pressure.isRoomWanted && this.#release.oldestMs !== undefined) {
      await this.#releases.attempt(() => this.#release.releaseDue(true), { isInVain }).catch(() => undefined)
      await core.pressure.measure()
    }
    const some = this.#size.cut(hot.partitions, this.#frontier(), upTo, core.pressure.freeBytes / 2)
    try {
      const result = await this.#commit(some, signal)
      this.#size.succeeded()
      return result
    } catch (error) {
      this.#size.failed(error)
      throw error
    }
  }

  /** A commit after the running one is asked for. */
  get #isAsked(): boolean {
    return this.#waiting !== undefined && !this.#waiting.isAbandoned
  }

  async #commit(upTo: readonly bigint[], signal: AbortSignal | undefined): Promise<TierResult> {
    const { core, record } = this.#topic
    const { clock, logger } = core.runtime
    const beganMs = clock.monotonic()
    // A verdict on what is there now.
    if (isKind(this.#refusal, 'conflict', 'LINEAGE_BROKEN')) await this.#topic.detach()
    const call = { upTo, ...(signal === undefined ? {} : { signal }) }
    const result = await this.#topic.withTable((cold) => cold.tier(call))
    const { snapshotId, rows, frontier } = result
    this.#release.confirm(frontier)
    // What has been moved can be let go: it helps, though the stage says so only later.
    if (rows === 0 && core.pressure.wants(this) === 'tier') this.#roomBackoff.postpone()
    else this.#roomBackoff.reset()
    if (rows > 0) {
      const fields = {
        topic: record.name,
        table: record.config.table,
        rows,
        snapshotId,
        ms: clock.monotonic() - beganMs,
      }
      logger.info(fields, 'Records were committed to the table')
    }
    return result
  }

  #appended(): void {
    const { core, hot } = this.#topic
    const isDue = hot.totalBytes - this.#evaluatedBytes >= core.limits.commitBytes / 16
    if (isDue || !this.#scheduler.isSet) this.evaluate()
  }

  #unpinned(): void {
    if (this.#release.oldestMs === undefined) return
    this.#releases.mayHelp()
    this.#topic.core.pressure.ended()
    this.evaluate()
  }

  #commitDueMs(): number {
    const { core, record, refusal } = this.#topic
    if (this.#running !== undefined || this.#isAsked || refusal !== undefined) return Infinity
    const bytes = this.untieredBytes
    if (bytes === 0) return Infinity
    if (bytes >= core.limits.commitBytes) return -Infinity
    const byAmount = bytes >= BUSY_BYTES ? BUSY_FRESHNESS_MS : QUIET_FRESHNESS_MS
    const dueMs = this.oldestMs + (record.config.freshnessMs ?? byAmount)
    return core.pressure.wants(this) === 'tier' ? Math.min(dueMs, this.#roomBackoff.untilMs) : dueMs
  }

  #releaseDueMs(): number {
    if (this.#topic.refusal !== undefined) return Infinity
    const isWanted = this.#release.oldestMs !== undefined && this.#isRoomWanted
    return isWanted ? -Infinity : this.#release.dueMs
  }

  get #isRoomWanted(): boolean {
    return this.#topic.core.pressure.wants(this) !== 'nothing'
  }

  #atWallTime(dueMs: number | undefined): number {
    if (dueMs === undefined || this.#topic.refusal !== undefined) return Infinity
    return atWallTime(this.#topic.core.runtime.clock, dueMs)
  }

  #cleanUp(): Promise<void> {
    return this.#cleanUps.attempt(() =>
      this.#topic.withTable(async (cold) => cold.cleanUp?.({ signal: this.#topic.core.closing })),
    )
  }

  #repair(): Promise<void> {
    return this.#repairs.attempt(async () => {
      const call = { signal: this.#topic.core.closing }
      if ((await this.#topic.withTable(async (cold) => cold.repair?.(call))) === true) this.#releases.mayHelp()
    })
  }
}

/** A reader, or the table itself, held back all that was to be released. */
const isInVain = (hasReleased: boolean): boolean => !hasReleased

/** @throws `invalid` on a read-only log. */
export function checkWritable(access: 'read-write' | 'read-only', what: string): void {
  if (access === 'read-write') return
  throw invalid('READ_ONLY', `This log is open for reading only: ${what} needs access 'read-write'.`)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}
