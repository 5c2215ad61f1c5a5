import { closed, invalid, isKind, isMoulinError, type ColdTopic, type Failing, type TierResult } from '@moulin/core'
import type { ConfirmedFrontier } from './checkpoint-store.ts'
import { Backoff, Chore, Scheduler } from './chore.ts'
import { worstOf } from './failures.ts'
import { lowestPin } from './log-core.ts'
import { isLogBehind, type TopicState } from './topic-state.ts'

/** With fewer bytes than this waiting, freshness may take {@link QUIET_FRESHNESS_MS}: small files cost more than age. */
const BUSY_BYTES = 8 * 1024 * 1024
const BUSY_FRESHNESS_MS = 60_000
const QUIET_FRESHNESS_MS = 600_000

/** A commit that has been read back, waiting for its grace to pass. */
interface Confirmed extends ConfirmedFrontier {
  readonly dueMs: number
}

/**
 * Decides when a topic's records go to the table, and when their write-ahead copy goes. It owns every attempt: its own timer, room that
 * is wanted and calls from outside are reasons for one, and whichever ends, for whatever reason, what is due next is worked out anew.
 */
export class TopicTiering {
  readonly #topic: TopicState
  readonly #scheduler: Scheduler
  /** Attaches the table of a topic that is used: the end of the log is to be judged by it. */
  readonly #looks: Chore
  readonly #commits: Chore
  readonly #releases: Chore
  readonly #cleanUps: Chore
  #confirmed: Confirmed[] = []
  #running: { readonly upTo: readonly bigint[]; readonly done: Promise<TierResult> } | undefined
  #waiting: Promise<TierResult> | undefined
  #releasing: Promise<void> = Promise.resolve()
  #evaluatedBytes = 0
  #refusal: Error | undefined
  /** Between commits that were to make room and did not. */
  readonly #roomBackoff: Backoff
  #hasBegun = false
  #isStopped = false
  snapshotId: bigint | null = null

