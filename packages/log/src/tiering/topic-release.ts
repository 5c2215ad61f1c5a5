import { closed, waitFor, type ColdTopic } from '@moulin/core'
import type { ConfirmedFrontier } from '../stored/checkpoint-store.ts'
import { atWallTime } from '../chores/chore.ts'
import { lowestPin } from '../hot/hot-log.ts'
import type { TieredTopic } from './tiered-topic.ts'

/** A commit that has been read back, waiting for its grace to pass. */
interface Confirmed extends ConfirmedFrontier {
  readonly dueMs: number
}

interface ReleaseHow {
  readonly signal?: AbortSignal | undefined
  readonly renewals?: number | undefined
}

/** What of a topic's write-ahead data waits for its grace, since the table has it, and lets it go. */
export class TopicRelease {
  readonly #topic: TieredTopic
  /** In the order of the commits: each has all that the one before it has. */
  #confirmed: Confirmed[] = []
  #last: Promise<void> = Promise.resolve()
  #isStopped = false
  /** How often all of it has begun anew. */
  #renewals = 0

  constructor(topic: TieredTopic) {
    this.#topic = topic
  }

  /** Since when, by wall time, the oldest of it waits; undefined when nothing does. */
  get oldestMs(): number | undefined {
    return (this.#confirmed[0] ?? this.#earlierProcess)?.sinceMs
  }

  /** What an earlier process left to wait, until the table is asked for it, whether or not anybody opens the topic. */
  get #earlierProcess(): ConfirmedFrontier | undefined {
    const { hot, attached } = this.#topic
    return attached === undefined ? hot.confirmed : undefined
  }

  /** The table may answer for something of an earlier process, and nothing is known of it. */
  get isUnasked(): boolean {
    const { hot, attached, core } = this.#topic
    if (this.oldestMs !== undefined || attached !== undefined || core.tier === undefined) return false
    return hot.partitions.some(({ released, highWatermark }) => released < highWatermark)
  }

  /** When the grace of the oldest ends, on the monotonic clock; Infinity when nothing waits. */
  get dueMs(): number {
    const next = this.#confirmed[0]
    if (next !== undefined) return next.dueMs
    const earlier = this.#earlierProcess
    if (earlier === undefined) return Infinity
    const { runtime, graceMs } = this.#topic.core
    return atWallTime(runtime.clock, earlier.sinceMs + graceMs)
  }

  /** The topic has begun an incarnation. */
  restart(): void {
    this.#confirmed = []
  }

