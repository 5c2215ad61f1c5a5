import type { BytesColumn, Column, FixedColumn, PrimitiveColumn, Type } from '@moulin/core'
import { invalid, plainView, stringifyJson } from '@moulin/core'
import { longReader } from '../bytes/int64-halves.ts'
import { bigIntOf, dateText, decimalText, UUID_TEXT_BYTES, writeUuid } from '../values/scalars.ts'
import {
  asBoolean,
  asBytes,
  asDateMs,
  asDays,
  asDecimal,
  asDouble,
  asFixed,
  asFloat,
  asInt,
  asInt53,
  asLong,
  asString,
  asTimeMicros,
  asTimeMs,
  asUuid,
  mismatch,
} from '../values/value-fields.ts'
import type { ValuePath } from '../values/value-path.ts'
import type { RowWriter } from '../values/row-writer.ts'
import type { JsonSink } from './json-sink.ts'
import { writeTime, writeTimestamp } from './json-times.ts'

/** Writes the JSON text of a value that is there. @throws `invalid` naming the field. */
export type ValueWriter = (sink: JsonSink, value: unknown) => void
/** Writes the value of a row that has one. */
export type ColumnText = (column: Column, row: number, writer: RowWriter) => void

function base64(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')}"`
}

/** A number as `JSON.stringify` writes it: no sign on a zero. */
function writeNumber(sink: JsonSink, value: number, name: ValuePath): void {
  if (!Number.isFinite(value)) throw mismatch(name, 'a number that JSON has: finite', value)
  sink.ascii(String(value))
}

/** Composes the writer of a scalar kind from JavaScript values. */
export function scalarWriter({ spec }: Type, name: ValuePath): ValueWriter {
  switch (spec.kind) {
    case 'boolean':
      return (sink, value) => sink.ascii(asBoolean(value, name) ? 'true' : 'false')
    case 'int':
      return (sink, value) => sink.integer(asInt(value, name))
    case 'int53':
      return (sink, value) => sink.integer(asInt53(value, name))
    case 'long':
      return (sink, value) => sink.ascii(String(asLong(value, name)))
    case 'float':
      return (sink, value) => writeNumber(sink, Math.fround(asFloat(value, name)), name)
    case 'double':
      return (sink, value) => writeNumber(sink, asDouble(value, name), name)
    case 'string':
      return (sink, value) => sink.quoted(asString(value, name))
    case 'binary':
      return (sink, value) => sink.ascii(base64(plainView(asBytes(value, name))))
    case 'fixed':
      return (sink, value) => sink.ascii(base64(plainView(asFixed(value, name, spec.length))))
    case 'uuid':
      return (sink, value) => sink.ascii(`"${asUuid(value, name)}"`)
    case 'date':
      return (sink, value) => sink.ascii(`"${dateText(asDays(value, name))}"`)
    case 'decimal':
      return (sink, value) =>
        sink.ascii(`"${decimalText(asDecimal(value, name, spec.precision, spec.scale), spec.scale)}"`)
    case 'time': {
      const [digits, read] = spec.as === 'micros' ? ([6, microsOfDay] as const) : ([3, millisOfDay] as const)
      return (sink, value) => {
        sink.byte(QUOTE)
        writeTime(sink, read(value, name), digits)
        sink.byte(QUOTE)
      }
    }
    default: {
      const [digits, read] = 'as' in spec && spec.as === 'micros' ? ([6, asLong] as const) : ([3, microsOf] as const)
      const end = spec.kind === 'timestamptz' ? 'Z"' : '"'
      return (sink, value) => {
        sink.byte(QUOTE)
        writeTimestamp(sink, read(value, name), digits)
        sink.ascii(end)
      }
    }
  }
}

const millisOfDay = (value: unknown, name: ValuePath): number => asTimeMs(value, name) * 1000
const microsOfDay = (value: unknown, name: ValuePath): number => Number(asTimeMicros(value, name))

function microsOf(value: unknown, name: ValuePath): bigint | number {
  const ms = asDateMs(value, name)
  const micros = ms * 1000
  return Number.isSafeInteger(micros) ? micros : BigInt(ms) * 1000n
}

