/** What lies in a table's folder, against what its snapshots and the records of forgotten ones name: worked out anew, from bytes. */
import { isKind, keyOf } from '@moulin/core'
import type { ColdTopic, ObjectStore } from '@moulin/core'
import { readManifestList, readManifestNames } from '@moulin/iceberg'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { expect } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { change } from '../foreign.test-support.ts'
import { settled, testLog, TOPIC_ID, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

export const HOUR = 3_600_000
const RECORDS = `log/forgotten/${TOPIC_ID}/`

export interface FolderCheck {
  /** Data files, manifests and manifest lists that no snapshot reaches. */
  readonly unreached: readonly string[]
  /** Those of them that no record names either. */
  readonly unnamed: readonly string[]
  /** What a snapshot reaches and is not there. */
  readonly missing: readonly string[]
  readonly records: readonly string[]
}

export async function checkFolder({ store, catalog }: TestLog): Promise<FolderCheck> {
  const { metadata } = await catalog.loadTable({ namespace: ['shop'], name: 'orders' })
  const reached = new Set<string>()
  for (const snapshot of metadata.snapshots ?? []) await reach(store, snapshot['manifest-list'], reached)
  const records = await keysBelow(store, RECORDS)
  const named = new Set([...reached, ...(await namedBy(store, records))])
  const files = (await keysBelow(store, 'tables/shop/orders/')).filter((key) => /\.(avro|parquet)$/.test(key))
  const there = new Set(files)
  return {
    unreached: files.filter((key) => !reached.has(key)),
    unnamed: files.filter((key) => !named.has(key)),
    missing: [...reached].filter((key) => !there.has(key)),
    records,
  }
}

/** What the records name that are there, and is not there itself. */
export async function lostTooEarly({ store }: TestLog): Promise<string[]> {
  const there = new Set(await keysBelow(store, 'tables/shop/orders/'))
  return [...(await namedBy(store, await keysBelow(store, RECORDS)))].filter((key) => !there.has(key))
}

async function namedBy(store: ObjectStore, records: readonly string[]): Promise<Set<string>> {
  const named = new Set<string>()
  for (const key of records) {
    const record = JSON.parse(new TextDecoder().decode((await store.get(key)).bytes)) as {
      snapshots: { manifestList: string }[]
    }
    for (const { manifestList } of record.snapshots) await reach(store, manifestList, named)
  }
  return named
}

// Lists and manifests that many snapshots share are read once.
async function reach(store: ObjectStore, list: string, found: Set<string>): Promise<void> {
  const bytesOf = async (path: string): Promise<Uint8Array | undefined> => {
    const key = keyOf(store, path)
    if (found.has(key)) return undefined
    found.add(key)
    return (await store.get(key).catch(unlessGone))?.bytes
  }
  const bytes = await bytesOf(list)
  if (bytes === undefined) return
  for (const manifest of readManifestList(bytes, { path: list })) {
    const content = await bytesOf(manifest.path)
    if (content === undefined) continue
    for (const { filePath } of readManifestNames(content, manifest)) found.add(keyOf(store, filePath))
  }
}

function unlessGone(error: unknown): undefined {
  if (!isKind(error, 'not-found')) throw error
}

export async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix })) keys.push(key)
  return keys
}

/** What the log's scheduler does: deletes what is due, until nothing is. */
export async function cleanUpDue({ runtime }: TestLog, topic: ColdTopic): Promise<void> {
  while ((topic.cleanUpDueMs!() ?? Infinity) <= runtime.clock.now()) await topic.cleanUp!()
}

/** Little room for metadata: a table forgets its oldest snapshots after a dozen commits, a few at a time. */
export const limits = { metadataWarnBytes: 24 * 1024 }
export const clean = { unreached: [], unnamed: [], missing: [], records: [] }

export function logOn(store: ObjectStore, seed = 5, metadataWarnBytes = limits.metadataWarnBytes): TestLog {
  const runtime = virtualRuntime({ seed })
  const info = { partitions: 1, partitionBy: [] }
  return testLog({ store, runtime, catalog: plainCatalog(store, runtime), info, limits: { metadataWarnBytes } })
}

export async function commit(log: TestLog, topic: ColdTopic): Promise<void> {
  const next = log.hot.committedOffsets()[0]!
  log.hot.send(0, [{ value: utf8(`record ${next}`) }])
  await log.runtime.clock.advance(1000)
  await settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
}

export const records = (log: TestLog): Promise<string[]> => keysBelow(log.store, RECORDS)

/** Commits on until one has forgotten something. */
export async function untilForgotten(log: TestLog, topic: ColdTopic): Promise<void> {
  for (let n = 0; n < 40 && (await records(log)).length === 0; n++) await commit(log, topic)
  expect(await records(log)).not.toEqual([])
}

export async function afterTwoHours(log: TestLog, topic: ColdTopic): Promise<void> {
  await log.runtime.clock.advance(2 * HOUR)
  await cleanUpDue(log, topic)
}

/** So many commits, and what they have left, in a table whose manifests are merged by the 32. */
export async function tableAfter(commits: number): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = logOn(hookedStore())
  const topic = await log.attach()
  await change(log, [{ action: 'set-properties', updates: { 'commit.manifest.min-count-to-merge': '32' } }])
  for (let n = 0; n < commits; n++) await commit(log, topic)
  return { log, topic }
}
