import { Arena, BytesBuilder, decimalWidth, isValid, parsePrimitive } from '@moulin/core'
import type { Column, IcebergField, IcebergType } from '@moulin/core'
import { bigIntBytes, bigIntOf } from '@moulin/format'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { followField, writableFields } from './followed-field.ts'
import { isPromotion, reshaped } from './reshape.ts'

const nobody = (): never => expect.unreachable('a value that does not fit')

function ints(values: readonly (number | null)[]): Column {
  return {
    storage: 'int32',
    length: values.length,
    validity: validityOf(values),
    values: Int32Array.from(values, (v) => v ?? 99),
  }
}
function longs(values: readonly (bigint | null)[]): Column {
  return {
    storage: 'int64',
    length: values.length,
    validity: validityOf(values),
    values: BigInt64Array.from(values, (v) => v ?? -(2n ** 63n)),
  }
}
function doubles(values: readonly (number | null)[]): Column {
  return {
    storage: 'float64',
    length: values.length,
    validity: validityOf(values),
    values: Float64Array.from(values, (v) => v ?? 0.1),
  }
}
function decimals(values: readonly (bigint | null)[], precision: number): Column {
  if (precision <= 18) return longs(values)
  const width = decimalWidth(precision)
  const bytes = new Uint8Array(values.length * width).fill(0x7f)
  values.forEach((value, at) => value !== null && bytes.set(bigIntBytes(value, width), at * width))
  return { storage: 'fixed', length: values.length, validity: validityOf(values), width, values: bytes }
}
function validityOf(values: readonly unknown[]): Uint8Array | undefined {
  if (!values.includes(null)) return undefined
  const bits = new Uint8Array((values.length + 7) >> 3)
  values.forEach((value, at) => value !== null && (bits[at >> 3]! |= 1 << (at & 7)))
  return bits
}
function valuesOf(column: Column): unknown[] {
  return Array.from({ length: column.length }, (_, row) => {
    if (!isValid(column, row)) return null
    if (column.storage === 'fixed') return bigIntOf(column.values, row * column.width, (row + 1) * column.width)
    return (column as Column & { values: ArrayLike<unknown> }).values[row]
  })
}

const nullable = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<(T | null)[]> =>
  fc.array(fc.option(values), { maxLength: 20 })
const days = fc.integer({ min: -106_751_991, max: 106_751_991 })

const promotions: readonly (readonly [from: string, to: string, column: fc.Arbitrary<Column>])[] = [
  ['int', 'long', nullable(fc.integer()).map(ints)],
  [
    'float',
    'double',
    nullable(fc.float()).map((v) => ({
      ...doubles(v),
      storage: 'float32',
      values: Float32Array.from(v, (n) => n ?? 0),
    })),
  ],
  ['date', 'timestamp', nullable(days).map(ints)],
  ['date', 'timestamp_ns', nullable(fc.integer({ min: -106_751, max: 106_751 })).map(ints)],
  ['decimal(5,2)', 'decimal(9,2)', nullable(fc.bigInt(-99_999n, 99_999n)).map((v) => decimals(v, 5))],
  ['decimal(5,2)', 'decimal(38,2)', nullable(fc.bigInt(-99_999n, 99_999n)).map((v) => decimals(v, 5))],
  [
    'decimal(19,0)',
    'decimal(30,0)',
    nullable(fc.bigInt(-(10n ** 19n) + 1n, 10n ** 19n - 1n)).map((v) => decimals(v, 19)),
  ],
]

