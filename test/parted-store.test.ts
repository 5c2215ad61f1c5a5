/** The real log on a store as unlike a folder as the door allows: lists in no order, no swaps, parts, answers that come late. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import { prefix as below, probeStore } from '@moulin/storage'
import { listInOrder, schema, systemRuntime, t, tableText } from '@moulin/core'
import type { Log, ObjectStore, Topic } from '@moulin/core'
import { json } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { partedStore } from '@moulin/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const runtime = systemRuntime()
const Order = schema({ id: t.int53, city: t.string })
type Order = { id: number; city: string }

let dir: string
let log: Log | undefined
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-parted-'))
})
afterEach(async () => {
  await log?.close()
  log = undefined
  await rm(dir, { recursive: true })
})

async function openOn(store: ObjectStore): Promise<Log> {
  await log?.close()
  return (log = await openLog({
    store,
    wal: fileWal({ dir: join(dir, 'wal') }),
    tier: icebergTier({ catalog: objectStoreCatalog({ store, runtime }), threads: 0 }),
    probe: (probed) => probeStore(probed, { runtime }),
    runtime,
  }))
}

async function sendOrders(topic: Topic<Order>, from: number, to: number): Promise<void> {
  const producer = topic.producer()
  const ids = Array.from({ length: to - from }, (_, i) => from + i)
  await producer.sendAll(ids.map((id) => ({ key: `k${id % 3}`, value: { id, city: `city-${id % 7}` } })))
  await producer.close()
}

async function idsOf(topic: Topic<Order>): Promise<number[]> {
  const ids: number[] = []
  for await (const { value } of topic.read({ from: 'earliest', to: 'end' })) ids.push(value!.id)
  return ids.sort((a, b) => a - b)
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listInOrder(store, { prefix })) keys.push(key)
  return keys
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, id) => id)

describe('a log on a store that lists in no order and answers late', () => {
  it.each([
    ['the store', (store: ObjectStore) => store],
    ['a part of it', (store: ObjectStore) => below(store, 'lakes/one/')],
  ])('is written, tiered, opened again and again, and read: %s', { timeout: 120_000 }, async (_name, part) => {
    const store = part(partedStore({ seed: 5, runtime }))
    const config = { value: json(Order), partitions: 2 }
    let sent = 0
    for (const name of ['orders', 'another', 'yet-another']) {
      const topic = await (await openOn(store)).ensureTopic(name, { ...config, table: `shop.${name}` })
      if (name === 'orders') continue
      await sendOrders(topic, 0, 4)
      await topic.tier()
    }
    // Enough lives that a wrong order of checkpoints or of versions would show.
    for (let life = 0; life < 6; life++) {
      const topic = await (await openOn(store)).ensureTopic('orders', { ...config, table: 'shop.orders' })
      expect(await idsOf(topic), `in life ${life}`).toEqual(upTo(sent))
      await sendOrders(topic, sent, sent + 20)
      sent += 20
      await topic.tier()
      await sendOrders(topic, sent, sent + 5)
      sent += 5
    }
    const topic = await (await openOn(store)).ensureTopic('orders', { ...config, table: 'shop.orders' })
    await topic.tier()
    expect(await idsOf(topic)).toEqual(upTo(sent))
    expect((await topic.audit()).clean).toBe(true)
    const scanned = (await topic.scan({ columns: ['id'] }).toArray()) as { id: number }[]
    expect(scanned.map(({ id }) => id).sort((a, b) => a - b)).toEqual(upTo(sent))
    const names: string[] = []
    for await (const table of objectStoreCatalog({ store, runtime, access: 'read-only' }).listTables())
      names.push(tableText(table))
    expect(names.sort()).toEqual(['shop.another', 'shop.orders', 'shop.yet-another'])

    // The newest checkpoints stay, whatever order they are listed in.
    const checkpoints = await keysOf(store, 'log/checkpoints/')
    expect(checkpoints.length).toBeGreaterThan(0)
    expect(checkpoints.length).toBeLessThanOrEqual(2)
  })
})
