/** Bitmaps made by hand, by the letter of RoaringFormatSpec. Those of Iceberg itself: test/foreign. */
import { describe, expect, it } from 'vitest'
import type { PositionSet } from './position-set.ts'
import { bitmap32, bitmap64, roaring64, uint32 } from './roaring.test-support.ts'
import { readRoaring64 } from './roaring64.ts'

const read = (bytes: Uint8Array): PositionSet => readRoaring64(bytes, 'The bitmap of x.puffin')

function positionsOf(set: PositionSet, start = 0, end = Number.MAX_SAFE_INTEGER): number[] {
  const positions: number[] = []
  set.runsIn(start, end, (from, to) => {
    for (let position = from; position < to; position++) positions.push(position)
  })
  return positions
}

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => from + at * step)

describe('readRoaring64', () => {
  it('reads lists, bits and runs, of any upper half', () => {
    const first = bitmap32([
      { key: 0, list: [0, 5, 65_535] },
      { key: 1, bits: range(0, 60_000, 3) },
      {
        key: 7,
        runs: [
          [10, 4],
          [100, 0],
          [65_000, 535],
        ],
      },
    ])
    const set = read(
      bitmap64([
        [0, first],
        [3, bitmap32([{ key: 65_535, list: [65_535] }])],
      ]),
    )
    const expected = [
      ...[0, 5, 65_535],
      ...range(65_536, 125_536, 3),
      ...[...range(10, 15), 100, ...range(65_000, 65_536)].map((low) => 7 * 65_536 + low),
      4 * 2 ** 32 - 1,
    ]
    expect(positionsOf(set)).toEqual(expected)
    expect(set.size).toBe(expected.length)
    for (const [start, end] of [
      [0, 1],
      [5, 65_536],
      [65_537, 65_600],
      [70_000, 500_000],
      [458_762, 458_767],
      [2 ** 33, 2 ** 34],
    ] as const) {
      const inside = expected.filter((position) => position >= start && position < end)
      expect(positionsOf(set, start, end)).toEqual(inside)
      expect(set.countIn(start, end)).toBe(inside.length)
    }
  })

  it('has the table of offsets from four containers on, and always where none is runs', () => {
    const runs = (count: number): Uint8Array =>
      bitmap64([[0, bitmap32(range(0, count).map((key) => ({ key, runs: [[key, 2]] })))]])
    for (const count of [1, 3, 4, 9]) expect(read(runs(count)).size).toBe(count * 3)
    expect(positionsOf(read(roaring64([1, 70_000])))).toEqual([1, 70_000])
  })

  it('takes a bitmap without anything, and upper halves left out or empty as Java writes them', () => {
    expect(read(bitmap64([])).size).toBe(0)
    const empty = bitmap32([])
    expect(
      positionsOf(
        read(
          bitmap64([
            [0, empty],
            [1, empty],
            [2, bitmap32([{ key: 0, list: [9] }])],
          ]),
        ),
      ),
    ).toEqual([2 * 2 ** 32 + 9])
  })

  it.each<[string, Uint8Array]>([
    ['cut anywhere', roaring64([1, 2, 3]).subarray(0, 20)],
    ['no bytes', new Uint8Array(0)],
    ['more bytes behind', Buffer.concat([roaring64([1]), new Uint8Array(1)])],
    ['another cookie', bitmap64([[0, uint32(12_345)]])],
    ['2^64 bitmaps', Buffer.alloc(8, 0xff)],
    ['65 537 containers', bitmap64([[0, Buffer.concat([uint32(12_346), uint32(65_537)])]])],
    [
      'upper halves that fall',
      bitmap64([
        [1, bitmap32([])],
        [0, bitmap32([])],
      ]),
    ],
    ['an upper half beyond 2^53', bitmap64([[2 ** 21, bitmap32([{ key: 0, list: [1] }])]])],
    [
      'containers that fall',
      bitmap64([
        [
          0,
          bitmap32([
            { key: 2, list: [1] },
            { key: 1, list: [1] },
          ]),
        ],
      ]),
    ],
    ['a list that falls', bitmap64([[0, bitmap32([{ key: 0, list: [2, 1] }])]])],
    ['a list with one twice', bitmap64([[0, bitmap32([{ key: 0, list: [1, 1] }])]])],
    ['bits of another count', bitmap64([[0, bitmap32([{ key: 0, bits: [...range(0, 5000), 1] }])]])],
    [
      'runs that overlap',
      bitmap64([
        [
          0,
          bitmap32([
            {
              key: 0,
              runs: [
                [0, 5],
                [5, 1],
              ],
            },
          ]),
        ],
      ]),
    ],
    ['a run beyond its container', bitmap64([[0, bitmap32([{ key: 0, runs: [[65_535, 1]] }])]])],
  ])('refuses %s', (_, bytes) => {
    expect(() => read(bytes)).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'ROARING' }))
  })

  it('takes memory by the bitmap, however many rows it deletes', () => {
    const chunks = range(0, 1600).map((key) => ({ key, runs: [[0, 65_535]] as const }))
    const set = read(bitmap64([[0, bitmap32(chunks)]]))
    expect(set.size).toBe(1600 * 65_536)
    expect(set.sizeBytes).toBeLessThan(100_000)
    expect(set.countIn(50_000_000, 100_000_000)).toBe(50_000_000)
  })
})
