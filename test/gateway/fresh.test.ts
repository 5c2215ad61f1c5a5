/** Commit on read, with a real log: who loads a table through the gateway sees in it what was acked a moment ago. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import type { Log, TableMetadata } from '@moulin/core'
import { currentSnapshot } from '@moulin/iceberg'
import { STALE_HEADER, serveCatalog } from '@moulin/gateway'
import { fileSystem } from '@moulin/storage'
import { openLog } from 'moulin'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asker, metadataOf, quiet, served } from './gateway.ts'
import type { Ask } from './gateway.ts'

const path = '/v1/namespaces/default/tables/orders'

describe('a load through the gateway', () => {
  let folder: string
  let log: Log
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'moulin-fresh-'))
    log = await openLog(folder, { threads: 0 })
  })
  afterEach(async () => {
    await log.close()
    await rm(folder, { recursive: true })
  })

  const serveFolder = (maxStalenessMs: number) =>
    served({ catalog: objectStoreCatalog({ store: fileSystem({ root: folder }) }), logs: [log], maxStalenessMs })
  const rowsIn = (metadata: TableMetadata): number => Number(currentSnapshot(metadata)?.summary['total-records'] ?? 0)
  const rowsBy = async (ask: Ask): Promise<number> => rowsIn(metadataOf((await ask('GET', path)).body))

  it('has all that was acked before it', async () => {
    const topic = await log.ensureTopic('orders', { partitions: 3 })
    const { ask, server } = await serveFolder(0)
    const producer = topic.producer()
    let sent = 0
    for (let round = 0; round < 5; round++) {
      for (let record = 0; record < 20; record++, sent++) await producer.send({ value: Buffer.from(`${sent}`) })
      expect(await rowsBy(ask)).toBe(sent)
    }
    expect((await topic.audit()).clean).toBe(true)
    expect((await server.stats()).tieredLoads).toBe(5)
  })

  it('is told the truth about what it has already: a tag from before is not one of now', async () => {
    const topic = await log.ensureTopic('orders', {})
    const { ask } = await serveFolder(0)
    const etag = (await ask('GET', path)).headers.get('etag')!
    const same = await ask('GET', path, undefined, { 'if-none-match': etag })
    expect(same.status).toBe(304)
    await topic.producer().send({ value: Buffer.from('one') })
    const changed = await ask('GET', path, undefined, { 'if-none-match': etag })
    expect([changed.status, rowsIn(metadataOf(changed.body))]).toEqual([200, 1])
  })

  it('commits nothing while nothing is sent, or while what is sent is young', async () => {
    const topic = await log.ensureTopic('orders', {})
    await topic.producer().send({ value: Buffer.from('one') })
    await topic.tier()
    const { ask, server } = await serveFolder(3_600_000)
    const before = metadataOf((await ask('GET', path)).body)['last-sequence-number']
    for (let turn = 0; turn < 10; turn++) await ask('GET', path)
    await topic.producer().send({ value: Buffer.from('two') })
    const after = await ask('GET', path)
    expect(metadataOf(after.body)['last-sequence-number']).toBe(before)
    expect(after.headers.get(STALE_HEADER)).toBeNull()
    expect((await server.stats()).tieredLoads).toBe(0)
  })

  it('makes one commit for many', async () => {
    const topic = await log.ensureTopic('orders', {})
    const { ask, catalog } = await serveFolder(0)
    await topic.producer().send({ value: Buffer.from('one') })
    const rows = await Promise.all(Array.from({ length: 20 }, () => rowsBy(ask)))
    expect(rows).toEqual(Array(20).fill(1))
    const { metadata } = await catalog.loadTable({ namespace: ['default'], name: 'orders' })
    expect(metadata.snapshots).toHaveLength(1)
  })

  it('may be of a transaction that began before it: the snapshot bears the time that was asked for', async () => {
    const topic = await log.ensureTopic('orders', {})
    const { catalog } = await serveFolder(0)
    const load = async () => (await catalog.loadTable({ namespace: ['default'], name: 'orders' })).metadata
    const timeOf = (metadata: TableMetadata): number => Number(currentSnapshot(metadata)!['timestamp-ms'])
    const asOfMs = Number((await load())['last-updated-ms']) + 5
    while (Date.now() < asOfMs + 5) await new Promise((resolve) => setImmediate(resolve))
    await topic.producer().send({ value: Buffer.from('one') })
    await topic.tier({ asOfMs })
    expect(timeOf(await load())).toBe(asOfMs)
    // But never one from before the table's last change, or one that is still to come.
    await topic.producer().send({ value: Buffer.from('two') })
    await topic.tier({ asOfMs: asOfMs - 100 })
    expect(timeOf(await load())).toBeGreaterThanOrEqual(asOfMs)
    await topic.producer().send({ value: Buffer.from('three') })
    await topic.tier({ asOfMs: asOfMs + 3_600_000 })
    expect(timeOf(await load())).toBeLessThanOrEqual(Date.now())
  })

  it('is stale, and says so, where its table can take nothing', async () => {
    const topic = await log.ensureTopic('orders', {})
    await topic.producer().send({ value: Buffer.from('one') })
    await topic.tier()
    await topic.producer().send({ value: Buffer.from('two') })
    const { ask, server, catalog } = await serveFolder(0)
    const table = { namespace: ['default'], name: 'orders' }
    const { metadata } = await catalog.loadTable(table)
    // Somebody rolls it back to before there was anything, which no log takes.
    await catalog.commitTable(table, {
      requirements: [],
      updates: [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }],
    })
    const answer = await ask('GET', path)
    expect(answer.status).toBe(200)
    expect(Number(answer.headers.get(STALE_HEADER))).toBeGreaterThan(0)
    expect(metadataOf(answer.body)['table-uuid']).toBe(metadata['table-uuid'])
    expect((await server.stats()).staleLoads).toBe(1)
  })

  it('is no longer vouched for once its log was closed and another writes', async () => {
    const topic = await log.ensureTopic('orders', {})
    await topic.producer().send({ value: Buffer.from('one') })
    const { ask } = await serveFolder(0)
    expect(await rowsBy(ask)).toBe(1)
    await log.close()
    const next = await openLog(folder, { threads: 0 })
    try {
      await (await next.topic('orders')).producer().send({ value: Buffer.from('two') })
      const answer = await ask('GET', path)
      expect([answer.status, answer.headers.get(STALE_HEADER)]).toEqual([200, 'unknown'])
    } finally {
      await next.close()
    }
  })

  it('is of no use to a log that is open for reading only', async () => {
    const reading = await openLog(folder, { access: 'read-only' })
    try {
      const catalog = objectStoreCatalog({ store: fileSystem({ root: folder }) })
      const options = { catalog, listen: '127.0.0.1:0', runtime: quiet }
      await expect(serveCatalog({ ...options, logs: [reading] })).rejects.toMatchObject({
        kind: 'invalid',
        code: 'OPTION',
      })
      const slow = serveCatalog({ ...options, logs: [log], maxWaitMs: 30_000 })
      await expect(slow).rejects.toMatchObject({ code: 'OPTION', message: expect.stringContaining('maxWaitMs') })
    } finally {
      await reading.close()
    }
  })

  it('takes commits of others beside those of the log', async () => {
    const topic = await log.ensureTopic('orders', {})
    const { server } = await serveFolder(0)
    const ask = asker(server.url)
    const producer = topic.producer()
    for (let round = 0; round < 5; round++) {
      await producer.send({ value: Buffer.from(`${round}`) })
      const set = { action: 'set-properties', updates: { round: String(round) } }
      const [committed] = await Promise.all([ask('POST', path, { requirements: [], updates: [set] }), rowsBy(ask)])
      expect(committed!.status).toBe(200)
    }
    const metadata = metadataOf((await ask('GET', path)).body)
    expect([rowsIn(metadata), metadata.properties!['round']]).toEqual([5, '4'])
    expect((await topic.audit()).clean).toBe(true)
  })
})
