import { throwIfAborted } from '@moulin/core'
import type { BatchRun } from '@moulin/core'
import { emptyTally } from './row-builder.ts'
import type { OffsetRange, RowTally } from './row-builder.ts'
import type { TierParts, TierSetup } from './tier-task.ts'
import type { HeldFile, TierSession, TierWorkers } from './tier-workers.ts'

/** What one commit moves: per partition a half-open range, not empty. */
export interface TierRange extends OffsetRange {
  readonly partition: number
}

export interface ShardParts {
  readonly workers: TierWorkers
  readonly setup: TierSetup
  readonly tierParts: TierParts
  /** Write-ahead bytes of a shard, at least, except for the last one. */
  readonly shardBytes: number
  /** The runs of a range in offset order. @throws when they do not cover it. */
  read(range: TierRange, signal: AbortSignal): AsyncIterable<BatchRun>
  /** Takes the files one after the other, in the order of the shards. Resolves when the next one may come. */
  put(held: HeldFile): Promise<void>
}

/** Bytes handed to a busy thread ahead of its answers, so that it seldom waits, where no other thread is idle. */
const MAX_BYTES_AHEAD = 8 * 1024 * 1024
/** A shard as full as this ends with its partition. */
const FULL_SHARE = 0.75

/**
 * Encodes the ranges in shards: each a task of its own, with files of its own. Where a shard ends depends on the records
 * alone, never on the number of threads, and files come in the order of the shards, so the same ranges give the same
 * files wherever they are encoded. A shard is handed over whole as long as another thread is idle, which then takes the
 * next one; the memory budget is what holds that back.
 *
 * Runs are handed over in order and wait for nothing that comes after them, so what holds memory always ends: callers
 * that share the budget cannot lock each other out.
 *
 * Returns what each partition added. After an error nothing goes on, and nothing is held.
 */
export async function encodeShards(
  parts: ShardParts,
  ranges: readonly TierRange[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, RowTally>> {
  const stop = new AbortController()
  const stopped = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const files = new FileOrder(
    (held) => parts.put(held),
    () => stop.abort(),
  )
  const shards = new Shards(parts, files, stopped)
  try {
    for (const range of ranges) {
      for await (const run of parts.read(range, stopped)) {
        throwIfAborted(stopped)
        await shards.add(run, range)
      }
    }
    shards.end()
    await files.finish()
    return shards.tallies
  } catch (error) {
    // That a put or a thread failed is why the reading was stopped.
    throw files.failure === undefined ? error : files.failure.error
  } finally {
    stop.abort()
    await files.settle()
    shards.release()
  }
}

interface Shard {
  readonly session: TierSession
  bytes: number
  partition: number
  /** Handed over and not answered. */
  readonly ahead: { readonly files: Promise<unknown>; readonly bytes: number }[]
  aheadBytes: number
}

class Shards {
  readonly #parts: ShardParts
  readonly #files: FileOrder
  readonly #signal: AbortSignal
  readonly #sessions: TierSession[] = []
  #shard: Shard | undefined
  readonly tallies = new Map<number, RowTally>()

  constructor(parts: ShardParts, files: FileOrder, signal: AbortSignal) {
    this.#parts = parts
    this.#files = files
    this.#signal = signal
  }

  async add(run: BatchRun, range: TierRange): Promise<void> {
    const { workers, shardBytes } = this.#parts
    const present = this.#shard
    if (present !== undefined) {
      const isNewPartition = run.partition !== present.partition
      if (present.bytes >= shardBytes || (isNewPartition && present.bytes >= shardBytes * FULL_SHARE)) this.end()
    }
    const shard = (this.#shard ??= await this.#begin(run.partition))
    shard.partition = run.partition
    const bytes = run.batches.length
    const { files } = await shard.session.add(run, range, { signal: this.#signal })
    this.#files.add(files)
    shard.bytes += bytes
    shard.ahead.push({ files, bytes })
    shard.aheadBytes += bytes
    while (shard.aheadBytes > MAX_BYTES_AHEAD && !workers.hasIdle) {
      const oldest = shard.ahead.shift()!
      shard.aheadBytes -= oldest.bytes
      // How it ends is the business of the file order.
      await oldest.files.catch(() => {})
    }
  }

  /** The shard is whole: its remaining files come as soon as they are done. */
  end(): void {
    const shard = this.#shard
    this.#shard = undefined
    if (shard === undefined) return
    const finished = shard.session.finish().then(({ files, tallies }) => {
      for (const [partition, tally] of tallies) this.#count(partition, tally)
      return files
    })
    this.#files.add(finished)
  }

  release(): void {
    for (const session of this.#sessions) session.release()
  }

  async #begin(partition: number): Promise<Shard> {
    const { workers, setup, tierParts } = this.#parts
    const session = await workers.begin(setup, tierParts, { signal: this.#signal })
    this.#sessions.push(session)
    return { session, bytes: 0, partition, ahead: [], aheadBytes: 0 }
  }

  // A partition may reach over several shards, which end in any order.
  #count(partition: number, { rows, lastRow, control, aborted, checksum }: RowTally): void {
    const sum = this.tallies.get(partition) ?? emptyTally()
    sum.rows += rows
    sum.control += control
    sum.aborted += aborted
    sum.checksum += checksum
    if (lastRow !== null && (sum.lastRow === null || lastRow > sum.lastRow)) sum.lastRow = lastRow
    this.tallies.set(partition, sum)
  }
}

/** Puts files in the order in which they were promised. The first failure stops it all. */
class FileOrder {
  readonly #put: (held: HeldFile) => Promise<void>
  readonly #stop: () => void
  #last: Promise<void> = Promise.resolve()
  failure: { readonly error: unknown } | undefined

  constructor(put: (held: HeldFile) => Promise<void>, stop: () => void) {
    this.#put = put
    this.#stop = stop
  }

  add(files: Promise<readonly HeldFile[]>): void {
    files.catch(() => {})
    this.#last = this.#last.then(async () => {
      try {
        // Waited for even after a failure, so that at the end no thread is at work for us.
        for (const held of await files) if (this.failure === undefined) await this.#put(held)
      } catch (error) {
        this.failure ??= { error }
        this.#stop()
      }
    })
  }

  async finish(): Promise<void> {
    await this.settle()
    if (this.failure !== undefined) throw this.failure.error
  }

  async settle(): Promise<void> {
    await this.#last
  }
}