  constructor(topic: TopicState) {
    this.#topic = topic
    this.#roomBackoff = new Backoff(topic.core.runtime.clock)
    this.#looks = this.#chore(
      'Looking at the table',
      () => topic.lookDueMs,
      () => topic.cold(),
    )
    this.#commits = this.#chore(
      'Tiering',
      () => this.#commitDueMs(),
      () => this.#start(),
    )
    this.#releases = this.#chore(
      'Releasing write-ahead data',
      () => this.#releaseDueMs(),
      () => this.#releaseDue(),
    )
    this.#cleanUps = this.#chore(
      'Cleaning up',
      () => this.#cleanUpDueMs(),
      () => this.#cleanUp(),
    )
    this.#scheduler = new Scheduler(topic.core.runtime, [this.#looks, this.#commits, this.#releases, this.#cleanUps])
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
    this.#confirmed = []
    if (core.access === 'read-only' || core.tier === undefined) return
    hot.onAppended = () => this.#appended()
    hot.onUnpinned = () => this.#unpinned()
  }

  /** The table is there: what it holds already has had a part of its grace. */
  attached(cold: ColdTopic): void {
    const { core, hot, record } = this.#topic
    this.#refusal = undefined
    if (core.access === 'read-only') return
    const frontier = cold.frontier()
    const { confirmed } = hot
    // Of an earlier process: what it saw in the table has waited longer than what has been committed since.
    if (this.#confirmed.length === 0 && confirmed !== undefined) {
      const still = frontier.map((offset, index) => smaller(offset, confirmed.frontier[index] ?? 0n))
      this.#confirm(still, this.#confirmedForMs(still, confirmed.sinceMs))
    }
    this.#confirm(frontier, this.#confirmedForMs(frontier, cold.committedAtMs?.()))
    // Left by a process that was killed: so that the next one knows, however this one ends.
    if (hot.confirmed?.sinceMs !== confirmed?.sinceMs) {
      core.checkpoints.write().catch((error: unknown) => {
        const fields = { err: error, topic: record.name }
        core.runtime.logger.warn(fields, 'A checkpoint could not be written: the next one will say the same')
      })
    }
    this.evaluate()
  }

  /** One try to attach the table, whoever needs it. */
  attaching<T>(work: () => Promise<T>): Promise<T> {
    return this.#looks.attempt(work)
  }

  /** Starts what is due, and sets the timer for what will be. */
  evaluate(): void {
    if (!this.#hasBegun || this.#isStopped || this.#topic.core.access === 'read-only') return
    this.#evaluatedBytes = this.#topic.hot.totalBytes
    this.#scheduler.evaluate()
  }

  get failing(): Failing {
    return worstOf([this.#looks, this.#commits, this.#releases, this.#cleanUps].map(({ failures }) => failures.now))
  }

  get untieredBytes(): number {
    const frontier = this.#frontier()
    return sum(this.#topic.hot.partitions.map((partition, index) => partition.bytesFrom(frontier[index]!)))
  }

  get stoppedBy(): Error | null {
    return this.#topic.refusal ?? this.#refusal ?? null
  }

  get untieredRecords(): number {
    const frontier = this.#frontier()
    return sum(this.#topic.hot.partitions.map(({ highWatermark }, index) => Number(highWatermark - frontier[index]!)))
  }

  /** Moves all that is committed now into the table. Calls that are made while a commit runs share the next one. */
  tier(signal?: AbortSignal): Promise<TierResult> {
    const running = this.#running
    if (running === undefined) return this.#start(signal)
    const highest = this.#topic.hot.partitions.map(({ highWatermark }) => highWatermark)
    if (highest.every((offset, index) => offset <= running.upTo[index]!)) return running.done
    this.#waiting ??= running.done
      .catch(() => undefined)
      .then(() => {
        this.#waiting = undefined
        return this.#start(signal)
      })
    return this.#waiting
  }

  /** Releases what is confirmed, grace or not. */
  async releaseNow(signal?: AbortSignal): Promise<void> {
    const confirmed = this.#confirmed.at(-1)
    if (confirmed === undefined) return
    await this.#releases.attempt(() => this.#release(confirmed.frontier, signal), isInVain)
  }

  /** Since when, by wall time, the oldest data waits that could be released now; undefined when there is none, or it was tried in vain a moment ago. */
  get oldestConfirmedMs(): number | undefined {
    return this.#releases.isWaiting ? undefined : this.#confirmed[0]?.sinceMs
  }

  get isReleasing(): boolean {
    return this.#releases.isRunning
  }

  /** Something that may make room is under way. */
  get isBusy(): boolean {
    return this.#releases.isRunning || this.#commits.isRunning
  }

  /** What keeps this topic's write-ahead data, in words; undefined when there is none. */
  get holding(): string | undefined {
    const { hot, record } = this.#topic
    const bytes = sum(hot.partitions.map((partition) => partition.bytesFrom(partition.released)))
    if (bytes === 0) return undefined
    const { lastError } = this.failing
    const why =
      this.#topic.refusal?.message ?? (lastError === null ? undefined : `${lastError.code}: ${lastError.message}`)
    const now = this.isBusy ? 'it is being moved' : hot.pins.size > 0 ? 'a reader or a scan holds it' : 'its turn comes'
    return `topic ${record.name} ${bytes} bytes (${why ?? now})`
  }

  /** Starts nothing more; resolves when a commit or release already begun has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#topic.hot.onAppended = undefined
    this.#topic.hot.onUnpinned = undefined
    this.#scheduler.stop()
    await this.#waiting?.catch(() => undefined)
    await this.#running?.done.catch(() => undefined)
    await this.#releasing
  }

  #chore(name: string, due: () => number, run: () => Promise<unknown>): Chore {
    const { core } = this.#topic
    // Its error is the chore's, which `stats()` shows.
    const work = { name, due, run: () => run().catch(() => undefined) }
    const chore = new Chore(core.runtime.clock, work, (error, retryMs) => this.#ended(chore, error, retryMs))
    return chore
  }

  #ended(chore: Chore, error: unknown, retryMs: number | null): void {
    if (this.#isStopped) return
    const { core, record } = this.#topic
    if (chore === this.#commits || chore === this.#looks) this.#refusal = refusalIn(error, this.#refusal)
    const isFailure = error !== undefined && (retryMs !== null || isKind(error, 'fenced'))
    if (isFailure && core.access === 'read-write') {
      const fields = { err: error, topic: record.name, table: record.config.table, retryMs }
      core.runtime.logger.warn(
        fields,
        `${chore.name} failed${retryMs === null ? ' for good' : ': it will be tried again'}`,
      )
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

  #start(signal?: AbortSignal): Promise<TierResult> {
    if (this.#isStopped) return Promise.reject(closed('LOG_CLOSED', 'The log was closed.'))
    const upTo = this.#topic.hot.partitions.map(({ highWatermark }) => highWatermark)
    const done = this.#commits.attempt(async () => {
      try {
        return await this.#commit(upTo, signal)
      } finally {
        this.#running = undefined
      }
    })
    this.#running = { upTo, done }
    return done
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
    this.snapshotId = snapshotId
    this.#confirm(frontier)
    if (core.pressure.wants(this) === 'tier') this.#roomBackoff.postpone()
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
    if (this.#confirmed.length === 0) return
    this.#releases.mayHelp()
    this.#topic.core.pressure.ended()
    this.evaluate()
  }

  #commitDueMs(): number {
    const { core, record, refusal } = this.#topic
    if (this.#running !== undefined || this.#waiting !== undefined || refusal !== undefined) return Infinity
    const bytes = this.untieredBytes
    if (bytes === 0) return Infinity
    if (bytes >= core.limits.commitBytes) return -Infinity
    const byAmount = bytes >= BUSY_BYTES ? BUSY_FRESHNESS_MS : QUIET_FRESHNESS_MS
    const dueMs = this.#oldestMs() + (record.config.freshnessMs ?? byAmount)
    return core.pressure.wants(this) === 'tier' ? Math.min(dueMs, this.#roomBackoff.untilMs) : dueMs
  }

  #releaseDueMs(): number {
    const next = this.#confirmed[0]
    if (next === undefined) {
      // Of an earlier process: the table is asked once the grace may have passed, whether or not anybody opens the topic.
      const { confirmed } = this.#topic.hot
      if (confirmed === undefined || this.#topic.attached !== undefined) return Infinity
      const { core } = this.#topic
      const { clock } = core.runtime
      return clock.monotonic() + Math.max(0, confirmed.sinceMs + core.graceMs - clock.now())
    }
    return this.#topic.core.pressure.wants(this) === 'nothing' ? next.dueMs : -Infinity
  }

  #cleanUpDueMs(): number {
    const dueMs = this.#topic.attached?.cleanUpDueMs?.()
    if (dueMs === undefined || this.#topic.refusal !== undefined) return Infinity
    const { clock } = this.#topic.core.runtime
    return clock.monotonic() + Math.max(0, dueMs - clock.now())
  }

  #cleanUp(): Promise<void> {
    return this.#cleanUps.attempt(() =>
      this.#topic.withTable(async (cold) => cold.cleanUp?.({ signal: this.#topic.core.closing })),
    )
  }

  #oldestMs(): number {
    const frontier = this.#frontier()
    return this.#topic.hot.partitions.reduce(
      (oldest, partition, index) => Math.min(oldest, partition.oldestFrom(frontier[index]!)),
      Infinity,
    )
  }

  /**
   * For how long the table has answered for the frontier: not longer than since its commit, nor than since the youngest
   * record below it, so that one wrong wall clock alone does not end the grace of records of today.
   */
  #confirmedForMs(frontier: readonly bigint[], committedAtMs: number | undefined): number {
    if (committedAtMs === undefined) return 0
    const { hot, core } = this.#topic
    const { clock } = core.runtime
    const now = clock.monotonic()
    return hot.partitions.reduce(
      (age, partition, index) => Math.min(age, now - (partition.youngestBelow(frontier[index] ?? 0n) ?? -Infinity)),
      Math.max(0, clock.now() - committedAtMs),
    )
  }

  #confirm(frontier: readonly bigint[], ageMs = 0): void {
    const last = this.#confirmed.at(-1)?.frontier
    const { core, hot } = this.#topic
    const isNew = hot.partitions.some(({ released }, index) => (frontier[index] ?? 0n) > (last?.[index] ?? released))
    if (!isNew) return
    const { clock } = core.runtime
    const sinceMs = Math.max(0, Math.trunc(clock.now() - ageMs))
    this.#confirmed.push({ frontier: [...frontier], sinceMs, dueMs: clock.monotonic() + core.graceMs - ageMs })
    this.#remember(hot.partitions.map(({ released }) => released))
  }

  /** The next checkpoint names the first frontier that something above `released` waits for. */
  #remember(released: readonly bigint[]): void {
    const first = this.#confirmed.find(({ frontier }) => released.some((offset, index) => frontier[index]! > offset))
    this.#topic.hot.confirmed = first && { frontier: first.frontier, sinceMs: first.sinceMs }
  }

  async #releaseDue(): Promise<void> {
    await this.#releases.attempt(async () => {
      const { clock } = this.#topic.core.runtime
      // Of an earlier process: what waits comes to be known by attaching.
      if (this.#confirmed.length === 0) await this.#topic.cold()
      const isWanted = this.#topic.core.pressure.wants(this) !== 'nothing'
      const due = this.#confirmed.filter(({ dueMs }) => dueMs <= clock.monotonic()).at(-1)
      const upTo = due ?? (isWanted ? this.#confirmed[0] : undefined)
      return upTo === undefined || (await this.#release(upTo.frontier))
    }, isInVain)
  }

  /** Gives up write-ahead data below `frontier`, as far as the table confirms it again and nobody reads it. False: nothing was. */
  #release(frontier: readonly bigint[], signal?: AbortSignal): Promise<boolean> {
    const done = this.#releasing.then(() => this.#releaseBelow(frontier, signal))
    this.#releasing = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  async #releaseBelow(frontier: readonly bigint[], signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#isStopped) throw closed('LOG_CLOSED', 'The log was closed.')
    const { hot, core } = this.#topic
    const call = signal === undefined ? {} : { signal }
    const confirmed = await this.#topic.withTable((cold) => cold.release(call))
    // What an earlier incarnation has stays.
    if (hot !== this.#topic.hot) return true
    const upTo = hot.partitions.map((partition, index) => {
      const offsets = [frontier[index]!, confirmed[index] ?? 0n, partition.highWatermark]
      const pinned = lowestPin(hot, index)
      if (pinned !== undefined) offsets.push(pinned)
      return partition.releasable(offsets.reduce(smaller))
    })
    const isSome = hot.partitions.some(({ released }, index) => upTo[index]! > released)
    if (isSome) {
      this.#remember(upTo)
      await core.checkpoints.release(hot, upTo)
      core.runtime.logger.info({ topic: this.#topic.record.name, upTo }, 'Write-ahead data was released')
    }
    this.#confirmed = this.#confirmed.filter((entry) =>
      hot.partitions.some((p, index) => p.releasable(entry.frontier[index] ?? 0n) > p.released),
    )
    return isSome || this.#confirmed.length === 0
  }
}

/** A reader, or the table itself, held back all that was to be released. */
const isInVain = (hasReleased: boolean): boolean => !hasReleased

const refusing: ReadonlySet<string> = new Set(['conflict', 'unsupported', 'not-found', 'exists', 'corrupt', 'invalid'])

/** What a table refuses stays until it answers otherwise; that it did not answer says nothing of it. */
function refusalIn(error: unknown, before: Error | undefined): Error | undefined {
  if (error === undefined) return undefined
  return isMoulinError(error) && refusing.has(error.kind) && !isLogBehind(error) ? error : before
}

/** @throws `invalid` on a read-only log. */
export function checkWritable(access: 'read-write' | 'read-only', what: string): void {
  if (access === 'read-write') return
  throw invalid('READ_ONLY', `This log is open for reading only: ${what} needs access 'read-write'.`)
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}
