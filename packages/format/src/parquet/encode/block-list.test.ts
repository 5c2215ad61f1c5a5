import { expect, it } from 'vitest'
import { BlockList } from './block-list.ts'

const KiB = 1024

/** All of it, as it comes. */
function contentOf(list: BlockList): Uint8Array {
  const parts: Uint8Array[] = []
  list.copyTo({ append: (bytes) => void parts.push(bytes.slice()) })
  return Uint8Array.from(Buffer.concat(parts))
}

it('gives back what was appended, whatever the sizes, also from blocks that were used before', () => {
  const list = new BlockList()
  for (const sizes of [[], [1], [64 * KiB], [64 * KiB, 1], [65 * KiB, 0, 100, 200 * KiB, 63 * KiB - 100]]) {
    const wanted = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0)).map(
      (_, at) => (at * 7 + sizes.length) % 251,
    )
    let at = 0
    for (const size of sizes) list.append(wanted.subarray(at, (at += size)))
    expect(Buffer.compare(contentOf(list), wanted)).toBe(0)
    list.clear()
    expect(contentOf(list)).toHaveLength(0)
  }
})

it('shares no block with another list that is in use', () => {
  const [one, other] = [new BlockList(), new BlockList()]
  one.append(new Uint8Array(100 * KiB).fill(9))
  one.clear()
  one.append(new Uint8Array(100 * KiB).fill(1))
  other.append(new Uint8Array(300 * KiB).fill(2))
  expect(contentOf(one).every((byte) => byte === 1)).toBe(true)
  expect(contentOf(other).every((byte) => byte === 2)).toBe(true)
  // Cleared once more than it was filled, it has nothing to give away.
  one.clear()
  one.clear()
  const [third, fourth] = [new BlockList(), new BlockList()]
  third.append(new Uint8Array(100 * KiB).fill(3))
  fourth.append(new Uint8Array(100 * KiB).fill(4))
  expect(contentOf(third).every((byte) => byte === 3)).toBe(true)
})