describe('a promoted column', () => {
  it.each(promotions)('of %s holds as %s what it held, and comes back', (from, to, columns) => {
    expect(isPromotion(parsePrimitive(from)!, parsePrimitive(to)!)).toBe(true)
    expect(isPromotion(parsePrimitive(to)!, parsePrimitive(from)!)).toBe(false)
    fc.assert(
      fc.property(columns, (column) => {
        const wide = reshaped(column, { kind: 'cast', from, to }, nobody)
        expect(valuesOf(wide)).toEqual(
          valuesOf(column).map((value) =>
            value === null || to === 'double' || to.startsWith('decimal')
              ? value
              : BigInt(value as number) *
                (to === 'long' ? 1n : to === 'timestamp' ? 86_400_000_000n : 86_400_000_000_000n),
          ),
        )
        expect(valuesOf(reshaped(wide, { kind: 'cast', from: to, to: from }, nobody))).toEqual(valuesOf(column))
      }),
    )
  })

  it.each<
    readonly [from: string, to: string, column: Column, misfits: readonly (readonly [row: number, text: RegExp])[]]
  >([
    [
      'long',
      'int',
      longs([2n ** 31n, 2n ** 31n - 1n, null, -(2n ** 31n), -(2n ** 31n) - 1n, 2n ** 32n]),
      [
        [0, /^2147483648$/],
        [4, /^-2147483649$/],
        [5, /^4294967296$/],
      ],
    ],
    [
      'double',
      'float',
      doubles([0.5, 0.1, NaN, Infinity, null, 1e300, -0]),
      [
        [1, /^0.1$/],
        [5, /^1e\+300$/],
      ],
    ],
    [
      'timestamp',
      'date',
      longs([0n, 1n, null, -86_400_000_000n, -1n]),
      [
        [1, /^1 µs/],
        [4, /^-1 µs/],
      ],
    ],
    [
      'decimal(9,2)',
      'decimal(4,2)',
      longs([9_999n, 10_000n, null, -9_999n, -10_000n]),
      [
        [1, /^100.00$/],
        [4, /^-100.00$/],
      ],
    ],
    [
      'decimal(38,2)',
      'decimal(20,2)',
      decimals([10n ** 20n - 1n, null, 10n ** 20n, -(10n ** 20n)], 38),
      [
        [2, /^1000000000000000000.00$/],
        [3, /^-1/],
      ],
    ],
    ['date', 'timestamp', ints([106_751_991, 106_751_992, null]), [[1, /^\+294247-/]]],
  ])('of %s tells of what %s does not hold', (from, to, column, misfits) => {
    const told: (readonly [number, string])[] = []
    reshaped(column, { kind: 'cast', from, to }, (row, path, value) => told.push([row, path + value]))
    expect(told.map(([row]) => row)).toEqual(misfits.map(([row]) => row))
    misfits.forEach(([, text], at) => expect(told[at]![1]).toMatch(text))
  })
})

const field = (id: number, name: string, type: IcebergType, more: Partial<IcebergField> = {}): IcebergField => ({
  id,
  name,
  required: false,
  type,
  ...more,
})
const struct = (...fields: IcebergField[]): IcebergType => ({ type: 'struct', fields })
const list = (id: number, element: IcebergType): IcebergType => ({
  type: 'list',
  'element-id': id,
  element,
  'element-required': false,
})
const clash = (what: string): Error => new Error(what)

