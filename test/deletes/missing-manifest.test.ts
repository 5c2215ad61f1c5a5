/** Manifests that say what is deleted are not left out as those of rows are that are missing: the rows would come back. */
import { keyOf, tableFiles } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import { hookedStore } from '@moulin/testing'
import { expect, it } from 'vitest'
import { tableOf } from '../../packages/lake/src/foreign.test-support.ts'
import { readAll, testLog, utf8 } from '../../packages/lake/src/lake.test-support.ts'
import { commitDeletes, newVectors } from './foreign-deletes.ts'

it('a manifest of deletes that is missing is a state of the topic, until it is there again', async () => {
  const store = hookedStore()
  const log = testLog({ store, info: { partitions: 1, partitionBy: [] } })
  const topic = await log.attach()
  log.hot.send(0, [{ value: utf8('a') }, { value: utf8('b') }, { value: utf8('c') }])
  await topic.tier({ upTo: log.hot.committedOffsets() })
  const { metadata } = await tableOf(log)
  const deleted = new Map<string, readonly number[]>()
  for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata })) deleted.set(file.filePath, [1])
  await commitDeletes({ store, catalog: log.catalog, table: log.info.table }, 'd', (folder) => [
    newVectors(`${folder}.puffin`, deleted),
  ])
  const manifest = keyOf(store, `${metadata.location}/metadata/d-deletes.avro`)
  const { bytes } = await store.get(manifest)
  await store.delete(manifest)

  const missing = { kind: 'corrupt', code: 'FILE_MISSING', message: expect.stringContaining(manifest) }
  await expect(readAll(topic, 0)).rejects.toMatchObject(missing)
  await expect(topic.scan({}).toArray()).rejects.toMatchObject(missing)
  await expect(topic.scan({}).count()).rejects.toMatchObject(missing)
  // The files of rows are there.
  expect(topic.missingFiles!()).toEqual([])

  await store.put(manifest, bytes)
  expect((await readAll(topic, 0)).map(({ offset }) => offset)).toEqual([0n, 2n])
  expect(await topic.scan({}).count()).toBe(2)
})
