/** Catalog and tier on S3, behind a network that refuses, races and loses answers. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { objectStoreCatalog } from '@moulin/catalog'
import { isMoulinError, schema, systemRuntime, t, tableFiles } from '@moulin/core'
import type { Catalog, LoadedTable, Log, ObjectStore, Topic } from '@moulin/core'
import { json } from '@moulin/format'
import { planScan, readManifestList } from '@moulin/iceberg'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { probeStore, retry } from '@moulin/storage'
import { s3 } from '@moulin/storage-s3'
import { faultProxy, s3Fake } from '@moulin/testing'
import type { FaultProxy, ProxyRule, S3Fake } from '@moulin/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { appendOf, doneIn, racedRequest, racedTable, wantedOf } from '../support/raced-table.ts'

const isLong = process.env['MOULIN_LONG'] === '1'
const [WRITERS, COMMITS] = isLong ? [32, 50] : [12, 4]
const runtime = systemRuntime()

const faults: readonly ProxyRule[] = [
  { fault: 'before', operation: 'put', answer: 'conflict', chance: 0.05, times: Infinity },
  { fault: 'after', operation: ['put', 'delete', 'delete-many'], chance: 0.05, times: Infinity },
]

interface Cloud {
  readonly fake: S3Fake
  readonly proxy: FaultProxy
  /** Behind the proxy, what passes tried again. */
  store(): ObjectStore
  /** Past it. */
  readonly direct: ObjectStore
}

async function cloud(rules: readonly ProxyRule[], seed = 1): Promise<Cloud> {
  const fake = await s3Fake()
  const proxy = await faultProxy({ target: fake.endpoint, rules, seed })
  const { credentials, region } = fake
  const common = { credentials, region, forcePathStyle: true, maxAttempts: 1 }
  const client = new S3Client({ ...common, endpoint: proxy.endpoint })
  onTestFinished(async () => {
    client.destroy()
    await proxy.close()
    await fake.close()
  })
  return {
    fake,
    proxy,
    store: () => retry(s3({ bucket: 'moulin', client }), { minWaitMs: 1, maxWaitMs: 20, budget: { tokens: 1e6 } }),
    direct: s3({ bucket: 'moulin', endpoint: fake.endpoint, credentials }),
  }
}

interface Race {
  conflicts: number
  unknown: number
}

/** Commits until its own entry is there; what is unknown it looks up, as the error says. */
async function write(catalog: Catalog, writer: number, race: Race): Promise<void> {
  let mayBeThere = false
  for (let number = 0; number < COMMITS;) {
    const loaded = await catalog.loadTable(racedTable)
    if (mayBeThere && doneIn(loaded).includes(`${writer}/${number}`)) number++
    else {
      const outcome = await committed(catalog, writer, number, loaded)
      if (outcome === 'done') number++
      if (outcome === 'rejected') race.conflicts++
      if (outcome === 'unknown') race.unknown++
      mayBeThere ||= outcome === 'unknown'
    }
  }
}

async function committed(
  catalog: Catalog,
  writer: number,
  number: number,
  loaded: LoadedTable,
): Promise<'done' | 'rejected' | 'unknown'> {
  try {
    await catalog.commitTable(racedTable, appendOf(writer, number, loaded))
    return 'done'
  } catch (error) {
    if (!isMoulinError(error) || !['conflict', 'unavailable'].includes(error.kind)) throw error
    return error.outcome
  }
}

