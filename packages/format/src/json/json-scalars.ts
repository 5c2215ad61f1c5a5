import type {
  BooleanBuilder,
  BytesBuilder,
  ColumnBuilder,
  FixedBuilder,
  Float32Builder,
  Float64Builder,
  Int32Builder,
  Int64Builder,
  Type,
} from '@moulin/core'
import { decimalWidth, INT64_MAX, INT64_MIN } from '@moulin/core'
import {
  bigIntBytes,
  dateText,
  decimalText,
  floorMillis,
  MAX_DATE_MS,
  parseDate,
  parseDecimal,
  parseUuid,
  UUID_TEXT_BYTES,
  writeUuid,
} from '../values/scalars.ts'
import type { JsonCursor } from './json-cursor.ts'
import { parseTime } from './json-times.ts'

/**
 * How one kind is read: as a row of a column, or as a JavaScript value. Both set the cursor's `isBad` for what is not of
 * the kind (a column then has the row or not, a value is anything), and `isCanonical` false for another spelling.
 */
export interface JsonKind<B extends ColumnBuilder = ColumnBuilder> {
  append(cursor: JsonCursor, builder: B): void
  value(cursor: JsonCursor): unknown
}

/** A kind whose builder is known. */
export function kindOf<B extends ColumnBuilder>(kind: JsonKind<B>): JsonKind {
  return kind as unknown as JsonKind
}

export function scalarKind({ spec }: Type): JsonKind {
  switch (spec.kind) {
    case 'boolean':
      return booleanKind
    case 'int':
      return intKind
    case 'int53':
      return int53Kind
    case 'long':
      return longKind
    case 'float':
      return floatKind
    case 'double':
      return doubleKind
    case 'string':
      return stringKind
    case 'binary':
      return base64Kind(undefined)
    case 'fixed':
      return base64Kind(spec.length)
    case 'uuid':
      return uuidKind
    case 'date':
      return dateKind
    case 'decimal':
      return decimalKind(spec.precision, spec.scale)
    case 'time':
      return timeKind({ isDated: false, isZoned: false, as: spec.as })
    case 'timestamp':
      return timeKind({ isDated: true, isZoned: false, as: spec.as })
    default:
      return timeKind({ isDated: true, isZoned: true, as: 'as' in spec ? spec.as : 'native' })
  }
}

function scanBoolean(cursor: JsonCursor): boolean {
  const value = cursor.scanLiteral()
  if (value === null) cursor.isBad = true
  return value === true
}

const booleanKind = kindOf<BooleanBuilder>({
  append: (cursor, builder) => builder.append(scanBoolean(cursor)),
  value: scanBoolean,
})

function scanInt(cursor: JsonCursor): number {
  cursor.scanInteger()
  if (cursor.high !== cursor.low >> 31) cursor.isBad = true
  return cursor.low
}

const intKind = kindOf<Int32Builder>({
  append: (cursor, builder) => builder.append(scanInt(cursor)),
  value: scanInt,
})

function scanInt53(cursor: JsonCursor): number {
  cursor.scanInteger()
  if (!Number.isSafeInteger(cursor.number)) cursor.isBad = true
  // Without a negative zero.
  return cursor.number + 0
}

const int53Kind = kindOf<Int64Builder>({
  append(cursor, builder) {
    scanInt53(cursor)
    builder.appendHalves(cursor.high, cursor.low)
  },
  value: scanInt53,
})

const longKind = kindOf<Int64Builder>({
  append(cursor, builder) {
    cursor.scanInteger()
    builder.appendHalves(cursor.high, cursor.low)
  },
  value(cursor) {
    cursor.scanInteger()
    return (BigInt(cursor.high) << 32n) | BigInt(cursor.low >>> 0)
  },
})

function scanDouble(cursor: JsonCursor): number {
  cursor.scanNumber()
  if (!Number.isFinite(cursor.number)) cursor.isBad = true
  return cursor.number
}

const doubleKind = kindOf<Float64Builder>({
  append: (cursor, builder) => builder.append(scanDouble(cursor)),
  value: scanDouble,
})

function scanFloat(cursor: JsonCursor): number {
  cursor.scanNumber()
  const float = Math.fround(cursor.number)
  if (!Number.isFinite(float)) cursor.isBad = true
  // The text has digits that the float does not keep.
  if (float !== cursor.number) cursor.isCanonical = false
  return float
}

const floatKind = kindOf<Float32Builder>({
  append: (cursor, builder) => builder.append(scanFloat(cursor)),
  value: scanFloat,
})

