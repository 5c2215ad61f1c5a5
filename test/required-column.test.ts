/** Others add a column that every row must have, and records of ours have no value of it: a state of the topic, till it is mended. */
import { objectStoreCatalog } from '@moulin/catalog'
import { tableIdentifier } from '@moulin/core'
import type { Catalog, IcebergField, Log, Topic } from '@moulin/core'
import { currentSchema } from '@moulin/iceberg'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { hookedStore, simulatedDisk, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'

const MINUTE = 60_000
const TABLE = tableIdentifier('city.trams')

interface Opened {
  readonly log: Log
  readonly topic: Topic<Uint8Array>
  readonly runtime: VirtualRuntime
  readonly catalog: Catalog
}

async function open(store = hookedStore(), disk = simulatedDisk({ seed: 3 }), seed = 1): Promise<Opened> {
  const runtime = virtualRuntime({ seed, files: disk.files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime })
  const log = await openLog({
    store,
    wal: fileWal({ dir: '/wal', segmentBytes: 16 * 1024 }),
    tier: icebergTier({ catalog, threads: 0 }),
    runtime,
    takeover: 'newest',
  })
  return { log, runtime, catalog, topic: await log.ensureTopic('trams', { table: 'city.trams', freshnessMs: MINUTE }) }
}

async function pass({ runtime }: Opened, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += MINUTE / 2) {
    await runtime.clock.advance(MINUTE / 2)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

async function send({ topic }: Opened, ...texts: readonly string[]): Promise<void> {
  const producer = topic.producer({ lingerMs: 0 })
  for (const text of texts) await producer.send({ value: new TextEncoder().encode(text) })
  await producer.close()
}

async function read({ topic }: Opened): Promise<string[]> {
  const texts: string[] = []
  for await (const { bytes } of topic.read({ to: 'end' })) texts.push(new TextDecoder().decode(bytes!))
  return texts
}

/** Another engine alters the table's columns. */
async function alter({ catalog }: Opened, change: (fields: readonly IcebergField[]) => IcebergField[]): Promise<void> {
  const { metadata } = await catalog.loadTable(TABLE)
  const fields = change(currentSchema(metadata).fields)
  const lastColumnId = Math.max(metadata['last-column-id'], ...fields.map(({ id }) => id))
  const updates = [
    { action: 'add-schema', schema: { type: 'struct', fields }, 'last-column-id': lastColumnId },
    { action: 'set-current-schema', 'schema-id': -1 },
  ] as const
  await catalog.commitTable(TABLE, { requirements: [], updates })
}

it('stops tiering by name, keeps sends and reads going, and goes on by itself once it need not be filled', async () => {
  const store = hookedStore()
  const disk = simulatedDisk({ seed: 3 })
  let opened = await open(store, disk)
  await send(opened, 'a', 'b')
  await opened.topic.tier()
  await alter(opened, (fields) => [...fields, { id: 7000, name: 'line', required: true, type: 'string' }])
  await send(opened, 'c')
  await pass(opened, 5 * MINUTE)
  const { lastError, ...stats } = opened.topic.stats()
  expect(stats).toMatchObject({
    stoppedBy: { kind: 'unsupported', code: 'REQUIRED_COLUMN', message: expect.stringMatching(/city\.trams.* line,/) },
    untieredRecords: 1,
    lineage: { verdict: 'intact' },
  })
  expect(lastError).toMatchObject({ code: 'REQUIRED_COLUMN' })
  expect(stats.retries).toBeGreaterThan(1)
  expect(await read(opened)).toEqual(['a', 'b', 'c'])
  // Nothing of its tries is left lying about.
  for await (const { key } of store.list({ prefix: 'log/staged/' })) expect(key).toBe('nothing')

  await opened.log.close()
  opened = await open(store, disk, 2)
  await send(opened, 'd')
  expect(await read(opened)).toEqual(['a', 'b', 'c', 'd'])
  expect(await opened.topic.scan().count()).toBe(4)
  await expect(opened.topic.tier()).rejects.toMatchObject({ code: 'REQUIRED_COLUMN', context: { column: 'line' } })

  await alter(opened, (fields) => fields.map((field) => (field.id === 7000 ? { ...field, required: false } : field)))
  await pass(opened, 5 * MINUTE)
  expect(opened.topic.stats()).toMatchObject({ stoppedBy: null, lastError: null, untieredRecords: 0 })
  expect(await read(opened)).toEqual(['a', 'b', 'c', 'd'])
  expect(await opened.topic.audit({ deep: true })).toMatchObject({ clean: true })
  await opened.log.close()
})

it('is the same for a column of ours that others have made required, at the first record without it', async () => {
  const opened = await open()
  await send(opened, 'a')
  await opened.topic.tier()
  const set = (required: boolean): Promise<void> =>
    alter(opened, (fields) => fields.map((field) => (field.name === '_kafka_key' ? { ...field, required } : field)))
  await set(true)
  await send(opened, 'b')
  const refusal = {
    kind: 'unsupported',
    code: 'REQUIRED_COLUMN',
    message: expect.stringMatching(/city\.trams.* _kafka_key .*optional again/),
    context: { column: '_kafka_key' },
  }
  await expect(opened.topic.tier()).rejects.toMatchObject(refusal)
  expect(opened.topic.stats()).toMatchObject({ stoppedBy: refusal })
  expect(await read(opened)).toEqual(['a', 'b'])
  await set(false)
  expect((await opened.topic.tier()).rows).toBe(1)
  await opened.log.close()
})
