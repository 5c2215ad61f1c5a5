import type { IcebergSchema, IcebergType } from '@moulin/core'
import { numberFrom } from './plain.ts'
import type { Plain, PlainTable } from './plain.ts'

/** A leaf with its slots, as Parquet counts them: a list that is null or empty is one slot without a value. */
export interface LeafSlots {
  readonly id: number
  readonly path: string
  readonly type: string
  readonly isRepeated: boolean
  readonly slots: readonly Plain[]
  /** How many slots have each level, from 0 on. */
  readonly repetition: readonly number[]
  readonly definition: readonly number[]
}

interface Slot {
  readonly value: Plain
  readonly repetition: number
  readonly definition: number
}

/** On the way down to a leaf. */
interface Place {
  readonly id: number
  readonly path: string
  readonly lists: number
  readonly levels: number
}

/** The leaves of rows `[start, end)`, in the order of the file's columns. */
export function leafSlots(schema: IcebergSchema, table: PlainTable, start: number, end: number): LeafSlots[] {
  return schema.fields.flatMap(({ id, name, type, required }, index) => {
    const slots = table[index]!.slice(start, end).map((value) => ({ value, repetition: 0, definition: 0 }))
    return member(type, required, slots, { id, path: name, lists: 0, levels: 0 })
  })
}

function member(type: IcebergType, required: boolean, slots: readonly Slot[], place: Place): LeafSlots[] {
  if (required) return below(type, slots, place)
  const defined = slots.map((slot) => (slot.value === null ? slot : { ...slot, definition: slot.definition + 1 }))
  return below(type, defined, { ...place, levels: place.levels + 1 })
}

function below(type: IcebergType, slots: readonly Slot[], place: Place): LeafSlots[] {
  const { id, path, lists, levels } = place
  if (typeof type === 'string') {
    const count = (of: (slot: Slot) => number, max: number): number[] =>
      Array.from({ length: max + 1 }, (_, level) => slots.filter((slot) => of(slot) === level).length)
    const repetition = count((slot) => slot.repetition, lists)
    const definition = count((slot) => slot.definition, levels)
    return [{ id, path, type, isRepeated: lists > 0, slots: slots.map(({ value }) => value), repetition, definition }]
  }
  const part = (of: readonly Slot[], index: number): Slot[] =>
    of.map((slot) => (slot.value === null ? slot : { ...slot, value: (slot.value as readonly Plain[])[index]! }))
  if (type.type === 'struct') {
    return type.fields.flatMap(({ id: inner, name, type: of, required }, index) =>
      member(of, required, part(slots, index), { ...place, id: inner, path: `${path}.${name}` }),
    )
  }
  const items = slots.flatMap((slot) => {
    const values = slot.value as readonly Plain[] | null
    if (values === null || values.length === 0) return [{ ...slot, value: null }]
    const definition = slot.definition + 1
    return values.map((value, i) => ({ value, repetition: i === 0 ? slot.repetition : lists + 1, definition }))
  })
  const inside = { lists: lists + 1, levels: levels + 1 }
  if (type.type === 'list') {
    const element = { ...inside, id: type['element-id'], path: `${path}.list.element` }
    return member(type.element, type['element-required'], items, element)
  }
  const key = { ...inside, id: type['key-id'], path: `${path}.key_value.key` }
  const value = { ...inside, id: type['value-id'], path: `${path}.key_value.value` }
  return [
    ...member(type.key, true, part(items, 0), key),
    ...member(type.value, type['value-required'], part(items, 1), value),
  ]
}

export interface SlotBounds {
  readonly nullCount: number
  readonly nanCount: number
  /** NaN left out, −0 below 0; null where there is no value. */
  readonly least: Plain
  readonly greatest: Plain
  /** The same as a footer states it: a zero is −0 as the lower and 0 as the upper one. */
  readonly min: Plain
  readonly max: Plain
}

/** By the order of the type: numbers by value, bytes and strings unsigned, byte by byte. */
export function slotBounds(type: string, slots: readonly Plain[]): SlotBounds {
  const present = slots.filter((slot) => slot !== null)
  const comparable = present.filter((slot) => slot !== 'nan')
  const key = keyOf(type)
  const isNegativeZero = (slot: Plain): boolean => Object.is(key(slot), -0)
  let least: Plain = null
  let greatest: Plain = null
  for (const slot of comparable) {
    const isTie = (other: Plain): boolean => key(slot) === key(other)
    if (least === null || key(slot) < key(least) || (isTie(least) && isNegativeZero(slot))) least = slot
    if (greatest === null || key(slot) > key(greatest) || (isTie(greatest) && !isNegativeZero(slot))) greatest = slot
  }
  const digits = type === 'float' ? 8 : type === 'double' ? 16 : 0
  const isZero = (slot: Plain): boolean => digits > 0 && slot !== null && numberFrom(slot as string) === 0
  const min = isZero(least) ? `8${'0'.repeat(digits - 1)}` : least
  const max = isZero(greatest) ? '0'.repeat(digits) : greatest
  const nanCount = present.length - comparable.length
  return { nullCount: slots.length - present.length, nanCount, least, greatest, min, max }
}

/** Hex compares as its bytes do. */
function keyOf(type: string): (slot: Plain) => number | bigint | string {
  if (type === 'boolean') return Number
  if (type === 'float' || type === 'double') return (slot) => numberFrom(slot as string)
  if (type === 'string' || type === 'binary' || type === 'uuid' || type.startsWith('fixed')) return String
  return (slot) => BigInt(slot as string)
}
