import { doubled } from '../bytes/doubled.ts'
import { assert } from '@moulin/core'
import { varintSize } from '../bytes/byte-sink.ts'
import { copyRange, ViewOf } from '../bytes/copy-range.ts'
import { crc32cBefore, crc32cOf } from '../bytes/crc32c.ts'
import { crc32cRanges } from '../bytes/crc32c-ranges.ts'
import { isUtf8Range } from '../bytes/utf8.ts'
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
/** More than all of a record but its key, value and headers. */
const MOST_FRAME_BYTES = 40
// A length below 8192 takes two bytes: right for nearly every value.
const GUESS = 2

/**
 * Writes v2 record batches, uncompressed, one after another into one buffer, from positions in other memory: no object
 * and no copy per record but the bytes themselves. A record is begun, given key, value and headers in that order, and
 * ended. All varints are minimal, as `_kafka_crc` wants them.
 *
 * Spec: Kafka, "Record Batch", "Record".
 */
export class BatchFramer {
  /** Where a value may be written between {@link beginValue} and {@link endValue}. */
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
  #recordAt = 0
  #bodyAt = 0
  /** Bytes of the last record before its key: the next one's are nearly always as many, and its body need not move. */
  #frameBytes = GUESS + 3

  beginBatch(start: BatchStart): void {
    this.#reserve(at.records)
    this.#batchAt = this.position
    this.position += at.records
    this.#start = start
    this.#batchRecords = 0
    this.#lastDelta = 0
    this.#maxHigh = start.timestampHigh
    this.#maxLow = start.timestampLow
  }

  beginRecord(): void {
    this.#reserve(MOST_FRAME_BYTES)
    this.#recordAt = this.position
    // Length, attributes, both deltas: their sizes are known in the end.
    this.#bodyAt = this.position = this.position + this.#frameBytes
  }

  /** A key, value or header value; `start` below 0: null. */
  nullable(data: Uint8Array, start: number, end: number): void {
    if (start < 0) {
      this.#reserve(1)
      this.target[this.position++] = 1
    } else {
      this.#bytes(data, start, end)
    }
  }

  headerCount(count: number): void {
    this.#reserve(5)
    this.#varint(count)
  }

  /** Bytes that are no UTF-8 go in as text that is: nobody could read the batch otherwise. */
  headerKey(data: Uint8Array, start: number, end: number): void {
    if (isUtf8Range(data, start, end)) return this.#bytes(data, start, end)
    const text = Buffer.from(Buffer.from(data.subarray(start, end)).toString('utf8'))
    this.#bytes(text, 0, text.length)
  }

  /** Where in `target` the caller may write a value; when it has no room there, {@link grow} and ask again. */
  beginValue(): number {
    this.#reserve(5)
    return this.position + GUESS
  }

  /** The value lies in `[start, end)` of the target, `start` being what {@link beginValue} gave. */
  endValue(start: number, end: number): void {
    const size = end - start
    const prefix = varintSize(size)
    if (prefix !== GUESS) {
      this.#reserve(end - this.position + prefix)
      this.target.copyWithin(this.position + prefix, start, end)
    }
    this.#varint(size)
    this.position += size
  }

  /** Twice the memory. */
  grow(): void {
    this.#reserve(this.target.length)
  }

  /** Ends the record at this offset delta of its batch, and time in ms. */
  endRecord(offsetDelta: number, timestampHigh: number, timestampLow: number): void {
    const { timestampHigh: baseHigh, timestampLow: baseLow } = this.#start!
    const borrow = timestampLow >>> 0 < baseLow >>> 0 ? 1 : 0
    const low = (timestampLow - baseLow) | 0
    const high = (timestampHigh - baseHigh - borrow) | 0
    const body = this.position - this.#bodyAt
    const size = 1 + varlongSize(high, low) + varintSize(offsetDelta) + body
    const frame = varintSize(size) + size - body
    const bodyAt = this.#recordAt + frame
    if (bodyAt !== this.#bodyAt) {
      this.#reserve(frame)
      this.target.copyWithin(bodyAt, this.#bodyAt, this.#bodyAt + body)
      this.#frameBytes = frame
    }
    this.position = this.#recordAt
    this.#varint(size)
    this.target[this.position++] = 0
    this.#varlong(high, low)
    this.#varint(offsetDelta)
    this.position = bodyAt + body
    this.#note(bodyAt, bodyAt + body)
    if (timestampHigh > this.#maxHigh || (timestampHigh === this.#maxHigh && timestampLow >>> 0 > this.#maxLow >>> 0)) {
      this.#maxHigh = timestampHigh
      this.#maxLow = timestampLow
    }
    this.#lastDelta = offsetDelta
    this.#batchRecords++
  }

  /** Fills in the header, its CRC32C included. */
  endBatch(): void {
    const start = this.#start!
    assert(this.#batchRecords > 0, 'a batch without records is begun only for some')
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

  /** Continues the sums of the records' places to `_kafka_crc` of each record since the last {@link reset}, in place. */
  recordCrcs(sums: Int32Array): void {
    crc32cRanges(this.target, this.#bodyStarts, this.#bodyEnds, this.recordCount, sums)
  }

  /** What the sum of the place of a record since the last {@link reset} must be for its `_kafka_crc` to be `crc`. */
  placeCrcOf(record: number, crc: number): number {
    return crc32cBefore(this.target, this.#bodyStarts[record]!, this.#bodyEnds[record]!, crc)
  }

  /** A copy of all batches since the last {@link reset}. */
  bytes(): Uint8Array {
    return this.target.slice(0, this.position)
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

  #bytes(data: Uint8Array, start: number, end: number): void {
    const size = end - start
    this.#reserve(size + 5)
    this.#varint(size)
    copyRange(this.target, this.#view, this.position, data, this.#sources.of(data), start, end)
    this.position += size
  }

  #varint(count: number): void {
    const { target } = this
    let rest = count << 1
    while (rest >= 0x80 || rest < 0) {
      target[this.position++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    target[this.position++] = rest
  }

  #varlong(high: number, low: number): void {
    const { target } = this
    const sign = high >> 31
    let bitsLow = (low << 1) ^ sign
    let bitsHigh = ((high << 1) | (low >>> 31)) ^ sign
    while (bitsHigh !== 0 || bitsLow < 0 || bitsLow >= 0x80) {
      target[this.position++] = (bitsLow & 0x7f) | 0x80
      bitsLow = (bitsLow >>> 7) | (bitsHigh << 25)
      bitsHigh >>>= 7
    }
    target[this.position++] = bitsLow
  }

  #reserve(bytes: number): void {
    const end = this.position + bytes
    if (end <= this.target.length) return
    const grown = new Uint8Array(Math.max(end, this.target.length * 2))
    grown.set(this.target)
    this.target = grown
    this.#view = new DataView(grown.buffer)
  }
}

function varlongSize(high: number, low: number): number {
  const sign = high >> 31
  let bitsHigh = ((high << 1) | (low >>> 31)) ^ sign
  let bitsLow = (low << 1) ^ sign
  let size = 1
  while (bitsHigh !== 0 || bitsLow < 0 || bitsLow >= 0x80) {
    bitsLow = (bitsLow >>> 7) | (bitsHigh << 25)
    bitsHigh >>>= 7
    size++
  }
  return size
}
