import { day, keyOf, tableFiles } from '@moulin/core'
import type { LoadedTable, ObjectStore, TableMetadata } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import type { AppendPlan, AppendRequest } from './append.ts'
import { planAppend } from './append.ts'
import type { DataFile, ManifestEntry, ManifestFile } from './data-file.ts'
import { readManifestList, writeManifestList } from './manifest-list.ts'
import { readManifest } from './read-manifest.ts'
import { currentSnapshot } from '../metadata/metadata-lookup.ts'
import { HOUR, people, T0 } from '../metadata/metadata.test-tables.ts'
import { newTableMetadata, partitionSpecOf } from '../metadata/new-table.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import { checkRequirements } from '../metadata/requirements.ts'
import { checkTableMetadata } from '../metadata/table-metadata.ts'
import { applyUpdates } from '../metadata/updates.ts'

const FIRST_ID = 3_055_729_675_574_597_000n

function tableIn(store: ObjectStore): LoadedTable {
  const partitionSpec = partitionSpecOf(people, [day('born')])
  const location = `${store.root}tables/shop/people`
  const metadata = newTableMetadata({ schema: people, partitionSpec }, { uuid: 'u-1', location, nowMs: T0 })
  return loadedTable(metadata)
}

const loadedTable = (metadata: TableMetadata): LoadedTable => ({
  identifier: { namespace: ['shop'], name: 'people' },
  metadataLocation: 'v1',
  metadata,
})

function fileOf(number: number, specId: number = 0): DataFile {
  return {
    content: 0,
    filePath: `memory://hooked/tables/shop/people/data/${number}.parquet`,
    fileFormat: 'PARQUET',
    specId,
    partition: [number],
    recordCount: 10n,
    fileSizeBytes: 1000n,
    columnSizes: new Map([[1001, 80n]]),
    valueCounts: new Map([[1001, 10n]]),
    nullValueCounts: new Map([[1001, 0n]]),
    nanValueCounts: new Map(),
    lowerBounds: new Map(),
    upperBounds: new Map(),
    splitOffsets: [4n],
    sortOrderId: undefined,
  }
}

async function store(plan: AppendPlan, into: ObjectStore): Promise<void> {
  for (const { location, bytes } of plan.objects) await into.put(keyOf(into, location), bytes, { mode: 'create' })
}

/** Plans, stores and commits; what a catalog would do. */
async function append(
  objects: ObjectStore,
  table: LoadedTable,
  number: number,
  options: Partial<AppendRequest> = {},
): Promise<LoadedTable> {
  const plan = await planAppend(requestOf(objects, table, number, options))
  await store(plan, objects)
  checkRequirements(table.metadata, plan.commit.requirements)
  const metadata = applyUpdates(table.metadata, plan.commit.updates, { nowMs: T0 + number })
  return loadedTable(checkTableMetadata(metadata, 'next'))
}

function requestOf(
  objects: ObjectStore,
  table: LoadedTable,
  number: number,
  options: Partial<AppendRequest> = {},
): AppendRequest {
  const snapshotId = FIRST_ID + BigInt(number)
  const names = { snapshotId, commitId: `c${number}`, nowMs: T0 + number }
  return { table, tableFiles: tableFiles(objects), files: [fileOf(number)], ...names, ...options }
}

async function entriesOf(objects: ObjectStore, { metadata }: LoadedTable): Promise<ManifestEntry[]> {
  const path = currentSnapshot(metadata)!['manifest-list']
  const list = readManifestList((await objects.get(keyOf(objects, path))).bytes, { path })
  const entries: ManifestEntry[] = []
  for (const manifest of list) {
    const spec = bindPartitionSpec(
      metadata['partition-specs'].find((s) => s['spec-id'] === manifest.specId)!,
      metadata.schemas,
    )
    entries.push(...readManifest((await objects.get(keyOf(objects, manifest.path))).bytes, { manifest, spec }))
  }
  return entries
}

