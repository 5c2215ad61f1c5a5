import { t, takeRows } from '@moulin/core'
import type { Column, Type } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { columnFrom } from './arrow/arrow.test-support.ts'
import type { Stored } from './arrow/arrow.test-support.ts'
import { objectReader, valueReader } from './column-values.ts'

const readAll = (type: Type, rows: readonly Stored[]): unknown[] => {
  const read = valueReader(type, columnFrom(type, rows))
  return rows.map((_, row) => read(row))
}
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

// By another way: division of bigints, rounded down.
const floorMillis = (micros: bigint): number => Number((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n)

describe('valueReader', () => {
  it('rounds microseconds down to the millisecond, at any size', () => {
    const edges = [0n, 1n, 999n, 1000n, 8_640_000_000_000_000n].flatMap((n) => [n, -n])
    const micros = fc.oneof(
      fc.constantFrom(...edges),
      fc.bigInt({ min: -8_640_000_000_000_000_000n, max: 8_640_000_000_000_000_000n }),
      // Just below a whole millisecond, where a quotient of doubles rounds up.
      fc.bigInt({ min: -(2n ** 43n), max: 2n ** 43n }).map((millis) => millis * 1000n - 1n),
      fc.bigInt({ min: 2n ** 53n - 3000n, max: 2n ** 53n + 3000n }),
    )
    fc.assert(
      fc.property(fc.array(micros), (rows) => {
        const dates = readAll(t.timestamptz, rows).map((date) => (date as Date).getTime())
        expect(dates).toEqual(rows.map(floorMillis).map((ms) => new Date(ms).getTime()))
        expect(readAll(t.timestamp.micros, rows)).toEqual(rows)
      }),
    )
    expect(readAll(t.time, [0n, 999n, 1000n, 86_399_999_999n])).toEqual([0, 0, 1, 86_399_999])
  })

  it('gives safe integers as numbers', () => {
    const rows = [0, -1, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 32, -(2 ** 32), 2 ** 31]
    expect(readAll(t.int53, rows.map(BigInt))).toEqual(rows)
  })

  it('gives each row its own text, also where rows share bytes or lie in the same slot', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 600 }), fc.array(fc.nat()), (texts, picks) => {
        const all = columnFrom(t.string, texts.map(utf8))
        const rows = Int32Array.from(texts.length === 0 ? [] : picks.map((pick) => pick % texts.length))
        const read = valueReader(t.string, takeRows(all, rows))
        expect([...rows].map((_, at) => read(at))).toEqual([...rows].map((row) => texts[row]))
      }),
    )
    const prefixes: Column = {
      storage: 'bytes',
      length: 3,
      validity: undefined,
      data: utf8('abc'),
      starts: Int32Array.of(0, 0, 0),
      ends: Int32Array.of(1, 3, 1),
    }
    expect([0, 1, 2].map(valueReader(t.string, prefixes))).toEqual(['a', 'abc', 'a'])
  })

  it('reads nested values, nulls at each level', () => {
    const type = t.list(t.struct({ a: t.map(t.string, t.decimal(20, 2).optional()).optional(), b: t.date }).optional())
    const rows: Stored[] = [
      null,
      [],
      [
        null,
        [
          [
            [utf8('k'), -123n],
            [utf8('n'), null],
          ],
          -1,
        ],
        [null, 0],
      ],
    ]
    expect(readAll(type, rows)).toEqual([
      null,
      [],
      [
        null,
        row({
          a: new Map([
            ['k', '-1.23'],
            ['n', null],
          ]),
          b: '1969-12-31',
        }),
        row({ a: null, b: '1970-01-01' }),
      ],
    ])
  })
})

describe('objectReader', () => {
  it('makes objects without a prototype, whatever the columns are called', () => {
    const object = objectReader(['__proto__', 'constructor', '1', 'b'].map((name, at) => [name, (n) => n + at]))(10)
    expect(Object.getPrototypeOf(object)).toBe(null)
    expect(Object.getOwnPropertyNames(object).toSorted()).toEqual(['1', '__proto__', 'b', 'constructor'])
    expect([object['__proto__'], object['constructor'], object['1'], object['b']]).toEqual([10, 11, 12, 13])
    expect(objectReader([])(0)).toEqual(row({}))
  })
})

function row(fields: object): object {
  return Object.assign(Object.create(null) as object, fields)
}
