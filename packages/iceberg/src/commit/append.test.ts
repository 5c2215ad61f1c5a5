import { keyOf } from '@moulin/core'
import type { JsonValue, TableUpdate } from '@moulin/core'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { planAppend } from './append.ts'
import type { AppendRequest } from './append.ts'
import {
  append,
  entriesOf,
  fileOf,
  FIRST_ID,
  loadedTable,
  manifestsOf,
  requestOf,
  tableIn,
  withDeletes,
} from './commit.test-support.ts'
import { readManifestList, writeManifestList } from '../manifests/manifest-list.ts'
import { currentSnapshot } from '../metadata/metadata-lookup.ts'
import { HOUR, T0 } from '../metadata/metadata.test-tables.ts'
import { checkRequirements } from '../metadata/requirements.ts'
import { applyUpdates } from '../metadata/updates.ts'

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

  it('dates a snapshot after the last one and the last change of the table, whatever the clock says', async () => {
    const objects = hookedStore()
    const table = await append(objects, tableIn(objects), 1)
    const { snapshot } = await planAppend(requestOf(objects, table, 2, { nowMs: T0 - HOUR }))
    expect(snapshot['timestamp-ms']).toBe(T0 + 2)
    const changed = loadedTable({ ...table.metadata, 'last-updated-ms': T0 + HOUR })
    const { snapshot: later } = await planAppend(requestOf(objects, changed, 2))
    expect(later['timestamp-ms']).toBe(T0 + HOUR)
    const second = await append(objects, table, 1, { snapshotId: FIRST_ID + 2n, commitId: 'c2' })
    expect(second.metadata['snapshot-log']!.map((entry) => entry['timestamp-ms'])).toEqual([T0 + 1, T0 + 2])
  })

  it('dates a snapshot earlier where it is asked to, and lets nothing go for that', async () => {
    const objects = hookedStore()
    let table = tableIn(objects)
    for (let number = 1; number <= 3; number++) table = await append(objects, table, number)
    const request = requestOf(objects, table, 4, {
      nowMs: T0 + HOUR,
      snapshotMs: T0 + 1000,
      expire: { keepSnapshots: 1, keepMs: 2 * HOUR },
    })
    const { snapshot, expiredSnapshotIds } = await planAppend(request)
    expect([snapshot['timestamp-ms'], expiredSnapshotIds]).toEqual([T0 + 1000, []])
    const earlier = await planAppend({ ...request, snapshotMs: T0 - HOUR })
    expect([earlier.snapshot['timestamp-ms'], earlier.expiredSnapshotIds]).toEqual([T0 + 4, []])
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

  it('carries manifests of deletes over as they are, and their totals', async () => {
    const objects = hookedStore()
    const first = await append(objects, tableIn(objects), 1)
    const table = await withDeletes(objects, first, { content: 'positions', referencedDataFile: fileOf(1).filePath })
    const before = (await manifestsOf(objects, table)).filter(({ content }) => content === 'deletes')
    const after = await append(objects, table, 3)
    const manifests = await manifestsOf(objects, after)
    expect(manifests.filter(({ content }) => content === 'deletes')).toEqual(before)
    expect(manifests.map(({ content, sequenceNumber }) => [content, sequenceNumber])).toEqual([
      ['data', 3n],
      ['deletes', 2n],
      ['data', 1n],
    ])
    const { summary } = currentSnapshot(after.metadata)!
    expect(summary).toMatchObject({ 'total-data-files': '2', 'total-delete-files': '1' })
    // The stranger did not say how many rows they delete.
    expect(summary).not.toHaveProperty('total-position-deletes')
  })

  it('counts the entries of manifests whose list does not say how many there are', async () => {
    const objects = hookedStore()
    const table = await append(objects, tableIn(objects), 1)
    const path = currentSnapshot(table.metadata)!['manifest-list']
    const { schema, metadata, records } = readAvroFile((await objects.get(keyOf(objects, path))).bytes)
    const names = ['added_files_count', 'existing_files_count', 'deleted_files_count', 'deleted_rows_count']
    const { fields, ...record } = schema as unknown as { readonly fields: readonly { readonly name: string }[] }
    const old = { ...record, fields: fields.filter(({ name }) => !names.includes(name)) } as JsonValue
    const { 'avro.schema': _, 'avro.codec': __, ...entries } = Object.fromEntries(metadata)
    await objects.put(keyOf(objects, path), writeAvroFile({ schema: old, records, metadata: entries }))
    const after = await append(objects, table, 2)
    // Which compares what the list says with what is there.
    expect(await entriesOf(objects, after)).toHaveLength(2)
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

  it('writes a void partition field of which the column is gone', async () => {
    const objects = hookedStore()
    const before = await append(objects, tableIn(objects), 1)
    const field = { 'source-id': 4711, 'field-id': 1005, name: 'old', transform: 'void' }
    const updates: TableUpdate[] = [
      { action: 'add-spec', spec: { fields: [field] } },
      { action: 'set-default-spec', 'spec-id': -1 },
    ]
    const table = loadedTable(applyUpdates(before.metadata, updates, { nowMs: T0 }))
    const files = [{ ...fileOf(2, table.metadata['default-spec-id']), partition: [null] }]
    const after = await append(objects, table, 2, { files })
    expect((await entriesOf(objects, after)).map(({ file }) => file.partition)).toEqual([[null], [1]])
  })
})
