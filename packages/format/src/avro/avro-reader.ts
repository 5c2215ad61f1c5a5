import { isUtf8 } from 'node:buffer'
import { corrupt, exhausted } from '@moulin/core'
import { textBuffer, type TextBuffer } from '../bytes/text-buffer.ts'
import { branchName, MAX_AVRO_DEPTH, nullable, type AvroType } from './avro-schema.ts'

/** Values that take no bytes (null, a record of nulls) could come in any number: they are counted instead. */
export const MAX_EMPTY_ITEMS = 65_536

export function tooManyEmpty(count: number): Error {
  return exhausted('AVRO_EMPTY_ITEMS', `${count} Avro items of no bytes; the limit is ${MAX_EMPTY_ITEMS}.`)
}

/** A cursor over Avro binary data. Every read checks that the bytes are there. */
export class AvroReader {
  readonly bytes: TextBuffer
  readonly end: number
  position: number
  depth = 0
  // Records that may still begin: a small schema of records of nothing could otherwise ask for endless work.
  #records: number
  // Made for the first float: most values have none, and millions of readers are made.
  #floats: DataView | undefined
  readonly #what: string

  constructor(bytes: Uint8Array, start: number, end: number, what: string) {
    this.bytes = textBuffer(bytes)
    this.position = start
    this.end = end
    this.#what = what
    this.#records = MAX_EMPTY_ITEMS + (end - start) * MAX_AVRO_DEPTH
  }

  #view(): DataView {
    const { buffer, byteOffset, length } = this.bytes
    return (this.#floats ??= new DataView(buffer, byteOffset, length))
  }

  enterRecord(): void {
    if (++this.depth > MAX_AVRO_DEPTH) throw this.fail(`it nests deeper than ${MAX_AVRO_DEPTH} records`)
    if (--this.#records < 0) throw tooManyEmpty(MAX_EMPTY_ITEMS + 1)
  }

  fail(why: string): Error {
    const message = `${this.#what} does not decode at byte ${this.position}: ${why}.`
    return corrupt('AVRO_MALFORMED', message, { context: { position: this.position } })
  }

  /** Takes `size` bytes; returns where they begin. */
  take(size: number): number {
    const start = this.position
    if (size < 0 || size > this.end - start) throw this.fail(`${size} bytes are due and ${this.end - start} are left`)
    this.position = start + size
    return start
  }

  int(): number {
    const value = this.#varint()
    if (typeof value !== 'number' || value !== (value | 0)) throw this.fail(`${value} is not a 32-bit integer`)
    return value
  }

  long(): bigint {
    return BigInt(this.#varint())
  }

  /** A long used as a length or count. */
  size(): number {
    const value = this.#varint()
    if (typeof value !== 'number') throw this.fail(`${value} is no length`)
    return value
  }

  /** A number where it is exact. */
  #varint(): number | bigint {
    const { bytes, end } = this
    const start = this.position
    const first = start < end ? bytes[start]! : 0x80
    if (first < 0x80) {
      this.position = start + 1
      return (first >>> 1) ^ -(first & 1)
    }
    let at = start
    let result = 0
    let factor = 1
    while (at < end && at - start < 7) {
      const byte = bytes[at++]!
      result += (byte & 0x7f) * factor
      if (byte < 0x80) {
        this.position = at
        return result % 2 === 0 ? result / 2 : -(result + 1) / 2
      }
      factor *= 128
    }
    let exact = BigInt(result)
    for (let shift = BigInt(7 * (at - start)); at < end && at - start < 10; shift += 7n) {
      const byte = bytes[at++]!
      exact += BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (exact >= 1n << 64n) break
        this.position = at
        const value = exact & 1n ? -(exact >> 1n) - 1n : exact >> 1n
        return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
      }
    }
    throw this.fail('a variable-length integer is cut off or too long')
  }

  /** Passes over an int, a long or an index. */
  skipVarint(): void {
    const { bytes } = this
    const end = Math.min(this.end, this.position + 10)
    for (let at = this.position; at < end; at++) {
      if (bytes[at]! >= 0x80) continue
      this.position = at + 1
      return
    }
    throw this.fail('a variable-length integer is cut off or too long')
  }

  float(): number {
    return this.#view().getFloat32(this.take(4), true)
  }

  double(): number {
    return this.#view().getFloat64(this.take(8), true)
  }

  boolean(): boolean {
    const byte = this.bytes[this.take(1)]!
    if (byte > 1) throw this.fail(`${byte} is no boolean`)
    return byte === 1
  }

  /** A copy, which outlives the input. */
  copy(size: number): Uint8Array {
    const start = this.take(size)
    return new Uint8Array(this.bytes.subarray(start, start + size))
  }

