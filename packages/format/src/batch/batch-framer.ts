import { doubled } from '../bytes/doubled.ts'
import { assert } from '@moulin/core'
import { varintSize } from '../bytes/byte-sink.ts'
import { copyRange, ViewOf } from '../bytes/copy-range.ts'
import { crc32cBefore, crc32cOf } from '../bytes/crc32c.ts'
import { crc32cRanges } from '../bytes/crc32c-ranges.ts'
import { isUtf8Range } from '../bytes/utf8.ts'
import { longSize, putLong, putUint } from '../bytes/varint.ts'
import { at, bits, LENGTH_PREFIX_BYTES } from './batch-header.ts'

/** When a batch began: int64s as signed 32-bit halves. */
export interface BatchStart {
  readonly offsetHigh: number
  readonly offsetLow: number
  /** Milliseconds. */
  readonly timestampHigh: number
  readonly timestampLow: number
  readonly timestampType: 'create' | 'append'
}

const INITIAL_BYTES = 4 * 1024
/** Less is copied sooner than new memory is made. */
const GIVEN_BYTES = 64 * 1024
/** More than all of a record but its key, value and headers. */
const MOST_FRAME_BYTES = 40

/**
 * Writes v2 record batches, uncompressed, one after another into one buffer, from positions in other memory: no object
 * and no copy per record but the bytes themselves. A record is begun with the size of its key, value and headers, and
 * given those, in that order; a value may be written later, until the batch ends. All varints are minimal, as
 * `_kafka_crc` wants them.
 *
 * Spec: Kafka, "Record Batch", "Record".
 */
export class BatchFramer {
  /** Where values are that were left room by {@link reserve}; it is other memory after every record begun. */
  target: Uint8Array = new Uint8Array(INITIAL_BYTES)
  position = 0
  /** Records since the last {@link reset}. */
  recordCount = 0
  readonly #sources = new ViewOf()
  #view = new DataView(this.target.buffer)

  // Parts of records that checksums cover, as positions of the target.
  #bodyStarts: Int32Array = new Int32Array(64)
  #bodyEnds: Int32Array = new Int32Array(64)

  #batchAt = 0
  #batchRecords = 0
  #lastDelta = 0
  #start: BatchStart | undefined
  #maxHigh = 0
  #maxLow = 0

  beginBatch(start: BatchStart): void {
    this.#makeRoom(at.records)
    this.#batchAt = this.position
    this.position += at.records
    this.#start = start
    this.#batchRecords = 0
    this.#lastDelta = 0
    this.#maxHigh = start.timestampHigh
    this.#maxLow = start.timestampLow
  }

  /**
   * The next record at this offset delta of its batch, and time in ms. Its key, value and headers have `bodyBytes`:
   * {@link nullableSize}, {@link headerKeySize}, and the count of the headers.
   */
  beginRecord(bodyBytes: number, offsetDelta: number, timestampHigh: number, timestampLow: number): void {
    this.#makeRoom(MOST_FRAME_BYTES + bodyBytes)
    const { timestampHigh: baseHigh, timestampLow: baseLow } = this.#start!
    const borrow = timestampLow >>> 0 < baseLow >>> 0 ? 1 : 0
    const low = (timestampLow - baseLow) | 0
    const high = (timestampHigh - baseHigh - borrow) | 0
    const { target } = this
    let to = putCount(target, this.position, 1 + longSize(high, low) + varintSize(offsetDelta) + bodyBytes)
    target[to++] = 0
    to = putLong(target, to, high, low)
    to = putCount(target, to, offsetDelta)
    this.position = to
    this.#note(to, to + bodyBytes)
    if (timestampHigh > this.#maxHigh || (timestampHigh === this.#maxHigh && timestampLow >>> 0 > this.#maxLow >>> 0)) {
      this.#maxHigh = timestampHigh
      this.#maxLow = timestampLow
    }
    this.#lastDelta = offsetDelta
    this.#batchRecords++
  }