  /** The table is there: what it holds already has had a part of its grace. */
  attached(cold: ColdTopic): void {
    const { core, hot } = this.#topic
    const frontier = cold.frontier()
    this.#cut(frontier)
    const { confirmed } = hot
    // Of an earlier process: what it saw in the table has waited longer than what has been committed since.
    if (this.#confirmed.length === 0 && confirmed !== undefined) {
      const still = frontier.map((offset, index) => smaller(offset, confirmed.frontier[index] ?? 0n))
      this.confirm(still, this.#agedMs(still, confirmed.sinceMs))
    }
    this.confirm(frontier, this.#agedMs(frontier, cold.committedAtMs?.()))
    this.#remember(hot.partitions.map(({ released }) => released))
    // Left by a process that was killed: so that the next one knows, however this one ends.
    if (hot.confirmed?.sinceMs === confirmed?.sinceMs) return
    core.checkpoints.write().catch(() => undefined)
  }

  /** A table that was set back answers for less: what it lost begins its grace anew when it is committed again. */
  #cut(frontier: readonly bigint[]): void {
    const { partitions } = this.#topic.hot
    this.#confirmed = this.#confirmed
      .map((entry) => ({
        ...entry,
        frontier: entry.frontier.map((offset, index) => smaller(offset, frontier[index] ?? 0n)),
      }))
      .filter((entry) => partitions.some(({ released }, index) => entry.frontier[index]! > released))
  }

  /** Files of the table are to be younger than the commits that waited: all of it waits anew, and whoever opens the log next knows it. */
  async beginAnew(): Promise<void> {
    const { core, hot } = this.#topic
    const { clock } = core.runtime
    const times = { sinceMs: Math.max(0, Math.trunc(clock.now())), dueMs: clock.monotonic() + core.graceMs }
    this.#confirmed = this.#confirmed.map(({ frontier }) => ({ frontier, ...times }))
    this.#renewals++
    this.#remember(hot.partitions.map(({ released }) => released))
    await core.checkpoints.write()
  }

  /**
   * The table answers for what is below `frontier`, and has for `ageMs`: the grace of what is new begins. What waits already has all that
   * is before it, so none of it ends before that.
   */
  confirm(frontier: readonly bigint[], ageMs = 0): void {
    const last = this.#confirmed.at(-1)
    const { core, hot } = this.#topic
    const isNew = hot.partitions.some(
      ({ released }, index) => (frontier[index] ?? 0n) > (last?.frontier[index] ?? released),
    )
    if (!isNew) return
    const { clock } = core.runtime
    const sinceMs = Math.max(last?.sinceMs ?? 0, Math.trunc(clock.now() - ageMs))
    const dueMs = Math.max(last?.dueMs ?? -Infinity, clock.monotonic() + core.graceMs - ageMs)
    this.#confirmed.push({ frontier: [...frontier], sinceMs, dueMs })
    this.#remember(hot.partitions.map(({ released }) => released))
  }

  /**
   * Releases what has had its grace; when `isRoomWanted`, the oldest that has not. False: a reader, or the table itself, held back all
   * of it.
   */
  async releaseDue(isRoomWanted: boolean): Promise<boolean> {
    await this.#know()
    const now = this.#topic.core.runtime.clock.monotonic()
    const due = this.#confirmed.filter(({ dueMs }) => dueMs <= now).at(-1)
    const upTo = due ?? (isRoomWanted ? this.#confirmed[0] : undefined)
    return upTo === undefined || this.#release(upTo.frontier, { renewals: due && this.#renewals })
  }

  /** Releases all that waits, grace or not. False as {@link releaseDue} says. */
  async releaseAll(signal?: AbortSignal): Promise<boolean> {
    await this.#know(signal)
    const last = this.#confirmed.at(-1)
    return last === undefined || this.#release(last.frontier, { signal })
  }

  /** What waits of an earlier process comes to be known by attaching. */
  async #know(signal?: AbortSignal): Promise<void> {
    if (this.#confirmed.length === 0) await waitFor(this.#topic.cold(), signal)
  }

  /** Begins nothing more; resolves when what has begun has ended. */
  stop(): Promise<void> {
    this.#isStopped = true
    return this.#last
  }

  /**
   * Gives up write-ahead data below `frontier`, as far as the table confirms it again and nobody reads it.
   * @param how `renewals`: none of it where what is due has begun anew since then.
   */
  #release(frontier: readonly bigint[], how: ReleaseHow): Promise<boolean> {
    const before = this.#last
    const done = waitFor(before, how.signal).then(() => this.#releaseBelow(frontier, how))
    const ended = (): undefined => undefined
    this.#last = before.then(() => done.then(ended, ended))
    return done
  }

  async #releaseBelow(frontier: readonly bigint[], { signal, renewals }: ReleaseHow): Promise<boolean> {
    if (this.#isStopped) throw closed('LOG_CLOSED', 'The log was closed.')
    const { hot, core } = this.#topic
    const call = signal === undefined ? {} : { signal }
    const confirmed = await this.#topic.withTable((cold) => cold.releasable({ upTo: frontier, ...call }))
    // What an earlier incarnation has stays.
    if (hot !== this.#topic.hot) return true
    // A file was put back while the table was asked: it is not for this that the grace had passed.
    if (renewals !== undefined && renewals !== this.#renewals) return true
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

  /** The next checkpoint names the first frontier that something above `released` waits for. */
  #remember(released: readonly bigint[]): void {
    const first = this.#confirmed.find(({ frontier }) => released.some((offset, index) => frontier[index]! > offset))
    this.#topic.hot.confirmed = first && { frontier: first.frontier, sinceMs: first.sinceMs }
  }

  /**
   * For how long the table has answered for the frontier: not longer than since its commit, nor than since the youngest
   * record below it, so that one wrong wall clock alone does not end the grace of records of today.
   */
  #agedMs(frontier: readonly bigint[], committedAtMs: number | undefined): number {
    if (committedAtMs === undefined) return 0
    const { hot, core } = this.#topic
    const { clock } = core.runtime
    const now = clock.monotonic()
    return hot.partitions.reduce(
      (age, partition, index) => Math.min(age, now - (partition.youngestBelow(frontier[index] ?? 0n) ?? -Infinity)),
      Math.max(0, clock.now() - committedAtMs),
    )
  }
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
