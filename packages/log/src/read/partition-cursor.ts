import { throwIfAborted, waitFor, type BatchRun, type ColdTopic, type LogRecord } from '@moulin/core'
import type { HotLog } from '../hot/hot-log.ts'
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
  readonly view: RecordViewOptions
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
  async next(): Promise<LogRecord[]> {
    throwIfAborted(this.#options.signal)
    if (this.#cold !== undefined || this.offset < this.partition.released) return this.#nextCold()
    return this.#nextHot()
  }

  /** Releases what is open. */
  async close(): Promise<void> {
    const cold = this.#cold
    this.#cold = undefined
    await cold?.runs.return?.()
  }

  async #nextHot(): Promise<LogRecord[]> {
    const { hot, view, signal } = this.#options
    const read = await hot.read(this.partition, this.offset, signal)
    // Released meanwhile: the next call reads the table.
    if (read === undefined) return []
    const { section, batches } = read
    const { partition, baseOffset, valueSchemaId } = section
    const nextOffset = section.lastOffset + 1n
    return this.#take({ partition, baseOffset, nextOffset, batches, valueSchemaIds: valueSchemaId }, view)
  }

  async #nextCold(): Promise<LogRecord[]> {
    const { view, signal } = this.#options
    const { to, next } = await this.#nextRun(signal)
    if (next === undefined) return []
    const { done, value } = next
    if (done !== true) return this.#take(value, view)
    this.#cold = undefined
    // What follows the last run is a gap.
    if (this.offset < to) this.offset = to
    return []
  }

  async #nextRun(signal: AbortSignal | undefined): Promise<{ to: bigint; next?: IteratorResult<BatchRun> }> {
    const { runs, to, cold } = (this.#cold ??= await this.#openCold(signal))
    try {
      return { to, next: await runs.next() }
    } catch (error) {
      this.#cold = undefined
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
    const runs = cold.read({ partition, from, to, ...(signal === undefined ? {} : { signal }) })
    return { runs: runs[Symbol.asyncIterator](), to, cold }
  }

  async #take(run: BatchRun, view: RecordViewOptions): Promise<LogRecord[]> {
    const to = this.to !== undefined && this.to < run.nextOffset ? this.to : run.nextOffset
    const records = await recordsOfRun(run, this.offset, to, view)
    if (run.nextOffset > this.offset) this.offset = run.nextOffset
    return records
  }
}

interface ColdRead {
  readonly cold: ColdTopic
  readonly runs: AsyncIterator<BatchRun>
  readonly to: bigint
}