describe('a followed field', () => {
  const ours = field(1, 'l', list(2, struct(field(3, 'a', 'int'), field(4, 'b', 'string'), field(5, 'c', 'date'))))

  it('is read as it is where nothing changed but its name', () => {
    const followed = followField(ours, { ...ours, name: 'renamed' }, undefined, clash)
    expect(followed).toMatchObject({ fromTable: undefined, toTable: undefined, gone: [], unfilled: [] })
    expect(followed.read).toEqual(ours)
  })

  it('is asked for without what is gone and what is not its own, and gets back its shape', () => {
    const theirs = field(
      1,
      'L',
      list(
        2,
        struct(
          field(9, 'v', 'variant'),
          field(5, 'C', 'timestamp'),
          field(8, 'b', 'string', { 'write-default': 'x' }),
          field(3, 'a', 'long', { required: true }),
        ),
      ),
    )
    const followed = followField(ours, theirs, undefined, clash)
    expect(followed.gone).toEqual(['l.element.b'])
    expect(followed.read.name).toBe('l')
    expect(followed.read.type).toEqual(
      list(2, struct(field(3, 'a', 'long', { required: true }), field(5, 'c', 'timestamp'))),
    )
    const names = new BytesBuilder(new Arena())
    for (let at = 0; at < 3; at++) names.appendNull()
    const element = (members: readonly (readonly [string, Column])[]): Column => ({
      storage: 'list',
      length: 2,
      validity: undefined,
      offsets: Int32Array.of(0, 1, 3),
      element: {
        storage: 'struct',
        length: 3,
        validity: Uint8Array.of(0b101),
        fields: members.map(([name, column]) => ({ name, column })),
      },
    })
    const misfits: string[] = []
    const read = element([
      ['a', longs([1n, 2n ** 40n, 2n ** 40n])],
      ['c', longs([0n, 1n, 86_400_000_000n])],
    ])
    const back = reshaped(read, followed.fromTable, (row, path, value) => misfits.push(`${row}${path} ${value}`))
    // The struct in between is null: what lies in it is nothing.
    expect(misfits).toEqual(['1.element.a 1099511627776'])
    expect(membersOf(back)).toMatchObject({
      a: { storage: 'int32' },
      b: { storage: 'bytes', length: 3 },
      c: { storage: 'int32' },
    })
    expect(Object.keys(membersOf(back))).toEqual(['a', 'b', 'c'])
    const written = reshaped(
      element([
        ['a', ints([1, 2, 3])],
        ['b', names.finish()],
        ['c', ints([0, 1, 2])],
      ]),
      followed.toTable,
      nobody,
    )
    // No variant: a file may lack it.
    expect(Object.keys(membersOf(written))).toEqual(['C', 'b', 'a'])
    expect(valuesOf(membersOf(written)['C']!)).toEqual([0n, 86_400_000_000n, 172_800_000_000n])
    const { b } = membersOf(written)
    expect(b?.storage === 'bytes' && Buffer.from(b.data.subarray(b.starts[2], b.ends[2])).toString()).toBe('x')
  })

  it.each([
    [list(2, 'string'), /the nested field l.element is now string, it was struct/],
    [struct(field(3, 'a', 'int')), /column l is now struct<a:int>, it was list/],
    [list(7, struct()), /l.element is another one now/],
    [list(2, struct(field(3, 'a', 'string'))), /l.element.a is now string, it was int/],
    [list(2, struct(field(5, 'c', 'timestamptz'))), /l.element.c is now timestamptz, it was date/],
  ])('clashes with what it cannot have become: %j', (type, message) => {
    expect(() => followField(ours, { ...ours, type }, undefined, clash)).toThrow(message)
  })

  it('says which members of others need a value that nobody has', () => {
    const type = list(
      2,
      struct(
        field(10, 'must', 'int', { required: true }),
        field(11, 'may', 'int'),
        field(12, 'has', 'int', { required: true, 'write-default': 1 }),
      ),
    )
    expect(followField(ours, { ...ours, type }, undefined, clash).unfilled).toEqual(['l.element.must'])
  })

  it('is written without what no file of ours can hold', () => {
    const fields = [
      field(1, 'v', 'variant'),
      field(2, 's', struct(field(3, 'g', 'geometry'), field(4, 'n', 'int'))),
      field(5, 't', struct(field(6, 'g', 'geometry'))),
      field(7, 'l', list(8, 'unknown')),
    ]
    expect(writableFields(fields)).toEqual([field(2, 's', struct(field(4, 'n', 'int')))])
  })
})

function membersOf(column: Column): Record<string, Column> {
  if (column.storage !== 'list' || column.element.storage !== 'struct') return {}
  return Object.fromEntries(column.element.fields.map(({ name, column: member }) => [name, member]))
}
