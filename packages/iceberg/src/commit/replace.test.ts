import type { LoadedTable, ObjectStore } from '@moulin/core'
import { keyOf, tableFiles } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import {
  append,
  committed,
  entriesOf,
  fileOf,
  FIRST_ID,
  loadedTable,
  manifestsOf,
  storePlan,
  tableIn,
  withDeletes,
} from './commit.test-support.ts'
import { planReplace } from './replace.ts'
import type { ReplaceRequest } from './replace.ts'
import { currentSnapshot } from '../metadata/metadata-lookup.ts'
import { people, T0 } from '../metadata/metadata.test-tables.ts'
import { writeManifestList } from '../manifests/manifest-list.ts'
import { applyUpdates } from '../metadata/updates.ts'

const SNAPSHOT = FIRST_ID + 500n

/** The second file for the first one, which the first commit has added. */
function requestOf(objects: ObjectStore, table: LoadedTable, more: Partial<ReplaceRequest> = {}): ReplaceRequest {
  return {
    table,
    tableFiles: tableFiles(objects),
    removed: [{ file: fileOf(1), sequenceNumber: 1n }],
    added: [{ ...fileOf(1), filePath: 'memory://hooked/tables/shop/people/data/new.parquet' }],
    sequenceNumber: 1n,
    snapshotId: SNAPSHOT,
    commitId: 'c',
    nowMs: T0 + 500,
    ...more,
  }
}

/** Two files by the first commit, one each by two others. */
async function threeCommits(objects: ObjectStore, properties = {}): Promise<LoadedTable> {
  let table = await append(objects, tableIn(objects, properties), 1, { files: [fileOf(1), fileOf(11)] })
  table = await append(objects, table, 2)
  return append(objects, table, 3)
}

async function replaced(objects: ObjectStore, table: LoadedTable, more = {}): Promise<LoadedTable> {
  const plan = await planReplace(requestOf(objects, table, more))
  await storePlan(plan, objects)
  return committed(table, plan, T0 + 500)
}

async function namesAndNumbers(objects: ObjectStore, table: LoadedTable): Promise<unknown[]> {
  const entries = await entriesOf(objects, table, { withDeleted: true })
  return entries.map(({ file, status, snapshotId, sequenceNumber, fileSequenceNumber }) => [
    /([^/]+)\.parquet$/.exec(file.filePath)![1]!,
    status,
    snapshotId - FIRST_ID,
    sequenceNumber,
    fileSequenceNumber,
  ])
}

