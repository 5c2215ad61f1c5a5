import type { Codec, Column, ColumnarCodec, Schema, Type, ValueFidelity } from '@moulin/core'
import { Arena, INT64_MAX, INT64_MIN, isMoulinError, isValid, schema, schemaOf, structOf, t } from '@moulin/core'
import fc from 'fast-check'
import { expect } from 'vitest'
import { rowsEncoderOf } from './values/row-by-row.ts'

/** Helpers of the codecs' tests. */

export const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(/[^0-9a-f]/g, ''), 'hex'))

/** What `run` throws, if it is one of ours. */
export const errorOf = (run: () => unknown): { kind: string; code: string; message: string } | undefined => {
  try {
    run()
  } catch (error) {
    if (!isMoulinError(error) || error.kind === 'internal') throw error
    return error
  }
  return undefined
}

/** Decodes values into columns from an arena where they lie among other bytes, and encodes each row again. */
export const throughColumns = (
  codec: Codec,
  values: readonly Uint8Array[],
): { fidelity: ValueFidelity; bytes: Uint8Array | undefined }[] => {
  const columnar = codec.columnar!
  const arena = new Arena(8)
  const places = values.map((bytes) => {
    arena.append(Uint8Array.of(0xff))
    const start = arena.append(bytes)
    return [start, arena.length] as const
  })
  const builders = columnar.builders(arena)
  const fidelity = places.map(([start, end]) => columnar.decodeRow(arena, start, end, builders))
  for (const builder of builders) expect(builder.length).toBe(values.length)
  const columns = builders.map((builder) => builder.finish())
  columns.forEach(expectWhole)
  expectSameByColumns(columnar, columns, values.length)
  return fidelity.map((of, row) => {
    if (of === 'unreadable') {
      expect(columns.every((column) => !isValid(column, row))).toBe(true)
      return { fidelity: of, bytes: undefined }
    }
    return { fidelity: of, bytes: encodeRow(codec, columns, row) }
  })
}

/** What lies in a column has the lengths that its rows ask for. */
const expectWhole = (column: Column): void => {
  if (column.storage === 'list') {
    expect(column.element.length).toBe(column.offsets[column.length])
    expectWhole(column.element)
  } else if (column.storage === 'struct') {
    for (const field of column.fields) {
      expect(field.column.length).toBe(column.length)
      expectWhole(field.column)
    }
  }
}

/**
 * Many rows at a time are the bytes of one at a time: in any order, some twice, some left out behind their sizes, from
 * memory that held other sizes, to places anywhere; those without an encoding are told by −1.
 */
export const expectSameByColumns = (codec: ColumnarCodec, columns: readonly Column[], length: number): void => {
  const order = Int32Array.from({ length: length * 2 }, (_, at) => (at % 2 === 0 ? at >> 1 : length - 1 - (at >> 1)))
  const one = { ...codec, sizes: undefined, encodeRows: undefined } as unknown as ColumnarCodec
  for (const { sizes, encodeRows } of [rowsEncoderOf(codec), rowsEncoderOf(one)]) {
    const found = new Int32Array(order.length).fill(99)
    sizes(columns, order, found)
    const room = new Uint8Array(0x10000)
    const expected = [...order].map((row) => {
      const error = errorOf(() => void (room[0] = codec.encodeRow(columns, row, room, 0)))
      return error === undefined ? room.slice(0, codec.encodeRow(columns, row, room, 0)) : undefined
    })
    expect([...found]).toEqual(expected.map((bytes) => bytes?.length ?? -1))
    const kept = [...order.keys()].filter((at) => expected[at] !== undefined && at % 5 !== 3)
    // Behind each other with three bytes between, which nobody touches, and the last one up to the very end.
    const whole: Uint8Array[] = []
    const places = new Int32Array(kept.length)
    const ends: number[] = []
    let end = 0
    kept.forEach((at, index) => {
      whole.push(new Uint8Array(3).fill(0xaa), expected[at]!)
      places[index] = end + 3
      ends.push((end += 3 + expected[at]!.length))
    })
    const target = new Uint8Array(end).fill(0xaa)
    encodeRows(
      columns,
      Int32Array.from(kept, (at) => order[at]!),
      target,
      places,
    )
    expect(Buffer.compare(target, Buffer.concat(whole))).toBe(0)
    expect([...places]).toEqual(ends)
  }
}

