import type { Field, Type } from '@moulin/core'
import { foldType } from '@moulin/core'
import { asArray, asMap, asObject, keyChecker, missing, valueFields } from '../values/value-fields.ts'
import { EntryPath, ItemPath, memberPath, type ValuePath } from '../values/value-path.ts'
import { jsonKeys } from './json-object.ts'
import { scalarWriter, type ValueWriter } from './json-scalar-writer.ts'
import type { JsonSink } from './json-sink.ts'

const COMMA = 0x2c
const COLON = 0x3a
const [OPEN_LIST, CLOSE_LIST] = [0x5b, 0x5d]
const [OPEN_OBJECT, CLOSE_OBJECT] = [0x7b, 0x7d]

/** Composes the writer of an object from its JavaScript value; without a path it is the whole value. */
export function objectWriter(
  members: readonly Field[],
  path: ValuePath | undefined,
): (sink: JsonSink, value: object) => void {
  const { read, checkKnown } = valueFields(members, path)
  const fields = members.map(({ name, type }) => {
    const field = memberPath(path, name)
    return { ...jsonKeys(name), path: field, isOptional: type.isOptional, write: valueWriter(type, field) }
  })
  return (sink, value) => {
    let present = 0
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]!
      const member = read(value, index)
      if (member !== null) {
        sink.few(present++ === 0 ? field.firstKey : field.nextKey)
        field.write(sink, member)
      } else if (!field.isOptional) throw missing(field.path)
    }
    checkKnown(value, present)
    sink.ascii(present === 0 ? '{}' : '}')
  }
}

function valueWriter(type: Type, path: ValuePath): ValueWriter {
  return foldType<ValueWriter>(type, {
    scalar: (scalar) => scalarWriter(scalar, path),
    list: (element) => listWriter(element, path),
    map: (key, value) => mapWriter(key, value, path),
    struct(fields) {
      const write = objectWriter(fields, path)
      return (sink, value) => write(sink, asObject(value, path))
    },
  })
}

/** Also of null, where the type permits it. */
function itemWriter(type: Type, path: ValuePath): ValueWriter {
  const write = valueWriter(type, path)
  return (sink, value) => {
    if (value !== null && value !== undefined) write(sink, value)
    else if (type.isOptional) sink.ascii('null')
    else throw missing(path)
  }
}

function listWriter(element: Type, path: ValuePath): ValueWriter {
  const item = new ItemPath(path)
  const write = itemWriter(element, item)
  return (sink, value) => {
    const items = asArray(value, path)
    sink.byte(OPEN_LIST)
    for (let index = 0; index < items.length; index++) {
      item.index = index
      if (index > 0) sink.byte(COMMA)
      write(sink, items[index])
    }
    sink.byte(CLOSE_LIST)
  }
}

// What a subclass makes up is not what the other encoders take.
const { entries: entriesOf } = Map.prototype

function mapWriter(key: Type, value: Type, path: ValuePath): ValueWriter {
  const isObject = key.spec.kind === 'string'
  const entry = new EntryPath(path)
  const writeKey = itemWriter(key, memberPath(path, 'key'))
  const writeValue = itemWriter(value, entry)
  const checkKey = keyChecker(key, path)
  return (sink, given) => {
    const check = checkKey()
    sink.byte(isObject ? OPEN_OBJECT : OPEN_LIST)
    let isFirst = true
    for (const [each, member] of entriesOf.call(asMap(given, path) as Map<unknown, unknown>)) {
      entry.key = each
      if (!isFirst) sink.byte(COMMA)
      isFirst = false
      if (!isObject) sink.byte(OPEN_LIST)
      writeKey(sink, each)
      check(each)
      sink.byte(isObject ? COLON : COMMA)
      writeValue(sink, member)
      if (!isObject) sink.byte(CLOSE_LIST)
    }
    sink.byte(isObject ? CLOSE_OBJECT : CLOSE_LIST)
  }
}