describe('planAppend', () => {
  it('adds files, keeps all earlier ones with their own sequence numbers, and totals them', async () => {
    const objects = hookedStore()
    let table = tableIn(objects)
    for (let number = 1; number <= 3; number++) table = await append(objects, table, number)
    const entries = await entriesOf(objects, table)
    expect(
      entries.map(({ file, sequenceNumber, snapshotId }) => [file.filePath.at(-9), sequenceNumber, snapshotId]),
    ).toEqual([
      ['3', 3n, FIRST_ID + 3n],
      ['2', 2n, FIRST_ID + 2n],
      ['1', 1n, FIRST_ID + 1n],
    ])
    expect(currentSnapshot(table.metadata)).toMatchObject({
      'snapshot-id': FIRST_ID + 3n,
      'parent-snapshot-id': FIRST_ID + 2n,
      'sequence-number': 3,
      'schema-id': 0,
      summary: {
        operation: 'append',
        'added-data-files': '1',
        'added-records': '10',
        'added-files-size': '1000',
        'changed-partition-count': '1',
        'total-data-files': '3',
        'total-records': '30',
        'total-files-size': '3000',
        'total-delete-files': '0',
        'total-position-deletes': '0',
        'total-equality-deletes': '0',
        'engine-name': 'moulin',
      },
    })
  })

  it('requires the same table, parent, partition spec and schema', async () => {
    const objects = hookedStore()
    const first = tableIn(objects)
    const second = await append(objects, first, 1)
    const { commit } = await planAppend(requestOf(objects, second, 2))
    expect(commit.requirements).toEqual([
      { type: 'assert-table-uuid', uuid: 'u-1' },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': FIRST_ID + 1n },
      { type: 'assert-default-spec-id', 'default-spec-id': 0 },
      { type: 'assert-current-schema-id', 'current-schema-id': 0 },
    ])
    const { commit: onEmpty } = await planAppend(requestOf(objects, first, 2))
    expect(onEmpty.requirements[1]).toEqual({ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null })
    expect(() => checkRequirements(second.metadata, onEmpty.requirements)).toThrow('main')
  })

  it('sets properties and forgets old snapshots in the same commit', async () => {
    const objects = hookedStore()
    let table = tableIn(objects)
    for (let number = 1; number <= 6; number++) table = await append(objects, table, number)
    const request = requestOf(objects, table, 7, {
      nowMs: T0 + 3 * HOUR,
      properties: { 'moulin.marker.t': '{}' },
      summary: { 'moulin.commit-id': 'c7' },
      expire: { keepSnapshots: 3 },
    })
    const plan = await planAppend(request)
    expect(plan.expiredSnapshotIds).toEqual([1n, 2n, 3n, 4n].map((number) => FIRST_ID + number))
    const after = applyUpdates(table.metadata, plan.commit.updates, { nowMs: request.nowMs })
    expect(after.snapshots).toHaveLength(3)
    expect(after.properties).toEqual({ 'moulin.marker.t': '{}' })
    expect(currentSnapshot(after)!.summary['moulin.commit-id']).toBe('c7')
    const without = await planAppend({ ...request, expire: false })
    expect(without.commit.updates.map(({ action }) => action)).toEqual([
      'add-snapshot',
      'set-snapshot-ref',
      'set-properties',
    ])
  })

  it('keeps what main was told to keep', async () => {
    const objects = hookedStore()
    const table = await append(objects, tableIn(objects), 1)
    const main = { ...table.metadata.refs!['main']!, 'min-snapshots-to-keep': 7 }
    const { commit } = await planAppend(requestOf(objects, loadedTable({ ...table.metadata, refs: { main } }), 2))
    expect(commit.updates[1]).toEqual({
      action: 'set-snapshot-ref',
      'ref-name': 'main',
      type: 'branch',
      'snapshot-id': FIRST_ID + 2n,
      'min-snapshots-to-keep': 7,
    })
  })

  it('makes a snapshot without files when only properties move', async () => {
    const objects = hookedStore()
    const one = await append(objects, tableIn(objects), 1)
    const two = await append(objects, one, 2, { files: [], properties: { a: '1' } })
    expect(await entriesOf(objects, two)).toHaveLength(1)
    expect(currentSnapshot(two.metadata)!.summary).toMatchObject({ 'added-data-files': '0', 'total-records': '10' })
  })

  it('never dates a snapshot before the last change of the table', async () => {
    const objects = hookedStore()
    const table = await append(objects, tableIn(objects), 1)
    const { snapshot } = await planAppend(requestOf(objects, table, 2, { nowMs: T0 - HOUR }))
    expect(snapshot['timestamp-ms']).toBe(T0 + 1)
  })

  it('counts a foreign parent that leaves its totals out', async () => {
    const objects = hookedStore()
    const table = await append(objects, tableIn(objects), 1)
    const foreign = { ...currentSnapshot(table.metadata)!, summary: { operation: 'append' } }
    const { snapshot } = await planAppend(
      requestOf(objects, loadedTable({ ...table.metadata, snapshots: [foreign] }), 2),
    )
    expect(snapshot.summary).toMatchObject({ 'total-data-files': '2', 'total-records': '20' })
    expect(snapshot.summary).not.toHaveProperty('total-files-size')
  })

  it('gives each attempt its own names, under the table alone', async () => {
    const objects = hookedStore()
    const table = tableIn(objects)
    const keys = async (attempt: number): Promise<string[]> =>
      (await planAppend(requestOf(objects, table, 1, { attempt }))).objects.map(({ location }) =>
        keyOf(objects, location),
      )
    const [zero, one] = [await keys(0), await keys(1)]
    expect(zero).toEqual([
      'tables/shop/people/metadata/c1-0-m0.avro',
      `tables/shop/people/metadata/snap-${FIRST_ID + 1n}-0-c1.avro`,
    ])
    expect(one.filter((key) => zero.includes(key))).toEqual([])
  })

  it('refuses a file of another partition spec, a file named twice, and a marker above its limit', async () => {
    const objects = hookedStore()
    const table = tableIn(objects)
    await expect(planAppend(requestOf(objects, table, 1, { files: [fileOf(1, 3)] }))).rejects.toMatchObject({
      kind: 'invalid',
    })
    await expect(planAppend(requestOf(objects, table, 1, { files: [fileOf(1), fileOf(1)] }))).rejects.toMatchObject({
      kind: 'invalid',
    })
    const marker = (length: number): Partial<AppendRequest> => ({
      properties: { 'moulin.marker.t': 'x'.repeat(length) },
    })
    await expect(planAppend(requestOf(objects, table, 1, marker(8193)))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'MARKER_TOO_LARGE',
    })
    await planAppend(requestOf(objects, table, 1, marker(8192)))
  })

  it.each(['memory://hooked/', 'memory://hooked/warehouse/x%20y/', 'memory://hooked/warehouse/x y'])(
    'puts its objects below the location %s, as it stands',
    async (location) => {
      const objects = hookedStore()
      const { metadata, ...rest } = tableIn(objects)
      const { objects: planned } = await planAppend(
        requestOf(objects, { ...rest, metadata: { ...metadata, location } }, 1),
      )
      const folder = `${location.replace(/\/$/, '')}/metadata/`.slice(objects.root.length)
      expect(planned.map(({ location }) => keyOf(objects, location).slice(0, folder.length))).toEqual([folder, folder])
    },
  )

  it('carries over manifests of deletes as they are', async () => {
    const objects = hookedStore()
    const table = await append(objects, tableIn(objects), 1)
    const path = currentSnapshot(table.metadata)!['manifest-list']
    const list = readManifestList((await objects.get(keyOf(objects, path))).bytes, { path })
    const deletes = { ...list[0]!, content: 'deletes' as const, path: 'memory://hooked/d.avro' }
    const manifests = [...list, deletes]
    const bytes = writeManifestList({ manifests, snapshotId: 1n, parentSnapshotId: null, sequenceNumber: 1n })
    await objects.put(keyOf(objects, path), bytes)
    const plan = await planAppend(requestOf(objects, table, 2))
    expect(plan.manifests.filter(({ content }) => content === 'deletes')).toEqual([deletes])
  })

  describe('with very many appends', () => {
    const uuidOf = (number: number): string => `5eed0000-0000-4000-8000-${String(number).padStart(12, '0')}`
    const manifestsOf = async (objects: ObjectStore, { metadata }: LoadedTable): Promise<ManifestFile[]> => {
      const path = currentSnapshot(metadata)!['manifest-list']
      return readManifestList((await objects.get(keyOf(objects, path))).bytes, { path })
    }

    it('merges its own small manifests level by level, and every file keeps its numbers', async () => {
      const objects = hookedStore()
      let table = tableIn(objects)
      const most: number[] = []
      for (let number = 1; number <= 1100; number++) {
        table = await append(objects, table, number, { commitId: uuidOf(number) })
        if (number % 31 === 0) most.push((await manifestsOf(objects, table)).length)
      }
      expect(Math.max(...most)).toBeLessThanOrEqual(32 + 32)
      const manifests = await manifestsOf(objects, table)
      // One of 1 024 files, two of 32, and the last twelve.
      expect(manifests.map(({ existingFiles }) => existingFiles).filter((files) => files! > 0)).toEqual([32, 32, 1024])
      expect(manifests.every(({ deletedFiles }) => deletedFiles === 0)).toBe(true)
      const large = manifests.at(-1)!
      expect([large.minSequenceNumber, large.existingRows]).toEqual([1n, 10_240n])
      const entries = await entriesOf(objects, table)
      const found = entries.map(({ file, sequenceNumber, fileSequenceNumber, snapshotId }) => {
        const number = BigInt(/(\d+)\.parquet$/.exec(file.filePath)![1]!)
        return [number, sequenceNumber === number, fileSequenceNumber === number, snapshotId === FIRST_ID + number]
      })
      found.sort(([a], [b]) => Number(a) - Number(b))
      expect(found).toEqual(Array.from({ length: 1100 }, (_, at) => [BigInt(at + 1), true, true, true]))
      expect(entries.find(({ file }) => file.filePath.endsWith('/7.parquet'))!.file).toEqual(fileOf(7))
    })

    it('leaves manifests of others as they are, and all where the table says so', async () => {
      const objects = hookedStore()
      let table = tableIn(objects)
      const names = (list: readonly ManifestFile[]): string[] => list.map(({ path }) => path)
      for (let number = 1; number <= 40; number++) table = await append(objects, table, number)
      const foreign = names(await manifestsOf(objects, table))
      expect(foreign).toHaveLength(40)
      for (let number = 41; number <= 80; number++) {
        table = await append(objects, table, number, { commitId: uuidOf(number) })
      }
      const mixed = names(await manifestsOf(objects, table))
      expect(mixed).toEqual(expect.arrayContaining(foreign))
      expect(mixed).toHaveLength(40 + 1 + 8)
      const properties = { 'commit.manifest-merge.enabled': 'false' }
      table = loadedTable({ ...table.metadata, properties })
      for (let number = 81; number <= 130; number++) {
        table = await append(objects, table, number, { commitId: uuidOf(number) })
      }
      expect(await manifestsOf(objects, table)).toHaveLength(40 + 1 + 58)
      expect(await entriesOf(objects, table)).toHaveLength(130)
    })
  })

  it('carries a thousand manifests over', async () => {
    const objects = hookedStore()
    let table = await append(objects, tableIn(objects), 1)
    const path = currentSnapshot(table.metadata)!['manifest-list']
    const [manifest] = readManifestList((await objects.get(keyOf(objects, path))).bytes, { path })
    const manifests = Array.from({ length: 1000 }, (_, i) => ({ ...manifest!, path: `memory://hooked/m${i}.avro` }))
    const bytes = writeManifestList({ manifests, snapshotId: 1n, parentSnapshotId: null, sequenceNumber: 1n })
    await objects.put(keyOf(objects, path), bytes)
    for (let number = 2; number <= 4; number++) table = await append(objects, table, number)
    const last = currentSnapshot(table.metadata)!['manifest-list']
    const list = readManifestList((await objects.get(keyOf(objects, last))).bytes, { path: last })
    expect(list.slice(3)).toEqual(manifests)
    expect(list.slice(0, 3).map(({ sequenceNumber }) => sequenceNumber)).toEqual([4n, 3n, 2n])
  })
})
