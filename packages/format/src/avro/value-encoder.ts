import type { Schema } from '@moulin/core'
import { ByteSink } from '../byte-sink.ts'
import { bigIntBytes, bigIntWidth } from '../scalars.ts'
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
  checkObject,
  mismatch,
  missing,
  valueFields,
} from '../value-fields.ts'
import type { AvroEnum } from './avro-schema.ts'
import type { FlatField } from './flat-record.ts'

type ValueWriter = (sink: ByteSink, value: unknown) => void

/**
 * Encodes values of a flat record into one reused buffer; gives a copy. Absent, undefined and null are the same.
 * @throws `invalid` naming the field.
 */
export function valueEncoder(schema: Schema, fields: readonly FlatField[]): (value: unknown) => Uint8Array {
  const sink = new ByteSink(1024)
  const { read, checkKnown } = valueFields(schema.fields)
  const writers = fields.map(valueWriter)
  return (value) => {
    checkObject(value)
    sink.reset()
    let present = 0
    for (let index = 0; index < writers.length; index++) {
      const { name, nullIndex } = fields[index]!
      const member = read(value, index)
      if (member !== null) {
        present++
        if (nullIndex >= 0) sink.byte((1 - nullIndex) * 2)
        writers[index]!(sink, member)
      } else if (nullIndex >= 0) sink.byte(nullIndex * 2)
      else throw missing(name)
    }
    checkKnown(value, present)
    return sink.finish()
  }
}

function valueWriter({ name, type: { spec }, encoding }: FlatField): ValueWriter {
  switch (spec.kind) {
    case 'boolean':
      return (sink, value) => sink.byte(asBoolean(value, name) ? 1 : 0)
    case 'int':
      return (sink, value) => sink.varint(asInt(value, name))
    case 'int53':
      return (sink, value) => sink.varint(asInt53(value, name))
    case 'long':
      return (sink, value) => writeLong(sink, asLong(value, name))
    case 'float':
      return (sink, value) => sink.float(asFloat(value, name))
    case 'double':
      return (sink, value) => sink.double(asDouble(value, name))
    case 'string':
      if (encoding.type === 'enum') return symbolWriter(name, encoding)
      return (sink, value) => sink.string(asString(value, name))
    case 'binary':
      return (sink, value) => sink.bytes(asBytes(value, name))
    case 'uuid':
      if (encoding.type === 'string') return (sink, value) => sink.string(asUuid(value, name))
      return (sink, value) => sink.raw(Buffer.from(asUuid(value, name).replaceAll('-', ''), 'hex'))
    case 'fixed':
      return (sink, value) => sink.raw(asFixed(value, name, spec.length))
    case 'date':
      return (sink, value) => sink.varint(asDays(value, name))
    case 'decimal':
      return (sink, value) => {
        const unscaled = asDecimal(value, name, spec.precision, spec.scale)
        if (encoding.type === 'fixed') sink.raw(bigIntBytes(unscaled, encoding.size))
        else sink.bytes(bigIntBytes(unscaled, bigIntWidth(unscaled)))
      }
    case 'time':
      if (spec.as === 'micros') return (sink, value) => writeLong(sink, asTimeMicros(value, name))
      return (sink, value) => sink.varint(asTimeMs(value, name))
    default:
      if ('as' in spec && spec.as === 'micros') return (sink, value) => writeLong(sink, asLong(value, name))
      return (sink, value) => sink.varint(asDateMs(value, name))
  }
}

/** Most longs are safe numbers, and those are written without more BigInts. */
function writeLong(sink: ByteSink, value: bigint): void {
  const number = Number(value)
  if (Number.isSafeInteger(number)) sink.varint(number)
  else sink.varlong(value)
}

function symbolWriter(name: string, { symbols }: AvroEnum): ValueWriter {
  const indexes = new Map(symbols.map((symbol, index) => [symbol, index]))
  return (sink, value) => {
    const index = indexes.get(value as string)
    if (index === undefined) throw mismatch(name, `one of ${symbols.join(', ')}`, value)
    sink.varint(index)
  }
}
