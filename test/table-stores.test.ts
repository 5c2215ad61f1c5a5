/** The real log beside tables in two buckets of somebody else: other names for the same files, and credentials that run out. */
import { memoryCatalog } from '@moulin/catalog'
import { tableFiles, tableIdentifier } from '@moulin/core'
import type { Catalog, LoadedTable, Log, ObjectStore, TableFiles, Topic } from '@moulin/core'
import {
  bindPartitionSpec,
  currentSchema,
  currentSnapshot,
  currentSpec,
  readManifest,
  readManifestList,
  readManifestNames,
  toInt64,
  writeManifest,
  writeManifestList,
} from '@moulin/iceberg'
import type { ManifestFile } from '@moulin/iceberg'
import { icebergTier } from '@moulin/lake'
import { fileSystem } from '@moulin/storage'
import { VENDED_SECRET, vendedStores } from '@moulin/testing'
import type { VendedStores, VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { bytesOf, LAKE, machine, openIn, valuesOf } from './log/machine.ts'
import type { Machine } from './log/machine.ts'

const HOUR = 3_600_000
const ORDERS = tableIdentifier('lake.orders')

/** Each namespace is a bucket; the tables of one of them are called by another scheme than its store. */
function catalogOf(buckets: VendedStores, runtime: VirtualRuntime): Catalog {
  const [lake, attic] = [buckets.bucket('lake', 's3a'), buckets.bucket('attic')].map((store) =>
    memoryCatalog({ store, runtime }),
  ) as [Catalog, Catalog]
  const of = ({ namespace }: { namespace: readonly string[] }): Catalog => (namespace[0] === 'lake' ? lake : attic)
  return {
    ...lake,
    createTable: (table, request, call) => of(table).createTable(table, request, call),
    loadTable: (table, call) => of(table).loadTable(table, call),
    commitTable: (table, commit, call) => of(table).commitTable(table, commit, call),
  }
}

interface Lake {
  readonly on: Machine
  readonly buckets: VendedStores
  readonly catalog: Catalog
  /** The tables' files for somebody who needs no credentials. */
  readonly files: TableFiles
  readonly runtimes: VirtualRuntime[]
}

function lakeOf(calls: number): Lake {
  const on = machine()
  const buckets = vendedStores({ calls })
  const plain = (location: string): ObjectStore => buckets.bucket(/^s3[an]?:\/\/([^/]+)/.exec(location)![1]!)
  const catalog = catalogOf(buckets, on.runtime())
  return { on, buckets, catalog, files: tableFiles(plain), runtimes: [] }
}

/** The next process. */
async function open({ on, buckets, catalog, runtimes }: Lake): Promise<Log> {
  const runtime = on.runtime()
  runtimes.push(runtime)
  const tier = icebergTier({ catalog: buckets.vending(catalog), stores: buckets.stores, threads: 0 })
  return openIn(runtime, { tier, graceMs: 0, limits: { metadataWarnBytes: 24 * 1024 } })
}

async function commits(topic: Topic<Uint8Array>, from: number, to: number): Promise<void> {
  const producer = topic.producer({ lingerMs: 0 })
  for (let n = from; n < to; n++) {
    await producer.send({ value: bytesOf(`order ${n}`) })
    await topic.tier()
  }
  await producer.close()
}

const upTo = (count: number): string[] => Array.from({ length: count }, (_, n) => `order ${n}`)

async function manifestsOf(files: TableFiles, path: string): Promise<ManifestFile[]> {
  return readManifestList((await files.get(path)).bytes, { path })
}

/** Somebody moves every third data file to the other bucket, and calls every third one as its store does. */
async function moveFiles({ files, catalog }: Lake): Promise<{ moved: string[]; renamed: string[] }> {
  const { metadata } = await catalog.loadTable(ORDERS)
  const snapshot = currentSnapshot(metadata)!
  const schema = currentSchema(metadata)
  const spec = bindPartitionSpec(currentSpec(metadata), [schema])
  const [moved, renamed]: [string[], string[]] = [[], []]
  let count = 0
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const snapshotId = 77n
  const manifests: ManifestFile[] = []
  for (const manifest of await manifestsOf(files, snapshot['manifest-list'])) {
    const entries = []
    for (const entry of readManifest((await files.get(manifest.path)).bytes, { manifest, spec })) {
      let { filePath } = entry.file
      if (count % 3 === 0) {
        const { bytes } = await files.get(filePath)
        moved.push((filePath = `s3n://attic/moved/${filePath.split('/').at(-1)!}`))
        await files.put(filePath, bytes)
      } else if (count % 3 === 1) renamed.push((filePath = filePath.replace(/^s3a:/, 's3:')))
      count++
      entries.push({ ...entry, status: 'existing' as const, file: { ...entry.file, filePath } })
    }
    const path = manifest.path.replace(/[^/]*$/, `moved-${manifests.length}.avro`)
    const written = writeManifest({ path, spec, schema, entries, snapshotId, sequenceNumber })
    await files.put(path, written.bytes)
    manifests.push(written.manifest)
  }
  const list = snapshot['manifest-list'].replace(/[^/]*$/, 'moved.avro')
  const parent = snapshot['snapshot-id']
  await files.put(list, writeManifestList({ manifests, snapshotId, parentSnapshotId: BigInt(parent), sequenceNumber }))
  const next = {
    'snapshot-id': toInt64(snapshotId),
    'parent-snapshot-id': parent,
    'sequence-number': toInt64(sequenceNumber),
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': list,
    summary: { operation: 'replace' },
    'schema-id': metadata['current-schema-id'],
  }
  const ref = { type: 'branch', 'snapshot-id': toInt64(snapshotId) } as const
  await catalog.commitTable(ORDERS, {
    requirements: [],
    updates: [
      { action: 'add-snapshot', snapshot: next },
      { action: 'set-snapshot-ref', 'ref-name': 'main', ...ref },
    ],
  })
  return { moved, renamed }
}

/** Canonical names of all that a table's snapshots name, metadata apart. */
async function namedBy(files: TableFiles, { metadata }: LoadedTable): Promise<Set<string>> {
  const named = new Set<string>()
  for (const { 'manifest-list': list } of metadata.snapshots ?? []) {
    named.add(files.canonical(list))
    for (const manifest of await manifestsOf(files, list)) {
      named.add(files.canonical(manifest.path))
      const { bytes } = await files.get(manifest.path)
      for (const { filePath } of readManifestNames(bytes, manifest)) named.add(files.canonical(filePath))
    }
  }
  return named
}

async function locationsIn(files: TableFiles, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const { location } of files.list(prefix)) found.push(location)
  return found.sort()
}

