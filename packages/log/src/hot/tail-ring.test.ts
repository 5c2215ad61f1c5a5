import { expect, it } from 'vitest'
import { seededRandom } from '@moulin/testing'
import { HotPartition } from './hot-partition.ts'
import { TailRing } from './tail-ring.ts'

it('keeps the newest of all partitions, whichever they are of, and nothing else', () => {
  const random = seededRandom(3)
  const partitions = [0, 1, 2, 3].map((index) => new HotPartition('t', index, 0n))
  const next = partitions.map(() => 0n)
  const ring = new TailRing(100_000)
  const model: { readonly index: number; readonly lastOffset: bigint; readonly batches: Uint8Array }[] = []
  for (let at = 0; at < 3_000; at++) {
    // One that is silent for long, and one larger than the ring now and then.
    const index = at % 1_000 < 5 ? 3 : random.below(3)
    const batches = new Uint8Array(at % 777 === 0 ? 100_001 : 2 * random.below(300)).subarray(at % 2)
    const lastOffset = next[index]! + BigInt(random.below(5))
    next[index] = lastOffset + 1n
    ring.add(partitions[index]!, lastOffset, batches)
    if (batches.length <= 100_000 - 256) model.push({ index, lastOffset, batches })
    const size = (): number => model.reduce((sum, each) => sum + each.batches.length + 256, 0)
    while (size() > 100_000) {
      const { index: of, lastOffset: gone } = model.shift()!
      expect(ring.get(partitions[of]!, gone)).toBe(undefined)
    }
    if (at % 197 !== 0) continue
    for (const { index, lastOffset, batches } of model) {
      const { buffer, byteOffset, length } = ring.get(partitions[index]!, lastOffset)!
      expect(buffer).toBe(batches.buffer)
      expect([byteOffset, length]).toEqual([batches.byteOffset, batches.length])
    }
    for (const [of, end] of next.entries()) expect(ring.get(partitions[of]!, end)).toBe(undefined)
  }
})
