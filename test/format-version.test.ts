/** The version of the table format that a topic asks for: it is the table's when it is made, and stays with the topic. */
import { objectStoreCatalog } from '@moulin/catalog'
import type { Catalog, Log, ObjectStore, TableMetadata } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { memory } from '@moulin/storage'
import { simulatedDisk, virtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'

interface Opened {
  readonly log: Log
  readonly catalog: Catalog
}

async function open(store: ObjectStore, disk: ReturnType<typeof simulatedDisk>, seed: number): Promise<Opened> {
  const runtime = virtualRuntime({ seed, files: disk.files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime })
  const log = await openLog({
    store,
    wal: fileWal({ dir: '/wal' }),
    tier: icebergTier({ catalog, threads: 0 }),
    runtime,
  })
  return { log, catalog }
}

const tableOf = async (catalog: Catalog, name: string): Promise<TableMetadata> =>
  (await catalog.loadTable({ namespace: ['shop'], name })).metadata

it('is stored with the topic, is that of its table, and is taken up by every commit', async () => {
  const store = memory()
  const disk = simulatedDisk({ seed: 3 })
  let { log, catalog } = await open(store, disk, 1)
  for (const [name, formatVersion] of [
    ['new', 3],
    ['old', undefined],
  ] as const) {
    const version = formatVersion === undefined ? {} : { formatVersion }
    const topic = await log.ensureTopic(name, { table: `shop.${name}`, ...version })
    expect(topic.config.formatVersion).toBe(formatVersion ?? 2)
    await topic.producer({ lingerMs: 0 }).send({ value: new Uint8Array(3) })
    await topic.tier()
  }
  await log.close()
  ;({ log, catalog } = await open(store, disk, 2))
  const topic = await log.topic<Uint8Array>('new')
  expect(topic.config.formatVersion).toBe(3)
  const differs = { kind: 'invalid', code: 'CONFIG_DIFFERS' }
  await expect(log.ensureTopic('new', { table: 'shop.new', formatVersion: 2 })).rejects.toMatchObject(differs)
  await expect(log.ensureTopic('old', { table: 'shop.old', formatVersion: 3 })).rejects.toMatchObject(differs)
  for (let count = 0; count < 2; count++) await topic.producer({ lingerMs: 0 }).send({ value: new Uint8Array(3) })
  await topic.tier()
  const made = await tableOf(catalog, 'new')
  expect(made).toMatchObject({ 'format-version': 3, 'next-row-id': 3 })
  expect(made.properties).not.toHaveProperty('format-version')
  expect(made.snapshots!.map((one) => [one['first-row-id'], one['added-rows']])).toEqual([
    [0, 1],
    [1, 2],
  ])
  const old = await tableOf(catalog, 'old')
  expect(old['format-version']).toBe(2)
  expect(old).not.toHaveProperty('next-row-id')
  expect(await topic.audit({ deep: true })).toMatchObject({ clean: true })
  const read: bigint[] = []
  for await (const { offset } of topic.read({ to: 'end' })) read.push(offset)
  expect(read).toEqual([0n, 1n, 2n])
  await log.close()
})
