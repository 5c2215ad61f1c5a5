import type {
  BooleanBuilder,
  BytesBuilder,
  ColumnBuilder,
  FixedBuilder,
  Float32Builder,
  Float64Builder,
  Int32Builder,
  Int64Builder,
} from '@moulin/core'
import { decimalWidth } from '@moulin/core'
import { NAN_BITS_32, NAN_BITS_64 } from '../bytes/nan-bits.ts'
import { bigIntBytes, MAX_DATE_MS, MS_PER_DAY, parseUuid, UUID_TEXT_BYTES } from '../values/scalars.ts'
import type { AvroEnum } from './avro-schema.ts'
import type { AvroNode } from './avro-node.ts'
import { isUtf8Range } from '../bytes/utf8.ts'
import type { RowCursor } from './row-cursor.ts'
import type { SymbolBuilder } from './symbol-builder.ts'

/** Appends one value to the builder, or sets the cursor's `isBad` and may have appended or not. */
export type ColumnDecoder = (cursor: RowCursor, builder: ColumnBuilder) => void

/** Composes the decoder of a scalar that is there. */
export function scalarDecoder({ type: { spec }, encoding }: AvroNode): ColumnDecoder {
  switch (spec.kind) {
    case 'boolean':
      return decodeBoolean as ColumnDecoder
    case 'int':
    case 'date':
      return ((cursor: RowCursor, builder: Int32Builder) => builder.append(cursor.int())) as ColumnDecoder
    case 'long':
      return decodeLong as ColumnDecoder
    case 'int53':
      return decodeInt53 as ColumnDecoder
    case 'float':
      return decodeFloat as ColumnDecoder
    case 'double':
      return decodeDouble as ColumnDecoder
    case 'string':
      return encoding.type === 'enum' ? symbolDecoder(encoding) : (decodeString as ColumnDecoder)
    case 'binary':
      return decodeBytes as ColumnDecoder
    case 'uuid':
      return (encoding.type === 'fixed' ? fixedDecoder(16) : decodeUuid) as ColumnDecoder
    case 'fixed':
      return fixedDecoder(spec.length)
    case 'decimal':
      return decimalDecoder(spec.precision, encoding.type === 'fixed' ? encoding.size : -1)
    case 'time':
      return (spec.as === 'micros' ? decodeTimeMicros : decodeTimeMillis) as ColumnDecoder
    default:
      return 'as' in spec && spec.as === 'micros' ? (decodeLong as ColumnDecoder) : (decodeMillis as ColumnDecoder)
  }
}

function decodeBoolean(cursor: RowCursor, builder: BooleanBuilder): void {
  const byte = cursor.bytes[cursor.take(1)]!
  if (byte > 1) cursor.isBad = true
  builder.append(byte === 1)
}

function decodeLong(cursor: RowCursor, builder: Int64Builder): void {
  cursor.long()
  builder.appendHalves(cursor.high, cursor.low)
}

function decodeInt53(cursor: RowCursor, builder: Int64Builder): void {
  cursor.long()
  const { high, low } = cursor
  if (high >= 0x200000 || high < -0x200000 || (high === -0x200000 && low === 0)) cursor.isBad = true
  builder.appendHalves(high, low)
}

const floatBits = new Int32Array(2)
const float32 = new Float32Array(floatBits.buffer)
const float64 = new Float64Array(floatBits.buffer)

function decodeFloat(cursor: RowCursor, builder: Float32Builder): void {
  floatBits[0] = cursor.bits(cursor.take(4))
  const value = float32[0]!
  if (value !== value && floatBits[0] !== NAN_BITS_32) cursor.isCanonical = false
  // Not the value that was read: a column has one NaN, or it would say less or more than the value does.
  builder.append(value === value ? value : NaN)
}

function decodeDouble(cursor: RowCursor, builder: Float64Builder): void {
  const start = cursor.take(8)
  floatBits[0] = cursor.bits(start)
  floatBits[1] = cursor.bits(start + 4)
  const value = float64[0]!
  if (value !== value && (floatBits[1] !== NAN_BITS_64 || floatBits[0] !== 0)) cursor.isCanonical = false
  builder.append(value === value ? value : NaN)
}

function decodeString(cursor: RowCursor, builder: BytesBuilder): void {
  const size = cursor.int()
  const start = cursor.take(size)
  if (cursor.isBad) return
  const end = start + size
  if (!isUtf8Range(cursor.bytes, start, end)) cursor.isBad = true
  builder.appendPosition(start, end)
}

