import type { Failing, Runtime, WalWriter } from '@moulin/core'
import { lowestPin, type HotTopic } from '../hot/hot-log.ts'
import { Chore, Scheduler } from '../chores/chore.ts'
import type { CheckpointStore, CheckpointTopic, StoredCheckpointTopic } from './checkpoint-store.ts'
import type { TopicRecord } from './topic-store.ts'

/** One incarnation of a topic. */
type TopicLife = Pick<TopicRecord, 'name' | 'id' | 'incarnation'>

/**
 * Writes the log's checkpoints, one at a time, and releases write-ahead data behind them. An older one that cannot be removed is tried again
 * with the next one, and by itself after ever longer waits.
 */
export class CheckpointWriter {
  readonly #store: CheckpointStore
  readonly #wal: WalWriter
  readonly #topics: Map<string, { readonly record: TopicLife; readonly hot: HotTopic }> = new Map()
  readonly #carried = new Map<string, StoredCheckpointTopic>()
  readonly #removal: Chore
  readonly #scheduler: Scheduler
  #last: Promise<unknown> = Promise.resolve()
  #hasOlder = false
  #hasBegun = false

  constructor(store: CheckpointStore, wal: WalWriter, runtime: Runtime) {
    this.#store = store
    this.#wal = wal
    const work = {
      name: 'Removing older checkpoints',
      due: () => (this.#hasOlder ? -Infinity : Infinity),
      // An attempt from now on, also while it waits for its turn: else it would be due again and again.
      run: () => this.#removal.attempt(() => this.#inOrder(() => this.#remove())).catch(() => undefined),
    }
    this.#removal = new Chore(runtime.clock, work, (error, retryMs) => {
      if (error !== undefined)
        runtime.logger.warn({ err: error, retryMs }, `${work.name} failed: it will be tried again`)
      if (this.#hasBegun) this.#scheduler.evaluate()
    })
    this.#scheduler = new Scheduler(runtime, [this.#removal])
  }

  /** The log is open: from now on it removes by itself what could not be removed before. */
  begin(): void {
    this.#hasBegun = true
    this.#scheduler.evaluate()
  }

  /** Removes nothing more by itself. */
  stop(): void {
    this.#scheduler.stop()
  }

  /** Of older checkpoints that cannot be removed. */
  get failing(): Failing {
    return this.#removal.failures.now
  }

  /** From now on this topic is part of every checkpoint, in this incarnation; earlier ones stay parts of their own. */
  add(record: TopicLife, hot: HotTopic): void {
    this.#topics.set(`${record.id}/${record.incarnation}`, { record, hot })
  }

  /** A topic that this writer cannot read or that is no more: its entry goes from checkpoint to checkpoint as it is. */
  carry(entry: StoredCheckpointTopic): void {
    this.#carried.set(`${entry.id}/${entry.incarnation}`, entry)
  }

  /** Durable on return: where every partition stands. */
  write(): Promise<void> {
    return this.#inOrder(() => this.#write(undefined, []))
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
    await this.#removeOlder()
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
