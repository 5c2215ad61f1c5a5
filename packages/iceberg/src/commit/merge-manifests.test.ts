import { joinBytes, keyOf } from '@moulin/core'
import type { LoadedTable, ObjectStore, TableUpdate } from '@moulin/core'
import { readAvroFile } from '@moulin/format'
import { hookedStore } from '@moulin/testing'
import type { HookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import {
  append,
  committed,
  entriesOf,
  fileOf,
  FIRST_ID,
  loadedTable,
  manifestsOf,
  requestOf,
  storePlan,
  tableIn,
  uuidOf,
} from './commit.test-support.ts'
import { planAppend } from './append.ts'
import type { ManifestFile } from '../manifests/data-file.ts'
import { people, T0 } from '../metadata/metadata.test-tables.ts'
import { applyUpdates } from '../metadata/updates.ts'

describe('manifests of very many appends', () => {
  const merging = (count: number, more = {}): Record<string, string> => ({
    'commit.manifest.min-count-to-merge': String(count),
    ...more,
  })

  /** Appends of one file each. */
  async function appends(objects: ObjectStore, table: LoadedTable, from: number, to: number): Promise<LoadedTable> {
    let last = table
    for (let number = from; number <= to; number++) {
      last = await append(objects, last, number, { commitId: uuidOf(number) })
    }
    return last
  }

  const existingIn = (manifests: readonly ManifestFile[]): number[] =>
    manifests.map(({ existingFiles }) => existingFiles!).filter((files) => files > 0)

  it('are merged level by level, and every file keeps its numbers', async () => {
    const objects = hookedStore()
    let table = tableIn(objects, merging(8))
    const most: number[] = []
    for (let number = 1; number <= 300; number++) {
      table = await append(objects, table, number, { commitId: uuidOf(number) })
      if (number % 7 === 0) most.push((await manifestsOf(objects, table)).length)
    }
    expect(Math.max(...most)).toBeLessThanOrEqual(8 + 8 + 8)
    const manifests = await manifestsOf(objects, table)
    // And the last four.
    expect(existingIn(manifests)).toEqual([8, 8, 8, 8, 8, 64, 64, 64, 64])
    expect(manifests.every(({ deletedFiles }) => deletedFiles === 0)).toBe(true)
    const first = manifests.at(-1)!
    expect([first.minSequenceNumber, first.existingRows]).toEqual([1n, 640n])
    const entries = await entriesOf(objects, table)
    const found = entries.map(({ file, sequenceNumber, fileSequenceNumber, snapshotId }) => {
      const number = BigInt(/(\d+)\.parquet$/.exec(file.filePath)![1]!)
      return [number, sequenceNumber === number, fileSequenceNumber === number, snapshotId === FIRST_ID + number]
    })
    found.sort(([a], [b]) => Number(a) - Number(b))
    expect(found).toEqual(Array.from({ length: 300 }, (_, at) => [BigInt(at + 1), true, true, true]))
    expect(entries.find(({ file }) => file.filePath.endsWith('/7.parquet'))!.file).toEqual(fileOf(7))
  })

  it('are merged by the hundred where the table does not say otherwise', async () => {
    const objects = hookedStore()
    const hundred = await appends(objects, tableIn(objects), 1, 100)
    expect(await manifestsOf(objects, hundred)).toHaveLength(100)
    const more = await appends(objects, hundred, 101, 101)
    expect(existingIn(await manifestsOf(objects, more))).toEqual([100])
    expect(await entriesOf(objects, more)).toHaveLength(101)
  })

  it('do not become larger than the table wants them', async () => {
    const objects = hookedStore()
    const [{ sizeBytes } = { sizeBytes: 0n }] = await manifestsOf(
      objects,
      await appends(objects, tableIn(objects), 1, 1),
    )
    const most = (bytes: bigint) => ({ 'commit.manifest.target-size-bytes': String(bytes) })
    const within = (folder: string, properties: Record<string, string>): LoadedTable =>
      loadedTable({ ...tableIn(objects, properties).metadata, location: `memory://hooked/${folder}` })
    // Each is more than an eighth of what one may have.
    const left = await appends(objects, within('a', merging(4, most(sizeBytes * 7n))), 11, 20)
    expect(await manifestsOf(objects, left)).toHaveLength(10)
    const merged = await appends(objects, within('b', merging(10, most(sizeBytes * 9n))), 31, 41)
    expect(existingIn(await manifestsOf(objects, merged))).toEqual([8])
  })

  it('come together with those of their own schema and partition spec alone', async () => {
    const objects = hookedStore()
    let table = await appends(objects, tableIn(objects, merging(4)), 1, 3)
    const fields = [...people.fields, { id: 1100, name: 'more', required: false, type: 'int' }]
    const change = (...updates: TableUpdate[]): LoadedTable =>
      loadedTable(applyUpdates(table.metadata, updates, { nowMs: T0 + 50 }))
    table = change(
      { action: 'add-schema', schema: { type: 'struct', fields } },
      { action: 'set-current-schema', 'schema-id': -1 },
    )
    table = await appends(objects, table, 4, 6)
    // Of the first four: three of one schema, and one of the other, which stays.
    expect(existingIn(await manifestsOf(objects, table))).toEqual([3])
    table = await appends(objects, table, 7, 7)
    const merged = await manifestsOf(objects, table)
    expect(existingIn(merged)).toEqual([3, 3])
    const schemas = await Promise.all(
      merged.map(async ({ path }) =>
        readAvroFile((await objects.get(keyOf(objects, path))).bytes).metadata.get('schema-id'),
      ),
    )
    expect(schemas).toEqual(['1', '1', '0'])

    table = change({ action: 'add-spec', spec: { fields: [] } }, { action: 'set-default-spec', 'spec-id': -1 })
    for (let number = 8; number <= 12; number++) {
      const files = [{ ...fileOf(number, 1), partition: [] }]
      table = await append(objects, table, number, { commitId: uuidOf(number), files })
    }
    const apart = await manifestsOf(objects, table)
    expect(apart.map(({ specId, existingFiles }) => [specId, existingFiles])).toEqual([
      [1, 0],
      [1, 4],
      [0, 0],
      [0, 3],
      [0, 3],
    ])
    expect(await entriesOf(objects, table)).toHaveLength(12)
  })

  it('never name what an attempt wrote that lost its race', async () => {
    const objects = hookedStore()
    const table = await appends(objects, tableIn(objects, merging(4)), 1, 4)
    const ours = { commitId: uuidOf(6), files: [fileOf(6)] }
    const lost = await planAppend(requestOf(objects, table, 6, { ...ours, attempt: 0 }))
    await storePlan(lost, objects)
    expect(lost.objects.length).toBe(3)
    const theirs = await appends(objects, table, 5, 5)
    expect(() => committed(theirs, lost, T0)).toThrow('main')
    const again = requestOf(objects, theirs, 7, { ...ours, attempt: 1 })
    const won = await planAppend(again)
    await storePlan(won, objects)
    const after = await appends(objects, committed(theirs, won, T0 + 7), 8, 12)
    const gone = new Set(lost.objects.map(({ location }) => location))
    expect((await manifestsOf(objects, after)).filter(({ path }) => gone.has(path))).toEqual([])
    const files = (await entriesOf(objects, after)).map(({ file }) => file.filePath)
    expect(files.sort()).toEqual([1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12].map((number) => fileOf(number).filePath).sort())
  })

  it('stay as they are where others wrote them, and all where the table says so', async () => {
    const objects = hookedStore()
    let table = tableIn(objects, merging(32))
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
    const properties = merging(32, { 'commit.manifest-merge.enabled': 'false' })
    table = loadedTable({ ...table.metadata, properties })
    for (let number = 81; number <= 130; number++) {
      table = await append(objects, table, number, { commitId: uuidOf(number) })
    }
    expect(await manifestsOf(objects, table)).toHaveLength(40 + 1 + 58)
    expect(await entriesOf(objects, table)).toHaveLength(130)
  })

  /** What each append read of manifests, and the table after the last of them. */
  async function readsOf(
    objects: HookedStore,
    start: LoadedTable,
    [from, to]: readonly [from: number, to: number],
  ): Promise<{ readonly table: LoadedTable; readonly reads: readonly number[] }> {
    let table = start
    const reads: number[] = []
    for (let number = from; number <= to; number++) {
      const before = objects.calls.length
      table = await appends(objects, table, number, number)
      const calls = objects.calls.slice(before)
      reads.push(calls.filter(({ op, key }) => op === 'get' && /-m\d+\.avro$/.test(key)).length)
    }
    return { table, reads }
  }

  const damaged = new TextEncoder().encode('no manifest')
  it.each([
    ['gone', (objects: HookedStore, key: string) => objects.delete(key)],
    ['damaged', (objects: HookedStore, key: string) => objects.put(key, damaged)],
    [
      'shorter than their list says',
      async (objects: HookedStore, key: string) => {
        const { bytes } = await objects.get(key)
        await objects.put(key, joinBytes([bytes, damaged]))
      },
    ],
  ])('that are %s stay out of it, and stop no append', async (_, spoil) => {
    const objects = hookedStore()
    const seven = await appends(objects, tableIn(objects, merging(8)), 1, 7)
    const spoilt = (await manifestsOf(objects, seven)).slice(-3).map(({ path }) => path)
    for (const path of spoilt) await spoil(objects, keyOf(objects, path))
    const { table, reads } = await readsOf(objects, seven, [8, 71])
    const manifests = await manifestsOf(objects, table)
    expect(manifests.map(({ path }) => path)).toEqual(expect.arrayContaining(spoilt))
    expect(manifests.length).toBeLessThan(3 + 16 + 8)
    expect(manifests.reduce((files, one) => files + one.addedFiles! + one.existingFiles!, 0)).toBe(71)
    expect(reads.reduce((sum, count) => sum + count, 0)).toBeLessThan(3 * 71)
  })

  it('are merged with their like where the table has forgotten their schema, or given its id to another', async () => {
    const objects = hookedStore()
    const seven = await appends(objects, tableIn(objects, merging(8)), 1, 7)
    const field = { id: 1100, name: 'more', required: false, type: 'int' } as const
    const other = { ...people, 'schema-id': 0, fields: [...people.fields, field] }
    const { metadata } = seven
    for (const schemaId of [0, 1]) {
      const snapshots = metadata.snapshots!.map((snapshot) => ({ ...snapshot, 'schema-id': schemaId }))
      const schemas = [{ ...other, 'schema-id': schemaId }]
      const altered = { ...metadata, schemas, 'current-schema-id': schemaId, 'last-column-id': 1100, snapshots }
      const { table, reads } = await readsOf(objects, loadedTable(altered), [8 + schemaId * 40, 40 + schemaId * 40])
      expect(reads.filter((count) => count > 0).length).toBeLessThan(8)
      const manifests = await manifestsOf(objects, table)
      const oldest = (await objects.get(keyOf(objects, manifests.at(-1)!.path))).bytes
      expect(existingIn(manifests).at(-1)).toBe(7)
      expect(readAvroFile(oldest).metadata.get('schema')).not.toContain('more')
      expect(await entriesOf(objects, table)).toHaveLength(40)
    }
  })

  it('are not read again and again where each is of a schema of its own', async () => {
    const objects = hookedStore()
    let table = tableIn(objects, merging(4))
    for (let number = 1; number <= 24; number++) {
      const fields = [...people.fields, { id: 1100 + number, name: 'more', required: false, type: 'int' }]
      const updates: TableUpdate[] = [
        { action: 'add-schema', schema: { type: 'struct', fields } },
        { action: 'set-current-schema', 'schema-id': -1 },
      ]
      table = await appends(objects, loadedTable(applyUpdates(table.metadata, updates, { nowMs: T0 })), number, number)
    }
    const { table: last, reads } = await readsOf(objects, table, [25, 88])
    expect(reads.reduce((sum, count) => sum + count, 0)).toBeLessThan(8 * 64)
    expect((await manifestsOf(objects, last)).length).toBeLessThan(24 + 16)
    expect(await entriesOf(objects, last)).toHaveLength(88)
  })
})
