import type { Field } from '@moulin/core'
import { ByteSink } from '../bytes/byte-sink.ts'
import { encoderBy, type InPlaceEncoder } from '../values/in-place-encoder.ts'
import { bigIntBytes, bigIntWidth } from '../values/scalars.ts'
import {
  asArray,
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
  asMap,
  asObject,
  asString,
  asTimeMicros,
  asTimeMs,
  asUuid,
  checkObject,
  keyChecker,
  mismatch,
  missing,
  valueFields,
} from '../values/value-fields.ts'
import { EntryPath, ItemPath, memberPath, type ValuePath } from '../values/value-path.ts'
import { foldNode, type AvroColumns, type AvroNode } from './avro-node.ts'
import type { AvroEnum } from './avro-schema.ts'

/** Writes a value that is there. */
type ValueWriter = (sink: ByteSink, value: unknown) => void

/**
 * Encodes values of a record, into one reused buffer of which it gives a copy, or straight into the caller's. Absent, undefined and
 * null are the same.
 * @throws `invalid` naming the field.
 */
export function valueEncoder({ schema, nodes }: AvroColumns): InPlaceEncoder {
  const write = recordWriter(schema.fields, nodes, undefined)
  return encoderBy(
    () => new ByteSink(1024),
    (sink, value) => {
      checkObject(value)
      write(sink, value)
    },
  )
}

function recordWriter(
  members: readonly Field[],
  nodes: readonly AvroNode[],
  path: ValuePath | undefined,
): (sink: ByteSink, value: object) => void {
  const { read, checkKnown } = valueFields(members, path)
  const fields = members.map(({ name }, index) => {
    const field = memberPath(path, name)
    return { path: field, nullIndex: nodes[index]!.nullIndex, write: presentWriter(nodes[index]!, field) }
  })
  return (sink, value) => {
    let present = 0
    for (let index = 0; index < fields.length; index++) {
      const { nullIndex, write } = fields[index]!
      const member = read(value, index)
      if (member !== null) {
        present++
        if (nullIndex >= 0) sink.byte((1 - nullIndex) * 2)
        write(sink, member)
      } else if (nullIndex >= 0) sink.byte(nullIndex * 2)
      else throw missing(fields[index]!.path)
    }
    checkKnown(value, present)
  }
}

function presentWriter(node: AvroNode, path: ValuePath): ValueWriter {
  return foldNode<ValueWriter>(node, {
    scalar: (scalar) => scalarWriter(scalar, path),
    list: (element) => listWriter(element, path),
    map: (key, value) => mapWriter(key, value, path),
    struct(fields, children) {
      const write = recordWriter(fields, children, path)
      return (sink, value) => write(sink, asObject(value, path))
    },
  })
}

/** Also takes null and undefined. */
function itemWriter(node: AvroNode, path: ValuePath): ValueWriter {
  const write = presentWriter(node, path)
  const { nullIndex } = node
  return (sink, value) => {
    if (value !== null && value !== undefined) {
      if (nullIndex >= 0) sink.byte((1 - nullIndex) * 2)
      write(sink, value)
    } else if (nullIndex >= 0) sink.byte(nullIndex * 2)
    else throw missing(path)
  }
}

function listWriter(element: AvroNode, path: ValuePath): ValueWriter {
  const item = new ItemPath(path)
  const write = itemWriter(element, item)
  return (sink, value) => {
    const items = asArray(value, path)
    const { length } = items
    if (length > 0) sink.varint(length)
    let index = 0
    for (; index < length; index++) {
      item.index = index
      write(sink, items[index])
    }
    // A proxy says what it likes.
    if (index !== length) throw mismatch(path, 'an array', value)
    sink.byte(0)
  }
}

const { entries: entriesOf } = Map.prototype

function mapWriter(key: AvroNode, value: AvroNode, path: ValuePath): ValueWriter {
  const entry = new EntryPath(path)
  const writeKey = itemWriter(key, memberPath(path, 'key'))
  const writeValue = itemWriter(value, entry)
  const checkKey = keyChecker(key.type, path)
  return (sink, given) => {
    // Its entries as they are now: a getter may change it, and a subclass say what it likes.
    const entries = [...entriesOf.call(asMap(given, path) as Map<unknown, unknown>)]
    if (entries.length > 0) sink.varint(entries.length)
    const check = checkKey()
    for (const [each, member] of entries) {
      entry.key = each
      writeKey(sink, each)
      check(each)
      writeValue(sink, member)
    }
    sink.byte(0)
  }
}

function scalarWriter({ type: { spec }, encoding }: AvroNode, name: ValuePath): ValueWriter {
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

function symbolWriter(name: ValuePath, { symbols }: AvroEnum): ValueWriter {
  const indexes = new Map(symbols.map((symbol, index) => [symbol, index]))
  return (sink, value) => {
    const index = indexes.get(value as string)
    if (index === undefined) throw mismatch(name, `one of ${symbols.join(', ')}`, value)
    sink.varint(index)
  }
}
