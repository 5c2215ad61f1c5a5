import { closed, invalid, isMoulinError, type ColdTopic, type TierResult, type Timer } from '@moulin/core'
import type { ConfirmedFrontier } from './checkpoint-store.ts'
import { lowestPin } from './log-core.ts'
import { isLineageBroken, type TopicState } from './topic-state.ts'

/** With fewer bytes than this waiting, freshness may take {@link QUIET_FRESHNESS_MS}: small files cost more than age. */
const BUSY_BYTES = 8 * 1024 * 1024
const BUSY_FRESHNESS_MS = 60_000
const QUIET_FRESHNESS_MS = 600_000
const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

/** A commit that has been read back, waiting for its grace to pass. */
interface Confirmed extends ConfirmedFrontier {
  readonly dueMs: number
}

/** Decides when a topic's records go to the table, and when their write-ahead copy goes. */
export class TopicTiering {
  readonly #topic: TopicState
  #confirmed: Confirmed[] = []
  #running: { readonly upTo: readonly bigint[]; readonly done: Promise<TierResult> } | undefined
  #waiting: Promise<TierResult> | undefined
  #releasing: Promise<void> = Promise.resolve()
  #commitTimer: Timer | undefined
  #releaseTimer: Timer | undefined
  #retryMs = FIRST_RETRY_MS
  #evaluatedBytes = 0
  #broken: Error | undefined
  #isStopped = false
  snapshotId: bigint | null = null

  constructor(topic: TopicState) {
    this.#topic = topic
    this.follow()
  }

  /** The topic's hot part is another one: it has begun an incarnation. */
  follow(): void {
    const { core, hot } = this.#topic
    this.#confirmed = []
    if (core.access === 'read-write' && core.tier !== undefined) hot.onAppended = () => this.#appended()
  }

  /** The table is there: what it holds already has had a part of its grace. */
  attached(cold: ColdTopic): void {
    const { core, hot, record } = this.#topic
    if (core.access === 'read-only') return
    this.#broken = undefined
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
    this.#evaluate()
  }

