/** A table that lacks a file and has gaps: what never had a row is not taken for what went with the file, and the other way round. */
import type { ColdTier, FetchedBatches, Log, Topic } from '@moulin/core'
import { batchesIn, readRecords } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { fileWal } from '@moulin/log'
import { describe, expect, it } from 'vitest'
import { foreignAppend } from '../packages/lake/src/foreign.test-support.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'
import { abortingWal } from './support/aborting-wal.ts'
import { batchOf, virtualLake, type VirtualLake } from './support/virtual-lake.ts'
import { withoutRepair } from './support/without-repair.ts'

/** Of partition 1: in the middle and at the end of what is released, and in what the write-ahead tier holds. */
const aborted = new Set([2n, 6n, 7n, 11n])

interface World {
  readonly lake: VirtualLake
  readonly open: () => Promise<Log>
  readonly topic: Topic
  readonly log: Log
  /** Keys of the data files of each commit. */
  readonly files: readonly string[][]
}

/** Three commits, the first two released: partition 1 has [0, 4), [4, 8) and [8, 13), beside [0, 20) of others. */
async function world(rewrite?: (lake: VirtualLake) => Promise<void>): Promise<World> {
  const lake = virtualLake(7)
  const inner = fileWal({ dir: '/lake/log/wal', segmentBytes: 64 * 1024 })
  const wal = abortingWal(inner, (partition, offset) => partition === 1 && aborted.has(offset))
  // What is gone stays so.
  const tier = (): ColdTier => withoutRepair(icebergTier({ catalog: lake.catalog, threads: 0 }))
  const open = (): Promise<Log> => lake.open({ wal, tier: tier() })
  const log = await open()
  const config = { partitions: 3, partitionBy: [], timestampBeforeMaxMs: -1 } as const
  const topic = (await lake.settled(log.createTopic('rides', config))) as Topic<unknown>
  const add = async (partition: number, from: number, to: number): Promise<void> => {
    const records = Array.from({ length: to - from }, (_, at) => ({ value: null, timestamp: BigInt(100 + from + at) }))
    await topic.append({ partition, batches: batchOf(records) })
  }
  const files: string[][] = []
  const tierAll = async (): Promise<void> => {
    await lake.settled(topic.tier())
    const keys: string[] = []
    for await (const { key } of lake.store.list()) if (key.includes('/data/')) keys.push(key)
    files.push(keys.filter((key) => !files.flat().includes(key)))
  }
  await add(1, 0, 4)
  await tierAll()
  await add(1, 4, 8)
  await add(0, 0, 20)
  await tierAll()
  await lake.settled(log.releaseNow())
  await rewrite?.(lake)
  await add(1, 8, 13)
  await add(2, 0, 20)
  await tierAll()
  return { lake, open, topic, log, files }
}

const there = Array.from({ length: 13 }, (_, at) => BigInt(at)).filter((offset) => !aborted.has(offset))

const offsetsOf = ({ batches }: FetchedBatches): bigint[] =>
  [...batchesIn(batches)].flatMap(({ position }) => readRecords(batches, position).map(({ offset }) => offset))

async function readAll(topic: Topic): Promise<bigint[]> {
  const found: bigint[] = []
  for await (const { offset } of topic.read({ partition: 1, to: 'end' })) found.push(offset)
  return found
}

async function checkReads({ lake }: World, topic: Topic): Promise<void> {
  expect(await lake.settled(readAll(topic))).toEqual(there)
  const fetched = await lake.settled(topic.fetch({ partition: 1, from: 0n }))
  expect([offsetsOf(fetched), fetched.nextOffset]).toEqual([there, 13n])
  const times = [100n, 102n, 106n, 111n, 113n]
  const found = []
  for (const time of times) found.push(await lake.settled(topic.offsetFor(time, { partition: 1 })))
  expect(found).toEqual([0n, 3n, 8n, 12n, undefined])
  const at: (bigint | undefined)[] = []
  const places = [7n, 1n, 11n, 8n, 2n].map((offset) => ({ partition: 1, offset }))
  const looking = (async () => {
    for await (const record of topic.readAt(places)) at.push(record?.offset)
  })()
  await lake.settled(looking)
  expect(at).toEqual([undefined, 1n, undefined, 8n, undefined])
  expect(await lake.settled(topic.scan().count())).toBe(there.length + 40)
  const rows = await lake.settled(topic.scan({ columns: ['_kafka_partition'] as never[] }).toArray())
  expect(rows).toHaveLength(there.length + 40)
}

describe('a table without a file that the write-ahead tier still holds', () => {
  it('has gaps where records were aborted, released or not, here and after a start', async () => {
    const one = await world()
    const { lake, topic, log, files } = one
    for (const key of files[2]!) await lake.store.delete(key)
    await lake.settled(log.releaseNow())
    expect(topic.stats().missingFileCount).toBe(1)
    expect(topic.offsets().map(({ released }) => released)).toEqual([20n, 8n, 0n])
    await checkReads(one, topic)
    await lake.settled(log.close())
    const again = await one.open()
    await checkReads(one, await lake.settled(again.topic('rides')))
    await lake.settled(again.close())
  })

  it('does not pass over what went with a file that was released', async () => {
    const one = await world()
    const { lake, topic, log, files } = one
    for (const key of files[1]!) await lake.store.delete(key)
    await lake.settled(log.releaseNow())
    await expect(lake.settled(readAll(topic))).rejects.toMatchObject({
      code: 'FILE_MISSING',
      message: expect.stringMatching(/aborted or deleted records/),
    })
    await expect(lake.settled(topic.scan().count())).rejects.toMatchObject({ code: 'FILE_MISSING' })
    await lake.settled(log.close())
  })

  it('proves nothing where SQL deleted a row, or put some where none was', async () => {
    const deleted = await world((lake) =>
      lake.deleteRows('rides', (partition, offset) => partition === 1 && offset === 5n),
    )
    for (const key of deleted.files[2]!) await deleted.lake.store.delete(key)
    const inserted = await world()
    const { store, catalog, runtime } = inserted.lake
    const table = { store, catalog, runtime, info: { table: 'default.rides' } } as unknown as TestLog
    // As many as are gone with the second file.
    await foreignAppend(
      table,
      [2n, 6n].map((offset) => ({ partition: 1, offset, incarnation: 0 })),
    )
    for (const key of inserted.files[1]!) await store.delete(key)
    for (const { lake, log, topic } of [deleted, inserted]) {
      await lake.settled(log.releaseNow())
      await expect(lake.settled(readAll(topic))).rejects.toMatchObject({ code: 'FILE_MISSING' })
      await lake.settled(log.close())
    }
  })
})
