import type { Field, Type } from '@moulin/core'
import { foldType, stringifyJson } from '@moulin/core'
import { asArray, asMap, asObject, keyChecker, missing, valueFields } from '../values/value-fields.ts'
import { EntryPath, ItemPath, memberPath, type ValuePath } from '../values/value-path.ts'
import { scalarText, type ValueText } from './json-scalar-writer.ts'

/** Composes the text of an object from its JavaScript value; without a path it is the whole value. */
export function objectText(members: readonly Field[], path: ValuePath | undefined): (value: object) => string {
  const { read, checkKnown } = valueFields(members, path)
  const fields = members.map(({ name, type }) => {
    const field = memberPath(path, name)
    return { path: field, isOptional: type.isOptional, key: `${stringifyJson(name)}:`, text: valueText(type, field) }
  })
  return (value) => {
    let text = ''
    let present = 0
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]!
      const member = read(value, index)
      if (member !== null) {
        text += (present++ === 0 ? '{' : ',') + field.key + field.text(member)
      } else if (!field.isOptional) throw missing(field.path)
    }
    checkKnown(value, present)
    return present === 0 ? '{}' : `${text}}`
  }
}

function valueText(type: Type, path: ValuePath): ValueText {
  return foldType<ValueText>(type, {
    scalar: (scalar) => scalarText(scalar, path),
    list: (element) => listText(element, path),
    map: (key, value) => mapText(key, value, path),
    struct(fields) {
      const text = objectText(fields, path)
      return (value) => text(asObject(value, path))
    },
  })
}

/** Also of null, where the type permits it. */
function itemText(type: Type, path: ValuePath): ValueText {
  const text = valueText(type, path)
  return (value) => {
    if (value !== null && value !== undefined) return text(value)
    if (type.isOptional) return 'null'
    throw missing(path)
  }
}

function listText(element: Type, path: ValuePath): ValueText {
  const item = new ItemPath(path)
  const textOf = itemText(element, item)
  return (value) => {
    const items = asArray(value, path)
    let text = '['
    for (let index = 0; index < items.length; index++) {
      item.index = index
      text += (index === 0 ? '' : ',') + textOf(items[index])
    }
    return `${text}]`
  }
}

// What a subclass makes up is not what the other encoders take.
const { entries: entriesOf } = Map.prototype

function mapText(key: Type, value: Type, path: ValuePath): ValueText {
  const isObject = key.spec.kind === 'string'
  const entry = new EntryPath(path)
  const keyText = itemText(key, memberPath(path, 'key'))
  const textOf = itemText(value, entry)
  const checkKey = keyChecker(key, path)
  return (given) => {
    const check = checkKey()
    let text = ''
    for (const [each, member] of entriesOf.call(asMap(given, path) as Map<unknown, unknown>)) {
      entry.key = each
      const head = keyText(each)
      check(each)
      const pair = isObject ? `${head}:${textOf(member)}` : `[${head},${textOf(member)}]`
      text += text === '' ? pair : `,${pair}`
    }
    return isObject ? `{${text}}` : `[${text}]`
  }
}