  get untieredBytes(): number {
    const frontier = this.#frontier()
    return sum(this.#topic.hot.partitions.map((partition, index) => partition.bytesFrom(frontier[index]!)))
  }

  get stoppedBy(): Error | null {
    return this.#broken ?? this.#topic.refusal ?? null
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
    if (confirmed !== undefined) await this.#release(confirmed.frontier, signal)
  }

  /** Releases the oldest confirmed commit ahead of its grace. False when there is none, or it is held back. */
  async releaseOldest(): Promise<boolean> {
    const oldest = this.#confirmed[0]
    if (oldest === undefined) return false
    await this.#release(oldest.frontier)
    return this.#confirmed[0]?.frontier !== oldest.frontier
  }

  /** Starts nothing more; resolves when a commit or release already begun has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#topic.hot.onAppended = undefined
    this.#commitTimer?.cancel()
    this.#releaseTimer?.cancel()
    await this.#waiting?.catch(() => undefined)
    await this.#running?.done.catch(() => undefined)
    await this.#releasing
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
    const done = this.#commit(upTo, signal).finally(() => (this.#running = undefined))
    this.#running = { upTo, done }
    done.then(
      () => this.#evaluate(),
      () => undefined,
    )
    return done
  }

  async #commit(upTo: readonly bigint[], signal: AbortSignal | undefined): Promise<TierResult> {
    if (this.#broken !== undefined) await this.#topic.detach()
    try {
      const call = { upTo, ...(signal === undefined ? {} : { signal }) }
      const result = await this.#topic.withTable((cold) => cold.tier(call))
      this.snapshotId = result.snapshotId
      this.#confirm(result.frontier)
      return result
    } catch (error) {
      if (isLineageBroken(error)) this.#broken = error as Error
      throw error
    }
  }

  #appended(): void {
    this.#topic.core.pressure.appended()
    const total = sum(this.#topic.hot.partitions.map(({ totalBytes }) => totalBytes))
    const isDue = total - this.#evaluatedBytes >= this.#topic.core.limits.commitBytes / 16
    if (this.#commitTimer === undefined || isDue) this.#evaluate()
  }

  /** Starts a commit if one is due, else sets the timer for when it will be. */
  #evaluate(): void {
    if (this.#isStopped || this.#running !== undefined || this.#broken !== undefined) return
    const { hot, core, record } = this.#topic
    this.#evaluatedBytes = sum(hot.partitions.map(({ totalBytes }) => totalBytes))
    const bytes = this.untieredBytes
    this.#commitTimer?.cancel()
    this.#commitTimer = undefined
    if (bytes === 0) return
    const { limits, runtime } = core
    const byAmount = bytes >= BUSY_BYTES ? BUSY_FRESHNESS_MS : QUIET_FRESHNESS_MS
    const dueMs = this.#oldestMs() + (record.config.freshnessMs ?? byAmount)
    const waitMs = bytes >= limits.commitBytes ? 0 : dueMs - runtime.clock.monotonic()
    if (waitMs <= 0) this.#commitInBackground()
    else this.#commitAfter(waitMs)
  }

  #commitAfter(ms: number): void {
    this.#commitTimer = this.#topic.core.runtime.timers.after(ms, () => {
      this.#commitTimer = undefined
      this.#evaluate()
    })
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

  #commitInBackground(): void {
    this.#start().then(
      () => (this.#retryMs = FIRST_RETRY_MS),
      (error: unknown) => this.#failed(error, 'Tiering failed', () => this.#evaluate()),
    )
  }

  #failed(error: unknown, message: string, again: () => void): void {
    if (this.#isStopped) return
    const { core, record } = this.#topic
    const isFinal = isLineageBroken(error) || (isMoulinError(error) && error.kind === 'fenced')
    const fields = {
      err: error,
      topic: record.name,
      table: record.config.table,
      retryMs: isFinal ? null : this.#retryMs,
    }
    core.runtime.logger.warn(fields, isFinal ? `${message} for good` : `${message}: it will be tried again`)
    if (isFinal) return
    this.#commitTimer?.cancel()
    this.#commitTimer = core.runtime.timers.after(this.#retryMs, () => {
      this.#commitTimer = undefined
      again()
    })
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2)
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
    this.#setReleaseTimer()
  }

  /** The next checkpoint names the first frontier that something above `released` waits for. */
  #remember(released: readonly bigint[]): void {
    const first = this.#confirmed.find(({ frontier }) => released.some((offset, index) => frontier[index]! > offset))
    this.#topic.hot.confirmed = first && { frontier: first.frontier, sinceMs: first.sinceMs }
  }

  #setReleaseTimer(): void {
    const next = this.#confirmed[0]
    if (next === undefined || this.#releaseTimer !== undefined || this.#isStopped) return
    const { runtime } = this.#topic.core
    const waitMs = Math.max(0, next.dueMs - runtime.clock.monotonic())
    this.#releaseTimer = runtime.timers.after(waitMs, () => {
      this.#releaseTimer = undefined
      void this.#releaseDue()
    })
  }

  async #releaseDue(): Promise<void> {
    const { runtime } = this.#topic.core
    const now = runtime.clock.monotonic()
    const due = this.#confirmed.filter(({ dueMs }) => dueMs <= now).at(-1)
    try {
      if (due !== undefined) await this.#release(due.frontier)
    } catch (error) {
      runtime.logger.warn(
        { err: error, topic: this.#topic.record.name },
        'Releasing write-ahead data failed: it will be tried again',
      )
      this.#confirmed = this.#confirmed.map((entry) => ({
        ...entry,
        dueMs: Math.max(entry.dueMs, now + this.#retryMs),
      }))
      this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2)
    }
    this.#setReleaseTimer()
  }

  /** Gives up write-ahead data below `frontier`, as far as the table confirms it again and nobody reads it. */
  #release(frontier: readonly bigint[], signal?: AbortSignal): Promise<void> {
    const done = this.#releasing.then(() => this.#releaseBelow(frontier, signal))
    this.#releasing = done.catch(() => undefined)
    return done
  }

  async #releaseBelow(frontier: readonly bigint[], signal: AbortSignal | undefined): Promise<void> {
    if (this.#isStopped) throw closed('LOG_CLOSED', 'The log was closed.')
    const { hot, core } = this.#topic
    const call = signal === undefined ? {} : { signal }
    const confirmed = await this.#topic.withTable((cold) => cold.releasable({ upTo: frontier, ...call }))
    // What an earlier incarnation has stays.
    if (hot !== this.#topic.hot) return
    const upTo = hot.partitions.map((partition, index) => {
      const offsets = [frontier[index]!, confirmed[index] ?? 0n, partition.highWatermark]
      const pinned = lowestPin(hot, index)
      if (pinned !== undefined) offsets.push(pinned)
      return partition.releasable(offsets.reduce(smaller))
    })
    if (hot.partitions.some(({ released }, index) => upTo[index]! > released)) {
      this.#remember(upTo)
      await core.checkpoints.release(hot, upTo)
    }
    // What a pin held back is tried again soon; what the table has not, once somebody may have brought it back.
    const isMissing = frontier.some((offset, index) => (confirmed[index] ?? 0n) < offset)
    const retryAt = core.runtime.clock.monotonic() + (isMissing ? MAX_RETRY_MS : FIRST_RETRY_MS)
    this.#confirmed = this.#confirmed
      .filter((entry) => hot.partitions.some((p, index) => p.releasable(entry.frontier[index] ?? 0n) > p.released))
      .map((entry) => ({ ...entry, dueMs: Math.max(entry.dueMs, retryAt) }))
  }
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
