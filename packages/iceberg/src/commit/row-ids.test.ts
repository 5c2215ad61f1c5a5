import { isKind } from '@moulin/core'
import type { LoadedTable, ObjectStore } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { planAppend } from './append.ts'
import {
  append,
  committed,
  entriesOf,
  fileOf,
  loadedTable,
  manifestsOf,
  requestOf,
  storePlan,
  tableIn,
  uuidOf,
  withDeletes,
} from './commit.test-support.ts'
import { currentSnapshot } from '../metadata/metadata-lookup.ts'
import { T0 } from '../metadata/metadata.test-tables.ts'
import { applyUpdates } from '../metadata/updates.ts'

/** First row id by the number of the file: each has ten rows. */
async function rowIds(objects: ObjectStore, table: LoadedTable): Promise<Record<string, bigint | undefined>> {
  const entries = await entriesOf(objects, table)
  return Object.fromEntries(
    entries.map(({ file }) => [/(\d+)\.parquet$/.exec(file.filePath)![1]!, file.firstRowId] as const),
  )
}

const version3 = { 'format-version': '3' }

describe('row ids', () => {
  it('are taken by each snapshot, from where the one before ended', async () => {
    const objects = hookedStore()
    let table = tableIn(objects, version3)
    expect(table.metadata).toMatchObject({ 'format-version': 3, 'next-row-id': 0, properties: {} })
    table = await append(objects, table, 1, { files: [fileOf(1), fileOf(101)] })
    table = await append(objects, table, 2)
    table = await append(objects, table, 3, { files: [] })
    expect(table.metadata['next-row-id']).toBe(30)
    expect(table.metadata.snapshots!.map((one) => [one['first-row-id'], one['added-rows']])).toEqual([
      [0, 20],
      [20, 10],
      [30, 0],
    ])
    expect(await rowIds(objects, table)).toEqual({ 1: 0n, 101: 10n, 2: 20n })
  })

  it('are taken anew by an attempt after one that lost its race', async () => {
    const objects = hookedStore()
    const table = await append(objects, tableIn(objects, version3), 1)
    const lost = await planAppend(requestOf(objects, table, 5))
    const theirs = await append(objects, table, 2)
    expect(lost.snapshot['first-row-id']).toBe(10)
    // Though nothing but the ids were in its way.
    const updates = [{ action: 'add-snapshot', snapshot: { ...lost.snapshot, 'sequence-number': 9 } }] as const
    const refused = (): unknown => {
      try {
        return applyUpdates(theirs.metadata, updates, { nowMs: T0 })
      } catch (error) {
        return error
      }
    }
    expect(isKind(refused(), 'invalid', 'ROW_ID')).toBe(true)
    const again = await planAppend(requestOf(objects, theirs, 5, { attempt: 1 }))
    await storePlan(again, objects)
    const after = committed(theirs, again, T0 + 9)
    expect(await rowIds(objects, after)).toEqual({ 1: 0n, 2: 10n, 5: 20n })
    expect(after.metadata['next-row-id']).toBe(30)
  })

  it('come to all files of a table that was upgraded, with the first commit after it', async () => {
    const objects = hookedStore()
    let table = tableIn(objects)
    for (const number of [1, 2]) table = await append(objects, table, number)
    const upgrade = { action: 'upgrade-format-version', 'format-version': 3 } as const
    table = loadedTable(applyUpdates(table.metadata, [upgrade], { nowMs: T0 + 2 }))
    expect(table.metadata['next-row-id']).toBe(0)
    expect(await rowIds(objects, table)).toEqual({})
    table = await append(objects, table, 3)
    expect(currentSnapshot(table.metadata)).toMatchObject({ 'first-row-id': 0, 'added-rows': 30 })
    const ids = await rowIds(objects, table)
    expect(Object.values(ids).sort()).toEqual([0n, 10n, 20n])
    table = await append(objects, table, 4)
    expect(await rowIds(objects, table)).toEqual({ ...ids, 4: 30n })
  })

  it('stay what they are when manifests are merged', async () => {
    const objects = hookedStore()
    let table = tableIn(objects, { ...version3, 'commit.manifest.min-count-to-merge': '4' })
    for (let number = 1; number <= 4; number++)
      table = await append(objects, table, number, { commitId: uuidOf(number) })
    const before = await rowIds(objects, table)
    table = await append(objects, table, 5, { commitId: uuidOf(5) })
    const manifests = await manifestsOf(objects, table)
    expect(manifests).toHaveLength(2)
    const { 5: last, ...others } = await rowIds(objects, table)
    expect(others).toEqual(before)
    // The merged manifest has taken room for the rows of its own, too.
    expect([40n, 80n]).toContain(last)
    expect(table.metadata['next-row-id']).toBe(90)
  })

  it('are no matter of manifests of deletes', async () => {
    const objects = hookedStore()
    const first = await append(objects, tableIn(objects, version3), 1)
    const about = { content: 'vector', referencedDataFile: fileOf(1).filePath } as const
    const table = await append(objects, await withDeletes(objects, first, about), 3)
    expect((await manifestsOf(objects, table)).map(({ content, firstRowId }) => [content, firstRowId])).toEqual([
      ['data', 10n],
      ['deletes', undefined],
      ['data', 0n],
    ])
    expect(currentSnapshot(table.metadata)!['added-rows']).toBe(10)
  })
})
