import type { Table } from 'apache-arrow'
import { tableFromIPC } from 'apache-arrow'
import { and, eq, gt, isNull, keyOf, lt, not, startsWith, tableFiles } from '@moulin/core'
import type { IcebergField, TableMetadata } from '@moulin/core'
import { bindPartitionSpec, planScan, readManifestList, writeManifest, writeManifestList } from '@moulin/iceberg'
import type { ManifestEntry } from '@moulin/iceberg'
import { beforeEach, describe, expect, it } from 'vitest'
import { plainTable } from './open-table.test-support.ts'
import type { PlainRow, PlainTable } from './open-table.test-support.ts'
import type { TableView } from './open-table.ts'

const fields: readonly IcebergField[] = [
  { id: 1, name: 'id', required: false, type: 'long' },
  { id: 2, name: 'city', required: false, type: 'string' },
  { id: 3, name: 'seen', required: false, type: 'timestamptz_ns' },
]

const rowOf = (id: number): PlainRow => ({
  id: BigInt(id),
  city: id % 4 === 3 ? null : ['Oslo', 'Rome', 'Lima'][id % 3]!,
  seen: BigInt(id) * 1_000_000_007n - 5n,
})
const range = (from: number, to: number): PlainRow[] => Array.from({ length: to - from }, (_, at) => rowOf(from + at))
const idsOf = (rows: readonly object[]): number[] => plain(rows).map((row) => Number((row as { id: bigint }).id))
/** Rows have no prototype, and no order that is promised. */
const plain = (rows: readonly object[]): object[] =>
  rows.map((row) => ({ ...row }) as { id: bigint }).sort((a, b) => Number(a.id - b.id))

let table: PlainTable
beforeEach(async () => {
  table = await plainTable(fields)
  await table.append(range(0, 20))
  await table.append(range(20, 30))
})

