import { checkOptions, invalid, option, shown, type OptionTable } from '@moulin/core'
import { ByteSink, varintSize } from '../bytes/byte-sink.ts'
import { compress, discard } from '../bytes/compression.ts'
import { crc32cOf } from '../bytes/crc32c.ts'
import { newTextBuffer } from '../bytes/text-buffer.ts'
import { at, bits, LENGTH_PREFIX_BYTES } from './batch-header.ts'
import type { BatchRecord } from './read-batch.ts'
import {
  bodySize,
  headersSize,
  nullableSize,
  writeBody,
  writeHeaders,
  writeNullable,
  type RecordBody,
} from './record-body.ts'

/** What a batch is written with here. */
export type WritableCompression = 'none' | 'gzip' | 'zstd'

export interface RecordBatchBuilderOptions {
  /** Default `none`. */
  readonly compression?: WritableCompression
  /** Default `create`. With `append` all records must carry one timestamp. */
  readonly timestampType?: 'create' | 'append'
}

export interface BuilderRecord extends RecordBody {
  /** {@link bodySize} of it, where that is known. */
  readonly bodyBytes?: number
  /** Milliseconds since the epoch: any int64, or a safe integer. */
  readonly timestamp: bigint | number
}

/** Most that a batch of a single record has besides the record's body: its header, a length, attributes and two deltas of 0. */
export const LONE_RECORD_BYTES: number = at.records + 5 + 3

/** More than the varints of a record take, and than a sink asks for with the last of them. */
const SPARE_BYTES = 64

/** A codec that writes values to where they belong. */
export type InPlaceCodec = { encodeInto(value: never, target: Uint8Array, position: number): number }

const codes = { none: 0, gzip: 1, zstd: 4 } as const

/** Collects records of dense offsets into one batch after another. Made by {@link recordBatchBuilder}. */
export class RecordBatchBuilder {
  readonly #compression: WritableCompression
  readonly #timestampType: 'create' | 'append'
  readonly #sink = new ByteSink()
  #recordCount = 0
  #lastDelta = -1
  #base = 0n
  #baseNumber = 0
  #max: bigint | number = 0
  /** Rises with every change, so that one is seen that comes while a value is encoded. */
  #version = 0
  /** A value is on its way into the sink's memory, behind what counts. */
  #isLent = false
  #lastValueBytes = 0
  readonly #before = { length: 0, recordCount: 0, lastDelta: -1, max: 0 as bigint | number }

  constructor({ compression = 'none', timestampType = 'create' }: RecordBatchBuilderOptions) {
    this.#compression = compression
    this.#timestampType = timestampType
    this.#sink.length = at.records
  }

