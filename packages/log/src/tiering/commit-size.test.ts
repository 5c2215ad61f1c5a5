import { exhausted } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { HotPartition } from '../hot/hot-partition.ts'
import { CommitSize } from './commit-size.ts'

/** A partition with sections of ten records, of so many bytes each. */
function partition(sections: number, bytes: number): HotPartition {
  const made = new HotPartition('t', 0, 0n)
  for (let n = 0; n < sections; n++) {
    const facts = { baseOffset: BigInt(n * 10), lastOffset: BigInt(n * 10 + 9), valueSchemaId: 0, keySchemaId: 0 }
    made.add(facts, { segment: 's', position: n, sizeBytes: bytes }, bytes, n)
  }
  return made
}

const KiB = 1024
const full = exhausted('NO_SPACE', 'No space left.')

describe('CommitSize', () => {
  it('takes all up to twice commitBytes, and commitBytes of what is more', () => {
    const size = new CommitSize(400 * KiB)
    const at = (sections: number): readonly bigint[] => {
      const one = partition(sections, 100 * KiB)
      return size.cut([one], [0n], [one.highWatermark], Infinity)
    }
    expect(at(7)).toEqual([70n])
    expect(at(8)).toEqual([80n])
    expect(at(9)).toEqual([40n])
  })

  it('shares among partitions by what each has, and gives each a section at least', () => {
    const size = new CommitSize(400 * KiB)
    const all = [partition(16, 100 * KiB), partition(4, 100 * KiB), partition(1, 10)]
    const ends = all.map(({ highWatermark }) => highWatermark)
    expect(size.cut(all, [0n, 0n, 0n], ends, Infinity)).toEqual([30n, 10n, 10n])
    expect(size.cut(all, [140n, 20n, 10n], ends, Infinity)).toEqual(ends)
  })

  it('halves what found no room, stays above what any commit needs, and grows again with success', () => {
    const size = new CommitSize(400 * KiB)
    const one = partition(64, 64 * KiB)
    const cut = (): bigint => size.cut([one], [0n], [one.highWatermark], Infinity)[0]!
    expect(cut()).toBe(60n)
    size.failed(full)
    expect(cut()).toBe(30n)
    size.failed(full)
    size.failed(new Error('something else'))
    expect(cut()).toBe(10n)
    size.failed(full)
    size.failed(full)
    expect(cut()).toBe(10n)
    for (let success = 0; success < 6; success++) size.succeeded()
    expect(cut()).toBe(60n)
  })

  it('takes no more than is free, and never past the end that is asked for', () => {
    const size = new CommitSize(400 * KiB)
    const one = partition(10, 64 * KiB)
    expect(size.cut([one], [0n], [100n], 200 * KiB)).toEqual([30n])
    expect(size.cut([one], [0n], [5n], 1)).toEqual([5n])
    expect(size.cut([one], [50n], [100n], 200 * KiB)).toEqual([80n])
  })
})
