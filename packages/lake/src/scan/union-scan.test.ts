import { eq, gt, notFound, schema, t } from '@moulin/core'
import type { BatchRun, Codec, ColdTopic, Expression, HotSource } from '@moulin/core'
import { avro, encodeBatch } from '@moulin/format'
import { hookedStore } from '@moulin/testing'
import { tableFromIPC } from 'apache-arrow'
import type { RecordBatch, Table } from 'apache-arrow'
import { describe, expect, it } from 'vitest'

import { allRows, replaceRows } from '../foreign.test-support.ts'
import { testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'

const Order = schema({ id: t.int53 })
const codec = avro(Order) as Codec
const order = (id: number): Uint8Array => codec.encode({ id })

async function started(options: TestLogOptions = {}): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ codec, ...options })
  return { log, topic: await log.attach() }
}

const ids = async (topic: ColdTopic): Promise<unknown[]> =>
  (await topic.scan({ columns: ['id'] }).toArray()).map((row) => row['id']).sort((a, b) => Number(a) - Number(b))

describe('unionScan', () => {
  it('shows each record once, wherever the frontier is', async () => {
    const { log, topic } = await started()
    for (let id = 0; id < 40; id += 2)
      log.hot.send(id % 4 === 0 ? 0 : 1, [{ value: order(id) }, { value: order(id + 1) }])
    const all = Array.from({ length: 40 }, (_, id) => id)
    for (const upTo of [
      [0n, 0n],
      [3n, 0n],
      [3n, 11n],
      [20n, 20n],
    ]) {
      await topic.tier({ upTo })
      expect(await ids(topic)).toEqual(all)
      expect(await topic.scan({}).count()).toBe(40)
      expect(await topic.scan({ where: gt('id', 29) }).count()).toBe(10)
    }
    expect(log.hot.pins).toBe(0)
  })

  it('throws once its signal has fired, also where all rows are hot', async () => {
    const { log, topic } = await started({ info: { partitions: 1 } })
    for (let id = 0; id < 300; id++) log.hot.send(0, [{ value: order(id) }, { value: order(id) }])
    const stop = new AbortController()
    const { signal } = stop
    const rows = topic.scan({ signal })[Symbol.asyncIterator]()
    expect((await rows.next()).done).toBe(false)
    const calls = [topic.scan({ signal }).toArray(), topic.scan({ signal }).count(), topic.scan({ signal }).toIpc()]
    stop.abort()
    for (const call of [rows.next(), ...calls]) await expect(call).rejects.toMatchObject({ kind: 'aborted' })
    // What was under way ends by itself.
    for (let turn = 0; turn < 100 && log.hot.pins > 0; turn++) await Promise.resolve()
    expect(log.hot.pins).toBe(0)
  })

  it('is one cut: what comes later is not in it, and what is tiered meanwhile is not in it twice', async () => {
    const { log, topic } = await started({ info: { partitions: 1 } })
    for (let id = 0; id < 6; id++) log.hot.send(0, [{ value: order(id) }])
    await topic.tier({ upTo: [2n] })
    const rows: unknown[] = []
    for await (const row of topic.scan({ columns: ['id'] })) {
      rows.push(row['id'])
      if (rows.length === 1) {
        log.hot.send(0, [{ value: order(6) }])
        await topic.tier({ upTo: [7n] })
      }
      expect(log.hot.pins).toBe(1)
    }
    expect(rows).toEqual([0, 1, 2, 3, 4, 5])
    expect(log.hot.pins).toBe(0)
  })

  it('lets go of the log when the loop is left early', async () => {
    const { log, topic } = await started()
    log.hot.send(0, [{ value: order(1) }, { value: order(2) }])
    for await (const row of topic.scan({})) {
      expect(row['id']).toBe(1)
      break
    }
    expect(log.hot.pins).toBe(0)
  })

  it('begins anew with each use', async () => {
    const { log, topic } = await started()
    const scan = topic.scan({ columns: ['id'] })
    log.hot.send(0, [{ value: order(1) }])
    expect(await scan.toArray()).toHaveLength(1)
    log.hot.send(0, [{ value: order(2) }])
    expect(await scan.toArray()).toHaveLength(2)
    expect(await scan.count()).toBe(2)
  })

  it('puts small runs together, and opens no batch whose header says that no row passes', async () => {
    const { log, topic } = await started({ info: { partitions: 1 } })
    for (let id = 0; id < 40; id++) log.hot.send(0, [{ value: order(2 * id) }, { value: order(2 * id + 1) }])
    const batches = async (where?: Expression): Promise<unknown[][]> => {
      const found: unknown[][] = []
      const scan = topic.scan({ columns: ['id'], ...(where === undefined ? {} : { where }) })
      for await (const rows of scan.batches()) found.push(rows.map((row) => row['id']))
      return found
    }
    expect(await batches()).toEqual([Array.from({ length: 80 }, (_, id) => id)])
    // A batch that cannot be read, unless it is left closed.
    const { read } = log.hot
    log.hot.read = async function* (request) {
      for await (const run of read.call(log.hot, request)) {
        const batches = run.batches.slice()
        if (run.baseOffset === 20n) batches[batches.length - 1]! ^= 1
        yield { ...run, batches }
      }
    }
    await expect(batches()).rejects.toMatchObject({ kind: 'corrupt' })
    expect(await batches(gt('_kafka_offset', 21n))).toEqual([Array.from({ length: 58 }, (_, id) => id + 22)])
    expect(await batches(eq('_kafka_partition', 3))).toEqual([])
    await expect(batches(gt('_kafka_offset', 20n))).rejects.toMatchObject({ kind: 'corrupt' })
  })

  it('counts records, not offsets, also at the edges of batches with gaps', async () => {
    const { log, topic } = await started({ info: { partitions: 1 } })
    const record = (offset: bigint): object => ({
      offset,
      timestamp: 0n,
      key: null,
      value: order(Number(offset)),
      headers: [],
    })
    const records = [2n, 3n, 7n, 8n].map(record) as Parameters<typeof encodeBatch>[0]['records']
    log.hot.append(0, encodeBatch({ baseOffset: 0n, lastOffset: 9n, records, timestampType: 'create' }))
    for (const [end, count] of [
      [0n, 4],
      [3n, 4],
      [5n, 4],
      [8n, 4],
      [10n, 4],
    ] as const) {
      await topic.tier({ upTo: [end] })
      expect(await topic.scan({}).count()).toBe(count)
      expect(await ids(topic)).toEqual([2, 3, 7, 8])
    }
    const report = await topic.audit()
    expect(report).toMatchObject({ clean: true, partitions: [{ rows: 4n, skipped: 6n, deleted: 0n }] })
    expect(report.gaps).toEqual(
      [
        [0n, 2n],
        [4n, 7n],
        [9n, 10n],
      ].map(([from, to]) => ({ incarnation: 1, partition: 0, from, to, reason: 'skipped' })),
    )
  })

  it('finds in the table what another process let go of before it was read', async () => {
    const { log, topic } = await started({ info: { partitions: 1 } })
    for (let id = 0; id < 6; id++) log.hot.send(0, [{ value: order(id) }])
    await topic.tier({ upTo: [1n] })
    const reader = log.reopen({ access: 'read-only' })
    // Its view of the log ends at 6, but the writer tiers and releases before the third batch is read.
    const { read } = log.hot
    let reads = 0
    const slow: HotSource['read'] = async function* (request): AsyncGenerator<BatchRun> {
      for await (const run of read.call(log.hot, request)) {
        if (++reads === 3) {
          await topic.tier({ upTo: [5n] })
          throw notFound('RELEASED', 'It was released.')
        }
        yield run
      }
    }
    const cold = await reader.attach()
    log.hot.read = function (request) {
      return request.to === 6n ? slow(request) : read.call(log.hot, request)
    } as typeof read
    expect((await cold.scan({ columns: ['id'] }).toArray()).map((row) => row['id'])).toEqual([0, 1, 2, 3, 4, 5])
    reads = 0
    log.hot.read = read
    expect(await cold.scan({}).count()).toBe(6)
  })

  it('refuses unknown columns and wrong literals by name', async () => {
    const { topic } = await started()
    expect(() => topic.scan({ columns: ['nope'] })).toThrow(/no column "nope"/)
    expect(() => topic.scan({ where: eq('nope', 1) })).toThrow(expect.objectContaining({ kind: 'invalid' }))
    expect(() => topic.scan({ where: eq('id', 'x') })).toThrow(expect.objectContaining({ kind: 'invalid' }))
  })

  it('gives Arrow of the same rows, in order, wherever the frontier is', async () => {
    const { log, topic } = await started({ info: { partitions: 1 } })
    for (let id = 0; id < 40; id += 4) {
      log.hot.send(
        0,
        [0, 1, 2, 3].map((more) => ({ key: utf8(`k${id + more}`), value: order(id + more) })),
      )
    }
    for (const end of [0n, 13n, 40n]) {
      await topic.tier({ upTo: [end] })
      for (const where of [undefined, gt('id', 17), gt('id', 99)]) {
        const scan = topic.scan({ columns: ['_kafka_key', 'id'], ...(where === undefined ? {} : { where }) })
        const rows = await scan.toArray()
        const table = await scan.toArrow<Table>()
        const arrowRows = table.toArray().map((row) => [row?.['_kafka_key'], Number(row?.['id'])] as unknown[])
        expect(arrowRows).toEqual(rows.map((row) => [row['_kafka_key'], row['id']]))
        expect(String(table.schema)).toBe('Schema<{ 0: _kafka_key: Binary, 1: id: Int64 }>')
        const read = tableFromIPC(await scan.toIpc())
        expect(read.toArray().map(String)).toEqual(table.toArray().map(String))
        let batched = 0
        for await (const batch of scan.arrowBatches<RecordBatch>()) batched += batch.numRows
        expect(batched).toBe(rows.length)
      }
    }
    expect(log.hot.pins).toBe(0)
  })

  it('gives Arrow that lasts: what is read later does not write over it', async () => {
    const { log, topic } = await started({ info: { partitions: 2 } })
    // More than becomes columns at once, of each partition.
    const key = (id: number): Uint8Array => utf8(`key ${id} `.repeat(20_000))
    for (let id = 0; id < 100; id++) log.hot.send(id % 2, [{ key: key(id), value: order(id) }])
    const table = await topic.scan({ columns: ['_kafka_key', 'id'] }).toArrow<Table>()
    expect(table.numRows).toBe(100)
    expect(table.batches.length).toBeGreaterThan(2)
    for (const row of table) expect(Buffer.compare(row['_kafka_key'] as Uint8Array, key(Number(row['id'])))).toBe(0)
  })

  it('stops when it is aborted', async () => {
    const { log, topic } = await started()
    log.hot.send(0, [{ value: order(1) }])
    await expect(topic.scan({ signal: AbortSignal.abort() }).toArray()).rejects.toMatchObject({ kind: 'aborted' })
    expect(log.hot.pins).toBe(0)
  })

  it('says so when its snapshot is expired while it reads', async () => {
    const { log, topic } = await started({ info: { partitions: 1 } })
    // More files than are read ahead.
    for (let id = 0; id < 6; id++) {
      log.hot.send(0, [{ value: order(id) }])
      await topic.tier({ upTo: [BigInt(id + 1)] })
    }
    const scan = topic.scan({ columns: ['id'] })[Symbol.asyncIterator]()
    await scan.next()
    const old: string[] = []
    for await (const { key } of log.store.list({ prefix: 'tables/shop/orders/data/' })) old.push(key)
    await replaceRows(log, [await allRows(log)])
    for (const key of old) await log.store.delete(key)
    const rest = async (): Promise<void> => {
      while (!(await scan.next()).done);
    }
    await expect(rest()).rejects.toMatchObject({ kind: 'conflict', code: 'SNAPSHOT_EXPIRED', retryable: true })
    expect(log.hot.pins).toBe(0)
  })

  const counts: readonly (readonly [string, Expression | undefined, RegExp])[] = [
    ['all, before its manifest list is read', undefined, /\/snap-/],
    ['all, before its manifests are read', undefined, /-m\d+\.avro$/],
    ['those that pass, before its manifest list is read', gt('id', 2), /\/snap-/],
    ['those that pass, after some were counted', gt('id', 2), /\/data\/.*\.parquet$/],
  ]

  it.each(counts)('counts again, once, where another snapshot takes its place (%s)', async (_what, where, at) => {
    const store = hookedStore()
    const { log, topic: writer } = await started({ store, info: { partitions: 1, partitionBy: [] } })
    for (let id = 0; id < 7; id++) {
      log.hot.send(0, [{ value: order(id) }])
      await writer.tier({ upTo: [BigInt(id + 1)] })
    }
    // One that has opened no file yet.
    const topic = await log.reopen().attach()
    let reads = 0
    let moves = 0
    const move = async ({ op, key }: { op: string; key: string }): Promise<void> => {
      // More files than are read ahead.
      if (op !== 'get' || !at.test(key) || ++reads < (key.endsWith('.parquet') ? 7 : 1)) return
      delete store.hooks.before
      const before: string[] = []
      for await (const object of store.list({ prefix: 'tables/shop/orders/' })) before.push(object.key)
      await replaceRows(log, [await allRows(log)])
      for (const old of before) if (/\.(parquet|avro)$/.test(old)) await store.delete(old)
      moves++
    }
    const options = where === undefined ? {} : { where }
    store.hooks.before = move
    expect(await topic.scan(options).count()).toBe(where === undefined ? 7 : 4)
    expect(moves).toBe(1)
    expect(log.hot.pins).toBe(0)
  })
})
