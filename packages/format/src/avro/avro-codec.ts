import type { Codec, CodecFormat, ColumnarCodec, JsonValue, Schema } from '@moulin/core'
import { checkSchema, corrupt, invalid, parseJson, stringifyJson } from '@moulin/core'
import { encoderBy } from '../values/in-place-encoder.ts'
import { checkValueTypes } from '../values/nested-values.ts'
import { RowWriter } from '../values/row-writer.ts'
import { avroJsonOf } from './avro-json.ts'
import { avroColumns, type AvroColumns } from './avro-node.ts'
import { AvroReader, avroReaderOf } from './avro-reader.ts'
import { parseAvroSchema, type AvroType } from './avro-schema.ts'
import { AvroSink, avroWriterOf } from './avro-writer.ts'
import { builderOf, columnDecoder } from './column-decoder.ts'
import { columnEncoder } from './column-encoder.ts'
import { columnKernel } from './column-kernel.ts'
import { RowCursor } from './row-cursor.ts'
import { recordReader } from './value-decoder.ts'
import { valueEncoder } from './value-encoder.ts'

/** Version 1 of the encoder: its bytes are frozen (`avro-codec.test.ts`, golden bytes). */
const FORMAT = 'avro/1'

/** An Avro schema as parsed JSON, e.g. imported from an `.avsc` file. */
export type AvroSchemaJson = { readonly [attribute: string]: unknown } | readonly unknown[]

/**
 * The Avro codec of a schema: values are bare datums, with no registry header.
 *
 * From a schema of ours the Avro schema is derived (`definition` is its JSON). From an Avro schema, as JSON text or
 * parsed, our schema is derived: a record of scalars with logical types, enums (a string column of checked symbols),
 * fixed, arrays, maps, records, Iceberg's arrays with `logicalType: map`, and unions of one of these with null in either
 * order, nested up to 32 levels. `timestamp-millis` is `t.timestamptz`, `-micros` `t.timestamptz.micros`,
 * `local-timestamp-…` `t.timestamp`, `long` a bigint. Any other schema still encodes and decodes (as `readAvroFile`
 * describes its records), but `columnar` is undefined, `schema` has no fields, and `reason` says why.
 *
 * A row is canonical when all its varints and decimals are minimal, arrays and maps come in one block without its size,
 * no map has a key twice, nothing trails, a UUID is lower case, a NaN the usual one.
 * @throws `invalid` for what is no Avro schema, or a field name that Avro does not take; `unsupported` for a schema of
 * ours that nests deeper than 32 levels, or with a struct of no fields or a map with keys of float, double, list, struct
 * or map.
 *
 * Spec: Avro 1.12, "Binary Encoding", "Logical Types".
 *
 * @example
 * const codec = avro(schema({ origin: t.string, delay: t.long, date: t.timestamptz }))
 */
export function avro<T>(schema: Schema<T>): Codec<T>
export function avro<T = Record<string, unknown>>(schema: string | AvroSchemaJson): Codec<T>
export function avro(schema: Schema | string | AvroSchemaJson): Codec<never> {
  if (typeof schema === 'string') return codecOf(schema, parseDefinition(schema)) as Codec<never>
  const isAvro = Array.isArray(schema) || (typeof schema === 'object' && schema !== null && 'type' in schema)
  if (!isAvro) checkSchema('avro', schema)
  if (!isAvro) checkValueTypes(schema as Schema)
  const json = isAvro ? (schema as JsonValue) : avroJsonOf(schema as Schema)
  return codecOf(stringifyJson(json), json) as Codec<never>
}

/** Restores codecs of `avro/1` from the schema ledger. */
export const avroFormat: CodecFormat = Object.freeze({
  format: FORMAT,
  restore(definition: string): Codec {
    try {
      return avro(definition)
    } catch (cause) {
      throw corrupt('CODEC_DEFINITION', `A stored ${FORMAT} definition is no Avro schema.`, { cause })
    }
  },
})