function decodeBytes(cursor: RowCursor, builder: BytesBuilder): void {
  const size = cursor.int()
  const start = cursor.take(size)
  if (!cursor.isBad) builder.appendPosition(start, start + size)
}

function symbolDecoder({ symbols: { length } }: AvroEnum): ColumnDecoder {
  return (cursor, builder) => {
    const index = cursor.int()
    if (index < 0 || index >= length) cursor.isBad = true
    if (!cursor.isBad) (builder as SymbolBuilder).appendSymbol(index)
  }
}

function fixedDecoder(size: number): ColumnDecoder {
  return (cursor, builder) => {
    const start = cursor.take(size)
    if (!cursor.isBad) (builder as FixedBuilder).append(cursor.bytes, start)
  }
}

const uuid = new Uint8Array(16)

function decodeUuid(cursor: RowCursor, builder: FixedBuilder): void {
  const size = cursor.int()
  const start = cursor.take(size)
  const form = size === UUID_TEXT_BYTES && !cursor.isBad ? parseUuid(cursor.bytes, start, uuid) : -1
  if (form < 0) cursor.isBad = true
  else if (form === 0) cursor.isCanonical = false
  builder.append(uuid)
}

function decodeTimeMillis(cursor: RowCursor, builder: Int64Builder): void {
  const value = cursor.int()
  if (value < 0 || value >= MS_PER_DAY) cursor.isBad = true
  builder.appendNumber(value * 1000)
}

function decodeTimeMicros(cursor: RowCursor, builder: Int64Builder): void {
  cursor.long()
  const { high, low } = cursor
  if (high < 0 || high * 0x100000000 + (low >>> 0) >= MS_PER_DAY * 1000) cursor.isBad = true
  builder.appendHalves(high, low)
}

/** The most milliseconds whose microseconds are a safe integer. */
const SAFE_MS = 9_007_199_254_740

function decodeMillis(cursor: RowCursor, builder: Int64Builder): void {
  cursor.long()
  const { high, low } = cursor
  // Exact as far as a Date goes.
  const ms = high * 0x100000000 + (low >>> 0)
  if (ms <= SAFE_MS && ms >= -SAFE_MS) return builder.appendNumber(ms * 1000)
  // What is no Date is no value of this kind; years after 2255 are rare enough for a BigInt.
  if (ms > MAX_DATE_MS || ms < -MAX_DATE_MS) cursor.isBad = true
  else builder.append(BigInt(ms) * 1000n)
}

/** `size` -1: bytes of any length. */
function decimalDecoder(precision: number, size: number): ColumnDecoder {
  const width = precision <= 18 ? 8 : decimalWidth(precision)
  const max = bigIntBytes(10n ** BigInt(precision) - 1n, width)
  const min = bigIntBytes(1n - 10n ** BigInt(precision), width)
  const value = new Uint8Array(width)
  const words = new DataView(value.buffer)
  return (cursor, builder) => {
    const length = size < 0 ? cursor.int() : size
    const start = cursor.take(length)
    if (cursor.isBad || length === 0 || !signExtended(cursor.bytes, start, start + length, value)) {
      cursor.isBad = true
      return
    }
    const isNegative = value[0]! >= 0x80
    if (isNegative ? isBelow(value, min) : isBelow(max, value)) cursor.isBad = true
    if (size < 0 && !isMinimal(cursor.bytes, start, length)) cursor.isCanonical = false
    if (precision > 18) (builder as FixedBuilder).append(value)
    else (builder as Int64Builder).appendHalves(words.getInt32(0), words.getInt32(4))
  }
}

/** Big-endian two's complement into all of `target`; false when it does not fit. */
function signExtended(bytes: Uint8Array, start: number, end: number, target: Uint8Array): boolean {
  const sign = bytes[start]! >= 0x80 ? 0xff : 0
  let from = start
  for (; end - from > target.length; from++) if (bytes[from] !== sign) return false
  const pad = target.length - (end - from)
  for (let at = 0; at < pad; at++) target[at] = sign
  for (let at = from; at < end; at++) target[pad + at - from] = bytes[at]!
  return target[0]! >= 0x80 === sign > 0
}

/** Of two numbers of one sign and width. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return a[at]! < b[at]!
  return false
}

function isMinimal(bytes: Uint8Array, start: number, length: number): boolean {
  if (length === 1) return true
  const first = bytes[start]!
  const isSecondNegative = bytes[start + 1]! >= 0x80
  return !((first === 0 && !isSecondNegative) || (first === 0xff && isSecondNegative))
}