describe('planReplace', () => {
  it('marks the file as deleted, and gives its rows their age in another', async () => {
    const objects = hookedStore()
    const table = await threeCommits(objects)
    const after = await replaced(objects, table)
    // entriesOf compares the counts of each manifest with what its list says.
    expect(await namesAndNumbers(objects, after)).toEqual([
      ['new', 'added', 500n, 1n, 4n],
      ['3', 'added', 3n, 3n, 3n],
      ['2', 'added', 2n, 2n, 2n],
      ['1', 'deleted', 500n, 1n, 1n],
      ['11', 'existing', 1n, 1n, 1n],
    ])
    const [added, , , rewritten] = await manifestsOf(objects, after)
    expect(added).toMatchObject({ sequenceNumber: 4n, minSequenceNumber: 1n, addedFiles: 1 })
    expect(rewritten).toMatchObject({ addedSnapshotId: SNAPSHOT, deletedFiles: 1, existingFiles: 1, deletedRows: 10n })
    expect(currentSnapshot(after.metadata)!.summary).toMatchObject({
      operation: 'replace',
      'added-data-files': '1',
      'deleted-data-files': '1',
      'added-records': '10',
      'deleted-records': '10',
      'removed-files-size': '1000',
      'total-data-files': '4',
      'total-records': '40',
    })
  })

  it('requires what an append requires', async () => {
    const objects = hookedStore()
    const table = await threeCommits(objects)
    const { commit } = await planReplace(requestOf(objects, table))
    expect(commit.requirements.map(({ type }) => type)).toEqual([
      'assert-table-uuid',
      'assert-ref-snapshot-id',
      'assert-default-spec-id',
      'assert-current-schema-id',
    ])
  })

  it('leaves entries out that were deleted before, and manifests that have no other', async () => {
    const objects = hookedStore()
    const once = await replaced(objects, await threeCommits(objects))
    const removed = [{ file: fileOf(11), sequenceNumber: 1n }]
    const twice = await replaced(objects, once, { removed, added: [], snapshotId: FIRST_ID + 501n, commitId: 'd' })
    expect(await namesAndNumbers(objects, twice)).toContainEqual(['11', 'deleted', 501n, 1n, 1n])
    const names = (await namesAndNumbers(objects, twice)).map((row) => (row as string[])[0])
    expect(names.sort()).toEqual(['11', '2', '3', 'new'])
    const again = await append(objects, twice, 4)
    expect((await entriesOf(objects, again)).length).toBe(4)
  })

  it('is in conflict where the table does not name the file any more', async () => {
    const objects = hookedStore()
    const once = await replaced(objects, await threeCommits(objects))
    const again = requestOf(objects, once, { snapshotId: FIRST_ID + 501n })
    await expect(planReplace(again)).rejects.toMatchObject({ kind: 'conflict', code: 'FILE_NOT_LIVE' })
  })

  const named = { referencedDataFile: fileOf(1).filePath }
  it.each([
    ['a deletion vector of the file', { content: 'vector', ...named }, true],
    [
      'a deletion vector of another file',
      { content: 'vector', referencedDataFile: fileOf(2).filePath, partition: [2] },
      false,
    ],
    ['positions of its partition', { content: 'positions' }, true],
    ['positions of another partition', { content: 'positions', partition: [2] }, false],
    ['positions of the file alone', { content: 'positions', ...named }, true],
    ['deletes by value, which hold for the new file too', { content: 'equality', equalityIds: [1001] }, false],
  ] as const)('looks whether rows of the file have been deleted since: %s', async (_, deletes, isConflict) => {
    const objects = hookedStore()
    // Of version 3, in which there are vectors.
    const table = await withDeletes(objects, await threeCommits(objects, { 'format-version': '3' }), deletes)
    const plan = planReplace(requestOf(objects, table))
    if (isConflict) await expect(plan).rejects.toMatchObject({ kind: 'conflict', code: 'FILE_DELETED_FROM' })
    else expect((await plan).manifests.filter(({ content }) => content === 'deletes')).toHaveLength(1)
    // They are no more in a file that was written from what the table was after them.
    const later = await planReplace(requestOf(objects, table, { sequenceNumber: 4n }))
    expect(later.snapshot['sequence-number']).toBe(5)
  })

  it('does not make rows older than they are', async () => {
    const objects = hookedStore()
    const removed = [{ file: fileOf(2), sequenceNumber: 2n }]
    const request = requestOf(objects, await threeCommits(objects), { removed, added: [fileOf(9)] })
    await expect(planReplace(request)).rejects.toMatchObject({ kind: 'invalid', code: 'SEQUENCE_NUMBER' })
  })

  it('keeps row ids that a file is given, and those of all others', async () => {
    const objects = hookedStore()
    const table = await threeCommits(objects, { 'format-version': '3' })
    const added = requestOf(objects, table).added.map((file) => ({ ...file, firstRowId: 0n }))
    const after = await replaced(objects, table, { added })
    const ids = (await entriesOf(objects, after)).map(({ file }) => [file.filePath.slice(-11, -8), file.firstRowId])
    expect(ids).toEqual([
      ['new', 0n],
      ['a/3', 30n],
      ['a/2', 20n],
      ['/11', 10n],
    ])
  })

  it('writes a manifest of another partition spec in that spec', async () => {
    const objects = hookedStore()
    let table = await threeCommits(objects)
    const spec = { fields: [] }
    const updates = [
      { action: 'add-spec', spec },
      { action: 'set-default-spec', 'spec-id': -1 },
    ] as const
    table = loadedTable(applyUpdates(table.metadata, updates, { nowMs: T0 + 5 }))
    const added = requestOf(objects, table).added.map((file) => ({ ...file, specId: 1, partition: [] }))
    const after = await replaced(objects, table, { added })
    expect((await manifestsOf(objects, after)).map(({ specId }) => specId)).toEqual([1, 0, 0, 0])
    expect(await entriesOf(objects, after)).toHaveLength(4)
  })

  it('passes by deletes of a partition spec that nobody here understands', async () => {
    const objects = hookedStore()
    const before = await withDeletes(objects, await append(objects, tableIn(objects), 1), {
      content: 'equality',
      equalityIds: [people.fields[0]!.id],
    })
    const field = { 'source-id': people.fields[0]!.id, 'field-id': 1005, name: 'h', transform: 'hilbert[3]' }
    const specs = [...before.metadata['partition-specs'], { 'spec-id': 1, fields: [field] }]
    const table = loadedTable({ ...before.metadata, 'partition-specs': specs })
    const { 'manifest-list': path, ...snapshot } = currentSnapshot(table.metadata)!
    const manifests = await manifestsOf(objects, table)
    const numbers = { snapshotId: BigInt(snapshot['snapshot-id']), sequenceNumber: BigInt(snapshot['sequence-number']) }
    const strange = manifests.map((one) => (one.content === 'deletes' ? { ...one, specId: 1 } : one))
    await objects.put(
      keyOf(objects, path),
      writeManifestList({ ...numbers, manifests: strange, parentSnapshotId: null }),
    )
    const plan = await planReplace(requestOf(objects, table))
    expect(plan.manifests.map(({ content }) => content).sort()).toEqual(['data', 'data', 'deletes'])
  })
})
