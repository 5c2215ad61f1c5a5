/** A log whose table loses files: what is sent, committed, listed by an orphan removal, and read. */
import { eq, keyOf, schema, t, tableFiles } from '@moulin/core'
import type { Codec, ColdTopic, StoredRecord } from '@moulin/core'
import { avro } from '@moulin/format'
import { planScan, readManifestList } from '@moulin/iceberg'
import { hookedStore } from '@moulin/testing'
import type { HookedStore, StoreCall } from '@moulin/testing'
import { expect } from 'vitest'
import { tableOf } from '../foreign.test-support.ts'
import { readAll, recordsOf, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog, TestLogOptions } from '../lake.test-support.ts'

const Ride = schema({ id: t.int53, city: t.string })
const codec = avro(Ride) as Codec
const ride = (id: number): Uint8Array => codec.encode({ id, city: `city ${id % 4}` })

export interface World {
  readonly log: TestLog
  readonly store: HookedStore
  readonly topic: ColdTopic
}

export async function world(options: TestLogOptions = {}): Promise<World> {
  const store = hookedStore()
  const log = testLog({ codec, store, ...options, info: { partitions: 3, partitionBy: [], ...options.info } })
  return { log, store, topic: await log.attach() }
}

let ids = 0
export function sendTo(log: TestLog, partition: number, count: number, batches = 1): void {
  for (let batch = 0; batch < batches; batch++) {
    log.hot.send(
      partition,
      Array.from({ length: count }, () => ({ key: utf8(`key ${ids}`), value: ride(ids++) })),
    )
  }
}

/** Commits what was sent; returns the keys of the commit's data files. */
export async function commit({ log, topic }: World): Promise<string[]> {
  const before = new Set(await keysBelow(log, 'data/'))
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return (await keysBelow(log, 'data/')).filter((key) => !before.has(key))
}

export async function keysBelow(log: TestLog, folder: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of log.store.list({ prefix: `tables/shop/orders/${folder}` })) keys.push(key)
  return keys
}

/** All objects of the table that its current snapshot does not name: what an orphan removal lists, when it gives files no time. */
export async function orphans(log: TestLog): Promise<string[]> {
  const { metadata } = await tableOf(log)
  const named = new Set<string>()
  for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata }))
    named.add(keyOf(log.store, file.filePath))
  for (const { 'manifest-list': path } of metadata.snapshots ?? []) {
    named.add(keyOf(log.store, path))
    const { bytes } = await log.store.get(keyOf(log.store, path))
    for (const manifest of readManifestList(bytes, { path })) named.add(keyOf(log.store, manifest.path))
  }
  const keys = [...(await keysBelow(log, 'data/')), ...(await keysBelow(log, 'metadata/'))]
  return keys.filter((key) => !named.has(key) && !key.endsWith('.metadata.json'))
}

export const isCommit = ({ op, key }: StoreCall): boolean => op === 'put' && key.endsWith('.metadata.json')

export async function allAt(topic: ColdTopic, log: TestLog, partition: number): Promise<StoredRecord[]> {
  const end = topic.frontier()[partition]!
  const positions = Array.from({ length: Number(end) }, (_, offset) => ({ partition, offset: BigInt(offset) }))
  const found: StoredRecord[] = []
  for await (const run of topic.readAt(positions)) found.push(...recordsOf(run))
  expect(log.info.partitions).toBeGreaterThan(partition)
  return found
}

/** Every way to read gives what was sent, below the frontier and above it. */
export async function checkReads(topic: ColdTopic, log: TestLog): Promise<void> {
  const sent: StoredRecord[][] = []
  for (let partition = 0; partition < log.info.partitions; partition++) {
    const all = log.hot.records(partition)
    sent.push(all)
    const below = all.filter(({ offset }) => offset < topic.frontier()[partition]!)
    expect(await readAll(topic, partition)).toEqual(below)
    expect(await allAt(topic, log, partition)).toEqual(below)
  }
  const rows = sent.flat()
  expect(await topic.scan({}).count()).toBe(rows.length)
  const columns = ['_kafka_partition', '_kafka_offset', 'id']
  const scanned = await topic.scan({ columns }).toArray()
  const expected = rows.map(({ partition, offset, bytes }) => ({
    _kafka_partition: partition,
    _kafka_offset: offset,
    id: (codec.decode(bytes!) as { id: number }).id,
  }))
  const place = (row: Record<string, unknown>): string => `${row['_kafka_partition']}/${row['_kafka_offset']}`
  const byPlace = (a: Record<string, unknown>, b: Record<string, unknown>): number => (place(a) < place(b) ? -1 : 1)
  expect(scanned.map((row) => ({ ...row })).sort(byPlace)).toEqual(expected.sort(byPlace))
  const ofCity = expected.filter(({ id }) => id % 4 === 1).length
  expect(await topic.scan({ where: eq('city', 'city 1') }).count()).toBe(ofCity)
}

/** Scans say that files went, and know better then. */
export async function settledScan(topic: ColdTopic): Promise<void> {
  await topic
    .scan({ columns: ['id'] })
    .toArray()
    .catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'SNAPSHOT_EXPIRED', retryable: true })
    })
}

export const everything = (topic: ColdTopic): readonly bigint[] => topic.frontier()
