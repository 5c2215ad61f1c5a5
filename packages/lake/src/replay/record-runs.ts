import type { BatchRun, Fidelity } from '@moulin/core'
import { BatchFramer } from '@moulin/format'
import type { RecordPlace } from '@moulin/format'
import type { FoundRows } from './cold-rows.ts'
import type { RecordDecoder } from './record-decoder.ts'
import { RowBlock } from './row-block.ts'

/** Bytes of one batch, about. */
const BATCH_BYTES = 1024 * 1024
const BATCH_RECORDS = 10_000
// A batch counts offsets in 31 bits.
const BATCH_SPAN = 2 ** 30
/** So many are framed at a time that their bytes, some 100 kB, are still in the cache for their values and checksums. */
const BLOCK_ROWS = 512
const SPARE = 1.04

/** Frames rows of the table into runs of v2 batches, one run after another, in memory that is used again. */
export class RunWriter {
  readonly #framer = new BatchFramer()
  readonly #block = new RowBlock(BLOCK_ROWS)
  /** Per record of the run. */
  readonly #decoders: RecordDecoder[] = []
  #rows = new Int32Array(INITIAL_RECORDS)
  #offsets = new Int32Array(2 * INITIAL_RECORDS)
  #valueIds = new Int32Array(INITIAL_RECORDS)
  #keyIds = new Int32Array(INITIAL_RECORDS)
  #isDegraded = new Uint8Array(INITIAL_RECORDS)
  #crcs = new Int32Array(INITIAL_RECORDS)
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
   */
  add(found: FoundRows, start: number, offsets: Int32Array, place: RecordPlace): void {
    const end = start + (offsets.length >> 1)
    this.#framer.expect(Math.ceil((end - start) * this.#recordBytes))
    const { capacity } = this.#block
    for (let from = start; from < end;) {
      const decoder = found.decoders[from]!
      const most = Math.min(end, from + capacity)
      let to = from + 1
      while (to < most && found.decoders[to] === decoder) to++
      const some = offsets.subarray((from - start) * 2, (to - start) * 2)
      this.#frame(decoder, found.rows.subarray(from, to), some, place)
      from = to
    }
  }

  /**
   * The records since the last call as one run that answers for all of `[from, to)`: offsets without a record stay gaps,
   * spanned by the run.
   * @throws `corrupt` for a row of a file of our own that does not match its checksum; the writer is then empty.
   */
  finish(partition: number, range: { readonly from: bigint; readonly to: bigint }): BatchRun {
    const length = this.#length
    try {
      if (this.#batchRecords > 0) this.#endBatch()
      if (length > 0) this.#recordBytes = (this.#framer.position / length) * SPARE
      const fidelity = this.#judged(length)
      const unreadable = this.#unreadable(fidelity)
      return {
        partition,
        baseOffset: range.from,
        nextOffset: range.to,
        batches: this.#framer.take(),
        ...(fidelity && { fidelity }),
        ...(unreadable && { unreadable }),
        valueSchemaIds: oneOrAll(this.#valueIds.subarray(0, length)),
        keySchemaIds: oneOrAll(this.#keyIds.subarray(0, length)),
      }
    } finally {
      this.#length = this.#batchRecords = 0
      if (this.#faults.size > 0) this.#faults = new Map()
      this.#decoders.length = 0
      this.#framer.reset()
    }
  }

  // Values are written once all frames of the block are, or the batch around them ends.
  #frame(decoder: RecordDecoder, rows: Int32Array, offsets: Int32Array, place: RecordPlace): void {
    const block = this.#block
    const framer = this.#framer
    const first = this.#length
    const length = (block.length = rows.length)
    while (first + length > this.#rows.length) this.#grow()
    this.#rows.set(rows, first)
    this.#offsets.set(offsets, first * 2)
    block.rows.set(rows)
    decoder.measure(block)
    let written = 0
    for (let at = 0; at < length; at++) {
      const row = rows[at]!
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
      const index = first + at
      this.#crcs[index] = placeCrc(decoder, row, place, offsetHigh, offsetLow)
      this.#decoders[index] = decoder
      this.#valueIds[index] = decoder.valueSchemaId(row)
      this.#keyIds[index] = decoder.keySchemaId(row)
    }
    block.writeColumns(written, length, framer.target)
    this.#length += length
    framer.recordCrcs(this.#crcs, first, this.#length)
    this.#isDegraded.set(block.isDegraded.subarray(0, length), first)
    for (const [at, fault] of block.faults) this.#faults.set(first + at, fault)
  }

  // Undefined: all are exact.
  #judged(length: number): Fidelity[] | undefined {
    const crcs = this.#crcs
    const offsets = new BigInt64Array(this.#offsets.buffer, 0, length)
    let fidelity: Fidelity[] | undefined
    for (let at = 0; at < length; at++) {
      const isDegraded = this.#isDegraded[at] === 1
      const decoder = this.#decoders[at]!
      if (fidelity === undefined && !isDegraded && decoder.matches(this.#rows[at]!, crcs[at]!)) continue
      const found = decoder.judge(this.#rows[at]!, offsets[at]!, crcs[at]!, isDegraded)
      if (found !== 'exact') fidelity ??= new Array<Fidelity>(at).fill('exact')
      fidelity?.push(found)
    }
    return fidelity
  }

  // A checksum that is right says that what stands in is what was sent: a tombstone that SQL calls typed is one still.
  #unreadable(fidelity: readonly Fidelity[] | undefined): ReadonlyMap<number, string> | undefined {
    if (this.#faults.size === 0) return undefined
    for (const at of [...this.#faults.keys()]) if ((fidelity?.[at] ?? 'exact') === 'exact') this.#faults.delete(at)
    return this.#faults
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

  #grow(): void {
    const grown = <A extends Int32Array | Uint8Array>(array: A): A => {
      const larger = new (array.constructor as new (length: number) => A)(array.length * 2)
      larger.set(array)
      return larger
    }
    this.#rows = grown(this.#rows)
    this.#offsets = grown(this.#offsets)
    this.#valueIds = grown(this.#valueIds)
    this.#keyIds = grown(this.#keyIds)
    this.#isDegraded = grown(this.#isDegraded)
    this.#crcs = grown(this.#crcs)
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
