import { heeding, throwIfAborted, waitFor, type BatchRun, type ColdTopic, type LogRecord } from '@moulin/core'
import { runOf, type HotLog } from '../hot/hot-log.ts'
import type { HotPartition } from '../hot/hot-partition.ts'
import { recordsOfRun, type RecordViewOptions } from './record-view.ts'

export interface CursorOptions {
  readonly hot: HotLog
  /** As it is now: an adopted table gives a topic another incarnation. */
  readonly partition: () => HotPartition
  /** The table, answering for all that is released. @throws when there is none. */
  readonly cold: () => Promise<ColdTopic>
  /** Makes a table in which `cold` found this error fit to be read again. @throws the error, where that is not possible. */
  readonly mend: (error: unknown, cold: ColdTopic) => Promise<void>
  readonly signal: AbortSignal | undefined
}

/** Reads one partition in offset order, from the table below what is released and from the write-ahead tier above. */
export class PartitionCursor {
  /** The next offset that it answers for. */
  offset: bigint
  /** Exclusive; undefined: it follows. */
  readonly to: bigint | undefined
  readonly #options: CursorOptions
  #cold: ColdRead | undefined
  #mendedAt: bigint | undefined

  constructor(options: CursorOptions, from: bigint, to: bigint | undefined) {
    this.#options = options
    this.offset = from
    this.to = to
  }

  get partition(): HotPartition {
    return this.#options.partition()
  }

  get isDone(): boolean {
    return this.to !== undefined && this.offset >= this.to
  }

  /** There is something to read now. */
  get isReady(): boolean {
    return !this.isDone && this.offset < this.partition.highWatermark
  }

  /** The records of the next section, or cold run; perhaps none (a gap). Always makes progress, or plans anew. */
  async next(view: RecordViewOptions): Promise<LogRecord[]> {
    const from = this.offset
    const run = await this.nextRun()
    if (run === undefined) return []
    const to = this.to !== undefined && this.to < run.nextOffset ? this.to : run.nextOffset
    return recordsOfRun(run, from, to, view)
  }

  /** The next section, or cold run, whole: it may begin before the offset, and end behind `to`. Undefined as {@link next} gives none. */
  async nextRun(): Promise<BatchRun | undefined> {
    throwIfAborted(this.#options.signal)
    const isCold = this.#cold !== undefined || this.offset < this.partition.released
    const run = await (isCold ? this.#nextCold() : this.#nextHot())
    if (run !== undefined && run.nextOffset > this.offset) this.offset = run.nextOffset
    return run
  }

  /** Releases what is open. */
  async close(): Promise<void> {
    const cold = this.#cold
    this.#cold = undefined
    await cold?.runs.return?.()
  }

  async #nextHot(): Promise<BatchRun | undefined> {
    const { hot, signal } = this.#options
    const read = await hot.read(this.partition, this.offset, signal)
    // Released meanwhile: the next call reads the table.
    return read && runOf(read)
  }

  async #nextCold(): Promise<BatchRun | undefined> {
    const { to, next } = await this.#nextColdRun(this.#options.signal)
    if (next === undefined) return undefined
    const { done, value } = next
    if (done !== true) return value
    this.#cold = undefined
    // What follows the last run is a gap.
    if (this.offset < to) this.offset = to
    return undefined
  }

  async #nextColdRun(signal: AbortSignal | undefined): Promise<{ to: bigint; next?: IteratorResult<BatchRun> }> {
    const { runs, to, cold } = (this.#cold ??= await this.#openCold(signal))
    try {
      return { to, next: await runs.next() }
    } catch (error) {
      this.#cold = undefined
      throwIfAborted(signal)
      // Once for an offset: what is broken again right after is not to be mended.
      if (this.#mendedAt === this.offset) throw error
      this.#mendedAt = this.offset
      await waitFor(this.#options.mend(error, cold), signal)
      return { to: this.offset }
    }
  }

  async #openCold(signal: AbortSignal | undefined): Promise<ColdRead> {
    const { partition, released } = this.partition
    const from = this.offset
    const to = this.to !== undefined && this.to < released ? this.to : released
    const cold = await waitFor(this.#options.cold(), signal)
    const runs = heeding(cold.read({ partition, from, to, ...(signal === undefined ? {} : { signal }) }), signal)
    return { runs: runs[Symbol.asyncIterator](), to, cold }
  }
}

interface ColdRead {
  readonly cold: ColdTopic
  readonly runs: AsyncIterator<BatchRun>
  readonly to: bigint
}
