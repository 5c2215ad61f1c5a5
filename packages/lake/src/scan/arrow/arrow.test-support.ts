/** Columns of every type, and a reader of Arrow's memory that follows its specification and not its package. */
import { Arena, builderFor, t } from '@moulin/core'
import type { Column, ColumnBuilder, Type } from '@moulin/core'
import type { Data } from 'apache-arrow'
import fc from 'fast-check'

/** As a column holds it: bigint for a decimal, too; a list for a list; entries for a map; members for a struct. */
export type Stored = null | boolean | number | bigint | Uint8Array | readonly Stored[]

const longs = fc.oneof(
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n, 2n ** 53n + 1n),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
)
const ints = fc.oneof(fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0, -1), fc.integer())
const decimals = (precision: number): fc.Arbitrary<bigint> => {
  const max = 10n ** BigInt(precision) - 1n
  return fc.oneof(fc.constantFrom(max, -max, 0n, -1n), fc.bigInt({ min: -max, max }))
}
const doubles = fc.oneof(fc.constantFrom(-0, NaN, Infinity, 2 ** -1074), fc.double())
const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })

/** Types by name, flat ones and nested ones. */
export const testTypes: Readonly<Record<string, Type>> = {
  boolean: t.boolean,
  int: t.int,
  int53: t.int53,
  long: t.long,
  float: t.float,
  double: t.double,
  small: t.decimal(9, 2),
  middle: t.decimal(18, 18),
  large: t.decimal(38, 10),
  odd: t.decimal(21, 0),
  string: t.string,
  binary: t.binary,
  uuid: t.uuid,
  fixed: t.fixed(3),
  date: t.date,
  time: t.time.micros,
  timestamp: t.timestamp.micros,
  timestamptz: t.timestamptz.micros,
  list: t.list(t.string.optional()),
  lists: t.list(t.list(t.decimal(38, 0).optional()).optional()),
  struct: t.struct({ a: t.boolean.optional(), b: t.struct({ c: t.string, d: t.list(t.int) }).optional() }),
  map: t.map(t.string, t.double.optional()),
  maps: t.map(t.int, t.list(t.map(t.string, t.uuid))),
  structs: t.list(t.struct({ x: t.date.optional(), y: t.boolean })),
}

export function storedArbitrary({ spec }: Type): fc.Arbitrary<Stored> {
  const orNull = (type: Type): fc.Arbitrary<Stored> =>
    fc.option(storedArbitrary(type), { freq: type.isOptional ? 3 : 1000 })
  switch (spec.kind) {
    case 'boolean':
      return fc.boolean()
    case 'unknown':
      return fc.constant(null)
    case 'int':
      return ints
    case 'date':
      return fc.integer({ min: -800_000, max: 3_000_000 })
    case 'int53':
      return fc.maxSafeInteger().map(BigInt)
    case 'time':
      return fc.bigInt({ min: 0n, max: 86_399_999_999n })
    case 'long':
    case 'timestamp':
    case 'timestamptz':
      return longs
    case 'float':
      return doubles.map(Math.fround)
    case 'double':
      return doubles
    case 'decimal':
      return decimals(spec.precision)
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => new TextEncoder().encode(text))
    case 'binary':
      return fc.uint8Array({ maxLength: 30 })
    case 'uuid':
      return bytesOf(16)
    case 'fixed':
      return bytesOf(spec.length)
    case 'list':
      return fc.array(orNull(spec.element), { maxLength: 4 })
    case 'map':
      return fc.array(fc.tuple(storedArbitrary(spec.key), orNull(spec.value)), { maxLength: 3 })
    case 'struct':
      return fc.tuple(...spec.fields.map(({ type }) => orNull(type)))
  }
}

export function columnFrom(type: Type, rows: readonly Stored[]): Column {
  const builder = builderFor(type, new Arena())
  for (const row of rows) append(builder, row)
  return builder.finish()
}

function append(builder: ColumnBuilder, value: Stored): void {
  if (value === null) return builder.appendNull()
  if (builder.storage === 'list') {
    for (const element of value as readonly Stored[]) append(builder.element, element)
    return builder.append()
  }
  if (builder.storage === 'struct') {
    builder.fields.forEach((field, at) => append(field.builder, (value as readonly Stored[])[at]!))
    return builder.append()
  }
  if (builder.storage === 'fixed' && typeof value === 'bigint') return builder.append(bigEndian(value, builder.width))
  builder.append(value as never)
}

export function bigEndian(value: bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, at) => Number(BigInt.asUintN(8, value >> BigInt(8 * (width - 1 - at)))))
}

/** Values as {@link Stored}, straight from the buffers. */
export function storedIn(type: Type, data: Data, row: number): Stored {
  const { spec } = type
  const at = data.offset + row
  const { nullBitmap } = data
  if (nullBitmap !== undefined && nullBitmap.length > 0 && ((nullBitmap[at >> 3]! >> (at & 7)) & 1) === 0) return null
  const values = data.values as Uint8Array
  switch (spec.kind) {
    case 'boolean':
      return ((values[at >> 3]! >> (at & 7)) & 1) === 1
    case 'decimal': {
      const words = [...data.values.subarray(row * 4, row * 4 + 4)] as number[]
      return BigInt.asIntN(
        128,
        words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n),
      )
    }
    case 'string':
    case 'binary':
      return new Uint8Array(values.subarray(data.valueOffsets[row], data.valueOffsets[row + 1]))
    case 'uuid':
      return new Uint8Array(values.subarray(row * 16, (row + 1) * 16))
    case 'fixed':
      return new Uint8Array(values.subarray(row * spec.length, (row + 1) * spec.length))
    case 'list':
    case 'map': {
      const [start, end] = [data.valueOffsets[row] as number, data.valueOffsets[row + 1] as number]
      const inner = spec.kind === 'list' ? spec.element : t.struct({ key: spec.key, value: spec.value })
      return Array.from({ length: end - start }, (_, index) => storedIn(inner, data.children[0]!, start + index))
    }
    case 'struct':
      return spec.fields.map((field, index) => storedIn(field.type, data.children[index]!, row))
    default:
      return data.values[row] as number | bigint
  }
}
