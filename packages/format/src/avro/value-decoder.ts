import { bigIntOf, dateText, decimalText, MAX_DATE_MS, MS_PER_DAY, parseUuid, writeUuid } from '../scalars.ts'
import type { AvroReader, AvroRead } from './avro-reader.ts'
import type { FlatField } from './flat-record.ts'

/** Decodes values of a flat record to null-prototype objects of the schema's own JavaScript types. @throws `corrupt`. */
export function valueDecoder(fields: readonly FlatField[]): (reader: AvroReader) => Record<string, unknown> {
  const reads = fields.map(fieldReader)
  return (reader) => {
    const value = Object.create(null) as Record<string, unknown>
    for (let index = 0; index < reads.length; index++) value[fields[index]!.name] = reads[index]!(reader)
    return value
  }
}

function fieldReader(field: FlatField): AvroRead {
  const read = scalarReader(field)
  const { nullIndex } = field
  if (nullIndex < 0) return read
  return (reader) => {
    const branch = reader.int()
    if (branch === nullIndex) return null
    if (branch !== 1 - nullIndex) throw reader.fail(`a union of 2 branches has no branch ${branch}`)
    return read(reader)
  }
}

function scalarReader({ type: { spec }, encoding }: FlatField): AvroRead {
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
