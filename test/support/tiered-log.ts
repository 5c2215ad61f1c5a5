/** A log with its objects, catalog and table in one store, through several lives of its process. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import { isKind, listInOrder, schema, systemRuntime, t, tableFiles } from '@moulin/core'
import type { Catalog, Log, ObjectStore, TableIdentifier, Topic } from '@moulin/core'
import { json } from '@moulin/format'
import { planScan, readManifestList } from '@moulin/iceberg'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { probeStore } from '@moulin/storage'
import { expect, onTestFinished } from 'vitest'

const runtime = systemRuntime()
const table: TableIdentifier = { namespace: ['shop'], name: 'orders' }
const Order = schema({ id: t.int53, city: t.string })
type Order = { id: number; city: string }

/** Opens the log whose write-ahead data lie in `dir` and whose objects, catalog and table lie in the store. */
export async function openTieredLog(
  store: ObjectStore,
  dir: string,
): Promise<{ readonly log: Log; readonly topic: Topic<Order> }> {
  const log = await openLog({
    store,
    wal: fileWal({ dir: join(dir, 'wal') }),
    tier: icebergTier({ catalog: objectStoreCatalog({ store, runtime }), threads: 0 }),
    probe: (probed) => probeStore(probed, { runtime }),
    runtime,
  })
  const topic = await log.ensureTopic('orders', { value: json(Order), partitions: 2, table: 'shop.orders' })
  return { log, topic }
}

/** Sends so many records and waits for their acks. */
export async function sendOrders(topic: Topic<Order>, from: number, count: number): Promise<void> {
  const producer = topic.producer()
  const ids = Array.from({ length: count }, (_, i) => from + i)
  await producer.sendAll(ids.map((id) => ({ key: `k${id % 3}`, value: { id, city: 'Lyon' } })))
  await producer.close()
}

/** What the log holds, sorted. */
export async function ordersOf(topic: Topic<Order>): Promise<number[]> {
  const ids: number[] = []
  for await (const { value } of topic.read({ from: 'earliest', to: 'end' })) ids.push(value!.id)
  return ids.sort((a, b) => a - b)
}

/** A folder that goes with the test. */
export async function ownFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'moulin-tiered-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return dir
}

/** Each life opens the log on a `store()` of its own, sends and tiers; then every record is there once, read on `direct`. */
export async function checkTieredLog(store: () => ObjectStore, direct: ObjectStore, lives: number): Promise<void> {
  const dir = await ownFolder()
  let log: Log | undefined
  const open = async (own: ObjectStore): Promise<Topic<Order>> => {
    await log?.close()
    const opened = await openTieredLog(own, dir)
    log = opened.log
    return opened.topic
  }
  for (let life = 0; life < lives; life++) {
    const topic = await open(store())
    await sendOrders(topic, life * 20, 20)
    const rival = objectStoreCatalog({ store: store(), runtime })
    await Promise.all([topic.tier(), life === 0 ? undefined : disturb(rival, life)])
  }
  const topic = await open(direct)
  await topic.tier()
  const wanted = Array.from({ length: lives * 20 }, (_, id) => id)
  expect(await ordersOf(topic)).toEqual(wanted)
  expect((await topic.audit()).clean).toBe(true)
  const scanned = (await topic.scan({ columns: ['id'] }).toArray()) as { id: number }[]
  expect(scanned.map(({ id }) => id).sort((a, b) => a - b)).toEqual(wanted)
  await log?.close()
}

/** Commits of another beside those of the log, so that some of these lose their race. */
async function disturb(rival: Catalog, life: number): Promise<void> {
  for (let n = 0; n < 8; n++) {
    const updates = { rival: `${life}/${n}` }
    await rival
      .commitTable(table, { requirements: [], updates: [{ action: 'set-properties', updates }] })
      .catch((error: unknown) => {
        if (!isKind(error, 'conflict') && !isKind(error, 'unavailable')) throw error
      })
  }
}

/** Objects of the table that no retained snapshot names. */
export async function unnamedIn(store: ObjectStore): Promise<string[]> {
  const { metadata } = await objectStoreCatalog({ store, runtime, access: 'read-only' }).loadTable(table)
  const keyOf = (location: string): string => location.slice(store.root.length)
  const named = new Set<string>()
  for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata })) named.add(keyOf(file.filePath))
  for (const { 'manifest-list': path } of metadata.snapshots ?? []) {
    named.add(keyOf(path))
    const { bytes } = await store.get(keyOf(path))
    for (const manifest of readManifestList(bytes, { path })) named.add(keyOf(manifest.path))
  }
  const keys: string[] = []
  for await (const { key } of listInOrder(store, { prefix: 'tables/shop/orders/' }))
    if (!named.has(key) && !/\.metadata\.json$|version-hint\.text$/.test(key)) keys.push(key)
  return keys
}