  string(): string {
    const size = this.size()
    const start = this.take(size)
    const text = this.bytes.utf8Slice(start, start + size)
    // The decoder puts U+FFFD where the bytes are wrong; only then is it worth asking whether they are.
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(start, start + size)))
      throw this.fail('a string is not UTF-8')
    return text
  }
}

export type AvroRead = (reader: AvroReader) => unknown

/**
 * Composes a reader for a schema. long bigint; int, float, double number; bytes and fixed Uint8Array; enum its symbol;
 * record a null-prototype object; map a Map; a union with null the bare value or null; any other union
 * `{ [branch name]: value }` as in Avro's JSON encoding. Logical types are not interpreted.
 */
export function avroReaderOf(type: AvroType): AvroRead {
  return compile(type, new Map())
}

function compile(type: AvroType, seen: Map<AvroType, AvroRead>): AvroRead {
  switch (type.type) {
    case 'null':
      return () => null
    case 'boolean':
      return (reader) => reader.boolean()
    case 'int':
      return (reader) => reader.int()
    case 'long':
      return (reader) => reader.long()
    case 'float':
      return (reader) => reader.float()
    case 'double':
      return (reader) => reader.double()
    case 'bytes':
      return (reader) => reader.copy(reader.size())
    case 'string':
      return (reader) => reader.string()
    case 'fixed':
      return (reader) => reader.copy(type.size)
    case 'enum':
      return (reader) => {
        const symbol = type.symbols[reader.size()]
        if (symbol === undefined) throw reader.fail(`enum ${type.name} has no such symbol`)
        return symbol
      }
    case 'array': {
      const item = compile(type.items, seen)
      const itemBytes = minimumBytes(type.items)
      return (reader) => {
        const items: unknown[] = []
        readBlocks(reader, itemBytes, () => items.push(item(reader)))
        return items
      }
    }
    case 'map': {
      const value = compile(type.values, seen)
      return (reader) => {
        const map = new Map<string, unknown>()
        readBlocks(reader, 1, () => map.set(reader.string(), value(reader)))
        return map
      }
    }
    case 'union':
      return compileUnion(type, seen)
    case 'record':
      return compileRecord(type, seen)
  }
}

function compileRecord(type: AvroType & { type: 'record' }, seen: Map<AvroType, AvroRead>): AvroRead {
  const known = seen.get(type)
  if (known !== undefined) return known
  const fields: { readonly name: string; readonly read: AvroRead }[] = []
  const read: AvroRead = (reader) => {
    reader.enterRecord()
    const row = Object.create(null) as Record<string, unknown>
    for (const field of fields) row[field.name] = field.read(reader)
    reader.depth--
    return row
  }
  seen.set(type, read)
  for (const field of type.fields) fields.push({ name: field.name, read: compile(field.type, seen) })
  return read
}

function compileUnion(type: AvroType & { type: 'union' }, seen: Map<AvroType, AvroRead>): AvroRead {
  const isPlain = nullable(type) !== undefined || type.branches.length === 1
  const reads = type.branches.map((branch) => {
    const read = compile(branch, seen)
    if (isPlain || branch.type === 'null') return read
    const name = branchName(branch)
    return (reader: AvroReader) => {
      const wrapped = Object.create(null) as Record<string, unknown>
      wrapped[name] = read(reader)
      return wrapped
    }
  })
  return (reader) => {
    const index = reader.size()
    const read = reads[index]
    if (read === undefined) throw reader.fail(`a union of ${reads.length} branches has no branch ${index}`)
    return read(reader)
  }
}

/** Arrays and maps come in blocks; a negative count is followed by the block's size in bytes. */
export function readBlocks(reader: AvroReader, minimumItemBytes: number, readItem: () => void): void {
  for (let empties = 0; ;) {
    let count = reader.size()
    if (count === 0) return
    if (count < 0) {
      count = -count
      const size = reader.size()
      if (size < 0 || size > reader.end - reader.position) throw reader.fail('a block is longer than what is left')
    }
    if (minimumItemBytes > 0) {
      if (count > (reader.end - reader.position) / minimumItemBytes)
        throw reader.fail(`${count} items do not fit what is left`)
    } else if ((empties += count) > MAX_EMPTY_ITEMS) throw tooManyEmpty(empties)
    for (let item = 0; item < count; item++) readItem()
  }
}

/** The fewest bytes that a value takes, 0 or more: a lower bound that limits a count. */
export function minimumBytes(type: AvroType, known: Map<AvroType, number> = new Map()): number {
  switch (type.type) {
    case 'null':
      return 0
    case 'fixed':
      return type.size
    case 'float':
      return 4
    case 'double':
      return 8
    case 'record': {
      const found = known.get(type)
      if (found !== undefined) return found
      // Inside itself a record counts for nothing.
      known.set(type, 0)
      const sum = type.fields.reduce((bytes, field) => bytes + minimumBytes(field.type, known), 0)
      known.set(type, sum)
      return sum
    }
    default:
      return 1
  }
}
