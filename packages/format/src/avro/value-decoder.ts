import type { Field } from '@moulin/core'
import { comparableKey, entrySetter } from '../values/nested-values.ts'
import { bigIntOf, dateText, decimalText, MAX_DATE_MS, MS_PER_DAY, parseUuid, writeUuid } from '../values/scalars.ts'
import { foldNode, minimumBytesOf, type AvroNode } from './avro-node.ts'
import { readBlocks, type AvroReader, type AvroRead } from './avro-reader.ts'

/** Decodes records to null-prototype objects of the schema's own JavaScript types. @throws `corrupt`. */
export function recordReader(
  fields: readonly Field[],
  nodes: readonly AvroNode[],
): (reader: AvroReader) => Record<string, unknown> {
  const names = fields.map(({ name }) => name)
  const reads = nodes.map(nodeReader)
  return (reader) => {
    const value = Object.create(null) as Record<string, unknown>
    for (let index = 0; index < reads.length; index++) value[names[index]!] = reads[index]!(reader)
    return value
  }
}

function nodeReader(node: AvroNode): AvroRead {
  const read = presentReader(node)
  const { nullIndex } = node
  if (nullIndex < 0) return read
  return (reader) => {
    const branch = reader.int()
    if (branch === nullIndex) return null
    if (branch !== 1 - nullIndex) throw reader.fail(`a union of 2 branches has no branch ${branch}`)
    return read(reader)
  }
}

function presentReader(node: AvroNode): AvroRead {
  return foldNode<AvroRead>(node, {
    scalar: scalarReader,
    list: listReader,
    map: mapReader,
    struct: recordReader,
  })
}

function listReader(element: AvroNode): AvroRead {
  const read = nodeReader(element)
  const elementBytes = minimumBytesOf(element)
  return (reader) => {
    const items: unknown[] = []
    readBlocks(reader, elementBytes, () => items.push(read(reader)))
    return items
  }
}

function mapReader(key: AvroNode, value: AvroNode): AvroRead {
  const readKey = nodeReader(key)
  const readValue = nodeReader(value)
  const set = entrySetter(comparableKey(key.type))
  const entryBytes = minimumBytesOf(key) + minimumBytesOf(value)
  return (reader) => {
    const map = new Map<unknown, unknown>()
    readBlocks(reader, entryBytes, () => set(map, readKey(reader), readValue(reader)))
    return map
  }
}

function scalarReader({ type: { spec }, encoding }: AvroNode): AvroRead {
  switch (spec.kind) {
    case 'boolean':
      return (reader) => reader.boolean()
    case 'int':
      return (reader) => reader.int()
    case 'int53':
      return (reader) => reader.size()
    case 'long':
      return (reader) => reader.long()
    case 'float':
      return (reader) => reader.float()
    case 'double':
      return (reader) => reader.double()
    case 'string':
      if (encoding.type !== 'enum') return (reader) => reader.string()
      return (reader) => {
        const symbol = encoding.symbols[reader.int()]
        if (symbol === undefined) throw reader.fail(`the enum ${encoding.name} has no such symbol`)
        return symbol
      }
    case 'binary':
      return (reader) => reader.copy(reader.size())
    case 'uuid':
      return encoding.type === 'string' ? uuidText : uuidFixed
    case 'fixed':
      return (reader) => reader.copy(spec.length)
    case 'date':
      return (reader) => dateText(reader.int())
    case 'decimal': {
      const size = encoding.type === 'fixed' ? encoding.size : -1
      const limit = 10n ** BigInt(spec.precision)
      return (reader) => readDecimal(reader, size, limit, spec.scale)
    }
    case 'time':
      if (spec.as === 'native') return (reader) => inDay(reader, reader.int(), 1)
      return (reader) => BigInt(inDay(reader, reader.size(), 1000))
    default:
      return 'as' in spec && spec.as === 'micros' ? (reader) => reader.long() : readDate
  }
}

function readDate(reader: AvroReader): Date {
  const ms = reader.size()
  if (ms > MAX_DATE_MS || ms < -MAX_DATE_MS) throw reader.fail(`${ms} ms is beyond what a Date holds`)
  return new Date(ms)
}

function inDay(reader: AvroReader, time: number, unitsPerMs: number): number {
  if (time < 0 || time >= MS_PER_DAY * unitsPerMs) throw reader.fail(`${time} is no time of a day`)
  return time
}

function readDecimal(reader: AvroReader, fixedSize: number, limit: bigint, scale: number): string {
  const size = fixedSize < 0 ? reader.size() : fixedSize
  const start = reader.take(size)
  // Sign bytes that say nothing are passed over, so that no BigInt grows larger than the largest decimal.
  let from = start
  const { bytes } = reader
  const sign = bytes[start]! >= 0x80 ? 0xff : 0
  while (start + size - from > 17 && bytes[from] === sign && bytes[from + 1]! >= 0x80 === sign > 0) from++
  const isSane = size > 0 && start + size - from <= 17
  const unscaled = isSane ? bigIntOf(bytes, from, start + size) : limit
  if (unscaled >= limit || unscaled <= -limit) throw reader.fail('a decimal is empty or has too many digits')
  return decimalText(unscaled, scale)
}

const uuid = new Uint8Array(16)
const text = Buffer.alloc(36)

function uuidText(reader: AvroReader): string {
  const size = reader.size()
  const start = reader.take(size)
  if (size !== 36 || parseUuid(reader.bytes, start, uuid) < 0) throw reader.fail('a UUID is expected')
  writeUuid(uuid, 0, text, 0)
  return text.toString('latin1')
}

function uuidFixed(reader: AvroReader): string {
  writeUuid(reader.bytes, reader.take(16), text, 0)
  return text.toString('latin1')
}
