import { closed, isKind, SharedWork, throwIfAborted, type TierOptions, type TierResult } from '@moulin/core'
import { Backoff, type Chore } from '../chores/chore.ts'
import { CommitSize } from './commit-size.ts'
import type { TopicRelease } from './topic-release.ts'
import type { TieredTopic } from './tiered-topic.ts'
import { frontierOf } from './untiered.ts'

export interface TopicCommitParts {
  readonly topic: TieredTopic
  readonly release: TopicRelease
  /** Each commit is an attempt of it. */
  readonly chore: () => Chore
  /** What the table refused last. */
  readonly refusal: () => Error | undefined
  /** The topic is to be tiered ahead of time, to make room. */
  readonly isForRoom: () => boolean
  /** Lets go of what the table has had for longest, grace or not. Never rejects. */
  readonly makeRoom: () => Promise<unknown>
  readonly ended: () => void
}

/** Moves a topic's records into its table, with as many commits as it takes, for whoever asks: calls share what is under way. */
export class TopicCommit {
  readonly #parts: TopicCommitParts
  readonly #size: CommitSize
  #running: { readonly upTo: readonly bigint[]; readonly work: SharedWork<TierResult> } | undefined
  #waiting: SharedWork<TierResult> | undefined
  /** The earliest time that the snapshot of that one is to bear, if any. */
  #waitingAsOfMs: number | undefined
  /** Between commits that were to make room and did not. */
  readonly #roomBackoff: Backoff
  #isStopped = false

  constructor(parts: TopicCommitParts) {
    const { limits, runtime } = parts.topic.core
    this.#parts = parts
    this.#size = new CommitSize(limits.commitBytes)
    this.#roomBackoff = new Backoff(runtime.clock)
  }

  /** One runs, or is asked for after that: nothing more is to be started. */
  get isUnderWay(): boolean {
    return this.#running !== undefined || this.#isAsked
  }

  /** Not before, where it is to make room; on the monotonic clock. */
  get roomMs(): number {
    return this.#roomBackoff.untilMs
  }

  /** Moves all that is committed now into the table. Calls that are made while a commit runs share the next one. */
  tier({ signal, asOfMs }: TierOptions = {}): Promise<TierResult> {
    const { topic } = this.#parts
    // It begins after this call, even where the one before it has just ended.
    if (this.#isAsked) {
      this.#waitingAsOfMs = earlier(this.#waitingAsOfMs, asOfMs)
      return this.#waiting!.wait(signal)
    }
    if (topic.core.tier === undefined) return Promise.reject(topic.noTier())
    const running = this.#running
    if (running === undefined) return this.start(signal, true, asOfMs)
    const { work } = running
    const highest = topic.hot.partitions.map(({ highWatermark }) => highWatermark)
    const isCovered = highest.every((offset, index) => offset <= running.upTo[index]!)
    if (isCovered && !work.isAbandoned) return work.wait(signal)
    this.#waitingAsOfMs = asOfMs
    this.#waiting = new SharedWork(async (shared) => {
      await work.done.catch(() => undefined)
      throwIfAborted(shared)
      this.#waiting = undefined
      return this.start(shared, true, this.#waitingAsOfMs)
    })
    return this.#waiting.wait(signal)
  }

  start(signal?: AbortSignal, isAsked = false, asOfMs?: number): Promise<TierResult> {
    if (this.#isStopped) return Promise.reject(closed('LOG_CLOSED', 'The log was closed.'))
    const upTo = this.#parts.topic.hot.partitions.map(({ highWatermark }) => highWatermark)
    const work = new SharedWork(async (shared) => {
      try {
        return await this.#commitAll(upTo, shared, isAsked, asOfMs)
      } finally {
        this.#running = undefined
        this.#parts.ended()
      }
    })
    this.#running = { upTo, work }
    return work.wait(signal)
  }

  /** Starts nothing more; resolves when what has begun has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#waiting?.done.catch(() => undefined)
    await this.#running?.work.done.catch(() => undefined)
  }

  /** A commit after the running one is asked for. */
  get #isAsked(): boolean {
    return this.#waiting !== undefined && !this.#waiting.isAbandoned
  }

  /** As many commits as it takes, each an attempt of its own. */
  async #commitAll(
    upTo: readonly bigint[],
    signal: AbortSignal,
    isAsked: boolean,
    asOfMs: number | undefined,
  ): Promise<TierResult> {
    const { topic, chore } = this.#parts
    let rows = 0
    for (;;) {
      const before = frontierOf(topic)
      const result = await chore().attempt(() => this.#commitSome(upTo, signal, asOfMs), { signal, isAsked })
      rows += result.rows
      const isDone = upTo.every((offset, index) => offset <= result.frontier[index]!)
      const isMoving = result.frontier.some((offset, index) => offset > before[index]!)
      if (isDone || !isMoving) return { ...result, rows }
      if (this.#isStopped) throw closed('LOG_CLOSED', 'The log was closed.')
    }
  }

  async #commitSome(upTo: readonly bigint[], signal: AbortSignal, asOfMs: number | undefined): Promise<TierResult> {
    const { topic, release, makeRoom } = this.#parts
    const { core, hot } = topic
    // The commit before may have taken the last of the disk. What the table has had for longest makes room for this one.
    await core.pressure.measure()
    if (core.pressure.isRoomWanted && release.oldestMs !== undefined) {
      await makeRoom()
      await core.pressure.measure()
    }
    const some = this.#size.cut(hot.partitions, frontierOf(topic), upTo, core.pressure.freeBytes / 2)
    try {
      // Of several commits only the last has all that was durable by then.
      const isWhole = upTo.every((offset, index) => offset <= some[index]!)
      const result = await this.#commit(some, signal, isWhole ? asOfMs : undefined)
      this.#size.succeeded()
      return result
    } catch (error) {
      this.#size.failed(error)
      throw error
    }
  }

  async #commit(upTo: readonly bigint[], signal: AbortSignal, asOfMs: number | undefined): Promise<TierResult> {
    const { topic, release, refusal, isForRoom } = this.#parts
    const { core, record } = topic
    const { clock, logger } = core.runtime
    const beganMs = clock.monotonic()
    // A verdict on what is there now.
    if (isKind(refusal(), 'conflict', 'LINEAGE_BROKEN')) await topic.detach()
    const result = await topic.withTable((cold) =>
      cold.tier({ upTo, signal, ...(asOfMs === undefined ? {} : { asOfMs }) }),
    )
    const { snapshotId, rows, frontier } = result
    release.confirm(frontier)
    // What has been moved can be let go: it helps, though the stage says so only later.
    if (rows === 0 && isForRoom()) this.#roomBackoff.postpone()
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
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}