describe('openTable', () => {
  it('gives the rows of all files, exact', async () => {
    const opened = await table.open()
    expect(plain(await opened.scan().toArray())).toEqual(range(0, 30))
    expect(await opened.count()).toBe(30)
    expect(opened.columns).toEqual(fields)
  })

  it('gives the rows that pass, and the columns that are asked for, in that order', async () => {
    const opened = await table.open()
    const where = and(gt('id', 5n), not(eq('city', 'Rome')), lt('seen', 25n * 1_000_000_007n))
    const passing = range(6, 26).filter(({ city }) => city !== null && city !== 'Rome')
    const rows = await opened.scan({ columns: ['city', 'id'], where }).toArray()
    expect(plain(rows).map((row) => Object.entries(row))).toEqual(
      passing.map(({ id, city }) => [
        ['city', city],
        ['id', id],
      ]),
    )
    expect(await opened.scan({ where }).count()).toBe(passing.length)
    expect(await opened.scan({ columns: [], where: isNull('city') }).count()).toBe(7)
    expect(await opened.scan({ where: startsWith('city', 'L') }).count()).toBe(8)
    expect(await opened.scan({ where: gt('id', 100n) }).toArray()).toEqual([])
  })

  it('gives Arrow, nanoseconds as such', async () => {
    const scan = (await table.open()).scan({ where: gt('id', 17n) })
    for (const arrow of [await scan.toArrow<Table>(), tableFromIPC(await scan.toIpc())]) {
      expect(arrow.schema.fields.map(({ type }) => String(type))).toEqual([
        'Int64',
        'Utf8',
        'Timestamp<NANOSECOND, UTC>',
      ])
      expect([...arrow.getChild('id')!.toArray()].sort()).toEqual(range(18, 30).map(({ id }) => id))
      const seen = arrow.getChild('seen')!.data.flatMap(({ values }) => [...(values as BigInt64Array)])
      expect(seen.sort()).toEqual(range(18, 30).map((row) => row['seen']))
    }
  })

  it('says where rows lie', async () => {
    const files: string[] = []
    for await (const { key } of table.store.list({ prefix: 'tables/shop/people/data/' }))
      files.push(table.store.root + key)
    const scan = (await table.open()).scan({ columns: ['_pos', 'id', '_file'], where: gt('id', 16n) })
    const rows = plain(await scan.toArray()) as { _pos: bigint; id: bigint; _file: string }[]
    expect(rows.map(({ id, _pos }) => [id, _pos])).toEqual(range(17, 30).map(({ id }) => [id, (id as bigint) % 20n]))
    expect([...new Set(rows.map(({ _file }) => _file))].sort()).toEqual(files.sort())
    // Nothing of the file has to be read for it.
    expect(await (await table.open()).scan({ columns: ['_pos'] }).toArray()).toHaveLength(30)
  })

  it('has what it had at a snapshot, at a time, and at a branch or tag', async () => {
    const opened = await table.open()
    const [first, second] = opened.snapshots()
    expect(opened.snapshots()).toEqual([
      expect.objectContaining({ sequenceNumber: 1n, parentId: null, operation: 'append', refs: [] }),
      expect.objectContaining({ sequenceNumber: 2n, parentId: first!.id, refs: ['main'] }),
    ])
    expect(opened.snapshot).toEqual(second)
    for (const choice of [first!.id, { timestamp: first!.timestamp + 1 }]) {
      const view = opened.at(choice)
      expect(view.snapshot).toEqual(first)
      expect(await view.count()).toBe(20)
      expect(idsOf(await view.scan({ where: gt('id', 17n) }).toArray())).toEqual([18, 19])
    }
    expect(await opened.at({ ref: 'main' }).count()).toBe(30)
    expect(() => opened.at({ ref: 'gone' })).toThrow(expect.objectContaining({ kind: 'not-found', code: 'REF' }))
    expect(() => opened.at(5)).toThrow(expect.objectContaining({ kind: 'not-found', code: 'SNAPSHOT' }))
    expect(() => opened.at({} as never)).toThrow(expect.objectContaining({ kind: 'invalid' }))
  })

  it('sees what others commit once it is refreshed, and what was chosen stays', async () => {
    const opened = await table.open()
    const before = opened.at(opened.snapshot!.id)
    await table.append(range(30, 35))
    expect(await opened.count()).toBe(30)
    await opened.refresh()
    expect(await opened.count()).toBe(35)
    expect(await before.count()).toBe(30)
    expect(opened.snapshots()).toHaveLength(3)
  })

  it('never goes back to what an earlier refresh is told later', async () => {
    const { catalog } = table
    let answer = (): void => {}
    const late = new Promise<void>((resolve) => (answer = resolve))
    let asked = 0
    const slow: typeof catalog = {
      ...catalog,
      async loadTable(name, call) {
        const loaded = await catalog.loadTable(name, call)
        if (++asked === 2) await late
        return loaded
      },
    }
    const opened = await table.open({ catalog: slow })
    const first = opened.refresh()
    await table.append(range(30, 35))
    await opened.refresh()
    expect(await opened.count()).toBe(35)
    answer()
    await first
    expect(await opened.count()).toBe(35)
  })

  it('reads what is no snapshot yet as no rows', async () => {
    const empty = await (await plainTable(fields)).open()
    expect(empty.snapshot).toBeUndefined()
    expect(await empty.scan().toArray()).toEqual([])
    expect(await empty.count()).toBe(0)
  })

  it('reads a snapshot of before there were manifest lists', async () => {
    const { metadata } = await table.loaded()
    const list = metadata.snapshots!.at(-1)!['manifest-list']
    const read = await tableFiles(table.store).get(list)
    const manifests = readManifestList(read.bytes, { path: list }).map(({ path }) => path)
    expect(manifests).toHaveLength(2)
    await table.store.delete(keyOf(table.store, list))
    table.tell((told) => ({
      ...told,
      'format-version': 1,
      snapshots: told.snapshots!.map((snapshot) => ({ ...snapshot, 'manifest-list': '', manifests })),
    }))
    const opened = await table.open()
    expect(plain(await opened.scan().toArray())).toEqual(range(0, 30))
    expect(await opened.scan({ where: gt('id', 24n) }).count()).toBe(5)
  })

  it('names a file that is gone', async () => {
    const opened = await table.open()
    for await (const { key } of table.store.list({ prefix: 'tables/shop/people/data/' })) await table.store.delete(key)
    await expect(opened.scan().toArray()).rejects.toMatchObject({ kind: 'not-found', code: 'FILE_VANISHED' })
  })

  it('reads no further once it is closed', async () => {
    const opened = await table.open()
    const read = async (): Promise<void> => {
      for await (const row of opened.scan()) if (row['id'] !== null) await opened.close()
    }
    await expect(read()).rejects.toMatchObject({ kind: 'closed', code: 'CLOSED' })
  })

  it('reads nothing once it is closed', async () => {
    const opened = await table.open()
    const view = opened.at(opened.snapshot!.id)
    const made = opened.scan()
    await opened.close()
    await opened.close()
    const later = [() => made.toArray(), () => made.count()]
    for (const read of [() => opened.scan(), () => view.scan(), () => opened.refresh(), ...later])
      await expect(async () => read()).rejects.toMatchObject({ kind: 'closed' })
  })

  it('decodes in threads where there are any', async () => {
    const opened = await table.open({ threads: 1 })
    expect(await opened.scan().count()).toBe(30)
    await opened.close()
  })
})

