import { createHash } from 'node:crypto'
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib'
import type { FileCaps, JsonValue, OptionTable } from '@moulin/core'
import {
  checkOptions,
  corrupt,
  exhausted,
  formatCaps,
  option,
  parseJson,
  stringifyJson,
  unsupported,
  withDefaults,
} from '@moulin/core'
import { decompress, inflated } from '../bytes/compression.ts'
import { ByteSink } from '../bytes/byte-sink.ts'
import { AvroReader, avroReaderOf, MAX_EMPTY_ITEMS, minimumBytes, tooManyEmpty } from './avro-reader.ts'
import { parseAvroSchema, type AvroType } from './avro-schema.ts'
import { AvroSink, avroWriterOf } from './avro-writer.ts'

/** An Avro object container file. */
export interface AvroFile {
  /** The writer's schema as it stands in the file, with attributes such as `field-id` and `logicalType`. */
  readonly schema: JsonValue
  /** The header's entries as text, those of `avro.` included. */
  readonly metadata: ReadonlyMap<string, string>
  /**
   * Null-prototype objects with the writer's field names. int, float, double: number; long: bigint; bytes, fixed:
   * Uint8Array; a union with null: the bare value or null; any other union: `{ [branch]: value }`; map: a Map; an array
   * (Iceberg's `logicalType: map` too): an array of its items. Logical types are not interpreted.
   */
  readonly records: Record<string, unknown>[]
}

export interface ReadAvroOptions {
  /** Names the file in errors. */
  readonly what?: string
  /** Lower caps than {@link formatCaps}, for input that is known to be small. */
  readonly caps?: Partial<Pick<FileCaps, 'maxAvroBlockBytes' | 'maxAvroFileBytes'>>
}

const readTable: OptionTable<ReadAvroOptions> = { what: option.text, caps: option.someCaps }

const magic = [0x4f, 0x62, 0x6a, 1]
const SYNC_BYTES = 16

/**
 * Reads a whole Avro object container file of codec null, deflate, snappy or zstandard.
 * @throws `corrupt`; `exhausted` above `maxAvroBlockBytes` (one block, decompressed) or `maxAvroFileBytes` (the file,
 * and all its blocks decompressed); `unsupported` for another codec.
 *
 * Spec: Avro 1.12, "Object Container Files".
 */
export function readAvroFile(bytes: Uint8Array, options: ReadAvroOptions = {}): AvroFile {
  checkOptions('readAvroFile', options, readTable)
  const { what = 'The Avro file' } = options
  const { schemaText, metadata, blocks } = openAvroFile(bytes, what, withDefaults<FileCaps>(formatCaps, options.caps))
  const schema = parseJson(schemaText, `The schema of ${what}`)
  const type = avroTypeOf(schema, what)
  const read = avroReaderOf(type)
  const records: Record<string, unknown>[] = []
  for (const { count, reader } of blocks(minimumBytes(type)))
    for (let record = 0; record < count; record++) records.push(read(reader) as Record<string, unknown>)
  return { schema, metadata, records }
}

/** A container file whose header is read. */
export interface OpenAvroFile {
  /** JSON. */
  readonly schemaText: string
  readonly metadata: ReadonlyMap<string, string>
  /** One after the other, each to be read to its end. `recordBytes`: the fewest that a record takes. */
  readonly blocks: (recordBytes: number) => Generator<AvroBlock, void, undefined>
}

export interface AvroBlock {
  /** Of records. */
  readonly count: number
  readonly reader: AvroReader
}

/** {@link readAvroFile} for those who read the records themselves. @throws the same. */
export function openAvroFile(bytes: Uint8Array, what: string, caps: FileCaps = formatCaps): OpenAvroFile {
  const { maxAvroBlockBytes, maxAvroFileBytes } = caps
  if (bytes.length > maxAvroFileBytes) throw tooLarge(what, bytes.length, 'maxAvroFileBytes', maxAvroFileBytes)
  if (magic.some((byte, at) => bytes[at] !== byte))
    throw corrupt('AVRO_MAGIC', `${what} is not an Avro container file: it does not begin with Obj and 1.`)

  const reader = new AvroReader(bytes, magic.length, bytes.length, what)
  const metadata = readMetadata(reader)
  const sync = reader.copy(SYNC_BYTES)
  const codec = metadata.get('avro.codec') ?? 'null'

  function* blocks(recordBytes: number): Generator<AvroBlock, void, undefined> {
    let total = 0
    let records = 0
    while (reader.position < reader.end) {
      const count = reader.size()
      const size = reader.size()
      const start = reader.take(size)
      const block = decompressBlock(codec, bytes.subarray(start, start + size), maxAvroBlockBytes, what)
      if (reader.copy(SYNC_BYTES).some((byte, at) => byte !== sync[at])) throw reader.fail('a sync marker differs')
      total += block.length
      if (total > maxAvroFileBytes) throw tooLarge(what, total, 'maxAvroFileBytes', maxAvroFileBytes)
      if (count < 0 || count * recordBytes > block.length) throw reader.fail(`a block cannot hold ${count} records`)
      records += count
      if (recordBytes === 0 && records > MAX_EMPTY_ITEMS) throw tooManyEmpty(records)

      const inner = new AvroReader(block, 0, block.length, what)
      yield { count, reader: inner }
      if (inner.position !== inner.end) throw inner.fail('bytes are left at the end of a block')
    }
  }
  return { schemaText: metadata.get('avro.schema') ?? '', metadata, blocks }
}

