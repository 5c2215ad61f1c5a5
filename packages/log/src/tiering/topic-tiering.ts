import { invalid, isKind, waitFor, type ColdTopic, type Failing, type TierOptions, type TierResult } from '@moulin/core'
import { atWallTime, Chore, Scheduler, type ChoreEnded, type ChoreWork } from '../chores/chore.ts'
import { worstOf } from '../chores/failures.ts'
import { holdingOf } from './holding.ts'
import { TopicCommit } from './topic-commit.ts'
import { TopicRelease } from './topic-release.ts'
import { isLogBehind, refusalIn, type TieredTopic } from './tiered-topic.ts'
import { oldestUntieredMs, untieredBytes, untieredRecords } from './untiered.ts'
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
  readonly #commit: TopicCommit
  readonly #release: TopicRelease
  #evaluatedBytes = 0
  /** No commit was to come when that was last worked out. */
  #isQuiet = true
  #refusal: Error | undefined
  #hasBegun = false
  #isStopped = false

  constructor(topic: TieredTopic) {
    this.#topic = topic
    this.#release = new TopicRelease(topic)
    this.#commit = new TopicCommit({
      topic,
      release: this.#release,
      chore: () => this.#commits,
      refusal: () => this.#refusal,
      isForRoom: () => topic.core.pressure.wants(this) === 'tier',
      makeRoom: () => this.#releaseDue(true).catch(() => undefined),
      ended: () => this.evaluate(),
    })
    this.#looks = this.#chore({
      name: 'Looking at the table',
      isWanted: () => topic.attached === undefined,
      due: () => topic.lookDueMs,
      run: () => topic.cold(true),
    })
    this.#commits = this.#chore({
      name: 'Tiering',
      isWanted: () => this.untieredBytes > 0,
      due: () => this.#commitDueMs(),
      run: () => this.#commit.start(),
    })
    this.#releases = this.#chore({
      name: 'Releasing write-ahead data',
      isWanted: () => this.#release.oldestMs !== undefined,
      due: () => this.#releaseDueMs(),
      run: () => this.#releaseDue(this.#isRoomWanted),
    })
    this.#cleanUps = this.#tableChore(
      'Cleaning up',
      (cold) => cold.cleanUpDueMs?.(),
      () => this.#cleanUp(),
    )
    this.#repairs = this.#tableChore(
      'Repairing the table',
      (cold) => cold.repairDueMs?.(),
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
    this.#isQuiet = this.#commits.nextMs === Infinity
  }

  get failing(): Failing {
    return worstOf(this.#chores.map(({ failing }) => failing))
  }

  get #chores(): readonly Chore[] {
    return [this.#looks, this.#commits, this.#releases, this.#cleanUps, this.#repairs]
  }

  get untieredBytes(): number {
    return untieredBytes(this.#topic)
  }

  get untieredRecords(): number {
    return untieredRecords(this.#topic)
  }

  /** Since when, on the monotonic clock, the oldest record waits that is not in the table; Infinity where there is none. */
  get oldestMs(): number {
    return oldestUntieredMs(this.#topic)
  }

  get stoppedBy(): Error | null {
    return this.#topic.refusal ?? this.#refusal ?? null
  }

  /** Moves all that is committed now into the table. Calls that are made while a commit runs share the next one. */
  tier(options: TierOptions = {}): Promise<TierResult> {
    return this.#commit.tier(options)
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
    await this.#commit.stop()
    await this.#release.stop()
  }

  #chore(work: ChoreWork): Chore {
    const { core } = this.#topic
    // Its error is the chore's, which `stats()` shows.
    const quiet = { ...work, run: () => work.run().catch(() => undefined) }
    const chore = new Chore(core.runtime.clock, quiet, (...end) => this.#ended(chore, ...end))
    return chore
  }

  /** Of which the table says, by wall time, when it is due; undefined: it is not wanted. While it is detached, nobody knows. */
  #tableChore(name: string, dueMs: (cold: ColdTopic) => number | undefined, run: () => Promise<unknown>): Chore {
    const topic = this.#topic
    const isWanted = (): boolean => topic.attached === undefined || dueMs(topic.attached) !== undefined
    return this.#chore({ name, isWanted, due: () => this.#atWallTime(topic.attached && dueMs(topic.attached)), run })
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

  #appended(): void {
    const { core, hot } = this.#topic
    const isDue = hot.totalBytes - this.#evaluatedBytes >= core.limits.commitBytes / 16
    // The first record after all that is in the table: from now on a commit has its time, whatever else has one.
    const isFirst = this.#isQuiet && !this.#commit.isUnderWay
    if (isDue || isFirst) this.evaluate()
  }

  #unpinned(): void {
    if (this.#release.oldestMs === undefined) return
    this.#releases.mayHelp()
    this.#topic.core.pressure.ended()
    this.evaluate()
  }

  #commitDueMs(): number {
    const { core, record, refusal } = this.#topic
    if (this.#commit.isUnderWay || refusal !== undefined) return Infinity
    const bytes = this.untieredBytes
    if (bytes >= core.limits.commitBytes) return -Infinity
    const byAmount = bytes >= BUSY_BYTES ? BUSY_FRESHNESS_MS : QUIET_FRESHNESS_MS
    const dueMs = this.oldestMs + (record.config.freshnessMs ?? byAmount)
    return core.pressure.wants(this) === 'tier' ? Math.min(dueMs, this.#commit.roomMs) : dueMs
  }

  #releaseDueMs(): number {
    if (this.#topic.refusal !== undefined) return Infinity
    const isWanted = this.#release.oldestMs !== undefined && this.#isRoomWanted
    return isWanted ? -Infinity : this.#release.dueMs
  }

  #releaseDue(isRoomWanted: boolean): Promise<boolean> {
    return this.#releases.attempt(() => this.#release.releaseDue(isRoomWanted), { isInVain })
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