/** Composes the same text from columns; `path` names the column in errors. */
export function scalarColumnText({ spec }: Type, path: string): ColumnText {
  switch (spec.kind) {
    case 'boolean':
      return (column, row, writer) => writer.ascii(numberAt(column, row) === 1 ? 'true' : 'false')
    case 'int':
      return (column, row, writer) => writer.integer(numberAt(column, row))
    case 'int53':
    case 'long': {
      const long = longReader()
      return (column, row, writer) => {
        const value = long(column, row)
        if (typeof value === 'number') writer.integer(value)
        else writer.ascii(String(value))
      }
    }
    case 'float':
    case 'double':
      return (column, row, writer) => {
        const value = numberAt(column, row)
        if (value === (value | 0)) writer.integer(value)
        else writer.ascii(columnNumber(path, value))
      }
    case 'string':
      return writeQuoted
    case 'binary':
      return (column, row, writer) => {
        const { data, starts, ends } = column as BytesColumn
        writer.ascii(base64(data.subarray(starts[row]!, ends[row]!)))
      }
    case 'fixed':
      return (column, row, writer) => {
        const { values, width } = column as FixedColumn
        writer.ascii(base64(values.subarray(row * width, (row + 1) * width)))
      }
    case 'uuid':
      return writeUuidText
    case 'date':
      return (column, row, writer) => writer.ascii(`"${dateText(numberAt(column, row))}"`)
    case 'decimal':
      return (column, row, writer) => writer.ascii(`"${decimalText(decimalAt(column, row), spec.scale)}"`)
    case 'time': {
      const long = longReader()
      const digits = spec.as === 'micros' ? 6 : 3
      return (column, row, writer) => {
        writer.byte(QUOTE)
        writeTime(writer, Number(long(column, row)), digits)
        writer.byte(QUOTE)
      }
    }
    default: {
      const long = longReader()
      const digits = 'as' in spec && spec.as === 'micros' ? 6 : 3
      const end = spec.kind === 'timestamptz' ? 'Z"' : '"'
      return (column, row, writer) => {
        writer.byte(QUOTE)
        writeTimestamp(writer, long(column, row), digits)
        writer.ascii(end)
      }
    }
  }
}

const QUOTE = 0x22

function numberAt(column: Column, row: number): number {
  return (column as PrimitiveColumn).values[row] as number
}

function decimalAt(column: Column, row: number): bigint {
  if (column.storage !== 'fixed') return (column as PrimitiveColumn).values[row] as bigint
  return bigIntOf(column.values, row * column.width, (row + 1) * column.width)
}

function columnNumber(path: string, value: number): string {
  if (Number.isFinite(value)) return String(value)
  throw invalid('COLUMN_NUMBER', `The column ${path} holds ${value}, which JSON has no number for.`)
}

const uuid = new Uint8Array(UUID_TEXT_BYTES + 2).fill(0x22)

function writeUuidText(column: Column, row: number, writer: RowWriter): void {
  writeUuid((column as FixedColumn).values, row * 16, uuid, 1)
  writer.raw(uuid, 0, uuid.length)
}

/** The escapes of the bytes below 0x20, of the quote and of the backslash. */
const escapes = Array.from({ length: 0x5d }, (_, code) => {
  const text = stringifyJson(String.fromCharCode(code)).slice(1, -1)
  return text.length > 1 ? text : undefined
})

/** 1 for the bytes that stand for themselves. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) => (escapes[byte] === undefined ? 1 : 0))

function writeQuoted(column: Column, row: number, writer: RowWriter): void {
  const { data, starts, ends } = column as BytesColumn
  const end = ends[row]!
  writer.byte(QUOTE)
  let from = starts[row]!
  for (let at = from; at < end; at++) {
    const byte = data[at]!
    if (isPlain[byte] === 1) continue
    writer.raw(data, from, at)
    writer.ascii(escapes[byte]!)
    from = at + 1
  }
  writer.raw(data, from, end)
  writer.byte(QUOTE)
}