  /** A key, value or header value. */
  bytes(data: Uint8Array, start: number, end: number): void {
    const size = end - start
    const to = putCount(this.target, this.position, size)
    copyRange(this.target, this.#view, to, data, this.#sources.of(data), start, end)
    this.position = to + size
  }

  /** The lack of one. */
  null(): void {
    this.target[this.position++] = 1
  }

  /** A value of `size` bytes that is written later, to where in `target` this returns. */
  reserve(size: number): number {
    const to = putCount(this.target, this.position, size)
    this.position = to + size
    return to
  }

  headerCount(count: number): void {
    this.position = putCount(this.target, this.position, count)
  }

  /** Bytes that are no UTF-8 go in as text that is: nobody could read the batch otherwise. */
  headerKey(data: Uint8Array, start: number, end: number): void {
    if (isUtf8Range(data, start, end)) return this.bytes(data, start, end)
    const text = repaired(data, start, end)
    this.bytes(text, 0, text.length)
  }

  /** Fills in the header, its CRC32C included. */
  endBatch(): void {
    const start = this.#start!
    assert(this.#batchRecords > 0, 'a batch without records is begun only for some')
    assert(this.#bodyEnds[this.recordCount - 1] === this.position, 'a record has the bytes that it was begun with')
    const view = this.#view
    const batch = this.#batchAt
    const int64 = (field: number, high: number, low: number): void => {
      view.setInt32(batch + field, high)
      view.setInt32(batch + field + 4, low)
    }
    int64(at.baseOffset, start.offsetHigh, start.offsetLow)
    view.setInt32(batch + at.length, this.position - batch - LENGTH_PREFIX_BYTES)
    view.setInt32(batch + at.partitionLeaderEpoch, -1)
    view.setInt8(batch + at.magic, 2)
    view.setInt16(batch + at.attributes, start.timestampType === 'append' ? bits.timestampType : 0)
    view.setInt32(batch + at.lastOffsetDelta, this.#lastDelta)
    int64(at.baseTimestamp, start.timestampHigh, start.timestampLow)
    int64(at.maxTimestamp, this.#maxHigh, this.#maxLow)
    int64(at.producerId, -1, -1)
    view.setInt16(batch + at.producerEpoch, -1)
    view.setInt32(batch + at.baseSequence, -1)
    view.setInt32(batch + at.recordCount, this.#batchRecords)
    view.setUint32(batch + at.crc, crc32cOf(this.target, batch + at.attributes, this.position))
    this.#start = undefined
  }

  /**
   * Continues sums of records' places to `_kafka_crc`, in place: of the records from the `first` on since the last
   * {@link reset}, as many as there are sums. Soonest after they were written costs least.
   */
  recordCrcs(sums: Int32Array, first: number): void {
    const end = first + sums.length
    const starts = this.#bodyStarts.subarray(first, end)
    crc32cRanges(this.target, starts, this.#bodyEnds.subarray(first, end), sums.length, sums)
  }

  /** What the sum of the place of a record since the last {@link reset} must be for its `_kafka_crc` to be `crc`. */
  placeCrcOf(record: number, crc: number): number {
    return crc32cBefore(this.target, this.#bodyStarts[record]!, this.#bodyEnds[record]!, crc)
  }

  /** Makes room for about so many more bytes at once, and no more where nothing is written yet. */
  expect(bytes: number): void {
    const { length } = this.target
    const isSpare = this.position === 0 && bytes >= GIVEN_BYTES && length - bytes > bytes >> 3
    if (isSpare) this.#setTarget(new Uint8Array(bytes))
    else if (this.position === 0 && bytes > length) this.#setTarget(new Uint8Array(bytes))
    else this.#makeRoom(bytes)
  }

  /**
   * Gives all batches since the last {@link reset} away, and resets. They stay in the memory that they were written to where
   * nearly all of it is theirs; else they are copied.
   */
  take(): Uint8Array {
    const { target, position } = this
    const isTheirs = position >= GIVEN_BYTES && target.length - position <= position >> 3
    if (isTheirs) this.#setTarget(new Uint8Array(INITIAL_BYTES))
    this.reset()
    return isTheirs ? target.subarray(0, position) : target.slice(0, position)
  }

  /** Forgets all batches, keeps the memory. */
  reset(): void {
    this.position = 0
    this.recordCount = 0
  }

  #note(start: number, end: number): void {
    const record = this.recordCount++
    if (record === this.#bodyStarts.length) {
      this.#bodyStarts = doubled(this.#bodyStarts)
      this.#bodyEnds = doubled(this.#bodyEnds)
    }
    this.#bodyStarts[record] = start
    this.#bodyEnds[record] = end
  }

  #makeRoom(bytes: number): void {
    const end = this.position + bytes
    if (end <= this.target.length) return
    const grown = new Uint8Array(Math.max(end, this.target.length * 2))
    grown.set(this.target)
    this.#setTarget(grown)
  }

  #setTarget(target: Uint8Array<ArrayBuffer>): void {
    this.target = target
    this.#view = new DataView(target.buffer)
  }
}

/** Bytes of a key, value or header value of `size` bytes with its length; below 0: of null. */
export function nullableSize(size: number): number {
  return size < 0 ? 1 : size + varintSize(size)
}

/** Bytes of what {@link BatchFramer.headerKey} writes. */
export function headerKeySize(data: Uint8Array, start: number, end: number): number {
  return nullableSize(isUtf8Range(data, start, end) ? end - start : repaired(data, start, end).length)
}

function repaired(data: Uint8Array, start: number, end: number): Uint8Array {
  return Buffer.from(Buffer.from(data.subarray(start, end)).toString('utf8'))
}

function putCount(target: Uint8Array, position: number, count: number): number {
  return putUint(target, position, count << 1)
}