describe('a column of a type that has no form here', () => {
  const others: readonly IcebergField[] = [
    { id: 8, name: 'v', required: false, type: 'variant' },
    {
      id: 9,
      name: 'shapes',
      required: false,
      type: { type: 'list', 'element-id': 10, element: 'geometry', 'element-required': false },
    },
  ]
  beforeEach(() => {
    table.tell((metadata) => ({
      ...metadata,
      schemas: metadata.schemas.map((schema) => ({ ...schema, fields: [...schema.fields, ...others] })),
    }))
  })

  it('is left alone unless it is asked for', async () => {
    const opened = await table.open()
    expect(await opened.count()).toBe(30)
    const columns = fields.map(({ name }) => name)
    expect(plain(await opened.scan({ columns }).toArray())).toEqual(range(0, 30))
  })

  it.each([
    ['all', {}],
    ['it', { columns: ['id', 'v'] }],
    ['what it holds', { columns: ['shapes'] }],
    ['rows by it', { columns: ['id'], where: isNull('v') }],
  ])('is refused by name where %s is asked for', async (_, options) => {
    const opened = await table.open()
    const refusal = expect.objectContaining({ kind: 'unsupported', code: 'COLUMN_TYPE' }) as Error
    expect(() => opened.scan(options)).toThrow(refusal)
    expect(() => opened.scan(options)).toThrow(/columns: id, city, seen\.$/)
  })
})

describe('a wrong word', () => {
  it('is refused before anything is read', async () => {
    const opened = await table.open()
    const unknown = expect.objectContaining({ kind: 'invalid', code: 'UNKNOWN_COLUMN' }) as Error
    expect(() => opened.scan({ columns: ['town'] })).toThrow(unknown)
    // Format version 2 knows no lineage.
    expect(() => opened.scan({ columns: ['_row_id'] })).toThrow(unknown)
    for (const where of [eq('town', 1), eq('id', 'x'), gt('_pos', 1n)])
      expect(() => opened.scan({ where })).toThrow(expect.objectContaining({ kind: 'invalid', code: 'EXPRESSION' }))
    await expect(table.open({ table: 'shop.nobody' })).rejects.toMatchObject({ kind: 'not-found' })
  })
})

describe('a column of the name of one that tables have by themselves', () => {
  it('is the one that counts', async () => {
    const own = await plainTable([
      { id: 1, name: '_pos', required: false, type: 'string' },
      { id: 2, name: 'id', required: false, type: 'long' },
    ])
    await own.append([{ _pos: 'here', id: 1n }])
    const opened = await own.open()
    expect(plain(await opened.scan().toArray())).toEqual([{ _pos: 'here', id: 1n }])
    expect(await opened.scan({ where: eq('_pos', 'here') }).count()).toBe(1)
  })
})

