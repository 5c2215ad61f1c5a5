import type { BatchRun, Fidelity } from '@moulin/core'
import { BatchFramer, doubled } from '@moulin/format'
import type { RecordPlace } from '@moulin/format'
import type { FoundRows } from './cold-rows.ts'
import type { RecordDecoder } from './record-decoder.ts'
import { RowBlock } from './row-block.ts'

/** Bytes of one batch, about. */
const BATCH_BYTES = 1024 * 1024
const BATCH_RECORDS = 10_000
// A batch counts offsets in 31 bits.
const BATCH_SPAN = 2 ** 30
/** So many are framed at a time that their bytes, some 50 kB, are still in the cache for their values and checksums. */
const BLOCK_ROWS = 256
const SPARE = 1.04

/** Frames rows of the table into runs of v2 batches, one run after another; a large run takes its memory along. */
export class RunWriter {
  readonly #framer = new BatchFramer()
  readonly #block = new RowBlock(BLOCK_ROWS)
  /** Checksums of the block's records. */
  readonly #sums = new Int32Array(BLOCK_ROWS)
  /** Per record of the run. */
  #valueIds: Int32Array = new Int32Array(INITIAL_RECORDS)
  #keyIds: Int32Array = new Int32Array(INITIAL_RECORDS)
  /** The same; undefined: all are exact. */
  #fidelity: Fidelity[] | undefined
  /** By place in the run: why the row gives no record back. */
  #faults = new Map<number, string>()
  #length = 0
  /** Of the last run, and a little more; the next one is mostly alike. */
  #recordBytes = 0
  /** Of the open batch; no record: none is open. */
  #batchAt = 0
  #batchRecords = 0
  #isAppendTime = false
  #baseHigh = 0
  #baseLow = 0
  #timeHigh = 0
  #timeLow = 0

  /**
   * The next records, all bound to one place: the rows found from `start` on, one for each offset. The offsets, of this
   * partition and incarnation, are halves, low first; they rise.
   * @throws `corrupt` for a row of a file of our own that does not match its checksum; the writer is then empty.
   */
  add(found: FoundRows, start: number, offsets: Int32Array, place: RecordPlace): void {
    const end = start + (offsets.length >> 1)
    this.#framer.expect(Math.ceil((end - start) * this.#recordBytes))
    const { capacity } = this.#block
    for (let from = start; from < end;) {
      const to = Math.min(end, from + capacity)
      const some = offsets.subarray((from - start) * 2, (to - start) * 2)
      try {
        this.#frame(found, from, some, place)
      } catch (error) {
        this.#clear()
        throw error
      }
      from = to
    }
  }

