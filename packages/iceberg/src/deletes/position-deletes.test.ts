import type { PositionSet } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { batchOf } from './deletes.test-support.ts'
import { PositionDeletes, positionDeleteFields } from './position-deletes.ts'

type Row = readonly [path: string | null, position: bigint | null]

function gathered(batches: readonly (readonly Row[])[], maxBytes = 1_000_000): ReadonlyMap<string, PositionSet> {
  const deletes = new PositionDeletes('d.parquet', maxBytes)
  for (const rows of batches) deletes.add(batchOf(positionDeleteFields, rows))
  return deletes.finish()
}

describe('PositionDeletes', () => {
  it('gathers positions by path, in whatever order they come', () => {
    const found = gathered([
      [
        ['a', 3n],
        ['a', 1n],
        ['b', 0n],
        ['a', 1n],
      ],
      [
        ['b', 2n ** 40n],
        ['ab', 5n],
      ],
    ])
    expect([...found.keys()]).toEqual(['a', 'b', 'ab'])
    expect([...found.values()].map(({ size }) => size)).toEqual([2, 2, 1])
    expect(found.get('b')!.countIn(2 ** 40, 2 ** 40 + 1)).toBe(1)
  })

  it.each<[string, Row]>([
    ['no path', [null, 1n]],
    ['no position', ['a', null]],
    ['a position below 0', ['a', -1n]],
    ['a position from 2^53 on', ['a', 2n ** 53n]],
  ])('refuses %s', (_, row) => {
    expect(() => gathered([[['a', 1n], row]])).toThrow(
      expect.objectContaining({ kind: 'corrupt', code: 'POSITION_DELETE' }),
    )
  })

  it('takes no more memory than it may, by positions and by paths', () => {
    const apart = Array.from({ length: 1000 }, (_, at): Row => ['a', BigInt(at) * 65_536n])
    const paths = Array.from({ length: 1000 }, (_, at): Row => [`path ${at}`, 0n])
    for (const rows of [apart, paths]) {
      expect(() => gathered([rows], 100_000)).toThrow(
        expect.objectContaining({ kind: 'exhausted', code: 'POSITION_DELETES' }),
      )
    }
    const near = Array.from({ length: 1000 }, (_, at): Row => ['a', BigInt(at)])
    expect(gathered([near], 100_000).get('a')!.size).toBe(1000)
  })
})
