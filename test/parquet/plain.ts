import type { Column, IcebergField, IcebergType } from '@moulin/core'
import { decimalWidth, isValid } from '@moulin/core'
import type { Dice } from './dice.ts'

/**
 * A value in the one form that every reader's values are brought to before they are compared, fit for JSON:
 * integers, dates, times and unscaled decimals as decimal text; float and double as the hex of their bits (`nan` for
 * any NaN); string, binary, uuid and fixed as hex; a list is an array, a struct the array of its members, a map the
 * array of its [key, value] pairs.
 */
export type Plain = null | boolean | string | readonly Plain[]

/** Column by column, by position in the schema. */
export type PlainTable = readonly (readonly Plain[])[]

/** What a map is in columns and in Parquet: a list of structs. */
export function asList(type: IcebergType): IcebergType {
  if (typeof type === 'string' || type.type !== 'map') return type
  const key: IcebergField = { id: type['key-id'], name: 'key', type: type.key, required: true }
  const value = { id: type['value-id'], name: 'value', type: type.value, required: type['value-required'] }
  return {
    type: 'list',
    'element-id': -1,
    'element-required': true,
    element: { type: 'struct', fields: [key, value] },
  }
}

const view = new DataView(new ArrayBuffer(8))

export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  view.setFloat32(0, value)
  return view.getUint32(0).toString(16).padStart(8, '0')
}

export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  view.setFloat64(0, value)
  return view.getBigUint64(0).toString(16).padStart(16, '0')
}

