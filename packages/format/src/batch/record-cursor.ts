import { isUtf8 } from 'node:buffer'
import { type BatchCaps, corrupt, exhausted, formatCaps, invalid } from '@moulin/core'
import { highOf, int64Of, lowOf } from '../bytes/int64-halves.ts'
import type { BatchHeader } from './batch-header.ts'

/** What a batch may hold. Who reads what is stored takes {@link formatCaps}, the default; a limit is for what comes in. */
export type BatchLimits = Partial<BatchCaps>

const noBytes = new Uint8Array(0)

/**
 * Walks the records of one decompressed records section, usually in an arena, with no object per record. After `next()`
 * returned true its fields describe the present record; positions are those of the bytes given to `open`.
 *
 * Every record is checked as it is passed: lengths and counts against what is left, offsets rising within the batch, the
 * end where the length says.
 *
 * Spec: Kafka, "Record".
 */
export class RecordCursor {
  bytes: Uint8Array = noBytes
  offsetDelta = 0
  /** The offset and the timestamp (ms) as signed 32-bit halves. */
  offsetHigh = 0
  offsetLow = 0
  timestampHigh = 0
  timestampLow = 0
  /** -1: null. */
  keyStart = 0
  keyEnd = 0
  /** -1: null. */
  valueStart = 0
  valueEnd = 0
  headerCount = 0
  headersStart = 0
  /** The record from its keyLength varint to its end: with what `_kafka_crc` ends. */
  bodyStart = 0
  bodyEnd = 0
  /** All varints of the body have their shortest form. */
  isMinimal = true
  /** The present header, after `nextHeader()`; its value's start is -1 for null. */
  headerKeyStart = 0
  headerKeyEnd = 0
  headerValueStart = 0
  headerValueEnd = 0

  #position = 0
  #end = 0
  #limit = 0
  #left = 0
  #headersLeft = 0
  #headerPosition = 0
  #previousDelta = -1
  #header: BatchHeader | undefined
  #baseOffsetHigh = 0
  #baseOffsetLow = 0
  #baseTimestampHigh = 0
  #baseTimestampLow = 0
  #maxRecordBytes = formatCaps.maxRecordBytes
  #maxHeaders = formatCaps.maxHeadersPerRecord

  /** Begins before the first record of the section `[start, end)`. */
  open(bytes: Uint8Array, start: number, end: number, header: BatchHeader, limits: BatchLimits = {}): void {
    this.bytes = bytes
    this.#position = start
    this.#end = end
    this.#left = header.recordCount
    this.#previousDelta = -1
    this.#header = header
    this.#baseOffsetHigh = highOf(header.baseOffset)
    this.#baseOffsetLow = lowOf(header.baseOffset)
    const timestamp = header.timestampType === 'append' ? header.maxTimestamp : header.baseTimestamp
    this.#baseTimestampHigh = highOf(timestamp)
    this.#baseTimestampLow = lowOf(timestamp)
    this.#maxRecordBytes = limits.maxRecordBytes ?? formatCaps.maxRecordBytes
    this.#maxHeaders = limits.maxHeadersPerRecord ?? formatCaps.maxHeadersPerRecord
  }

  /** Lets go of the bytes: one that is kept keeps nothing else. */
  close(): void {
    this.bytes = noBytes
    this.#header = undefined
  }

  get offset(): bigint {
    return int64Of(this.offsetHigh, this.offsetLow)
  }

  get timestamp(): bigint {
    return int64Of(this.timestampHigh, this.timestampLow)
  }