function readMetadata(reader: AvroReader): Map<string, string> {
  const entries = avroReaderOf(parseAvroSchema({ type: 'map', values: 'bytes' }))(reader) as Map<string, Uint8Array>
  return new Map(Array.from(entries, ([key, value]) => [key, Buffer.from(value).toString('utf8')]))
}

/** What the schema of a file says. @throws `corrupt` where it does not parse. */
export function avroTypeOf(schema: JsonValue, what: string): AvroType {
  try {
    return parseAvroSchema(schema)
  } catch (cause) {
    throw corrupt('AVRO_SCHEMA', `The schema of ${what} does not parse: ${(cause as Error).message}`, { cause })
  }
}

function decompressBlock(codec: string, bytes: Uint8Array, maxBytes: number, what: string): Uint8Array {
  switch (codec) {
    case 'null':
      return decompress('none', bytes, maxBytes)
    case 'deflate':
      return inflated('deflate', bytes, maxBytes, inflateRawSync)
    case 'zstandard':
      return decompress('zstd', bytes, maxBytes)
    case 'snappy': {
      // Followed by the big-endian CRC-32 (not C) of the uncompressed bytes.
      const end = bytes.length - 4
      if (end < 0) throw corrupt('AVRO_MALFORMED', `${what} has a snappy block of ${bytes.length} bytes.`)
      const block = decompress('snappy', bytes.subarray(0, end), maxBytes)
      if (crc32(block) !== Buffer.from(bytes.buffer, bytes.byteOffset + end, 4).readUInt32BE(0))
        throw corrupt('AVRO_CRC', `${what} has a snappy block whose checksum does not match.`)
      return block
    }
    default:
      throw unsupported(
        'AVRO_CODEC',
        `${what} uses the Avro codec ${codec}; null, deflate, snappy, zstandard are read.`,
      )
  }
}

export interface WriteAvroOptions {
  /** The writer's schema; attributes that Avro does not know, such as `field-id`, stay in the header. */
  readonly schema: JsonValue
  readonly records: Iterable<unknown>
  /** Further header entries. */
  readonly metadata?: Readonly<Record<string, string>> | ReadonlyMap<string, string>
  /** Default `deflate`. */
  readonly codec?: 'null' | 'deflate'
  /** A block is closed when it has this many bytes before compression. Default 64 KiB. */
  readonly blockBytes?: number
}

const writeTable: OptionTable<WriteAvroOptions> = {
  schema: option.required(option.anyOf(option.text, option.door('an Avro schema', []))),
  records: option.required(option.iterable),
  metadata: option.objectOf('texts by name, or a Map of them'),
  codec: option.oneOf('null', 'deflate'),
  blockBytes: option.positiveBytes,
}

/**
 * Writes an Avro object container file: the inverse of {@link readAvroFile}. A long also takes a safe number. The same
 * input gives the same bytes: the sync marker is a hash of the header and the first block.
 * @throws `invalid` naming the field whose value does not fit, or what is wrong with the schema.
 */
export function writeAvroFile(options: WriteAvroOptions): Uint8Array {
  checkOptions('writeAvroFile', options, writeTable)
  const { schema, records, metadata = {}, codec = 'deflate', blockBytes = 64 * 1024 } = options
  const write = avroWriterOf(parseAvroSchema(schema))
  const given = metadata instanceof Map ? [...(metadata as Map<string, string>)] : Object.entries(metadata)
  const entries = [['avro.schema', stringifyJson(schema)], ['avro.codec', codec], ...given] as [string, string][]

  const file = new ByteSink()
  file.raw(Uint8Array.from(magic))
  file.varint(entries.length)
  for (const [key, value] of entries) {
    file.string(key)
    file.string(value)
  }
  file.byte(0)

  const block = new AvroSink(blockBytes)
  let count = 0
  let sync: Uint8Array | undefined
  const closeBlock = (): void => {
    const content = block.buffer.subarray(0, block.length)
    if (sync === undefined) {
      const header = file.buffer.subarray(0, file.length)
      sync = createHash('sha256').update(header).update(content).digest().subarray(0, SYNC_BYTES)
      file.raw(sync)
    }
    if (count === 0) return
    file.varint(count)
    file.bytes(codec === 'null' ? content : deflateRawSync(content))
    file.raw(sync)
    block.reset()
    count = 0
  }
  for (const record of records) {
    write(block, record)
    count++
    if (block.length >= blockBytes) closeBlock()
  }
  closeBlock()
  return file.finish()
}

function tooLarge(what: string, sizeBytes: number, limit: string, maxBytes: number): Error {
  return exhausted('AVRO_TOO_LARGE', `${what} has ${sizeBytes} bytes; the limit ${limit} is ${maxBytes}.`)
}