export function numberFrom(text: string): number {
  if (text === 'nan') return NaN
  if (text.length === 8) view.setUint32(0, Number.parseInt(text, 16))
  else view.setBigUint64(0, BigInt(`0x${text}`))
  return text.length === 8 ? view.getFloat32(0) : view.getFloat64(0)
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

export function bigEndian(value: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width)
  for (let i = width - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

export function fromBigEndian(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex(bytes)}`))
}

const decimal = /^decimal\((\d+),(\d+)\)$/
const fixed = /^fixed\[(\d+)\]$/

/** Bytes of a fixed-width type. */
export function widthOf(type: string): number {
  const precision = decimal.exec(type)?.[1]
  if (precision !== undefined) return decimalWidth(Number(precision))
  return type === 'uuid' ? 16 : Number(fixed.exec(type)?.[1])
}

export function isWideDecimal(type: string): boolean {
  return Number(decimal.exec(type)?.[1] ?? 0) > 18
}

export function storageFor(type: string): Exclude<Column['storage'], 'list' | 'struct'> {
  if (type === 'boolean') return 'bool'
  if (type === 'int' || type === 'date') return 'int32'
  if (type === 'float') return 'float32'
  if (type === 'double') return 'float64'
  if (type === 'string' || type === 'binary') return 'bytes'
  if (type === 'uuid' || fixed.test(type) || isWideDecimal(type)) return 'fixed'
  return 'int64'
}

/** The bytes of a value stored as bytes. */
function bytesFrom(type: string, text: string): Uint8Array {
  return isWideDecimal(type) ? bigEndian(BigInt(text), widthOf(type)) : Buffer.from(text, 'hex')
}

/**
 * The column of plain values. With dice, it has everything that a column may have besides them: noise in the slots of
 * nulls (also below them), a validity bitmap longer than need be or without nulls, bytes out of order, lists with gaps.
 */
export function toColumn(type: IcebergType, values: readonly Plain[], dice?: Dice): Column {
  const noise = (limit: number): number => (dice === undefined ? 0 : dice.below(limit))
  const length = values.length
  const spare = noise(3)
  const hasNull = values.includes(null)
  const validity = hasNull || noise(4) === 1 ? new Uint8Array(((length + 7) >> 3) + spare) : undefined
  if (validity !== undefined) for (let i = 0; i < length; i++) if (values[i] !== null) validity[i >> 3]! |= 1 << (i & 7)
  const base = { length, validity }
  const listed = asList(type)
  if (typeof listed !== 'string') {
    if (listed.type === 'struct') {
      const fields = listed.fields.map((member, index) => {
        // Below a null the members may hold anything, also where they are required.
        const below = values.map((value) => (value as readonly Plain[] | null)?.[index] ?? null)
        const column = toColumn(member.type, below, dice)
        return { name: member.name, column: member.required && hasNull ? { ...column, validity: undefined } : column }
      })
      return { storage: 'struct', ...base, fields }
    }
    if (listed.type === 'map') throw new Error('asList gives no map')
    const offsets = new Int32Array(length + 1)
    const children: Plain[] = []
    const filler = values.find((value) => value !== null && (value as readonly Plain[]).length > 0) as
      Plain[] | undefined
    const gap = (): void => {
      if (filler !== undefined && noise(6) === 1) children.push(filler[0]!)
    }
    gap()
    for (let i = 0; i < length; i++) {
      offsets[i] = children.length
      if (values[i] === null) gap()
      else children.push(...(values[i] as readonly Plain[]))
      offsets[i + 1] = children.length
    }
    gap()
    return { storage: 'list', ...base, offsets, element: toColumn(listed.element, children, dice) }
  }
  const storage = storageFor(listed)
  const slot = <T>(of: (text: string) => T, junk: () => T): T[] =>
    values.map((value) => (value === null ? junk() : of(value as string)))
  switch (storage) {
    case 'bool':
      return { storage, ...base, values: Uint8Array.from(values, (v) => (v === null ? noise(2) : v ? 1 : 0)) }
    case 'int32':
      return { storage, ...base, values: Int32Array.from(slot(Number, () => noise(1 << 20))) }
    case 'int64':
      return { storage, ...base, values: BigInt64Array.from(slot(BigInt, () => BigInt(noise(1 << 30)))) }
    case 'float32':
      return { storage, ...base, values: Float32Array.from(slot(numberFrom, () => noise(9) - 4)) }
    case 'float64':
      return { storage, ...base, values: Float64Array.from(slot(numberFrom, () => noise(9) - 4)) }
    case 'fixed': {
      const width = widthOf(listed)
      const bytes = new Uint8Array(length * width)
      for (let i = 0; i < length; i++) {
        if (values[i] !== null) bytes.set(bytesFrom(listed, values[i] as string), i * width)
        else bytes.fill(noise(256), i * width, (i + 1) * width)
      }
      return { storage, ...base, width, values: bytes }
    }
    case 'bytes': {
      const parts = slot(
        (text) => Buffer.from(text, 'hex'),
        () => Buffer.alloc(noise(5), 0x78),
      )
      return { storage, ...base, ...laidOut(parts, dice) }
    }
  }
}

/** Bytes back to back, or, by chance, backwards, so that positions do not rise. */
function laidOut(
  parts: readonly Uint8Array[],
  dice: Dice | undefined,
): {
  data: Uint8Array
  starts: Int32Array
  ends: Int32Array
} {
  const starts = new Int32Array(parts.length)
  const ends = new Int32Array(parts.length)
  const order = [...parts.keys()]
  if (dice?.below(4) === 1) order.reverse()
  let size = dice === undefined ? 0 : dice.below(3)
  const first = size
  for (const i of order) {
    starts[i] = size
    size += parts[i]!.length
    ends[i] = size
  }
  const data = new Uint8Array(size)
  data.fill(0x21, 0, first)
  for (const [i, part] of parts.entries()) data.set(part, starts[i])
  return { data, starts, ends }
}

/** The plain values of a column: the reverse of {@link toColumn}. */
export function fromColumn(type: IcebergType, column: Column): Plain[] {
  const listed = asList(type)
  const rows = Array.from({ length: column.length }, (_, row) => row)
  const each = (of: (row: number) => Plain): Plain[] => rows.map((row) => (isValid(column, row) ? of(row) : null))
  const wrong = (): Error => new Error(`A column of ${JSON.stringify(type)} came as ${column.storage}.`)
  if (typeof listed === 'string') {
    if (column.storage !== storageFor(listed)) throw wrong()
    switch (column.storage) {
      case 'bool':
        return each((row) => column.values[row] === 1)
      case 'int32':
      case 'int64':
        return each((row) => String(column.values[row]))
      case 'float32':
        return each((row) => floatText(column.values[row]!))
      case 'float64':
        return each((row) => doubleText(column.values[row]!))
      case 'bytes':
        return each((row) => hex(column.data.subarray(column.starts[row], column.ends[row])))
      case 'fixed': {
        const { width, values } = column
        if (width !== widthOf(listed)) throw wrong()
        const bytes = (row: number): Uint8Array => values.subarray(row * width, (row + 1) * width)
        return each((row) => (isWideDecimal(listed) ? String(fromBigEndian(bytes(row))) : hex(bytes(row))))
      }
      default:
        throw wrong()
    }
  }
  if (listed.type === 'struct') {
    if (column.storage !== 'struct') throw wrong()
    const members = listed.fields.map((member, index) => fromColumn(member.type, column.fields[index]!.column))
    return each((row) => members.map((member) => member[row]!))
  }
  if (listed.type === 'map' || column.storage !== 'list') throw wrong()
  const elements = fromColumn(listed.element, column.element)
  return each((row) => elements.slice(column.offsets[row], column.offsets[row + 1]))
}

/** Throws at the first value that differs. Much faster than `toEqual`. */
export function expectTable(
  fields: readonly IcebergField[],
  expected: PlainTable,
  actual: PlainTable,
  label = '',
): void {
  const flaw = difference(fields, expected, actual)
  if (flaw !== undefined) throw new Error(`${label} ${flaw}`.trim())
}

/** Where the first value differs, or undefined. */
export function difference(
  fields: readonly IcebergField[],
  expected: PlainTable,
  actual: PlainTable,
): string | undefined {
  for (const [index, field] of fields.entries()) {
    const [want, got] = [expected[index]!, actual[index] ?? []]
    if (JSON.stringify(want) === JSON.stringify(got)) continue
    const row = want.findIndex((value, at) => JSON.stringify(value) !== JSON.stringify(got[at]))
    const shown =
      row < 0
        ? `${got.length} rows, not ${want.length}`
        : `${JSON.stringify(got[row])}, not ${JSON.stringify(want[row])}`
    return `row ${row} of ${JSON.stringify(field)}: ${shown}`
  }
  return undefined
}
