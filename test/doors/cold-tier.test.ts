import { readFile } from 'node:fs/promises'
import { schema, t } from '@moulin/core'
import type { Log, LogRecord } from '@moulin/core'
import { avro } from '@moulin/format'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { simulatedDisk, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { arrayColdTier } from './array-cold-tier.ts'
import type { ArrayColdTier } from './array-cold-tier.ts'

const Order = schema({ id: t.int53, city: t.string })
const encoder = new TextEncoder()

async function logOver(tier: ArrayColdTier, disk = simulatedDisk({ seed: 1 }), seed = 1): Promise<Log> {
  const runtime = virtualRuntime({ seed, files: disk.files })
  const store = fileSystem({ root: '/lake', files: disk.files })
  return openLog({ store, wal: fileWal({ dir: '/lake/log/wal', segmentBytes: 16 * 1024 }), tier, runtime })
}

async function all<T>(records: AsyncIterable<LogRecord<T>>): Promise<LogRecord<T>[]> {
  const found: LogRecord<T>[] = []
  for await (const record of records) found.push(record)
  return found
}

describe('the door ColdTier', () => {
  it('is implemented here with nothing but core', async () => {
    const source = await readFile(new URL('array-cold-tier.ts', import.meta.url), 'utf8')
    const imported = [...source.matchAll(/from '([^']+)'/g)].map(([, name]) => name)
    expect(new Set(imported)).toEqual(new Set(['@moulin/core']))
  })

  it('gives a log a history: tiered, released, read back byte for byte, sought and scanned', async () => {
    const tier = arrayColdTier()
    const disk = simulatedDisk({ seed: 1 })
    const log = await logOver(tier, disk)
    const orders = await log.ensureTopic('orders', { value: avro(Order), partitions: 2 })
    const producer = orders.producer({ lingerMs: 0 })
    const sent = Array.from({ length: 20 }, (_, id) => ({ id, city: `city ${id}` }))
    for (const value of sent.slice(0, 12)) {
      await producer.send({ value, key: `k${value.id}`, partition: value.id % 2, headers: [['h', null]] })
    }
    expect(await orders.tier()).toMatchObject({ rows: 12, frontier: [6n, 6n] })
    await log.releaseNow()
    expect(orders.offsets().map(({ released }) => released)).toEqual([6n, 6n])
    for (const value of sent.slice(12)) await producer.send({ value, partition: value.id % 2 })

    const records = await all(orders.read({ partition: 1, to: 'end' }))
    expect(records.map(({ value }) => value?.id)).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
    expect(records[0]).toMatchObject({ key: encoder.encode('k1'), headers: [['h', null]], fidelity: 'exact' })
    const [cold, hot] = await Promise.all([orders.scan().toArray(), orders.scan().count()])
    expect(cold.map(({ id }) => id).sort((a, b) => a - b)).toEqual(sent.map(({ id }) => id))
    expect(hot).toBe(20)
    const sought = []
    for await (const record of orders.readAt([
      { partition: 0, offset: 2n },
      { partition: 1, offset: 8n },
    ])) {
      sought.push(record?.value?.id)
    }
    expect(sought).toEqual([4, 17])
    await log.close()

    const again = await logOver(tier, disk, 2)
    expect(await (await again.topic<{ id: number }>('orders')).scan().count()).toBe(20)
    await again.close()
  })

  it('write-ahead data stays until the tier says, at the time of release, that the table still has it', async () => {
    const tier = arrayColdTier()
    const log = await logOver(tier)
    const orders = await log.ensureTopic('orders', { value: avro(Order) })
    const producer = orders.producer({ lingerMs: 0 })
    for (let id = 0; id < 6; id++) await producer.send({ value: { id, city: 'ams' } })
    await orders.tier()
    tier.confirmed = [2n]
    await log.releaseNow()
    const { released, frontier } = orders.offsets()[0]!
    expect(frontier).toBe(6n)
    expect(released).toBeLessThanOrEqual(2n)
    expect((await all(orders.read({ to: 'end' }))).map(({ value }) => value?.id)).toEqual([0, 1, 2, 3, 4, 5])
    tier.confirmed = undefined
    await log.releaseNow()
    expect(orders.offsets()[0]!.released).toBe(6n)
    await log.close()
  })
})
