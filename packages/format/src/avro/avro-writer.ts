import { isMap } from 'node:util/types'
import { INT64_MAX, INT64_MIN, invalid, isBytes, lengthOf, shown } from '@moulin/core'
import { ByteSink } from '../bytes/byte-sink.ts'
import { branchName, MAX_AVRO_DEPTH, nullable, type AvroType } from './avro-schema.ts'

/** Where Avro data is written, with how deep in records it is. */
export class AvroSink extends ByteSink {
  depth = 0
}

export type AvroWrite = (sink: AvroSink, value: unknown) => void

/** Composes the inverse of `avroReaderOf`. A long also takes a safe number; a map also a plain object. */
export function avroWriterOf(type: AvroType): AvroWrite {
  return compile(type, 'value', new Map())
}

function compile(type: AvroType, path: string, seen: Map<AvroType, AvroWrite>): AvroWrite {
  switch (type.type) {
    case 'null':
      return (_sink, value) => expected(value === null || value === undefined, path, 'null', value)
    case 'boolean':
      return (sink, value) => {
        expected(typeof value === 'boolean', path, 'a boolean', value)
        sink.byte(value ? 1 : 0)
      }
    case 'int':
      return (sink, value) => {
        expected(typeof value === 'number' && value === (value | 0), path, 'a 32-bit integer', value)
        sink.varint(value as number)
      }
    case 'long':
      return (sink, value) => {
        if (typeof value === 'number' && Number.isSafeInteger(value)) return sink.varint(value)
        const isLong = typeof value === 'bigint' && value >= INT64_MIN && value <= INT64_MAX
        expected(isLong, path, 'a 64-bit integer', value)
        sink.varlong(value as bigint)
      }
    case 'float':
    case 'double': {
      const isFloat = type.type === 'float'
      return (sink, value) => {
        expected(typeof value === 'number', path, 'a number', value)
        if (isFloat) sink.float(value as number)
        else sink.double(value as number)
      }
    }
    case 'bytes':
      return (sink, value) => {
        expected(isBytes(value), path, 'a Uint8Array', value)
        sink.bytes(value as Uint8Array)
      }
    case 'fixed':
      return (sink, value) => {
        const isFixed = isBytes(value) && lengthOf(value) === type.size
        expected(isFixed, path, `a Uint8Array of ${type.size} bytes`, value)
        sink.raw(value as Uint8Array)
      }
    case 'string':
      return (sink, value) => {
        expected(typeof value === 'string' && value.isWellFormed(), path, 'a string of whole characters', value)
        sink.string(value as string)
      }
    case 'enum':
      return (sink, value) => {
        const index = type.symbols.indexOf(value as string)
        expected(index >= 0, path, `one of ${type.symbols.join(', ')}`, value)
        sink.varint(index)
      }
    case 'array': {
      const item = compile(type.items, `${path}[]`, seen)
      return (sink, value) => {
        expected(Array.isArray(value), path, 'an array', value)
        const items = value as unknown[]
        const { length } = items
        if (length > 0) sink.varint(length)
        let index = 0
        for (; index < length; index++) item(sink, items[index])
        expected(index === length, path, 'an array', value)
        sink.byte(0)
      }
    }
    case 'map': {
      const write = compile(type.values, `${path}{}`, seen)
      return (sink, value) => {
        expected(typeof value === 'object' && value !== null, path, 'a Map', value)
        const entries = isMap(value) ? [...entriesOf.call(value)] : Object.entries(value as object)
        if (entries.length > 0) sink.varint(entries.length)
        for (const [key, each] of entries) {
          expected(typeof key === 'string' && key.isWellFormed(), path, 'a Map with keys of whole characters', value)
          sink.string(key)
          write(sink, each)
        }
        sink.byte(0)
      }
    }
    case 'union':
      return compileUnion(type, path, seen)
    case 'record':
      return compileRecord(type, path, seen)
  }
}

const { entries: entriesOf } = Map.prototype as Map<string, unknown>

function compileRecord(type: AvroType & { type: 'record' }, path: string, seen: Map<AvroType, AvroWrite>): AvroWrite {
  const known = seen.get(type)
  if (known !== undefined) return known
  const fields: { readonly name: string; readonly write: AvroWrite }[] = []
  const write: AvroWrite = (sink, value) => {
    expected(typeof value === 'object' && value !== null, path, `a record ${type.name}`, value)
    if (++sink.depth > MAX_AVRO_DEPTH) {
      throw invalid('AVRO_VALUE', `The field ${path} nests deeper than ${MAX_AVRO_DEPTH} records.`)
    }
    for (const field of fields) field.write(sink, (value as Record<string, unknown>)[field.name])
    sink.depth--
  }
  seen.set(type, write)
  for (const field of type.fields)
    fields.push({ name: field.name, write: compile(field.type, `${path}.${field.name}`, seen) })
  return write
}

function compileUnion(type: AvroType & { type: 'union' }, path: string, seen: Map<AvroType, AvroWrite>): AvroWrite {
  const writes = type.branches.map((branch) => compile(branch, path, seen))
  const pair = nullable(type)
  const nullIndex = type.branches.findIndex((branch) => branch.type === 'null')
  const names = type.branches.map(branchName)
  return (sink, value) => {
    if (value === null || value === undefined) {
      expected(nullIndex >= 0, path, 'a value that is not null', value)
      return sink.varint(nullIndex)
    }
    if (pair !== undefined || writes.length === 1) {
      const index = pair === undefined ? 0 : 1 - pair.nullIndex
      sink.varint(index)
      return writes[index]!(sink, value)
    }
    const wrapped = Object.entries(value as object)
    const index = wrapped.length === 1 ? names.indexOf(wrapped[0]![0]) : -1
    expected(index >= 0, path, `an object with one key of ${names.join(', ')}`, value)
    sink.varint(index)
    writes[index]!(sink, wrapped[0]![1])
  }
}

function expected(holds: boolean, path: string, what: string, value: unknown): void {
  if (holds) return
  throw invalid('AVRO_VALUE', `The field ${path} must be ${what}, not ${shown(value)}.`, { context: { field: path } })
}