export const stringKind: JsonKind = kindOf<BytesBuilder>({
  append(cursor, builder) {
    cursor.scanText()
    if (cursor.isBad) return
    const { text, textStart, textEnd } = cursor
    // Text with escapes lies outside the arena.
    if (text === cursor.bytes) builder.appendPosition(textStart, textEnd)
    else builder.append(text.subarray(textStart, textEnd))
  },
  value(cursor) {
    cursor.scanText()
    return cursor.isBad ? '' : cursor.text.utf8Slice(cursor.textStart, cursor.textEnd)
  },
})

const noBytes = new Uint8Array(0)

/** Standard alphabet, padded. */
function base64Kind(length: number | undefined): JsonKind {
  const scan = (cursor: JsonCursor): Uint8Array => {
    cursor.scanText()
    if (cursor.isBad) return noBytes
    const text = cursor.text.latin1Slice(cursor.textStart, cursor.textEnd)
    const decoded = Buffer.from(text, 'base64')
    if (decoded.toString('base64') !== text) cursor.isBad = true
    if (length !== undefined && decoded.length !== length) cursor.isBad = true
    return new Uint8Array(decoded)
  }
  return kindOf<BytesBuilder | FixedBuilder>({
    append(cursor, builder) {
      const bytes = scan(cursor)
      if (!cursor.isBad) builder.append(bytes)
    },
    value: scan,
  })
}

const uuid = new Uint8Array(16)
const uuidText = Buffer.alloc(UUID_TEXT_BYTES)

function scanUuid(cursor: JsonCursor): void {
  cursor.scanText()
  const { text, textStart, textEnd } = cursor
  const form = !cursor.isBad && textEnd - textStart === UUID_TEXT_BYTES ? parseUuid(text, textStart, uuid) : -1
  if (form < 0) cursor.isBad = true
  if (form === 0) cursor.isCanonical = false
}

const uuidKind = kindOf<FixedBuilder>({
  append(cursor, builder) {
    scanUuid(cursor)
    builder.append(uuid)
  },
  value(cursor) {
    scanUuid(cursor)
    writeUuid(uuid, 0, uuidText, 0)
    return uuidText.toString('latin1')
  },
})

function scanDate(cursor: JsonCursor): number {
  cursor.scanText()
  const days = cursor.isBad ? undefined : parseDate(cursor.text.latin1Slice(cursor.textStart, cursor.textEnd))
  if (days === undefined) cursor.isBad = true
  return days ?? 0
}

const dateKind = kindOf<Int32Builder>({
  append: (cursor, builder) => builder.append(scanDate(cursor)),
  value: (cursor) => dateText(scanDate(cursor)),
})

/** A string; a number of JSON is taken too, digit for digit. */
function decimalKind(precision: number, scale: number): JsonKind {
  const scan = (cursor: JsonCursor): bigint => {
    let text: string
    if (cursor.peek() === 0x22) {
      cursor.scanText()
      text = cursor.text.latin1Slice(cursor.textStart, cursor.textEnd)
    } else {
      text = cursor.scanNumberToken()
      cursor.isCanonical = false
    }
    const unscaled = cursor.isBad ? undefined : parseDecimal(text, precision, scale)
    if (unscaled === undefined) cursor.isBad = true
    else if (decimalText(unscaled, scale) !== text) cursor.isCanonical = false
    return unscaled ?? 0n
  }
  return kindOf<Int64Builder | FixedBuilder>({
    append(cursor, builder) {
      const unscaled = scan(cursor)
      if (builder.storage === 'fixed') builder.append(bigIntBytes(unscaled, decimalWidth(precision)))
      else builder.append(unscaled)
    },
    value: (cursor) => decimalText(scan(cursor), scale),
  })
}

function timeKind(options: { isDated: boolean; isZoned: boolean; as: 'native' | 'micros' | 'nanos' }): JsonKind {
  const { isDated, as } = options
  const form = { ...options, digits: as === 'micros' ? 6 : 3 } as const
  const scan = (cursor: JsonCursor): number | bigint => {
    cursor.scanText()
    const micros = cursor.isBad ? undefined : parseTime(cursor, form)
    const isInRange =
      micros !== undefined &&
      (typeof micros === 'number' || (micros >= INT64_MIN && micros <= INT64_MAX)) &&
      (as === 'micros' || !isDated || Math.abs(Number(micros)) <= MAX_DATE_MS * 1000)
    if (isInRange) return micros
    cursor.isBad = true
    return 0
  }
  return kindOf<Int64Builder>({
    append(cursor, builder) {
      const micros = scan(cursor)
      if (typeof micros === 'number') builder.appendNumber(micros)
      else builder.append(micros)
    },
    value(cursor) {
      const micros = scan(cursor)
      if (as === 'micros') return BigInt(micros)
      // Downwards, where the text is finer than the kind.
      const ms = typeof micros === 'number' ? Math.floor(micros / 1000) : Number(floorMillis(micros))
      return isDated ? new Date(ms) : ms
    },
  })
}
