/** Files that are named as ours are and lie elsewhere: copies of our own, and those of other topics. */
import { keyOf, tableFiles } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'
import { commitFiles, tableOf } from '../foreign.test-support.ts'
import { readAll, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

async function filesOf(log: TestLog): Promise<DataFile[]> {
  const files: DataFile[] = []
  const { metadata } = await tableOf(log)
  for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata })) files.push(file)
  return files
}

async function tiered(log: TestLog, values: readonly string[]): Promise<ColdTopic> {
  const topic = await log.attach()
  log.hot.send(
    0,
    values.map((value) => ({ value: utf8(value) })),
  )
  await topic.tier({ upTo: log.hot.committedOffsets() })
  log.hot.release(await topic.releasable({ upTo: topic.frontier() }))
  return topic
}

/** By all ways to them. */
async function expectValues(topic: ColdTopic, values: readonly string[]): Promise<void> {
  const read = (await readAll(topic, 0)).map(({ bytes }) => Buffer.from(bytes!).toString())
  expect(read).toEqual(values)
  expect(await topic.scan({ columns: ['_kafka_offset'] }).toArray()).toHaveLength(values.length)
  expect(await topic.scan({}).count()).toBe(values.length)
  const { partitions, deep } = await topic.audit({ deep: true })
  expect(partitions[0]).toMatchObject({ rows: BigInt(values.length), unseen: BigInt(values.length) })
  expect(deep!.doubledRows).toBe(BigInt(values.length))
}

it('a copy of one is there once', async () => {
  const store = hookedStore()
  const log = testLog({ store, info: { partitions: 1, partitionBy: [] } })
  const topic = await tiered(log, ['a', 'b', 'c'])
  const [file] = await filesOf(log)
  // As a backup has it, put into the table again.
  const filePath = file!.filePath.replace('/data/', '/backup/data/')
  await store.put(keyOf(store, filePath), (await store.get(keyOf(store, file!.filePath))).bytes)
  await commitFiles(log, await tableOf(log), [{ ...file!, filePath }], log.runtime.random.uuid())
  await expectValues(topic, ['a', 'b', 'c'])
  await expectValues(await log.reopen().attach(), ['a', 'b', 'c'])
})

it('one of another topic of the log gives no row in place of ours', async () => {
  const store = hookedStore()
  const runtime = virtualRuntime({ seed: 9 })
  const info = { partitions: 1, partitionBy: [] }
  const other = testLog({
    store,
    runtime,
    info: { ...info, id: '33333333-3333-4333-8333-333333333333', name: 'parcels', table: 'shop.parcels' },
  })
  await tiered(other, ['x', 'y', 'z'])
  const log = testLog({ store, runtime, info })
  const topic = await tiered(log, ['a', 'b', 'c'])
  await commitFiles(log, await tableOf(log), await filesOf(other), runtime.random.uuid())
  await expectValues(topic, ['a', 'b', 'c'])
  const audit = await topic.audit({ deep: true })
  expect(audit.deep!.files).toBe(1)
})