  /** @throws `corrupt`; `exhausted` above `maxRecordBytes` or `maxHeadersPerRecord`. */
  next(): boolean {
    if (this.#left === 0) {
      if (this.#position !== this.#end) throw this.#bad(`${this.#end - this.#position} bytes follow the last record`)
      return false
    }
    this.#left--
    this.#limit = this.#end
    const size = this.#varint()
    const start = this.#position
    if (size < 0 || size > this.#end - start) throw this.#bad(`a record of ${size} bytes`)
    this.bodyEnd = this.#limit = start + size
    if (size === 0) throw this.#bad('a record of 0 bytes')
    // One byte of attributes, which no version uses.
    this.#position = start + 1
    this.#readTimestamp()
    this.#readOffset()
    this.bodyStart = this.#position
    // What lies before the body depends on where in its batch a record is.
    const body = this.bodyEnd - this.bodyStart
    if (body > this.#maxRecordBytes) {
      const message = `A record has ${body} bytes; the limit maxRecordBytes is ${this.#maxRecordBytes}.`
      throw exhausted('RECORD_TOO_LARGE', message)
    }
    this.isMinimal = true
    this.#readBody()
    return true
  }

  /** Moves to the next header of the present record. */
  nextHeader(): boolean {
    if (this.#headersLeft === 0) return false
    this.#headersLeft--
    const resume = this.#position
    this.#position = this.#headerPosition
    this.#readHeader()
    this.#headerPosition = this.#position
    this.#position = resume
    return true
  }

  /** Back to before the first header of the present record. */
  rewindHeaders(): void {
    this.#headersLeft = this.headerCount
    this.#headerPosition = this.headersStart
  }

  /** Leaves the headers rewound. @throws `invalid` when a header key of the present record is not UTF-8. */
  checkHeaderKeys(): void {
    if (this.headerCount === 0) return
    this.rewindHeaders()
    while (this.nextHeader()) {
      for (let at = this.headerKeyStart; at < this.headerKeyEnd; at++) {
        if (this.bytes[at]! < 0x80) continue
        if (isUtf8(this.bytes.subarray(at, this.headerKeyEnd))) break
        const message = `A header key of the record at offset ${this.offset} is not UTF-8; header keys must be.`
        throw invalid('HEADER_KEY', message, { context: { offset: this.offset } })
      }
    }
    this.rewindHeaders()
  }

  #readTimestamp(): void {
    this.#varlong()
    if (this.#header!.timestampType === 'append') {
      this.timestampHigh = this.#baseTimestampHigh
      this.timestampLow = this.#baseTimestampLow
      return
    }
    const low = (this.#baseTimestampLow >>> 0) + (this.timestampLow >>> 0)
    this.timestampHigh = (this.#baseTimestampHigh + this.timestampHigh + (low > 0xffffffff ? 1 : 0)) | 0
    this.timestampLow = low | 0
  }

  #readOffset(): void {
    const delta = this.#varint()
    if (delta <= this.#previousDelta || delta > this.#header!.lastOffsetDelta) {
      throw this.#bad(`offset delta ${delta} after ${this.#previousDelta}`)
    }
    this.offsetDelta = this.#previousDelta = delta
    const low = (this.#baseOffsetLow >>> 0) + delta
    this.offsetHigh = (this.#baseOffsetHigh + (low > 0xffffffff ? 1 : 0)) | 0
    this.offsetLow = low | 0
  }

  #readBody(): void {
    const keySize = this.#nullableSize('key')
    this.keyStart = keySize < 0 ? -1 : this.#take(keySize, 'key')
    this.keyEnd = this.#position
    const valueSize = this.#nullableSize('value')
    this.valueStart = valueSize < 0 ? -1 : this.#take(valueSize, 'value')
    this.valueEnd = this.#position

    const count = this.#varint()
    this.headerCount = this.#headersLeft = count
    this.headersStart = this.#headerPosition = this.#position
    if (count < 0 || count * 2 > this.bodyEnd - this.#position) throw this.#bad(`${count} headers`)
    if (count > this.#maxHeaders) {
      const message = `A record has ${count} headers; the limit maxHeadersPerRecord is ${this.#maxHeaders}.`
      throw exhausted('TOO_MANY_HEADERS', message)
    }
    for (let header = 0; header < count; header++) this.#readHeader()
    if (this.#position !== this.bodyEnd) throw this.#bad(`a record ends ${this.bodyEnd - this.#position} bytes early`)
  }

  #readHeader(): void {
    const keySize = this.#varint()
    if (keySize < 0) throw this.#bad(`a header key of ${keySize} bytes`)
    this.headerKeyStart = this.#take(keySize, 'header key')
    this.headerKeyEnd = this.#position
    const valueSize = this.#nullableSize('header value')
    this.headerValueStart = valueSize < 0 ? -1 : this.#take(valueSize, 'header value')
    this.headerValueEnd = this.#position
  }

  #nullableSize(what: string): number {
    const size = this.#varint()
    if (size < -1) throw this.#bad(`a ${what} of ${size} bytes`)
    return size
  }

  #take(size: number, what: string): number {
    const start = this.#position
    if (size > this.#limit - start) throw this.#bad(`a ${what} of ${size} bytes`)
    this.#position = start + size
    return start
  }

  #varint(): number {
    const at = this.#position
    const byte = at < this.#limit ? this.bytes[at]! : 0x80
    if (byte >= 0x80) return this.#wideVarint()
    this.#position = at + 1
    return (byte >>> 1) ^ -(byte & 1)
  }

  #wideVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35 && this.#position < this.#limit; shift += 7) {
      const byte = this.bytes[this.#position++]!
      if (shift === 28 && byte > 0x0f) break
      value |= (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if (byte === 0) this.isMinimal = false
      return (value >>> 1) ^ -(value & 1)
    }
    throw this.#bad('a varint is cut off or beyond 32 bits')
  }

  /** Into the halves of the timestamp. */
  #varlong(): void {
    let low = 0
    let middle = 0
    let high = 0
    // 28 bits, 28 bits, 8 bits.
    for (let index = 0; index < 10 && this.#position < this.#limit; index++) {
      const byte = this.bytes[this.#position++]!
      if (index === 9 && byte > 1) break
      if (index < 4) low |= (byte & 0x7f) << (7 * index)
      else if (index < 8) middle |= (byte & 0x7f) << (7 * index - 28)
      else high |= (byte & 0x7f) << (7 * index - 56)
      if (byte >= 0x80) continue
      const bitsLow = low | (middle << 28)
      const bitsHigh = (middle >>> 4) | (high << 24)
      const sign = -(bitsLow & 1)
      this.timestampLow = ((bitsLow >>> 1) | (bitsHigh << 31)) ^ sign
      this.timestampHigh = (bitsHigh >>> 1) ^ sign
      return
    }
    throw this.#bad('a varint is cut off or beyond 64 bits')
  }

  #bad(why: string): Error {
    const baseOffset = this.#header!.baseOffset
    const message = `A record of the batch at offset ${baseOffset} is damaged at byte ${this.#position}: ${why}.`
    return corrupt('BATCH_RECORD', message, { context: { baseOffset, position: this.#position } })
  }
}
