import type { IcebergSchema, IcebergType } from '@moulin/core'
import { isWideDecimal, numberFrom } from './plain.ts'
import type { Plain, PlainTable } from './plain.ts'

/** A leaf with its slots, as Parquet counts them: a list that is null or empty is one slot without a value. */
export interface LeafSlots {
  readonly id: number
  readonly path: string
  readonly type: string
  readonly isRepeated: boolean
  readonly slots: readonly Plain[]
}

/** The leaves of rows `[start, end)`, in the order of the file's columns. */
export function leafSlots(schema: IcebergSchema, table: PlainTable, start: number, end: number): LeafSlots[] {
  return schema.fields.flatMap((field, index) =>
    below(field.type, table[index]!.slice(start, end), field.name, field.id, false),
  )
}

function below(
  type: IcebergType,
  values: readonly Plain[],
  path: string,
  id: number,
  isRepeated: boolean,
): LeafSlots[] {
  if (typeof type === 'string') return [{ id, path, type, isRepeated, slots: values }]
  if (type.type === 'struct') {
    return type.fields.flatMap((field, index) => {
      const members = values.map((value) => (value === null ? null : (value as readonly Plain[])[index]!))
      return below(field.type, members, `${path}.${field.name}`, field.id, isRepeated)
    })
  }
  const items = values.flatMap((value) =>
    value === null || (value as readonly Plain[]).length === 0 ? [null] : (value as readonly Plain[]),
  )
  if (type.type === 'list') return below(type.element, items, `${path}.list.element`, type['element-id'], true)
  const side = (at: number): Plain[] => items.map((item) => (item === null ? null : (item as readonly Plain[])[at]!))
  return [
    ...below(type.key, side(0), `${path}.key_value.key`, type['key-id'], true),
    ...below(type.value, side(1), `${path}.key_value.value`, type['value-id'], true),
  ]
}

export interface SlotBounds {
  readonly nullCount: number
  readonly nanCount: number
  /** NaN left out; a zero is −0 as the lower and +0 as the upper one. Null where there is no value. */
  readonly min: Plain
  readonly max: Plain
}

/** By the order of the type: numbers by value, bytes and strings unsigned, byte by byte. */
export function slotBounds(type: string, slots: readonly Plain[]): SlotBounds {
  const present = slots.filter((slot) => slot !== null)
  const comparable = present.filter((slot) => slot !== 'nan')
  const key = keyOf(type)
  let min: Plain = null
  let max: Plain = null
  for (const slot of comparable) {
    if (min === null || key(slot) < key(min)) min = slot
    if (max === null || key(slot) > key(max)) max = slot
  }
  const zero = type === 'float' ? 8 : type === 'double' ? 16 : 0
  if (zero > 0 && min !== null && numberFrom(min as string) === 0) min = `8${'0'.repeat(zero - 1)}`
  if (zero > 0 && max !== null && numberFrom(max as string) === 0) max = '0'.repeat(zero)
  return { nullCount: slots.length - present.length, nanCount: present.length - comparable.length, min, max }
}

/** Hex compares as its bytes do. */
function keyOf(type: string): (slot: Plain) => number | bigint | string {
  if (type === 'boolean') return Number
  if (type === 'float' || type === 'double') return (slot) => numberFrom(slot as string)
  if (type === 'string' || type === 'binary' || type === 'uuid' || type.startsWith('fixed')) return String
  return (slot) => BigInt(slot as string)
}

/** A {@link MetricValue} in the plain form. */
export function isBytesLike(type: string): boolean {
  return type === 'string' || type === 'binary' || type === 'uuid' || type.startsWith('fixed') || isWideDecimal(type)
}
