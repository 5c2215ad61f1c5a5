import type { Failing, Runtime, WalWriter } from '@moulin/core'
import { lowestPin, type HotTopic } from '../hot/hot-log.ts'
import { Chore, Scheduler } from '../chores/chore.ts'
import { worstOf } from '../chores/failures.ts'
import type { CheckpointStore, CheckpointTopic, StoredCheckpointTopic } from './checkpoint-store.ts'
import type { TopicRecord } from './topic-store.ts'

/** One incarnation of a topic. */
type TopicLife = Pick<TopicRecord, 'name' | 'id' | 'incarnation'>

/**
 * Writes the log's checkpoints, one at a time, and releases write-ahead data behind them. One that could not be written is owed: it is
 * tried again by itself after ever longer waits, until one has been written, whatever for. So is an older one that cannot be removed.
 */
export class CheckpointWriter {
  readonly #store: CheckpointStore
  readonly #wal: WalWriter
  readonly #topics: Map<string, { readonly record: TopicLife; readonly hot: HotTopic }> = new Map()
  readonly #carried = new Map<string, StoredCheckpointTopic>()
  readonly #writing: Chore
  readonly #removal: Chore
  readonly #scheduler: Scheduler
  #last: Promise<unknown> = Promise.resolve()
  #isOwed = false
  #hasOlder = false
  #hasBegun = false

  constructor(store: CheckpointStore, wal: WalWriter, runtime: Runtime) {
    this.#store = store
    this.#wal = wal
    const writing = { name: 'Writing a checkpoint', isWanted: () => this.#isOwed, run: () => this.#writeOwed() }
    this.#writing = new Chore(runtime.clock, writing, (error, retryMs) => {
      if (retryMs !== null)
        runtime.logger.warn({ err: error, retryMs }, 'A checkpoint could not be written: it will be tried again')
      if (this.#hasBegun) this.#scheduler.evaluate()
    })
    const work = {
      name: 'Removing older checkpoints',
      isWanted: () => this.#hasOlder,
      // An attempt from now on, also while it waits for its turn: else it would be due again and again.
      run: () => this.#removal.attempt(() => this.#inOrder(() => this.#remove())).catch(() => undefined),
    }
    this.#removal = new Chore(runtime.clock, work, (error, retryMs) => {
      if (error !== undefined)
        runtime.logger.warn({ err: error, retryMs }, `${work.name} failed: it will be tried again`)
      if (this.#hasBegun) this.#scheduler.evaluate()
    })
    this.#scheduler = new Scheduler(runtime, [this.#writing, this.#removal])
  }

  /** The log is open: from now on it does by itself what could not be done before. */
  begin(): void {
    this.#hasBegun = true
    this.#scheduler.evaluate()
  }

  /** Does nothing more by itself. */
  stop(): void {
    this.#scheduler.stop()
  }

  /** Of a checkpoint that is owed, and older ones that cannot be removed. */
  get failing(): Failing {
    return worstOf([this.#writing.failing, this.#removal.failing])
  }

  /** From now on this topic is part of every checkpoint, in this incarnation; earlier ones stay parts of their own. */
  add(record: TopicLife, hot: HotTopic): void {
    this.#topics.set(`${record.id}/${record.incarnation}`, { record, hot })
  }

  /** A topic that this writer cannot read or that is no more: its entry goes from checkpoint to checkpoint as it is. */
  carry(entry: StoredCheckpointTopic): void {
    this.#carried.set(`${entry.id}/${entry.incarnation}`, entry)
  }

  /** Durable on return: where every partition stands. @throws what kept it from that; then it is owed. */
  write(): Promise<void> {
    return this.#writing.attempt(() =>
      this.#inOrder(async () => {
        try {
          await this.#write(undefined, [])
        } catch (error) {
          this.#isOwed = true
          throw error
        }
      }),
    )
  }

  /** Gives up write-ahead data of a topic below `upTo` (from {@link HotPartition.releasable}): first on record, then in fact. */
  release(topic: HotTopic, upTo: readonly bigint[]): Promise<void> {
    return this.#inOrder(async () => {
      await this.#write(topic, upTo)
      // An older writer must not recycle what the newer one may still read.
      await this.#wal.checkFence()
      const dropped = topic.partitions.flatMap((partition, index) => {
        const pinned = lowestPin(topic, index)
        const until = pinned !== undefined && pinned < upTo[index]! ? partition.releasable(pinned) : upTo[index]!
        return partition.dropBelow(until)
      })
      await this.#wal.release(dropped)
    })
  }

  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #write(releasing: HotTopic | undefined, upTo: readonly bigint[]): Promise<void> {
    const topics = [...this.#topics.values()].map(({ record, hot }): CheckpointTopic => {
      const released = hot === releasing ? upTo : hot.partitions.map((partition) => partition.released)
      const { name, id, incarnation } = record
      const next = hot.partitions.map(({ highWatermark }) => highWatermark)
      const recovered = hot.partitions.map((partition) => partition.recovered)
      return { name, id, incarnation, next, released, recovered, confirmed: hot.confirmed }
    })
    await this.#store.write({ epoch: this.#wal.epoch, topics }, [...this.#carried.values()])
    this.#isOwed = false
    await this.#removeOlder()
  }

  async #writeOwed(): Promise<void> {
    await this.write().catch(() => undefined)
  }

  /** Never rejects: a checkpoint counts without that. */
  async #removeOlder(): Promise<void> {
    this.#hasOlder = true
    await this.#removal.attempt(() => this.#remove()).catch(() => undefined)
  }

  async #remove(): Promise<void> {
    await this.#store.removeOlder()
    this.#hasOlder = false
  }
}
