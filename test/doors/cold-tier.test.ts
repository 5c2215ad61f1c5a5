import { readFile } from 'node:fs/promises'
import { eq, schema, t } from '@moulin/core'
import type { Files, Log, LogRecord, Topic } from '@moulin/core'
import { avro } from '@moulin/format'
import { fileWal, openLog } from '@moulin/log'
import type { OpenLogOptions } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { MemoryHistory, memoryTier, simulatedDisk, virtualRuntime } from '@moulin/testing'
import type { SimulatedDisk, VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'

const Order = schema({ id: t.int53, city: t.string.optional() })
type Order = { id: number; city?: string | null }

/** Everything that outlives a process. */
interface Machine {
  readonly disk: SimulatedDisk
  readonly history: MemoryHistory
  processes: number
}

const machine = (): Machine => ({ disk: simulatedDisk({ seed: 7 }), history: new MemoryHistory(), processes: 0 })

interface Opened {
  readonly log: Log
  readonly orders: Topic<Order>
  readonly runtime: VirtualRuntime
  send(...ids: number[]): Promise<void>
}

/** The real log on a simulated disk, its history in arrays. */
async function opened(on: Machine, options: Partial<OpenLogOptions> = {}): Promise<Opened> {
  const runtime = virtualRuntime({ seed: ++on.processes, files: on.disk.files })
  const store = fileSystem({ root: '/lake', runtime })
  const wal = fileWal({ dir: '/lake/log/wal', segmentBytes: 16 * 1024 })
  const tier = memoryTier({ history: on.history })
  const log = await openLog({ store, wal, tier, runtime, takeover: 'newest', ...options })
  const config = { value: avro(Order), partitions: 2, table: 'shop.orders' }
  const orders =
    options.access === 'read-only' ? await log.topic<Order>('orders') : await log.ensureTopic('orders', config)
  return {
    log,
    orders: orders as Topic<Order>,
    runtime,
    async send(...ids) {
      const producer = orders.producer({ lingerMs: 0 })
      for (const id of ids) {
        const value = id % 5 === 4 ? null : { id, city: id % 3 === 0 ? null : `city-${id}` }
        await producer.send({ value, key: `k${id}`, partition: id % 2, headers: [['h', null]] })
      }
      await producer.close()
    },
  }
}

/** All that is below the folder, at the same path of another disk. */
async function copyFolder(from: Files, to: Files, path: string): Promise<void> {
  await to.mkdir(path, { recursive: true })
  for (const { name, kind } of await from.readdir(path)) {
    const below = `${path}/${name}`
    if (kind === 'directory') {
      await copyFolder(from, to, below)
      continue
    }
    const [source, target] = [await from.open(below, 'read'), await to.open(below, 'create')]
    await target.writev([await source.read(0, await source.size())], 0)
    await target.sync()
    await Promise.all([source.close(), target.close()])
  }
  await to.syncDirectory(path)
}

async function all<T>(records: AsyncIterable<LogRecord<T>>): Promise<LogRecord<T>[]> {
  const found: LogRecord<T>[] = []
  for await (const record of records) found.push(record)
  return found
}

const bytesOf = async (topic: Topic<Order>): Promise<object[]> =>
  (await all(topic.read({ to: 'end' })))
    .map(({ partition, offset, key, bytes, headers, timestamp, fidelity }) => {
      return { partition, offset, key, bytes, headers, timestamp, fidelity }
    })
    .sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))

const idsOf = async (topic: Topic<Order>): Promise<number[]> =>
  (await topic.scan({ columns: ['id'] }).toArray()).map(({ id }) => id ?? -1).sort((a, b) => a - b)

describe('the door ColdTier', () => {
  it('is implemented by memoryTier with nothing but core: what somebody without any other package of ours could write', async () => {
    const imported = new Map<string, string[]>()
    const visit = async (file: string): Promise<void> => {
      if (imported.has(file)) return
      const source = await readFile(new URL(`../../packages/testing/src/${file}`, import.meta.url), 'utf8')
      const names = [...source.matchAll(/from '([^']+)'/g)].map(([, name]) => name!)
      imported.set(file, names)
      for (const name of names) if (name.startsWith('./')) await visit(name.slice(2))
    }
    await visit('memory-tier.ts')
    expect(imported.size).toBeGreaterThan(5)
    const packages = [...imported.values()].flat().filter((name) => !name.startsWith('./'))
    expect(new Set(packages)).toEqual(new Set(['@moulin/core']))
  })
})