const encodeRow = (codec: Codec, columns: readonly Column[], row: number): Uint8Array => {
  const room = new Uint8Array(0x10000)
  const end = codec.columnar!.encodeRow(columns, row, room, 7)
  // One byte less has no room, exactly as much has.
  expect(codec.columnar!.encodeRow(columns, row, new Uint8Array(end - 1), 7)).toBe(-1)
  expect(codec.columnar!.encodeRow(columns, row, new Uint8Array(end), 7)).toBe(end)
  return room.slice(7, end)
}

export function kinds({ fields }: Schema): string[] {
  return fields.map(({ name, type: { spec, isOptional } }) => {
    const as = 'as' in spec ? ` ${spec.as}` : ''
    return `${name} ${spec.kind}${as}${isOptional ? '?' : ''}`
  })
}

/** One field of every kind. */
export const every = schema({
  boolean: t.boolean,
  int: t.int,
  int53: t.int53,
  long: t.long,
  float: t.float,
  double: t.double,
  string: t.string,
  binary: t.binary,
  uuid: t.uuid,
  fixed: t.fixed(3),
  date: t.date,
  small: t.decimal(9, 2),
  large: t.decimal(30, 5),
  time: t.time,
  timeMicros: t.time.micros,
  timestamp: t.timestamp,
  timestampMicros: t.timestamp.micros,
  timestamptz: t.timestamptz,
  timestamptzMicros: t.timestamptz.micros,
  note: t.string.optional(),
  count: t.long.optional(),
})

const int64 = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.integer().map(BigInt),
  fc.constantFrom(INT64_MIN, INT64_MAX),
)
const decimal = (digits: number, scale: number) =>
  fc.bigInt({ min: -(10n ** BigInt(digits)) + 1n, max: 10n ** BigInt(digits) - 1n }).map((unscaled) => {
    const text = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
    return `${unscaled < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`
  })
const ms = fc.oneof(
  fc.date({ noInvalidDate: true }),
  fc.integer({ min: -8.64e15, max: 8.64e15 }).map((at) => new Date(at)),
  fc.constantFrom(new Date(8.64e15), new Date(-8.64e15), new Date(-1)),
)
const everyKind = {
  boolean: fc.boolean(),
  int: fc.integer(),
  int53: fc.maxSafeInteger(),
  long: int64,
  float: fc.float(),
  double: fc.double(),
  string: fc.string({ unit: 'grapheme', maxLength: 120 }),
  binary: fc.uint8Array(),
  uuid: fc.uuid(),
  fixed: fc.uint8Array({ minLength: 3, maxLength: 3 }),
  date: fc.date({ noInvalidDate: true }).map((date) => date.toISOString().slice(0, -14)),
  small: decimal(9, 2),
  large: decimal(30, 5),
  time: fc.nat(86_399_999),
  timeMicros: fc.nat(86_399_999).map((at) => BigInt(at) * 1000n + 7n),
  timestamp: ms,
  timestampMicros: int64,
  timestamptz: ms,
  timestamptzMicros: int64,
  note: fc.option(fc.string({ unit: 'grapheme' })),
  count: fc.option(int64),
}
/** Its values. */
export const everyValue = fc.record(everyKind)

/** A type with values of it. */
export interface Typed {
  readonly type: Type
  readonly value: fc.Arbitrary<unknown>
}

const scalars: readonly Typed[] = every.fields
  .filter(({ type }) => !type.isOptional)
  .map(({ name, type }) => ({ type, value: everyKind[name as keyof typeof everyKind] }))
const keys = scalars.filter(({ type: { spec } }) => spec.kind !== 'float' && spec.kind !== 'double')
const finite = scalars.map(({ type, value }): Typed => {
  if (type.spec.kind !== 'float' && type.spec.kind !== 'double') return { type, value }
  return { type, value: value.map((number) => (Number.isFinite(number) ? (number as number) + 0 : 1.5)) }
})