function checkNoSecret({ runtimes }: Lake, more: unknown): void {
  const text = (value: unknown): string =>
    value instanceof Error
      ? `${value.message} ${value.stack} ${text({ ...value })} ${text(value.cause ?? '')}`
      : JSON.stringify(value, (_, member: unknown) =>
          typeof member === 'bigint' ? `${member}` : member instanceof Error ? text(member) : member,
        )
  for (const { logs } of runtimes) for (const line of logs) expect(text(line)).not.toContain(VENDED_SECRET)
  expect(text(more)).not.toContain(VENDED_SECRET)
}

describe('a log whose tables lie in stores that are found by location', () => {
  it('tiers, reads, scans, audits and cleans up, whatever files are called and however often credentials run out', async () => {
    const lake = lakeOf(100)
    const { buckets, catalog, files, on } = lake
    const log = await open(lake)
    const topics = await Promise.all(
      ['lake.orders', 'attic.returns'].map((table) => log.ensureTopic(table.split('.')[1]!, { table })),
    )
    for (const topic of topics) await commits(topic, 0, 12)
    const loaded = await catalog.loadTable(ORDERS)
    expect(loaded.metadata.location).toBe('s3a://lake/tables/lake/orders')
    // New files go by the table's own scheme, which its other engines are set up for.
    expect(currentSnapshot(loaded.metadata)!['manifest-list']).toMatch(
      /^s3a:\/\/lake\/tables\/lake\/orders\/metadata\/snap-/,
    )

    const { moved, renamed } = await moveFiles(lake)
    expect(Math.min(moved.length, renamed.length)).toBeGreaterThan(2)
    await commits(topics[0]!, 12, 40)
    await commits(topics[1]!, 12, 40)
    for (const topic of topics) {
      expect(await valuesOf(topic)).toEqual(upTo(40))
      expect(await topic.scan({}).count()).toBe(40)
      const report = await topic.audit({ deep: true })
      expect(report).toMatchObject({ clean: true, gaps: [] })
      expect(topic.stats()).toMatchObject({ lastError: null })
    }
    await log.close()

    // Another process, which knows nothing, with what a third one has left: a file by one name, its record by another.
    const id = 'aaaaaaaa-0000-4000-8000-00000000000a'
    const own = fileSystem({ root: LAKE, files: on.disk.files })
    const left = `s3a://lake/tables/lake/orders/data/${id}-0.parquet`
    await files.put(left, bytesOf('x'))
    const { id: topicId } = topics[0]!
    const staged = {
      ...{ format: 1, minimumReader: 1, commit: id, topic: topicId, table: 'lake.orders', epoch: '1', parent: '5' },
      tableUuid: loaded.metadata['table-uuid'],
      objectPrefixes: [`s3://lake/tables/lake/orders/data/${id}-`],
      ...{ ledger: null, ranges: [] },
    }
    await own.put(`log/staged/${topicId}/${id}.json`, bytesOf(JSON.stringify(staged)))
    buckets.expire()
    const again = await open(lake)
    const orders = await again.ensureTopic('orders', { table: 'lake.orders' })
    expect(await valuesOf(orders)).toEqual(upTo(40))
    expect(await files.head(left)).toBeUndefined()

    // All that snapshots named which are forgotten goes, two hours later; all that one names stays, by whichever name.
    const named = await namedBy(files, await catalog.loadTable(ORDERS))
    await on.clock.advance(2 * HOUR)
    const found = await locationsIn(files, 's3://lake/tables/lake/orders/')
    const tableFiles = found.filter((name) => /\.(avro|parquet)$/.test(name))
    expect(tableFiles).toEqual([...named].filter((name) => name.startsWith('s3://lake/')).sort())
    for (const name of [...moved, ...renamed]) expect(await files.head(name), name).toBeDefined()
    expect(await valuesOf(orders)).toEqual(upTo(40))
    expect(orders.stats()).toMatchObject({ lastError: null, retries: 0 })

    // Each thing where it belongs, and nothing secret anywhere.
    for (const bucket of ['lake', 'attic'] as const)
      for await (const { key } of buckets.bucket(bucket).list()) expect(key).toMatch(/^(tables|moved)\//)
    for await (const { key } of own.list()) expect(key).not.toMatch(/^tables\//)
    const { issued, refused } = buckets.counts()
    expect(issued).toBeGreaterThan(5)
    expect(refused).toBeGreaterThan(5)
    checkNoSecret(lake, [orders.stats(), again.stats()])
    await again.close()
  })

  it('says so, without a secret, when the catalog has no good credentials', async () => {
    const lake = lakeOf(100)
    const { buckets, catalog } = lake
    const log = await open(lake)
    const topic = await log.ensureTopic('orders', { table: 'lake.orders' })
    await commits(topic, 0, 3)
    await log.close()
    // Loads go on to bring the old ones.
    const old = await buckets.vending(catalog).loadTable(ORDERS)
    buckets.expire()
    const runtime = lake.on.runtime()
    lake.runtimes.push(runtime)
    const stale: Catalog = { ...catalog, loadTable: async () => old }
    const tier = icebergTier({ catalog: stale, stores: buckets.stores, threads: 0 })
    const again = await openIn(runtime, { tier, graceMs: 0 })
    const refused = await valuesOf(await again.ensureTopic('orders', { table: 'lake.orders' })).catch(
      (error: unknown) => error,
    )
    expect(refused).toMatchObject({ kind: 'unavailable', code: 'CREDENTIALS', retryable: true })
    checkNoSecret(lake, refused)
    await again.close()
  })
})