  /** Bytes of the batch so far, before compression; {@link finish} never gives more. */
  get sizeBytes(): number {
    return this.#sink.length
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** {@link sizeBytes} after {@link append} of this record, whose body has {@link bodySize} `bodyBytes`. */
  sizeWith({ timestamp }: BuilderRecord, bodyBytes: number): number {
    const delta = this.#recordCount === 0 ? 0 : this.#timestampDelta(timestamp)
    return this.#sink.length + framedSize(delta, this.#lastDelta + 1, bodyBytes)
  }

  /** @throws `invalid`; the batch is then as it was. */
  append(record: BuilderRecord): void {
    this.appendAt(record, this.#lastDelta + 1)
  }

  /** {@link append} at an offset delta above the last one's: offsets between stay gaps. */
  appendAt(record: BuilderRecord, offsetDelta: number): void {
    this.#changing()
    const timestamp = this.#begin(record.timestamp)
    const start = this.#sink.length
    try {
      this.#write(record, offsetDelta)
    } catch (error) {
      this.#sink.length = start
      throw error
    }
    this.#count(timestamp, offsetDelta, start)
  }

  /**
   * {@link append} of a record whose value the codec writes to where it belongs in the batch. Returns the bytes of the record's body; -1,
   * and the batch is as it was, where that has no room for it yet, or the value's own code used this builder meanwhile: the value is then
   * to be encoded first. {@link undo} takes the record back. @throws what the codec throws; `invalid`; the batch is then as it was.
   */
  appendValue(record: Omit<BuilderRecord, 'value' | 'bodyBytes'>, codec: InPlaceCodec, value: unknown): number {
    this.#changing()
    const { key, headers } = record
    const timestamp = this.#begin(record.timestamp)
    const offsetDelta = this.#lastDelta + 1
    const delta = this.#timestampDelta(timestamp)
    const sink = this.#sink
    const start = sink.length
    // Lengths of varints as with a value as long as the one before, which is nearly always right.
    const tailBytes = headersSize(headers)
    const keyBytes = nullableSize(key)
    const headBytes = 1 + varlongSize(delta) + varintSize(offsetDelta) + keyBytes
    const guess = this.#lastValueBytes
    const guessedHead = headBytes + varintSize(guess)
    const guessedAt = start + varintSize(guessedHead + guess + tailBytes) + guessedHead
    sink.ensure(guessedAt - start + 2 * guess + tailBytes + SPARE_BYTES)
    const target = sink.buffer
    const version = this.#version
    this.#isLent = true
    let end: number
    try {
      end = codec.encodeInto(value as never, target, guessedAt)
    } finally {
      this.#isLent = false
    }
    if (version !== this.#version) return -1
    if (end === -1) return -1
    // Before any arithmetic, which bigints and symbols refuse by words of their own.
    if (!Number.isInteger(end) || end < guessedAt || end > target.length) throw notInPlace(end, guessedAt, target)
    const valueBytes = end - guessedAt
    this.#lastValueBytes = valueBytes
    // The value with its length, and the headers.
    const restBytes = varintSize(valueBytes) + valueBytes + tailBytes
    const total = headBytes + restBytes
    const valueAt = start + varintSize(total) + headBytes + varintSize(valueBytes)
    // What grows now keeps only what counts.
    if (valueAt + valueBytes + tailBytes + SPARE_BYTES > target.length) return -1
    if (valueAt !== guessedAt) target.copyWithin(valueAt, guessedAt, end)
    try {
      writeHead(sink, total, delta, offsetDelta)
      writeNullable(sink, key)
      sink.varint(valueBytes)
      if (sink.length !== valueAt) throw changed()
      sink.length += valueBytes
      writeHeaders(sink, headers)
      if (sink.length !== valueAt + valueBytes + tailBytes) throw changed()
    } catch (error) {
      sink.length = start
      throw error
    }
    this.#count(timestamp, offsetDelta, start)
    return keyBytes + restBytes
  }

  /** Takes back the record appended last. Once, before anything else is done. */
  undo(): void {
    this.#changing()
    const { length, recordCount, lastDelta, max } = this.#before
    this.#sink.length = length
    this.#recordCount = recordCount
    this.#lastDelta = lastDelta
    this.#max = max
  }

  /** The timestamp, which may be the batch's first. */
  #begin(given: bigint | number): bigint | number {
    const timestamp = checkedTimestamp(given)
    if (this.#recordCount === 0) this.#setBase(timestamp)
    else if (this.#timestampType === 'append' && BigInt(timestamp) !== this.#base) {
      throw invalid(
        'TIMESTAMP_TYPE',
        `A batch of append time has one timestamp, ${this.#base}; a record has ${timestamp}.`,
      )
    }
    return timestamp
  }

  /** A record was written behind `start`. */
  #count(timestamp: bigint | number, offsetDelta: number, start: number): void {
    const before = this.#before
    before.length = start
    before.recordCount = this.#recordCount
    before.lastDelta = this.#lastDelta
    before.max = this.#max
    if (isLater(timestamp, this.#max)) this.#max = timestamp
    this.#lastDelta = offsetDelta
    this.#recordCount++
  }

  /** To be called before anything is changed. While a value is on its way, it goes on in memory that nobody has any more. */
  #changing(): void {
    this.#version++
    if (this.#isLent) this.#sink.leave()
    this.#isLent = false
  }

  /**
   * The batch with base offset 0 and leader epoch -1, which `patchBatch` sets; the builder begins anew. `lastOffsetDelta`
   * (default: the last record's) makes it span offsets that carry no record.
   */
  finish(lastOffsetDelta: number = Math.max(0, this.#lastDelta)): Uint8Array {
    this.#changing()
    const sink = this.#sink
    const records = sink.buffer.subarray(at.records, sink.length)
    // A batch without records has no section, whatever its compression.
    const compressed = this.#recordCount === 0 ? records : compress(this.#compression, records)
    // What does not shrink goes as it is, so that compression never takes a batch beyond its bound.
    const isSmaller = compressed.length < records.length
    const section = isSmaller ? compressed : records
    const compression = isSmaller || this.#recordCount === 0 ? this.#compression : 'none'
    // All of it is written here: zeroes would be written twice.
    const batch = new Uint8Array(newTextBuffer(at.records + section.length).buffer)
    batch.set(section, at.records)
    if (compressed !== records) discard(this.#compression, compressed)

    const view = new DataView(batch.buffer)
    view.setBigInt64(at.baseOffset, 0n)
    view.setInt32(at.length, batch.length - LENGTH_PREFIX_BYTES)
    view.setInt32(at.partitionLeaderEpoch, -1)
    view.setInt8(at.magic, 2)
    const timeBit = this.#timestampType === 'append' ? bits.timestampType : 0
    view.setInt16(at.attributes, codes[compression] | timeBit)
    view.setInt32(at.lastOffsetDelta, lastOffsetDelta)
    view.setBigInt64(at.baseTimestamp, this.#recordCount === 0 ? -1n : this.#base)
    view.setBigInt64(at.maxTimestamp, this.#recordCount === 0 ? -1n : BigInt(this.#max))
    view.setBigInt64(at.producerId, -1n)
    view.setInt16(at.producerEpoch, -1)
    view.setInt32(at.baseSequence, -1)
    view.setInt32(at.recordCount, this.#recordCount)
    view.setUint32(at.crc, crc32cOf(batch, at.attributes, batch.length))

    sink.length = at.records
    this.#recordCount = 0
    this.#lastDelta = -1
    return batch
  }

  #setBase(timestamp: bigint | number): void {
    this.#base = BigInt(timestamp)
    this.#max = timestamp
    this.#baseNumber = Number(timestamp)
  }

  #write(record: BuilderRecord, offsetDelta: number): void {
    const sink = this.#sink
    const body = record.bodyBytes ?? bodySize(record)
    const delta = this.#timestampDelta(record.timestamp)
    sink.ensure(body + SPARE_BYTES)
    writeHead(sink, 1 + varlongSize(delta) + varintSize(offsetDelta) + body, delta, offsetDelta)
    const end = sink.length + body
    writeBody(sink, record)
    if (sink.length !== end) throw changed()
  }

  /** Wraps around like the format's own arithmetic, so that any two int64 have a delta. */
  #timestampDelta(timestamp: bigint | number): number | bigint {
    const delta = Number(timestamp) - this.#baseNumber
    const isExact = Number.isSafeInteger(Number(timestamp)) && Number.isSafeInteger(this.#baseNumber)
    return isExact && Number.isSafeInteger(delta) ? delta : BigInt.asIntN(64, BigInt(timestamp) - this.#base)
  }
}

/** To compare a number with a bigint takes long. */
function isLater(a: bigint | number, b: bigint | number): boolean {
  return typeof a === typeof b ? a > b : BigInt(a) > BigInt(b)
}

/** Length, attributes and deltas of a record. */
function writeHead(sink: ByteSink, length: number, timestampDelta: number | bigint, offsetDelta: number): void {
  sink.varint(length)
  sink.byte(0)
  if (typeof timestampDelta === 'number') sink.varint(timestampDelta)
  else sink.varlong(timestampDelta)
  sink.varint(offsetDelta)
}

/** A record that takes more or less than it says makes a batch of which nothing can be read. */
function changed(): Error {
  return invalid('RECORD_CHANGED', 'The bytes of a record changed while it was written.')
}

function notInPlace(end: number, position: number, { length }: Uint8Array): Error {
  return invalid(
    'CODEC_BYTES',
    `A codec's encodeInto says that a value ends at ${shown(end)}; it must give -1, or an integer of ${position} to ${length}.`,
  )
}

function checkedTimestamp(timestamp: bigint | number): bigint | number {
  const isInt64 =
    typeof timestamp === 'bigint' ? BigInt.asIntN(64, timestamp) === timestamp : Number.isSafeInteger(timestamp)
  if (isInt64) return timestamp
  throw invalid(
    'TIMESTAMP',
    `The timestamp ${timestamp} is no 64-bit integer of milliseconds (as a number: no safe one).`,
  )
}

/** A record with all that stands before its body. */
function framedSize(timestampDelta: number | bigint, offsetDelta: number, bodyBytes: number): number {
  const size = 1 + varlongSize(timestampDelta) + varintSize(offsetDelta) + bodyBytes
  return varintSize(size) + size
}

function varlongSize(value: number | bigint): number {
  if (typeof value === 'number' && value >= -0x40000000 && value < 0x40000000)
    return varintSize(value < 0 ? ~value : value)
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  let size = 1
  for (; rest >= 0x80n; rest >>= 7n) size++
  return size
}

const builderTable: OptionTable<RecordBatchBuilderOptions> = {
  compression: option.oneOf('none', 'gzip', 'zstd'),
  timestampType: option.oneOf('create', 'append'),
}
const encodeTable: OptionTable<EncodeBatchOptions> = {
  baseOffset: option.required(option.int64('an offset')),
  records: option.required(option.iterable),
  compression: option.oneOf('none', 'gzip', 'zstd'),
  lastOffset: option.int64('an offset', -1n),
  timestampType: option.required(option.oneOf('create', 'append')),
  partitionLeaderEpoch: option.integer('', -1, 0x7fffffff),
}

/** A builder of v2 record batches: no object per record, one buffer, used again after `finish()`. */
export function recordBatchBuilder(options: RecordBatchBuilderOptions = {}): RecordBatchBuilder {
  checkOptions('recordBatchBuilder', options, builderTable)
  return new RecordBatchBuilder(options)
}

export interface EncodeBatchOptions {
  readonly baseOffset: bigint
  /** Rising offsets, not below `baseOffset`; gaps are allowed. */
  readonly records: readonly (RecordBody & Pick<BatchRecord, 'offset' | 'timestamp'>)[]
  /** Default `none`. */
  readonly compression?: WritableCompression
  /** Last offset that the batch answers for; default the last record's. Needed when there are no records. */
  readonly lastOffset?: bigint
  readonly timestampType: 'create' | 'append'
  readonly partitionLeaderEpoch?: number
}

/** One batch of records whose offsets are known. @throws `invalid` when they do not rise or lie outside the batch. */
export function encodeBatch(options: EncodeBatchOptions): Uint8Array {
  checkOptions('encodeBatch', options, encodeTable)
  const { baseOffset, records, compression = 'none', timestampType, partitionLeaderEpoch = -1 } = options
  const lastOffset = options.lastOffset ?? records.at(-1)?.offset ?? baseOffset
  const builder = recordBatchBuilder({ compression, timestampType })
  let previous = baseOffset - 1n
  for (const record of records) {
    if (record.offset <= previous || record.offset > lastOffset) {
      throw invalid(
        'OFFSET_ORDER',
        `Offset ${record.offset} does not follow ${previous} within a batch that ends at ${lastOffset}.`,
      )
    }
    previous = record.offset
    builder.appendAt(record, deltaOf(record.offset, baseOffset))
  }
  const batch = builder.finish(deltaOf(lastOffset, baseOffset))
  const view = new DataView(batch.buffer)
  view.setBigInt64(at.baseOffset, baseOffset)
  view.setInt32(at.partitionLeaderEpoch, partitionLeaderEpoch)
  return batch
}

function deltaOf(offset: bigint, baseOffset: bigint): number {
  const delta = offset - baseOffset
  if (delta >= 0n && delta <= 0x7fffffffn) return Number(delta)
  throw invalid('OFFSET_RANGE', `Offset ${offset} is not within 2^31 of the batch's base offset ${baseOffset}.`)
}