/** Types nested up to `depth` levels. JSON has finite numbers only. */
export function nestedType(depth: number, isJson: boolean): fc.Arbitrary<Typed> {
  const scalar = fc.constantFrom(...(isJson ? finite : scalars))
  if (depth === 0) return scalar
  const inner = perhapsOptional(nestedType(depth - 1, isJson))
  const list = inner.map(({ type, value }): Typed => ({ type: t.list(type), value: fc.array(value, { maxLength: 5 }) }))
  const map = fc.tuple(fc.constantFrom(...keys), inner).map(([key, { type, value }]): Typed => {
    const entries = fc.uniqueArray(fc.tuple(key.value, value), { maxLength: 5, selector: ([of]) => keyText(of) })
    return { type: t.map(key.type as never, type), value: entries.map((of) => new Map(of)) }
  })
  const struct = fc.array(inner, { minLength: 1, maxLength: 4 }).map((members): Typed => {
    const names = members.map((_, at) => ['a', 'key', 'value', '__proto__'][at]!)
    return {
      type: structOf(members.map(({ type }, at) => ({ name: names[at]!, type }))),
      value: fc.tuple(...members.map(({ value }) => value)).map((values) => objectOf(names, values)),
    }
  })
  return fc.oneof(scalar, list, map, struct)
}

function perhapsOptional(typed: fc.Arbitrary<Typed>): fc.Arbitrary<Typed> {
  return fc.tuple(typed, fc.boolean()).map(([of, isOptional]): Typed => {
    return isOptional ? { type: of.type.optional(), value: fc.option(of.value) } : of
  })
}

/** A schema of one to three fields with some of its values. */
export function nestedValues(depth: number, isJson: boolean): fc.Arbitrary<{ schema: Schema; values: unknown[] }> {
  return fc.array(perhapsOptional(nestedType(depth, isJson)), { minLength: 1, maxLength: 3 }).chain((fields) => {
    const names = fields.map((_, at) => `f${at}`)
    const value = fc.tuple(...fields.map((field) => field.value)).map((values) => objectOf(names, values))
    const of = schemaOf(fields.map(({ type }, at) => ({ name: names[at]!, type })))
    return fc.array(value, { minLength: 1, maxLength: 4 }).map((values) => ({ schema: of, values }))
  })
}

function keyText(key: unknown): string {
  if (key instanceof Date) return String(key.getTime())
  // A decimal of zero has one sign only once it is encoded.
  return key instanceof Uint8Array
    ? Buffer.from(key).toString('hex')
    : String(key)
        .toLowerCase()
        .replace(/^-(?=0\.0*$)/, '')
}

function objectOf(names: readonly string[], values: readonly unknown[]): object {
  const object = Object.create(null) as Record<string, unknown>
  names.forEach((name, at) => (object[name] = values[at]))
  return object
}

/** Entries instead of Maps and objects: their order counts, their prototypes do not. */
export function entriesOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(entriesOf)
  if (value instanceof Map) return { map: [...value].map(entriesOf) }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value
  return { struct: Object.entries(value).map(entriesOf) }
}

/** One to three changes of bytes anywhere. */
export const mutations = fc.array(
  fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.constantFrom('set', 'insert', 'delete', 'cut')),
  { minLength: 1, maxLength: 3 },
)

export function mutated(good: Uint8Array, changes: readonly (readonly [number, number, string])[]): Uint8Array {
  let bytes = [...good]
  for (const [where, byte, how] of changes) {
    const at = where % (bytes.length + 1)
    if (how === 'set') bytes[at % bytes.length] = byte
    else if (how === 'insert') bytes.splice(at, 0, byte)
    else if (how === 'delete') bytes.splice(at, 1)
    else bytes = bytes.slice(0, at)
  }
  return Uint8Array.from(bytes)
}

/**
 * A good row on either side does not notice a damaged one, whose columns say what `decode` says: the same bytes when it
 * is canonical, what its value encodes to when it is readable, nothing when `decode` throws.
 */
export function expectDamageHeld(codec: Codec, good: Uint8Array, damaged: Uint8Array): void {
  const [before, between, after] = throughColumns(codec, [good, damaged, good])
  expect([before!.bytes, after!.bytes]).toEqual([good, good])
  let value: unknown
  const error = errorOf(() => (value = codec.decode(damaged)))
  expect(error?.kind).toBe(between!.fidelity === 'unreadable' ? 'corrupt' : undefined)
  if (error !== undefined) return
  expect(between!.bytes).toEqual(codec.encode(value))
  expect(Buffer.compare(between!.bytes!, damaged) === 0).toBe(between!.fidelity === 'canonical')
}