function parseDefinition(text: string): JsonValue {
  try {
    return parseJson(text, 'The Avro schema')
  } catch (cause) {
    throw invalid('AVRO_SCHEMA', `The Avro schema is not valid JSON: ${(cause as Error).message}`, { cause })
  }
}

function codecOf(definition: string, json: JsonValue): Codec {
  const type = parseAvroSchema(json)
  const columns = avroColumns(type)
  return Object.freeze(
    'reason' in columns ? genericCodec(definition, type, columns.reason) : columnsCodec(definition, columns),
  )
}

const whatFailed = 'The Avro value'

function columnsCodec(definition: string, columns: AvroColumns): Codec {
  const read = recordReader(columns.schema.fields, columns.nodes)
  const { encode, encodeInto } = valueEncoder(columns)
  const decode = (bytes: Uint8Array): unknown => read(new AvroReader(bytes, 0, bytes.length, whatFailed))
  return {
    format: FORMAT,
    definition,
    schema: columns.schema,
    encode,
    encodeInto,
    decode,
    columnar: columnarCodec(columns, (bytes) => encode(decode(bytes))),
  }
}

function columnarCodec({ schema, nodes }: AvroColumns, canonical: (bytes: Uint8Array) => Uint8Array): ColumnarCodec {
  const decoders = nodes.map(columnDecoder)
  const encoders = nodes.map((node, index) => columnEncoder(node, schema.fields[index]!.name))
  const kernels = nodes.map((node, index) => columnKernel(node, schema.fields[index]!.name))
  const cursor = new RowCursor()
  const writer = new RowWriter()

  const decodeRow: ColumnarCodec['decodeRow'] = (arena, start, end, builders) => {
    const rows = builders[0]!.length
    cursor.open(arena.bytes, start, end)
    for (let index = 0; index < decoders.length && !cursor.isBad; index++) decoders[index]!(cursor, builders[index]!)
    if (!cursor.isBad && !cursor.mayRepeat)
      return cursor.isCanonical && cursor.position === end ? 'canonical' : 'readable'
    for (const builder of builders) builder.truncate(rows)
    if (!cursor.isBad) {
      // A key may come twice in a map, of which columns take the last value as the JavaScript value does.
      const bytes = canonical(arena.bytes.subarray(start, end))
      const at = arena.append(bytes)
      decodeRow(arena, at, at + bytes.length, builders)
      return 'readable'
    }
    for (const builder of builders) builder.appendNull()
    return 'unreadable'
  }

  return Object.freeze({
    builders: (arena) => nodes.map((node) => builderOf(node, arena)),
    decodeRow,
    encodeRow(columns, row, target, position) {
      writer.open(target, position)
      for (let index = 0; index < encoders.length; index++) encoders[index]!(columns[index]!, row, writer)
      return writer.position > target.length ? -1 : writer.position
    },
    sizes(columns, rows, sizes) {
      sizes.fill(0)
      for (let index = 0; index < kernels.length; index++) kernels[index]!.addSizes(columns[index]!, rows, sizes)
      for (let at = 0; at < sizes.length; at++) if (sizes[at]! < 0) sizes[at] = -1
    },
    encodeRows(columns, rows, target, places) {
      for (let index = 0; index < kernels.length; index++) kernels[index]!.write(columns[index]!, rows, target, places)
    },
  } satisfies ColumnarCodec)
}

const noColumns: Schema = Object.freeze({ fields: Object.freeze([]) })

function genericCodec(definition: string, type: AvroType, reason: string): Codec {
  const read = avroReaderOf(type)
  const write = avroWriterOf(type)
  const { encode, encodeInto } = encoderBy(
    () => new AvroSink(1024),
    (sink, value) => {
      sink.depth = 0
      write(sink, value)
    },
  )
  return {
    format: FORMAT,
    definition,
    schema: noColumns,
    encode,
    encodeInto,
    decode: (bytes) => read(new AvroReader(bytes, 0, bytes.length, whatFailed)),
    columnar: undefined,
    reason,
  }
}
