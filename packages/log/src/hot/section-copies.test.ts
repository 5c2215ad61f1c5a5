/** What lives in segments that are to be freed is appended again with all that is known of it, or stays. */
import { unsupported, type Section, type WalLocation, type WalWriter } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'
import { single } from '../produce/single.ts'
import { HotLog } from './hot-log.ts'
import type { HotPartition } from './hot-partition.ts'
import { copyOn } from './section-copies.ts'

const segments = ['old']
const abortedOf = (baseOffset: bigint): Section['aborted'] => [{ from: baseOffset + 1n, to: baseOffset + 3n }]

/** Four sections of three records in one segment; of the second and the third, two are aborted. What is appended `again` is told. */
async function pinned(again: (section: Section) => void): Promise<{
  readonly partition: HotPartition
  readonly released: readonly WalLocation[]
  readonly copy: () => Promise<number>
}> {
  const { clock } = virtualRuntime({ seed: 1 })
  const options = { tailRingBytes: 1_000, monotonic: () => clock.monotonic(), now: () => clock.now() }
  const hot = new HotLog({ ...options, gap: 'corrupt' })
  const topic = hot.topic('t', 0, 1)
  const released: WalLocation[] = []
  let appends = 0
  const wal = {
    rejections: 0,
    async append(section: Section) {
      const isNew = appends++ < 4
      if (!isNew) again(section)
      const [baseOffset, lastOffset] = [section.baseOffset!, section.lastOffset!]
      const location = { segment: isNew ? 'old' : 'new', position: appends, sizeBytes: section.batches.length }
      const isMarked = baseOffset === 3n || baseOffset === 6n
      const offsets = { baseOffset, lastOffset, ...(isMarked && { aborted: abortedOf(baseOffset)! }) }
      return { ...offsets, location, durability: 'memory' as const }
    },
    read: async () => new Uint8Array(10),
    release: async (locations: readonly WalLocation[]) => void released.push(...locations),
  } satisfies Pick<WalWriter, 'rejections' | 'append' | 'read' | 'release'> as unknown as WalWriter
  const session = single().open({ wal, offsets: 'given', nextOffset: (...life) => hot.nextOffset(...life) })
  session.follow(hot)
  hot.attach(wal)
  const facts = { topicId: 't', incarnation: 0, partition: 0, valueSchemaId: 0, keySchemaId: 0, appendedMs: 0 }
  for (let n = 0; n < 4; n++) {
    await session.append({ ...facts, batches: new Uint8Array(10).fill(n), recordCount: 3, patch() {} })
  }
  const partition = topic.partitions[0]!
  const copy = (): Promise<number> => copyOn({ hot, wal, clock, maxFlushBytes: 25 }, segments)
  return { partition, released, copy }
}

it('appends a section again with its aborted ranges', async () => {
  const again: Section[] = []
  const { partition, released, copy } = await pinned((section) => again.push(section))
  expect(await copy()).toBe(4)
  const ranges = [undefined, abortedOf(3n), abortedOf(6n), undefined]
  const inOrder = again.sort((a, b) => Number(a.baseOffset! - b.baseOffset!))
  expect(inOrder.map(({ aborted }) => aborted)).toEqual(ranges)
  expect([0n, 3n, 6n, 9n].map((offset) => partition.find(offset)!.aborted)).toEqual(ranges)
  expect(released.map(({ segment }) => segment)).toEqual(['old', 'old', 'old', 'old'])
})

it('leaves a section where it is that the Wal refuses, moves the others, and says so', async () => {
  const { partition, released, copy } = await pinned(({ aborted }) => {
    if (aborted !== undefined) throw unsupported('ABORTED_RANGES', 'It stores none.')
  })
  await expect(copy()).rejects.toMatchObject({ kind: 'unsupported', code: 'ABORTED_RANGES' })
  const found = [0n, 3n, 6n, 9n].map((offset) => partition.find(offset)!)
  expect(found.map(({ location }) => location.segment)).toEqual(['new', 'old', 'old', 'new'])
  expect(found.map(({ aborted }) => aborted)).toEqual([undefined, abortedOf(3n), abortedOf(6n), undefined])
  expect(released.map(({ position }) => position)).toEqual([1, 4])
})
