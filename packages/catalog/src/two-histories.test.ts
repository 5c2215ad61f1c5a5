import { jsonBytes, stringifyJson, tableIdentifier } from '@moulin/core'
import type { Catalog, CreateTableRequest, LoadedTable, TableCommit, TableMetadata } from '@moulin/core'
import { applyUpdates, parseTableMetadata } from '@moulin/iceberg'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import type { HookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { objectStoreCatalog } from './object-store-catalog.ts'

const orders = tableIdentifier('shop.orders')
const folder = 'tables/shop/orders/metadata/'
const request: CreateTableRequest = {
  schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] },
}
const uuid = '9c12d441-03fe-4693-9a96-a0705ddf69c1'
const set = (name: string): TableCommit => ({
  requirements: [],
  updates: [{ action: 'set-properties', updates: { [name]: '1' } }],
})

let seed = 500
const open = (store: HookedStore): Catalog => objectStoreCatalog({ store, runtime: virtualRuntime({ seed: seed++ }) })

/** A commit of one snapshot on the present one. */
function append(metadata: TableMetadata, id: number): TableCommit {
  const parent = metadata.refs?.['main']?.['snapshot-id']
  const snapshot = {
    'snapshot-id': id,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': Number(metadata['last-sequence-number']) + 1,
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': `${metadata.location}/metadata/snap-${id}.avro`,
    summary: { operation: 'append' },
  }
  const main = { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id } as const
  return { requirements: [], updates: [{ action: 'add-snapshot', snapshot }, main] }
}

/** What another catalog, that was given our metadata, writes beside it. */
async function writeElsewhere(store: HookedStore, from: LoadedTable, number: number, id: number): Promise<string> {
  const { updates } = append(from.metadata, id)
  const metadata = applyUpdates(from.metadata, updates, { nowMs: 5, previousLocation: from.metadataLocation })
  const key = `${folder}${String(number).padStart(5, '0')}-${uuid}.metadata.json`
  await store.put(key, jsonBytes(metadata))
  return key
}

async function tableIn(store: HookedStore, snapshots = 2): Promise<LoadedTable> {
  const catalog = open(store)
  let table = await catalog.createTable(orders, request)
  for (let id = 1; id <= snapshots; id++) table = await catalog.commitTable(orders, append(table.metadata, id))
  return table
}

const twoHistories = { kind: 'unsupported', code: 'TWO_HISTORIES', outcome: 'rejected' }

describe('a folder with two histories', () => {
  it('is refused for writing with both names and how to choose, and is still read', async () => {
    const store = hookedStore()
    const table = await tableIn(store)
    const key = await writeElsewhere(store, table, 0, 77)
    const catalog = open(store)
    const refused = catalog.commitTable(orders, set('a'))
    await expect(refused).rejects.toMatchObject({ ...twoHistories, context: { theirs: key, otherSnapshotId: 77 } })
    await expect(refused).rejects.toThrow(`${folder}v3.metadata.json (snapshot 2)`)
    await expect(refused).rejects.toThrow(/move .* out of the folder.*drop the table here.*register/)
    expect((await catalog.loadTable(orders)).metadata).toEqual(table.metadata)
    expect(store.calls.filter(({ op, key: put }) => op === 'put' && put.endsWith('/v4.metadata.json'))).toEqual([])
  })

  it('is seen where the same folder held another table when one looked last', async () => {
    const store = hookedStore()
    const first = await tableIn(store)
    const elsewhere = hookedStore()
    const key = await writeElsewhere(elsewhere, await tableIn(elsewhere), 0, 77)
    const { bytes } = await elsewhere.get(key)
    await store.put(key, bytes)
    const catalog = open(store)
    // Of another table: no second history of this one.
    await catalog.commitTable(orders, set('a'))
    await catalog.dropTable(orders)
    const theirs = parseTableMetadata(bytes, key)
    const own = {
      ...theirs,
      'current-snapshot-id': 2,
      snapshots: theirs.snapshots!.filter((each) => each['snapshot-id'] !== 77),
    }
    const ours = `${folder}9-ours.metadata.json`
    await store.put(ours, jsonBytes({ ...own, refs: { main: { type: 'branch', 'snapshot-id': 2 } } }))
    const registered = catalog.registerTable(orders, `${first.metadata.location}/metadata/9-ours.metadata.json`)
    await expect(registered).rejects.toMatchObject(twoHistories)
  })

  it('goes on when the other one was moved away', async () => {
    const store = hookedStore()
    const key = await writeElsewhere(store, await tableIn(store), 0, 77)
    const catalog = open(store)
    await expect(catalog.commitTable(orders, set('a'))).rejects.toMatchObject(twoHistories)
    await store.delete(key)
    await catalog.commitTable(orders, set('a'))
  })

  it('goes on with the other one when that is registered instead', async () => {
    const store = hookedStore()
    const key = await writeElsewhere(store, await tableIn(store), 0, 77)
    const catalog = open(store)
    await catalog.dropTable(orders)
    await catalog.registerTable(orders, `memory://hooked/${key}`)
    const { metadata } = await catalog.commitTable(orders, set('a'))
    expect(metadata['current-snapshot-id']).toBe(77)
  })

  it('is seen when it comes to be while the catalog is open, within 16 versions', async () => {
    const store = hookedStore()
    const catalog = open(store)
    await tableIn(store)
    const table = await catalog.commitTable(orders, set('a'))
    await writeElsewhere(store, table, 0, 77)
    const commits = async (): Promise<void> => {
      for (let n = 0; n < 17; n++) await catalog.commitTable(orders, set(`p${n}`))
    }
    await expect(commits()).rejects.toMatchObject(twoHistories)
  })

  it('is refused when it is registered from the older end', async () => {
    const store = hookedStore()
    const table = await tableIn(store)
    await writeElsewhere(store, table, 0, 77)
    const catalog = open(store)
    await catalog.dropTable(orders)
    await expect(catalog.registerTable(orders, table.metadataLocation)).rejects.toMatchObject(twoHistories)
  })
})