describe('a log whose history is in arrays', () => {
  it('tiers, releases, reads cold, by place and by time, scans and audits, before and after a restart', async () => {
    const on = machine()
    const { log, orders, send } = await opened(on)
    await send(0, 1, 2, 3, 4, 5, 6, 7)
    const hot = await bytesOf(orders)
    expect(await orders.tier()).toMatchObject({ rows: 8, frontier: [4n, 4n] })
    await log.releaseNow()
    expect(orders.offsets().map(({ released }) => released)).toEqual([4n, 4n])
    expect(await bytesOf(orders)).toEqual(hot)
    await send(8, 9, 10)
    const positions = [
      { partition: 1, offset: 3n },
      { partition: 0, offset: 5n },
      { partition: 0, offset: 1n },
    ]
    const found: unknown[] = []
    for await (const record of orders.readAt(positions)) found.push(record?.value?.id)
    expect(found).toEqual([7, 10, 2])
    expect(await idsOf(orders)).toEqual([-1, -1, 0, 1, 2, 3, 5, 6, 7, 8, 10])
    const cold = (await all(orders.read({ partition: 0, to: 'end' })))[2]!
    const since = await all(orders.read({ partition: 0, from: { timestamp: cold.timestamp }, to: 'end' }))
    expect(since[0]!.timestamp).toBe(cold.timestamp)
    expect(await orders.scan({ where: eq('city', 'city-5') }).count()).toBe(1)
    await expect(orders.scan().toIpc()).rejects.toMatchObject({ kind: 'unsupported', code: 'ARROW' })
    const before = await bytesOf(orders)
    await log.close()

    const again = await opened(on)
    expect(await bytesOf(again.orders)).toEqual(before)
    expect(await again.orders.tier()).toMatchObject({ rows: 3, frontier: [6n, 5n] })
    await again.log.releaseNow()
    expect(await bytesOf(again.orders)).toEqual(before)
    const { clean, partitions } = await again.orders.audit()
    expect([clean, partitions.map(({ rows }) => rows)]).toEqual([true, [6n, 5n]])
    await again.log.close()
  })

  it('keeps the write-ahead copy of a page that is gone, names it, and reads on from the copy', async () => {
    const on = machine()
    const { log, orders, send } = await opened(on)
    await send(0, 2)
    await orders.tier()
    await send(4, 6)
    await orders.tier()
    const before = await bytesOf(orders)
    const names = on.history.hide('shop.orders', { partition: 0, offset: 2n })
    await log.releaseNow()
    expect(orders.offsets()[0]!.released).toBe(2n)
    expect(orders.stats().missingFiles).toEqual(names)
    expect(await bytesOf(orders)).toEqual(before)
    on.history.show(names)
    await log.releaseNow()
    expect(orders.offsets()[0]!.released).toBe(4n)
    expect(orders.stats().missingFiles).toEqual([])
    expect(await bytesOf(orders)).toEqual(before)
    await log.close()
  })

  it('moves again what a rollback took, where it may, and each record once', async () => {
    const on = machine()
    const { log, orders, send } = await opened(on, { onBroken: 'restore' })
    await send(0, 1, 2)
    await orders.tier()
    await send(3, 5)
    await orders.tier()
    on.history.rollBack('shop.orders')
    await send(6)
    await orders.tier()
    expect(orders.stats()).toMatchObject({ stoppedBy: null, untieredRecords: 0 })
    await log.releaseNow()
    expect(await idsOf(orders)).toEqual([0, 1, 2, 3, 5, 6])
    expect((await orders.audit()).clean).toBe(true)
    await log.close()
  })

  it('stops at a rollback unless it is told to go on, and then names what is gone', async () => {
    const on = machine()
    const { log, orders, send } = await opened(on)
    await send(0, 2)
    await orders.tier()
    await send(6, 8)
    await orders.tier()
    await log.releaseNow()
    on.history.rollBack('shop.orders')
    await send(10)
    await expect(orders.tier()).rejects.toMatchObject({ kind: 'conflict', code: 'LINEAGE_BROKEN' })
    expect(orders.stats().stoppedBy).toMatchObject({ code: 'LINEAGE_BROKEN' })
    expect(await orders.adoptTable()).toMatchObject({
      outcome: 'recounted',
      skipped: [{ incarnation: 0, partition: 0, from: 2n, to: 4n }],
    })
    await orders.tier()
    expect(await idsOf(orders)).toEqual([0, 2, 10])
    const { clean, gaps } = await orders.audit()
    expect([clean, gaps]).toEqual([true, [{ incarnation: 0, partition: 0, from: 2n, to: 4n, reason: 'skipped' }]])
    await log.close()
  })

  it('takes the next incarnation where the log is an older copy, and gives no offset to two records', async () => {
    const older = machine()
    const first = await opened(older)
    await first.send(0, 2)
    await first.log.close()
    const copy = simulatedDisk({ seed: 8 })
    await copyFolder(older.disk.files, copy.files, '/lake')
    const second = await opened(older)
    await second.send(6, 8)
    await second.orders.tier()
    await second.log.close()

    const restored: Machine = { ...older, disk: copy }
    const { log, orders, send } = await opened(restored)
    await expect(send(10)).rejects.toMatchObject({ code: 'LOG_BEHIND_TABLE' })
    const adopted = await orders.adoptTable()
    expect(adopted).toMatchObject({ outcome: 'next-incarnation', incarnation: 1 })
    await send(12)
    await orders.tier()
    await log.releaseNow()
    const read = await all(orders.read({ partition: 0, to: 'end' }))
    expect(read.map(({ value }) => value?.id)).toEqual([0, 2, 6, 8, 12])
    expect(read.at(-1)!.offset).toBe(adopted.frontier[0])
    expect((await orders.audit()).clean).toBe(true)
    await log.close()
  })

  it('is read beside its writer', async () => {
    const on = machine()
    const { log, orders, send } = await opened(on)
    await send(0, 1, 2)
    await orders.tier()
    await log.releaseNow()
    await send(3)
    const reader = await opened(on, { access: 'read-only' })
    expect(await bytesOf(reader.orders)).toEqual(await bytesOf(orders))
    expect(await idsOf(reader.orders)).toEqual([0, 1, 2, 3])
    await expect(reader.orders.tier()).rejects.toMatchObject({ kind: 'invalid', code: 'READ_ONLY' })
    await reader.log.close()
    await log.close()
  })
})
