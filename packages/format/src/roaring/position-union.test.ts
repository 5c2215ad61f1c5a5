import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PositionSetBuilder } from './position-set-builder.ts'
import type { PositionSet } from './position-set.ts'
import { positionUnion } from './position-union.ts'
import { bitmap32, bitmap64, roaring64 } from './roaring.test-support.ts'
import { readRoaring64 } from './roaring64.ts'

function built(positions: Iterable<number>): PositionSet {
  const builder = new PositionSetBuilder()
  for (const position of positions) builder.add(position)
  return builder.finish()
}

/** Their bytes: they are many. */
function positionsIn(set: PositionSet): ArrayBuffer {
  const all = new Float64Array(set.size)
  let length = 0
  set.runsIn(0, Number.MAX_SAFE_INTEGER, (from, to) => {
    for (let position = from; position < to; position++) all[length++] = position
  })
  return all.buffer
}

/** Chunks that hold a run each, which is a list of two words. */
const runs = (chunks: number, [start, more]: readonly [number, number]): PositionSet =>
  readRoaring64(
    bitmap64([[0, bitmap32(Array.from({ length: chunks }, (_, key) => ({ key, runs: [[start, more]] as const })))]]),
    'x',
  )

describe('positionUnion', () => {
  it('has what any of the sets has, in whatever form they have it', () => {
    const few = fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 60 })
    const neighbours = fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: 140_000 }),
        fc.integer({ min: 1, max: 40_000 }),
        fc.integer({ min: 1, max: 3 }),
      ),
      { minLength: 1, maxLength: 3 },
    )
    const many = neighbours.map((spans) =>
      spans.flatMap(([from, length, step]) => Array.from({ length }, (_, at) => from + at * step)),
    )
    const form = fc.constantFrom('built', 'list', 'runs')
    const set = fc.record({ positions: fc.oneof(few, many), form })
    fc.assert(
      fc.property(fc.array(set, { minLength: 1, maxLength: 3 }), (some) => {
        const sets = some.map(({ positions, form }) =>
          form === 'built' ? built(positions) : readRoaring64(roaring64(positions, form === 'runs'), 'x'),
        )
        const expected = [...new Set(some.flatMap(({ positions }) => positions))].sort((a, b) => a - b)
        const union = positionUnion(sets)
        expect(union.size).toBe(expected.length)
        expect(Buffer.from(positionsIn(union)).equals(Buffer.from(Float64Array.from(expected).buffer))).toBe(true)
        const bytes = sets.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
        expect(union.sizeBytes).toBeLessThanOrEqual(2 * bytes)
      }),
      { numRuns: 25 },
    )
  })

  it('takes a thousand lists of the same as one', () => {
    const begun = performance.now()
    const list = built(Array.from({ length: 4096 }, (_, at) => at * 16))
    const few = built([1, 2, 40_001])
    const union = positionUnion([few, ...Array.from({ length: 1000 }, () => list)])
    expect(union.size).toBe(4099)
    expect(union.sizeBytes).toBeLessThan(9000)
    // Sorted together, they take seconds.
    expect(performance.now() - begun).toBeLessThan(1_000)
  })

  it('takes what the sets take, not what they stand for', () => {
    const begun = performance.now()
    // 2.6e8 positions each, in 57 kB.
    const [whole, half] = [runs(4096, [0, 65_535]), runs(4096, [0, 40_000])]
    const others = built(Array.from({ length: 4096 }, (_, chunk) => chunk * 65_536 + 50_000))
    for (const [sets, size] of [
      [[whole, others], 4096 * 65_536],
      [[half, others], 4096 * 40_002],
      [[half, others, whole], 4096 * 65_536],
      [[half, runs(4096, [30_000, 30_000])], 4096 * 60_001],
    ] as const) {
      const union = positionUnion(sets)
      expect(union.size).toBe(size)
      expect(union.sizeBytes).toBeLessThan(200_000)
    }
    // By position it takes tens of seconds; by chunk, milliseconds.
    expect(performance.now() - begun).toBeLessThan(2_000)
  })
})
