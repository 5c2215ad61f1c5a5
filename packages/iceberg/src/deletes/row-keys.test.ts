import type { IcebergField, IcebergType } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { batchOf } from './deletes.test-support.ts'
import type { Value } from './deletes.test-support.ts'
import { rowKeys } from './row-keys.ts'

const field = (id: number, type: IcebergType): IcebergField => ({ id, name: `c${id}`, required: false, type })
const keysOf = (types: readonly IcebergType[], rows: readonly (readonly Value[])[]): string[] => {
  const keyOf = rowKeys(
    batchOf(
      types.map((type, at) => field(at + 1, type)),
      rows,
    ),
  )
  return rows.map((_, row) => keyOf(row))
}
/** Which rows have one key, by the first of them. */
const groups = (types: readonly IcebergType[], rows: readonly (readonly Value[])[]): number[] => {
  const keys = keysOf(types, rows)
  return keys.map((key) => keys.indexOf(key))
}

const otherNaN = new Float32Array(Uint32Array.of(0x7fc00001, 0xffc00000).buffer)

describe('rowKeys', () => {
  it('takes null for null, and for nothing else', () => {
    expect(groups(['int'], [[null], [0], [null], [0]])).toEqual([0, 1, 0, 1])
    expect(groups(['string'], [[null], [''], [null], ['\0']])).toEqual([0, 1, 0, 3])
    expect(groups(['boolean'], [[null], [false], [true], [false]])).toEqual([0, 1, 2, 1])
  })

  it('takes every NaN for the same, and −0 not for 0', () => {
    for (const type of ['float', 'double'])
      expect(groups([type], [[NaN], [0], [-0], [otherNaN[0]!], [otherNaN[1]!], [-0], [0]])).toEqual([
        0, 1, 2, 0, 0, 2, 1,
      ])
  })

  it('tells texts and numbers apart to the last bit', () => {
    expect(groups(['string'], [['\u00e9'], ['e\u0301'], ['\u00e9'], ['E']])).toEqual([0, 1, 0, 3])
    expect(groups(['long'], [[2n ** 53n], [2n ** 53n + 1n], [-1n], [2n ** 53n]])).toEqual([0, 1, 2, 0])
    const [a, b] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(255)]
    expect(groups(['uuid'], [[a], [b], [null], [a]])).toEqual([0, 1, 2, 0])
  })

  it('does not take a value of one column for one of the next', () => {
    expect(
      groups(
        ['string', 'string'],
        [
          ['ab', 'c'],
          ['a', 'bc'],
          ['ab', 'c'],
          [null, 'abc'],
          ['abc', null],
        ],
      ),
    ).toEqual([0, 1, 0, 3, 4])
    expect(
      groups(
        ['int', 'int'],
        [
          [null, 1],
          [1, null],
          [null, 1],
        ],
      ),
    ).toEqual([0, 1, 0])
  })

  it('goes into structs, where one that is null is not one of nulls', () => {
    const type: IcebergType = { type: 'struct', fields: [field(10, 'int'), field(11, 'string')] }
    const rows: readonly (readonly Value[])[] = [
      [null],
      [{ c10: null, c11: null }],
      [{ c10: 1, c11: 'x' }],
      [null],
      [{ c10: 1, c11: 'x' }],
    ]
    expect(groups([type], rows)).toEqual([0, 1, 2, 0, 2])
  })

  it('holds keys of any length', () => {
    const long = 'x'.repeat(100_000)
    expect(
      groups(
        ['string', 'int'],
        [
          [long, 1],
          [`${long}y`, 1],
          [long, 1],
        ],
      ),
    ).toEqual([0, 1, 0])
  })
})