describe('what is no second history', () => {
  it.each<[string, (store: HookedStore, table: LoadedTable) => Promise<unknown>]>([
    [
      'another table that was here',
      async (store, { metadata }) =>
        store.put(`${folder}00003-x.metadata.json`, jsonBytes({ ...metadata, 'table-uuid': uuid, snapshots: [] })),
    ],
    [
      'a snapshot that is in our chain',
      async (store, { metadata }) => store.put(`${folder}00003-x.metadata.json`, jsonBytes(metadata)),
    ],
    ['what cannot be read', async (store) => store.put(`${folder}00003-x.metadata.json`, new Uint8Array([123]))],
    ['a manifest', async (store) => store.put(`${folder}0a0b0c0d-m0.avro`, new Uint8Array([1]))],
  ])('is %s', async (_what, write) => {
    const store = hookedStore()
    await write(store, await tableIn(store))
    await open(store).commitTable(orders, set('a'))
  })

  it('is a snapshot of ours that has expired, in a file that was registered long ago', async () => {
    const store = hookedStore()
    const table = await tableIn(store, 4)
    const json = JSON.parse(stringifyJson(table.metadata)) as Record<string, unknown>
    const old = { ...json, snapshots: (json['snapshots'] as object[]).slice(0, 1), refs: {} }
    await store.put(
      `${folder}00001-${uuid}.metadata.json`,
      jsonBytes({ ...old, 'current-snapshot-id': 1, 'last-sequence-number': 1, 'snapshot-log': [] }),
    )
    const catalog = open(store)
    await catalog.commitTable(orders, {
      requirements: [],
      updates: [{ action: 'remove-snapshots', 'snapshot-ids': [1, 2] }],
    })
    await open(store).commitTable(orders, set('a'))
  })
})

it('costs one list before the first commit and at every 16th version, and reads each file once', async () => {
  const store = hookedStore()
  const table = await tableIn(store)
  await store.put(`${folder}00000-${uuid}.metadata.json`, jsonBytes(table.metadata))
  const catalog = open(store)
  const before = store.calls.length
  const looks = (): number[] =>
    ['list', 'get'].map(
      (op) => store.calls.slice(before).filter((call) => call.op === op && call.key.startsWith(`${folder}0`)).length,
    )
  await catalog.commitTable(orders, set('a'))
  expect(looks()).toEqual([1, 1])
  await catalog.commitTable(orders, set('b'))
  expect(looks()).toEqual([1, 1])
  for (let n = 0; n < 16; n++) await catalog.commitTable(orders, set(`p${n}`))
  expect(looks()).toEqual([2, 1])
})
