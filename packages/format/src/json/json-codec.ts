import type { Codec, CodecFormat, ColumnarCodec, Schema } from '@moulin/core'
import { builderFor, checkSchema, corrupt, parseJson, schemaFromJson, schemaToJson, stringifyJson } from '@moulin/core'
import { encoderBy, type InPlaceEncoder } from '../values/in-place-encoder.ts'
import { checkValueTypes } from '../values/nested-values.ts'
import { RowWriter } from '../values/row-writer.ts'
import { checkObject } from '../values/value-fields.ts'
import { objectColumnsText } from './json-column-writer.ts'
import { JsonSink } from './json-sink.ts'
import { JsonCursor } from './json-cursor.ts'
import { jsonFields } from './json-kinds.ts'
import { ColumnTarget, readText, ValueTarget, type JsonField } from './json-object.ts'
import { objectWriter } from './json-value-writer.ts'

/** Version 1 of the encoder: its bytes are frozen (`json-codec.test.ts`, golden bytes). */
const FORMAT = 'json/1'

/**
 * The JSON codec of a schema. The canonical text has the keys in the schema's order, no spaces, and leaves null out:
 * int, int53 and long are integers (a long of any size), float and double as `JSON.stringify` writes the number, string
 * with `JSON.stringify`'s escapes, binary and fixed padded base64, uuid lower case, date `YYYY-MM-DD`, decimal a string
 * with all digits of its scale, time `HH:MM:SS.mmm`, timestamptz `YYYY-MM-DDTHH:MM:SS.mmmZ`, timestamp the same without
 * `Z`; `.micros` has six digits instead of three. A list is an array, a struct an object as the whole is, a map an object
 * in the order of its entries, or with keys that are no strings an array of `[key, value]` pairs; in lists and maps null
 * stays `null`.
 *
 * Anything else that says the same is readable: another order, spaces, an explicit null, a repeated key (the last
 * counts), fields that the schema does not have, `1.0` for an integer, a decimal as a number, other digits of seconds, a
 * zone offset.
 * @throws `unsupported` for a schema that nests deeper than 32 levels, or with a struct of no fields or a map with keys
 * of float, double, list, struct or map.
 *
 * Spec: RFC 8259; docs/formats/values.md.
 *
 * @example
 * const codec = json(schema({ id: t.int53, city: t.string, placed_at: t.timestamptz }))
 */
export function json<T>(schema: Schema<T>): Codec<T> {
  checkSchema('json', schema)
  checkValueTypes(schema as Schema)
  const fields = jsonFields(schema.fields)
  const { encode, encodeInto } = encoderOf(schema as Schema)
  const decode = decoderOf(fields)
  return Object.freeze({
    format: FORMAT,
    definition: stringifyJson(schemaToJson(schema as Schema)),
    schema,
    encode,
    encodeInto,
    decode: decode as (bytes: Uint8Array) => T,
    columnar: columnarCodec(schema as Schema, fields, (bytes) => encode(decode(bytes))),
  })
}

/** Restores codecs of `json/1` from the schema ledger. */
export const jsonFormat: CodecFormat = Object.freeze({
  format: FORMAT,
  restore(definition: string): Codec {
    try {
      return json(schemaFromJson(parseJson(definition, 'A codec definition')))
    } catch (cause) {
      throw corrupt('CODEC_DEFINITION', `A stored ${FORMAT} definition is no schema.`, { cause })
    }
  },
})

function encoderOf(schema: Schema): InPlaceEncoder {
  const write = objectWriter(schema.fields, undefined)
  return encoderBy(
    () => new JsonSink(1024),
    (sink, value) => {
      checkObject(value)
      write(sink, value)
    },
  )
}

function decoderOf(fields: readonly JsonField[]): (bytes: Uint8Array) => Record<string, unknown> {
  const cursor = new JsonCursor()
  const target = new ValueTarget()
  return (bytes) => {
    target.open(fields)
    if (readText(cursor, fields, target, bytes, 0, bytes.length) !== 'unreadable') return target.value
    const message = `The JSON value does not decode with its schema at byte ${cursor.position}.`
    throw corrupt('JSON_VALUE', message, { context: { position: cursor.position } })
  }
}

function columnarCodec(
  schema: Schema,
  fields: readonly JsonField[],
  canonical: (bytes: Uint8Array) => Uint8Array,
): ColumnarCodec {
  const cursor = new JsonCursor()
  const target = new ColumnTarget()
  const writer = new RowWriter()
  const write = objectColumnsText(schema.fields)

  const decodeRow: ColumnarCodec['decodeRow'] = (arena, start, end, builders) => {
    const rows = builders[0]!.length
    target.open(builders)
    const fidelity = readText(cursor, fields, target, arena.bytes, start, end)
    const isReadable = fidelity !== 'unreadable'
    if (isReadable && !cursor.mayRepeat) return fidelity
    for (const builder of builders) builder.truncate(rows)
    if (isReadable) {
      // A key may come twice in a map, of which columns take the last value as the JavaScript value does.
      const bytes = canonical(arena.bytes.subarray(start, end))
      const at = arena.append(bytes)
      decodeRow(arena, at, at + bytes.length, builders)
      return 'readable'
    }
    for (const builder of builders) builder.appendNull()
    return fidelity
  }

  return Object.freeze({
    builders: (arena) => schema.fields.map(({ type }) => builderFor(type, arena)),
    decodeRow,
    encodeRow(columns, row, into, position) {
      writer.open(into, position)
      write(columns, row, writer)
      return writer.position > into.length ? -1 : writer.position
    },
  } satisfies ColumnarCodec)
}