describe('writers of one table on S3', { timeout: isLong ? 3_600_000 : 180_000 }, () => {
  it(`${WRITERS} with ${COMMITS} commits each: every one once, whatever the network loses`, async () => {
    const { fake, proxy, store, direct } = await cloud(faults)
    await objectStoreCatalog({ store: store(), runtime }).createTable(racedTable, racedRequest)
    const race: Race = { conflicts: 0, unknown: 0 }
    const opened = Array.from({ length: WRITERS }, () => objectStoreCatalog({ store: store(), runtime }))
    await Promise.all(opened.map((catalog, writer) => write(catalog, writer, race)))

    const loaded = await objectStoreCatalog({ store: direct, runtime }).loadTable(racedTable)
    expect(doneIn(loaded).sort()).toEqual(wantedOf(WRITERS, COMMITS))
    const commits = WRITERS * COMMITS
    expect(loaded.metadata['last-sequence-number']).toBe(commits)
    // What was refused has left nothing: there are versions, each of one commit more, and a hint.
    const names = fake.objects('moulin').map(({ key }) => key.slice('tables/shop/orders/metadata/'.length))
    const versions = names.filter((name) => /^v\d+\.metadata\.json$/.test(name))
    expect(names.filter((name) => !versions.includes(name))).toEqual(['version-hint.text'])
    if (!isLong) expect(versions).toHaveLength(commits + 1)
    // A race in which nobody lost, and a network that lost nothing, would prove nothing.
    expect(race.conflicts).toBeGreaterThan(0)
    const lost = proxy.calls.filter(({ result, operation }) => result === 'after' && operation === 'put')
    expect(lost.filter(({ status }) => status === 200).length).toBeGreaterThan(0)
    expect(proxy.calls.some(({ result }) => result === 'before')).toBe(true)
  })
})

const Order = schema({ id: t.int53, city: t.string })
type Order = { id: number; city: string }

describe('a log whose table is on S3', { timeout: 120_000 }, () => {
  it('tiers each record once, and leaves nothing behind that no snapshot names', async () => {
    const { proxy, store, direct } = await cloud(faults, 3)
    const dir = await mkdtemp(join(tmpdir(), 'moulin-s3-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    let log: Log | undefined
    const open = async (own: ObjectStore): Promise<Topic<Order>> => {
      await log?.close()
      log = await openLog({
        store: own,
        wal: fileWal({ dir: join(dir, 'wal') }),
        tier: icebergTier({ catalog: objectStoreCatalog({ store: own, runtime }), threads: 0 }),
        probe: (probed) => probeStore(probed, { runtime }),
        runtime,
      })
      return await log.ensureTopic('orders', { value: json(Order), partitions: 2, table: 'shop.orders' })
    }
    const lives = isLong ? 20 : 4
    for (let life = 0; life < lives; life++) {
      const topic = await open(store())
      const producer = topic.producer()
      const ids = Array.from({ length: 20 }, (_, i) => life * 20 + i)
      await producer.sendAll(ids.map((id) => ({ key: `k${id % 3}`, value: { id, city: 'Lyon' } })))
      await producer.close()
      await topic.tier()
    }
    const topic = await open(direct)
    await topic.tier()
    const ids: number[] = []
    for await (const { value } of topic.read({ from: 'earliest', to: 'end' })) ids.push(value!.id)
    const wanted = Array.from({ length: lives * 20 }, (_, id) => id)
    expect(ids.sort((a, b) => a - b)).toEqual(wanted)
    expect((await topic.audit()).clean).toBe(true)
    const scanned = (await topic.scan({ columns: ['id'] }).toArray()) as { id: number }[]
    expect(scanned.map(({ id }) => id).sort((a, b) => a - b)).toEqual(wanted)
    await log?.close()
    expect(await unnamed(direct)).toEqual([])
    expect(proxy.calls.filter(({ result }) => result !== 'passed').length).toBeGreaterThan(3)
  })
})

/** Objects of the table that no retained snapshot names. */
async function unnamed(store: ObjectStore): Promise<string[]> {
  const table = { namespace: ['shop'], name: 'orders' }
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
  for await (const { key } of store.list({ prefix: 'tables/shop/orders/' }))
    if (!named.has(key) && !/\.metadata\.json$|version-hint\.text$/.test(key)) keys.push(key)
  return keys
}