describe('a file that another snapshot lists otherwise', () => {
  it('has the row ids of the snapshot that is read, whatever was read before', async () => {
    const files = tableFiles(table.store)
    const { metadata } = await table.loaded()
    const last = metadata.snapshots!.at(-1)!
    const list = last['manifest-list']
    const manifests = readManifestList((await files.get(list)).bytes, { path: list })
    // The table is moved to version 3, and its next snapshot gives ids to what was there.
    const path = list.replace('snap-', 'snap-v3-')
    const counted = manifests.map((manifest, at) => ({ ...manifest, firstRowId: BigInt(100 * (at + 1)) }))
    const scope = {
      snapshotId: 77n,
      parentSnapshotId: BigInt(last['snapshot-id']),
      sequenceNumber: 9n,
      firstRowId: 100n,
    }
    await table.store.put(keyOf(table.store, path), writeManifestList({ manifests: counted, ...scope }))
    let isUpgraded = false
    table.tell((metadata) => {
      const version3 = { ...metadata, 'format-version': 3, 'next-row-id': 0 } as TableMetadata
      if (!isUpgraded) return version3
      const next = { ...last, 'snapshot-id': 77, 'sequence-number': 9, 'manifest-list': path, 'first-row-id': 100 }
      return {
        ...version3,
        'next-row-id': 1000,
        'last-sequence-number': 9,
        'current-snapshot-id': 77,
        snapshots: [...metadata.snapshots!, next],
        refs: { main: { type: 'branch', 'snapshot-id': 77 } },
      } as TableMetadata
    })
    const idsIn = async (view: TableView): Promise<(bigint | null)[]> => {
      const rows = await view.scan({ columns: ['id', '_row_id'] }).toArray()
      return (plain(rows) as { _row_id: bigint | null }[]).map((row) => row._row_id)
    }
    const opened = await table.open()
    const none = Array.from({ length: 30 }, () => null)
    expect(await idsIn(opened)).toEqual(none)
    isUpgraded = true
    await opened.refresh()
    const ids = await idsIn(await table.open())
    expect(ids).not.toContain(null)
    expect(await idsIn(opened)).toEqual(ids)
    expect(await idsIn(opened.at(BigInt(last['snapshot-id'])))).toEqual(none)
    expect(await idsIn(opened)).toEqual(ids)
  })
})

describe('a column that a file lacks and its partition tells', () => {
  it('has that value: in rows, and for predicates', async () => {
    const made = await plainTable(fields.slice(0, 1))
    await made.append([{ id: 1n }, { id: 2n }])
    const { metadata } = await made.loaded()
    const last = metadata.snapshots![0]!
    const files = tableFiles(made.store)
    const city: IcebergField = { id: 2, name: 'city', required: false, type: 'string' }
    const schema = { type: 'struct' as const, 'schema-id': 1, fields: [...fields.slice(0, 1), city] }
    const field = { 'source-id': 2, 'field-id': 1000, name: 'city', transform: 'identity' }
    const spec = { 'spec-id': 1, fields: [field] }
    const added = { status: 'added' as const, snapshotId: 5n, sequenceNumber: undefined, fileSequenceNumber: undefined }
    const entries: ManifestEntry[] = []
    for await (const { file } of planScan({ tableFiles: files, metadata }))
      entries.push({ ...added, file: { ...file, specId: 1, partition: ['Oslo'] } })
    const path = `${metadata.location}/metadata/hive.avro`
    const list = `${metadata.location}/metadata/snap-hive.avro`
    const bound = bindPartitionSpec(spec, [schema])
    const scope = { snapshotId: 77n, sequenceNumber: 1n }
    const { bytes, manifest } = writeManifest({ path, spec: bound, schema, entries, ...scope })
    await made.store.put(keyOf(made.store, path), bytes)
    const listed = writeManifestList({ manifests: [manifest], parentSnapshotId: null, ...scope })
    await made.store.put(keyOf(made.store, list), listed)
    made.tell((metadata) => ({
      ...metadata,
      schemas: [...metadata.schemas, schema],
      'current-schema-id': 1,
      'last-column-id': 2,
      'partition-specs': [...metadata['partition-specs'], spec],
      'default-spec-id': 1,
      snapshots: [{ ...last, 'manifest-list': list, 'schema-id': 1 }],
    }))
    const opened = await made.open()
    expect(plain(await opened.scan().toArray())).toEqual([
      { id: 1n, city: 'Oslo' },
      { id: 2n, city: 'Oslo' },
    ])
    expect(await opened.scan({ where: eq('city', 'Oslo') }).count()).toBe(2)
    expect(await opened.scan({ where: eq('city', 'Rome') }).count()).toBe(0)
    expect(await opened.scan({ where: isNull('city') }).count()).toBe(0)
  })
})
