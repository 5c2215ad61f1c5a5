/** A file of the table that somebody adds again, after rows of it were deleted: its rows are there once, and back. */
import { tableFiles } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { currentSchema, planScan } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import { hookedStore } from '@moulin/testing'
import { expect, it } from 'vitest'
import { commitFiles, tableOf } from '../../packages/lake/src/foreign.test-support.ts'
import { readAll, testLog, utf8 } from '../../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'
import { commitDeletes, newEquality } from './foreign-deletes.ts'

/** By all ways to them. */
async function offsetsIn(log: TestLog, topic: ColdTopic): Promise<bigint[]> {
  const read = (await readAll(topic, 0)).map(({ offset }) => offset)
  const rows = await topic.scan({ columns: ['_kafka_offset'] }).toArray()
  expect(rows.map((row) => row['_kafka_offset']).sort()).toEqual(read)
  expect(await topic.scan({}).count()).toBe(read.length)
  const { partitions } = await topic.audit({ deep: true })
  expect(partitions[0]!.rows).toBe(BigInt(read.length))
  const next = await log.reopen().attach()
  expect((await readAll(next, 0)).map(({ offset }) => offset)).toEqual(read)
  expect(await next.scan({}).count()).toBe(read.length)
  return read
}

it('is there once, with what is deleted of the later listing', async () => {
  const store = hookedStore()
  const log = testLog({ store, info: { partitions: 1, partitionBy: [] } })
  const topic = await log.attach()
  log.hot.send(0, [{ value: utf8('a') }, { value: utf8('b') }, { value: utf8('c') }])
  await topic.tier({ upTo: log.hot.committedOffsets() })
  log.hot.release(await topic.releasable({ upTo: topic.frontier() }))
  const { metadata } = await tableOf(log)
  const files: DataFile[] = []
  for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata })) files.push(file)
  const offset = currentSchema(metadata).fields.find(({ name }) => name === '_kafka_offset')!
  await commitDeletes({ store, catalog: log.catalog, table: log.info.table }, 'd', (folder) => [
    newEquality(`${folder}.parquet`, [offset], [[1n]]),
  ])
  expect(await offsetsIn(log, topic)).toEqual([0n, 2n])

  await commitFiles(log, await tableOf(log), files, log.runtime.random.uuid())
  // By what the table tells alone.
  await store.delete(`log/audits/${log.info.id}`)
  const returned = [{ incarnation: 1, partition: 0, from: 1n, to: 2n }]
  expect((await topic.audit({ deep: true })).deep).toMatchObject({ returnedRows: 1n, returned })
  expect(await offsetsIn(log, topic)).toEqual([0n, 1n, 2n])
})