  /**
   * The records since the last call as one run that answers for all of `[from, to)`: offsets without a record stay gaps,
   * spanned by the run.
   */
  finish(partition: number, range: { readonly from: bigint; readonly to: bigint }): BatchRun {
    if (this.#batchRecords > 0) this.#endBatch()
    const length = this.#length
    const fidelity = this.#fidelity
    const unreadable = this.#faults.size === 0 ? undefined : this.#faults
    if (length > 0) this.#recordBytes = (this.#framer.position / length) * SPARE
    const run = {
      partition,
      baseOffset: range.from,
      nextOffset: range.to,
      batches: this.#framer.take(),
      ...(fidelity && { fidelity }),
      ...(unreadable && { unreadable }),
      valueSchemaIds: oneOrAll(this.#valueIds.subarray(0, length)),
      keySchemaIds: oneOrAll(this.#keyIds.subarray(0, length)),
    }
    this.#clear()
    return run
  }

  #clear(): void {
    this.#length = this.#batchRecords = 0
    this.#fidelity = undefined
    if (this.#faults.size > 0) this.#faults = new Map()
    this.#framer.reset()
  }

  // Values are written once all frames of the block are, or the batch around them ends.
  #frame({ decoders, rows }: FoundRows, start: number, offsets: Int32Array, place: RecordPlace): void {
    const block = this.#block
    const framer = this.#framer
    const first = this.#length
    const length = (block.length = offsets.length >> 1)
    while (first + length > this.#valueIds.length) {
      this.#valueIds = doubled(this.#valueIds)
      this.#keyIds = doubled(this.#keyIds)
    }
    block.rows.set(rows.subarray(start, start + length))
    block.faults.clear()
    for (let at = 0; at < length; at++) decoders[start + at]!.look(block, at)
    block.measureColumns()
    let written = 0
    for (let at = 0; at < length; at++) {
      const decoder = decoders[start + at]!
      const row = block.rows[at]!
      const offsetLow = offsets[at * 2]!
      const offsetHigh = offsets[at * 2 + 1]!
      decoder.readTimestamp(row)
      const { timestampHigh, timestampLow } = decoder
      const isAppendTime = decoder.isAppendTime(row)
      let delta = this.#delta(offsetHigh, offsetLow)
      if (this.#batchRecords > 0 && this.#endsBefore(isAppendTime, timestampHigh, timestampLow, delta)) {
        block.writeColumns(written, at, framer.target)
        written = at
        this.#endBatch()
      }
      if (this.#batchRecords === 0) {
        this.#batchAt = framer.position
        this.#isAppendTime = isAppendTime
        this.#baseHigh = offsetHigh
        this.#baseLow = offsetLow
        this.#timeHigh = timestampHigh
        this.#timeLow = timestampLow
        const timestampType = isAppendTime ? 'append' : 'create'
        framer.beginBatch({ offsetHigh, offsetLow, timestampHigh, timestampLow, timestampType })
        delta = 0
      }
      decoder.frame(block, at, framer, delta, timestampHigh, timestampLow)
      this.#batchRecords++
      this.#sums[at] = placeCrc(decoder, row, place, offsetHigh, offsetLow)
      this.#valueIds[first + at] = decoder.valueSchemaId(row)
      this.#keyIds[first + at] = decoder.keySchemaId(row)
    }
    block.writeColumns(written, length, framer.target)
    this.#length += length
    const sums = this.#sums.subarray(0, length)
    framer.recordCrcs(sums, first)
    this.#judge(decoders, start, offsets, sums, first)
  }

  #judge(
    decoders: readonly RecordDecoder[],
    start: number,
    offsets: Int32Array,
    sums: Int32Array,
    first: number,
  ): void {
    const { rows, isDegraded, faults } = this.#block
    for (let at = 0; at < sums.length; at++) {
      const decoder = decoders[start + at]!
      const row = rows[at]!
      const sum = sums[at]!
      const isExact = isDegraded[at] === 0 && decoder.matches(row, sum)
      if (isExact && this.#fidelity === undefined) continue
      const offset = (BigInt(offsets[at * 2 + 1]!) << 32n) | BigInt(offsets[at * 2]! >>> 0)
      const found = isExact ? 'exact' : decoder.judge(row, offset, sum, isDegraded[at] === 1)
      if (found !== 'exact') this.#fidelity ??= new Array<Fidelity>(first + at).fill('exact')
      this.#fidelity?.push(found)
    }
    // A checksum that is right says that what stands in is what was sent: a tombstone that SQL calls typed is one still.
    for (const [at, fault] of faults) {
      if ((this.#fidelity?.[first + at] ?? 'exact') !== 'exact') this.#faults.set(first + at, fault)
    }
  }

  // Records of one batch share the kind of timestamp; those of append time the timestamp itself.
  #endsBefore(isAppendTime: boolean, timestampHigh: number, timestampLow: number, delta: number): boolean {
    if (this.#batchRecords === BATCH_RECORDS || this.#framer.position - this.#batchAt >= BATCH_BYTES) return true
    if (isAppendTime !== this.#isAppendTime || delta >= BATCH_SPAN) return true
    return isAppendTime && (timestampHigh !== this.#timeHigh || timestampLow !== this.#timeLow)
  }

  // Exact up to 2^32, and larger beyond.
  #delta(offsetHigh: number, offsetLow: number): number {
    return (offsetHigh - this.#baseHigh) * 4294967296 + ((offsetLow >>> 0) - (this.#baseLow >>> 0))
  }

  #endBatch(): void {
    this.#framer.endBatch()
    this.#batchRecords = 0
  }
}

const INITIAL_RECORDS = 64

/** What the row's checksum begins with, after {@link RecordDecoder.readTimestamp} of it. */
export function placeCrc(
  decoder: RecordDecoder,
  row: number,
  place: RecordPlace,
  offsetHigh: number,
  offsetLow: number,
): number {
  const { timestampHigh, timestampLow, isTimeOfRecord } = decoder
  const crc = place.crcAt(offsetHigh, offsetLow, timestampHigh, timestampLow, decoder.isAppendTime(row))
  // A time that no record has, such as one between two milliseconds, is read as the nearest one and must not look right.
  return isTimeOfRecord ? crc : ~crc
}

function oneOrAll(ids: Int32Array): number | readonly number[] {
  const first = ids[0] ?? 0
  for (let at = 1; at < ids.length; at++) if (ids[at] !== first) return [...ids]
  return first
}
