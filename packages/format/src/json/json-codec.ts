import type { Codec, CodecFormat, ColumnarCodec, ColumnBuilder, Schema } from '@moulin/core'
import {
  builderFor,
  corrupt,
  invalid,
  isValid,
  parseJson,
  schemaFromJson,
  schemaToJson,
  stringifyJson,
  unsupported,
} from '@moulin/core'
import { RowWriter } from '../row-writer.ts'
import { newTextBuffer } from '../text-buffer.ts'
import { checkObject, missing, valueFields } from '../value-fields.ts'
import { JsonCursor } from './json-cursor.ts'
import { jsonFields, readObject, type FieldTarget, type JsonField } from './json-object.ts'
import { columnText, valueText } from './json-writer.ts'

/** Version 1 of the encoder: its bytes are frozen (`json-codec.test.ts`, golden bytes). */
const FORMAT = 'json/1'

/**
 * The JSON codec of a schema. The canonical text has the keys in the schema's order, no spaces, and leaves null out:
 * int, int53 and long are integers (a long of any size), float and double as `JSON.stringify` writes the number, string
 * with `JSON.stringify`'s escapes, binary and fixed padded base64, uuid lower case, date `YYYY-MM-DD`, decimal a string
 * with all digits of its scale, time `HH:MM:SS.mmm`, timestamptz `YYYY-MM-DDTHH:MM:SS.mmmZ`, timestamp the same without
 * `Z`; `.micros` has six digits instead of three.
 *
 * Anything else that says the same is readable: another order, spaces, an explicit null, a repeated key (the last
 * counts), fields that the schema does not have, `1.0` for an integer, a decimal as a number, other digits of seconds, a
 * zone offset.
 * @throws `unsupported` for a field of kind list, struct or map.
 *
 * Spec: RFC 8259; docs/formats/values.md.
 *
 * @example
 * const codec = json(schema({ id: t.int53, city: t.string, placed_at: t.timestamptz }))
 */
export function json<T>(schema: Schema<T>): Codec<T> {
  for (const { name, type } of schema.fields) {
    const { kind } = type.spec
    if (kind === 'list' || kind === 'struct' || kind === 'map') {
      throw unsupported('VALUE_KIND', `The field ${name} is of kind ${kind}, which value schemas do not take yet.`)
    }
  }
  const fields = jsonFields(schema as Schema)
  return Object.freeze({
    format: FORMAT,
    definition: stringifyJson(schemaToJson(schema as Schema)),
    schema,
    encode: encoderOf(schema as Schema) as (value: T) => Uint8Array,
    decode: decoderOf(fields) as (bytes: Uint8Array) => T,
    columnar: columnarCodec(schema as Schema, fields),
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

function encoderOf(schema: Schema): (value: unknown) => Uint8Array {
  const { read, checkKnown } = valueFields(schema.fields)
  const fields = schema.fields.map(({ name, type }) => ({
    name,
    isOptional: type.isOptional,
    key: `${stringifyJson(name)}:`,
    text: valueText(name, type),
  }))
  let buffer = newTextBuffer(1024)
  return (value) => {
    checkObject(value)
    let text = ''
    let present = 0
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]!
      const member = read(value, index)
      if (member !== null) {
        text += (present++ === 0 ? '{' : ',') + field.key + field.text(member)
      } else if (!field.isOptional) throw missing(field.name)
    }
    checkKnown(value, present)
    text += present === 0 ? '{}' : '}'
    const most = text.length * 3
    if (most > buffer.length) buffer = newTextBuffer(most * 2)
    return new Uint8Array(buffer.subarray(0, buffer.utf8Write(text, 0, most)))
  }
}

function decoderOf(fields: readonly JsonField[]): (bytes: Uint8Array) => Record<string, unknown> {
  const cursor = new JsonCursor()
  return (bytes) => {
    const value = Object.create(null) as Record<string, unknown>
    for (const { name } of fields) value[name] = null
    const target: FieldTarget = {
      take: (_index, field) => (value[field.name] = field.kind.value(cursor)),
      missing: (_index, field) => (value[field.name] = null),
      drop: () => {},
    }
    if (readObject(cursor, fields, target, bytes, 0, bytes.length) !== 'unreadable') return value
    const message = `The JSON value does not decode with its schema at byte ${cursor.position}.`
    throw corrupt('JSON_VALUE', message, { context: { position: cursor.position } })
  }
}

/** Appends to the builders of the row in hand. */
class ColumnTarget implements FieldTarget {
  builders: readonly ColumnBuilder[] = []
  rows = 0

  take(index: number, field: JsonField, cursor: JsonCursor): void {
    field.kind.append(cursor, this.builders[index]!)
  }

  missing(index: number): void {
    this.builders[index]!.appendNull()
  }

  drop(index: number): void {
    this.builders[index]!.truncate(this.rows)
  }
}

function columnarCodec(schema: Schema, fields: readonly JsonField[]): ColumnarCodec {
  const cursor = new JsonCursor()
  const target = new ColumnTarget()
  const writer = new RowWriter()
  const writers = schema.fields.map(({ name, type }, index) => ({ ...fields[index]!, write: columnText(name, type) }))
  return Object.freeze({
    builders: (arena) => schema.fields.map(({ type }) => builderFor(type, arena)),
    decodeRow(arena, start, end, builders) {
      target.builders = builders
      target.rows = builders[0]!.length
      const fidelity = readObject(cursor, fields, target, arena.bytes, start, end)
      if (fidelity !== 'unreadable') return fidelity
      for (const builder of builders) {
        builder.truncate(target.rows)
        builder.appendNull()
      }
      return fidelity
    },
    encodeRow(columns, row, into, position) {
      writer.open(into, position)
      let isFirst = true
      for (let index = 0; index < writers.length; index++) {
        const { name, isOptional, firstKey, nextKey, write } = writers[index]!
        const column = columns[index]!
        if (isValid(column, row)) {
          const key = isFirst ? firstKey : nextKey
          writer.raw(key, 0, key.length)
          write(column, row, writer)
          isFirst = false
        } else if (!isOptional) {
          const message = `The column ${name} is null in a row whose value schema requires it, so the value has no encoding.`
          throw invalid('COLUMN_NULL', message, { context: { field: name } })
        }
      }
      writer.ascii(isFirst ? '{}' : '}')
      return writer.position > into.length ? -1 : writer.position
    },
  } satisfies ColumnarCodec)
}
