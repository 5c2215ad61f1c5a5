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
  MAX_DATE_MS,
  parseDate,
  parseDecimal,
  parseUuid,
  UUID_TEXT_BYTES,
} from '../scalars.ts'
import type { JsonCursor } from './json-cursor.ts'
import { parseTime } from './json-times.ts'

/** How one kind is read: scanned into the cursor once, then taken as a row of a column or as a JavaScript value. */
export interface JsonKind {
  /** Sets `isBad` for what is not of the kind, `isCanonical` false for another spelling. */
  scan(cursor: JsonCursor): void
  append(cursor: JsonCursor, builder: ColumnBuilder): void
  value(cursor: JsonCursor): unknown
}

/** A kind whose builder is known. */
function kindOf<B extends ColumnBuilder>(kind: {
  scan(cursor: JsonCursor): void
  append(cursor: JsonCursor, builder: B): void
  value(cursor: JsonCursor): unknown
}): JsonKind {
  return kind as JsonKind
}

/** @throws nothing: kinds without columns were refused before. */
export function jsonKind({ spec }: Type): JsonKind {
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
      return uuidKind()
    case 'date':
      return dateKind()
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

const booleanKind = kindOf<BooleanBuilder>({
  scan(cursor) {
    const value = cursor.scanLiteral()
    if (value === null) cursor.isBad = true
    cursor.number = value === true ? 1 : 0
  },
  append: (cursor, builder) => builder.append(cursor.number === 1),
  value: (cursor) => cursor.number === 1,
})

const intKind = kindOf<Int32Builder>({
  scan(cursor) {
    cursor.scanInteger()
    if (cursor.high !== cursor.low >> 31) cursor.isBad = true
  },
  append: (cursor, builder) => builder.append(cursor.low),
  value: (cursor) => cursor.low,
})

const int53Kind = kindOf<Int64Builder>({
  scan(cursor) {
    cursor.scanInteger()
    if (!Number.isSafeInteger(cursor.number)) cursor.isBad = true
  },
  append: (cursor, builder) => builder.appendHalves(cursor.high, cursor.low),
  // Without a negative zero.
  value: (cursor) => cursor.number + 0,
})

const longKind = kindOf<Int64Builder>({
  scan: (cursor) => cursor.scanInteger(),
  append: (cursor, builder) => builder.appendHalves(cursor.high, cursor.low),
  value: (cursor) => (BigInt(cursor.high) << 32n) | BigInt(cursor.low >>> 0),
})

const doubleKind = kindOf<Float64Builder>({
  scan(cursor) {
    cursor.scanNumber()
    if (!Number.isFinite(cursor.number)) cursor.isBad = true
  },
  append: (cursor, builder) => builder.append(cursor.number),
  value: (cursor) => cursor.number,
})

const floatKind = kindOf<Float32Builder>({
  scan(cursor) {
    cursor.scanNumber()
    const float = Math.fround(cursor.number)
    if (!Number.isFinite(float)) cursor.isBad = true
    // The text has digits that the float does not keep.
    if (float !== cursor.number) cursor.isCanonical = false
    cursor.number = float
  },
  append: (cursor, builder) => builder.append(cursor.number),
  value: (cursor) => cursor.number,
})

const stringKind = kindOf<BytesBuilder>({
  scan: (cursor) => cursor.scanText(),
  append(cursor, builder) {
    const { text, textStart, textEnd } = cursor
    // Text with escapes lies outside the arena.
    if (text === cursor.bytes) builder.appendPosition(textStart, textEnd)
    else builder.append(text.subarray(textStart, textEnd))
  },
  value: ({ text, textStart, textEnd }) => text.utf8Slice(textStart, textEnd),
})

/** Standard alphabet, padded. */
function base64Kind(length: number | undefined): JsonKind {
  let bytes = new Uint8Array(0)
  return kindOf<BytesBuilder | FixedBuilder>({
    scan(cursor) {
      cursor.scanText()
      if (cursor.isBad) return
      const text = cursor.text.latin1Slice(cursor.textStart, cursor.textEnd)
      const decoded = Buffer.from(text, 'base64')
      if (decoded.toString('base64') !== text) cursor.isBad = true
      if (length !== undefined && decoded.length !== length) cursor.isBad = true
      bytes = new Uint8Array(decoded)
    },
    append: (_cursor, builder) => builder.append(bytes),
    value: () => bytes,
  })
}

function uuidKind(): JsonKind {
  const bytes = new Uint8Array(16)
  return kindOf<FixedBuilder>({
    scan(cursor) {
      cursor.scanText()
      const { text, textStart, textEnd } = cursor
      const form = !cursor.isBad && textEnd - textStart === UUID_TEXT_BYTES ? parseUuid(text, textStart, bytes) : -1
      if (form < 0) cursor.isBad = true
      if (form === 0) cursor.isCanonical = false
    },
    append: (_cursor, builder) => builder.append(bytes),
    value: ({ text, textStart, textEnd }) => text.latin1Slice(textStart, textEnd).toLowerCase(),
  })
}

function dateKind(): JsonKind {
  return kindOf<Int32Builder>({
    scan(cursor) {
      cursor.scanText()
      const days = parseDate(cursor.text.latin1Slice(cursor.textStart, cursor.textEnd))
      if (days === undefined) cursor.isBad = true
      else cursor.number = days
    },
    append: (cursor, builder) => builder.append(cursor.number),
    value: (cursor) => dateText(cursor.number),
  })
}

/** A string; a number of JSON is taken too, digit for digit. */
function decimalKind(precision: number, scale: number): JsonKind {
  let unscaled = 0n
  return kindOf<Int64Builder | FixedBuilder>({
    scan(cursor) {
      let text: string
      if (cursor.peek() === 0x22) {
        cursor.scanText()
        text = cursor.text.latin1Slice(cursor.textStart, cursor.textEnd)
      } else {
        text = cursor.scanNumberToken()
        cursor.isCanonical = false
      }
      const parsed = cursor.isBad ? undefined : parseDecimal(text, precision, scale)
      if (parsed === undefined) {
        cursor.isBad = true
        return
      }
      unscaled = parsed
      if (decimalText(parsed, scale) !== text) cursor.isCanonical = false
    },
    append(_cursor, builder) {
      if (builder.storage === 'fixed') builder.append(bigIntBytes(unscaled, decimalWidth(precision)))
      else builder.append(unscaled)
    },
    value: () => decimalText(unscaled, scale),
  })
}

function timeKind(options: { isDated: boolean; isZoned: boolean; as: 'native' | 'micros' }): JsonKind {
  const { isDated, as } = options
  const form = { ...options, digits: as === 'micros' ? 6 : 3 } as const
  let micros: number | bigint = 0
  return kindOf<Int64Builder>({
    scan(cursor) {
      cursor.scanText()
      const parsed = cursor.isBad ? undefined : parseTime(cursor, form)
      const isInRange =
        parsed !== undefined &&
        (typeof parsed === 'number' || (parsed >= INT64_MIN && parsed <= INT64_MAX)) &&
        (as === 'micros' || !isDated || Math.abs(Number(parsed)) <= MAX_DATE_MS * 1000)
      if (!isInRange) cursor.isBad = true
      else micros = parsed
    },
    append(_cursor, builder) {
      if (typeof micros === 'number') builder.appendNumber(micros)
      else builder.append(micros)
    },
    value() {
      if (as === 'micros') return BigInt(micros)
      // Downwards, where the text is finer than the kind.
      const ms =
        typeof micros === 'number'
          ? Math.floor(micros / 1000)
          : Number((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n)
      return isDated ? new Date(ms) : ms
    },
  })
}
