import { tableIdentifier, unavailable } from '@moulin/core'
import type { Catalog, CreateTableRequest, ObjectStore, TableCommit } from '@moulin/core'
import { creationUpdates } from '@moulin/iceberg'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { objectStoreCatalog } from './object-store-catalog.ts'

const orders = tableIdentifier('shop.orders')
const folder = 'tables/shop/orders'
const location = `memory://hooked/${folder}`
const request: CreateTableRequest = {
  schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] },
}
const uuid = '9c12d441-03fe-4693-9a96-a0705ddf69c1'
const creation = (at = location): TableCommit => ({
  requirements: [{ type: 'assert-create' }],
  updates: creationUpdates(request, { uuid, location: at }),
})

let seed = 300
const open = (store: ObjectStore): Catalog => objectStoreCatalog({ store, runtime: virtualRuntime({ seed: seed++ }) })
const put = async (store: ObjectStore, key: string): Promise<unknown> => store.put(key, new Uint8Array([1]))

describe('a table that is staged in a folder', () => {
  it('has its files there before it is a table', async () => {
    const store = hookedStore()
    const catalog = open(store)
    const staged = await catalog.stageTable(orders, request)
    expect(staged.metadata.location).toBe(location)
    for (const key of ['data/a.parquet', 'metadata/snap-1.avro']) await put(store, `${folder}/${key}`)
    expect((await catalog.stageTable(orders, request)).metadata.location).toBe(location)
    const { metadata, metadataLocation } = await catalog.commitTable(orders, creation())
    expect(metadata).toMatchObject({ 'table-uuid': uuid, 'metadata-log': [] })
    expect(metadataLocation).toBe(`${location}/metadata/v1.metadata.json`)
    expect(new TextDecoder().decode((await store.get(`${folder}/metadata/version-hint.text`)).bytes)).toBe('1')
  })

  it.each([
    ['metadata of another catalog', 'metadata/00000-a.metadata.json', 'FOREIGN_LAYOUT'],
    ['a table below', 'deeper/metadata/v1.metadata.json', 'FOLDER_OCCUPIED'],
    ['a namespace below', 'deeper/.namespace.json', 'FOLDER_OCCUPIED'],
    ['a namespace', '.namespace.json', 'FOLDER_OCCUPIED'],
  ])('is refused where there is %s', async (_what, key, code) => {
    const store = hookedStore()
    await put(store, `${folder}/${key}`)
    await expect(open(store).commitTable(orders, creation())).rejects.toMatchObject({ code })
    await expect(open(store).stageTable(orders, request)).rejects.toMatchObject({ code })
  })

  it('is refused inside of another table, and at another location', async () => {
    const catalog = open(hookedStore())
    await catalog.createTable(orders, request)
    const inside = { namespace: ['shop', 'orders'], name: 'x' }
    await expect(catalog.commitTable(inside, creation(`${location}/x`))).rejects.toMatchObject({
      code: 'FOLDER_OCCUPIED',
    })
    const other = { namespace: ['shop'], name: 'other' }
    await expect(catalog.commitTable(other, creation())).rejects.toMatchObject({ code: 'TABLE_LOCATION' })
    await expect(catalog.stageTable(other, { ...request, location })).rejects.toMatchObject({ code: 'TABLE_LOCATION' })
  })

  it('goes on counting where a dropped table left off', async () => {
    const store = hookedStore()
    const catalog = open(store)
    await catalog.createTable(orders, request)
    await catalog.dropTable(orders)
    const { metadataLocation } = await catalog.commitTable(orders, creation())
    expect(metadataLocation).toBe(`${location}/metadata/v3.metadata.json`)
  })

  it('is a conflict when another table of the name came between the look and the put', async () => {
    const store = hookedStore()
    store.hooks.before = async ({ op, key }) => {
      if (op !== 'put' || !key.endsWith('/v1.metadata.json')) return
      delete store.hooks.before
      await open(store).createTable(orders, request)
    }
    const lost = open(store).commitTable(orders, creation())
    await expect(lost).rejects.toMatchObject({ kind: 'conflict', code: 'REQUIREMENT_FAILED', outcome: 'rejected' })
  })

  it('says unknown when it may yet come to be', async () => {
    const store = hookedStore()
    store.hooks.before = ({ op, key }) => {
      if (op === 'put' && key.endsWith('/v1.metadata.json')) throw unavailable('LOST', 'Lost.', { outcome: 'unknown' })
    }
    await expect(open(store).commitTable(orders, creation())).rejects.toMatchObject({ outcome: 'unknown' })
  })
})

describe('a table that is registered in a folder', () => {
  const bytesOf = async (store: ObjectStore, version: number): Promise<Uint8Array> =>
    (await store.get(`${folder}/metadata/v${version}.metadata.json`)).bytes

  async function dropped(): Promise<{ store: ReturnType<typeof hookedStore>; catalog: Catalog }> {
    const store = hookedStore()
    const catalog = open(store)
    await catalog.createTable(orders, request)
    await catalog.commitTable(orders, {
      requirements: [],
      updates: [{ action: 'set-properties', updates: { a: '1' } }],
    })
    await catalog.dropTable(orders)
    return { store, catalog }
  }

  it('goes on from what a dropped table left, and names it in its metadata log', async () => {
    const { store, catalog } = await dropped()
    const before = JSON.parse(new TextDecoder().decode(await bytesOf(store, 2))) as { 'table-uuid': string }
    const { metadata, metadataLocation } = await catalog.registerTable(orders, `${location}/metadata/v2.metadata.json`)
    expect(metadataLocation).toBe(`${location}/metadata/v4.metadata.json`)
    expect(metadata['table-uuid']).toBe(before['table-uuid'])
    expect(metadata.properties).toEqual({ a: '1' })
    expect(metadata['metadata-log']!.map((entry) => entry['metadata-file'])).toEqual(
      ['v1', 'v2'].map((version) => `${location}/metadata/${version}.metadata.json`),
    )
    expect((await open(store).loadTable(orders)).metadata).toEqual(metadata)
  })

  it('goes on from the metadata of another catalog in its folder', async () => {
    const { store: source } = await dropped()
    const store = hookedStore()
    const key = `${folder}/metadata/00001-${uuid}.metadata.json`
    await store.put(key, await bytesOf(source, 2))
    await put(store, `${folder}/data/a.parquet`)
    const { metadataLocation } = await open(store).registerTable(orders, `memory://hooked/${key}`)
    expect(metadataLocation).toBe(`${location}/metadata/v1.metadata.json`)
    await open(store).commitTable(orders, {
      requirements: [],
      updates: [{ action: 'set-properties', updates: { b: '1' } }],
    })
    expect((await open(store).loadTable(orders)).metadata.properties).toEqual({ a: '1', b: '1' })
  })

  it('is refused by name for another folder, another store, and what is no metadata', async () => {
    const { store, catalog } = await dropped()
    const v2 = `${location}/metadata/v2.metadata.json`
    const refused = async (name: string, at: string, code: string): Promise<void> =>
      expect(catalog.registerTable(tableIdentifier(name), at)).rejects.toMatchObject({ code })
    await refused('shop.other', v2, 'TABLE_LOCATION')
    await refused('shop.orders', `memory://elsewhere/${folder}/metadata/v2.metadata.json`, 'TABLE_LOCATION')
    await refused('shop.orders', `${location}/metadata/v9.metadata.json`, 'FILE_VANISHED')
    // What says that it was dropped is no table.
    await refused('shop.orders', `${location}/metadata/v3.metadata.json`, 'FILE_VANISHED')
    await store.put(`${folder}/metadata/x.metadata.json`, new TextEncoder().encode('{}'))
    await refused('shop.orders', `${location}/metadata/x.metadata.json`, 'METADATA')
    await catalog.registerTable(orders, v2)
    await refused('shop.orders', v2, 'TABLE_EXISTS')
  })

  it('loses to a table that is created at the same moment', async () => {
    const { store, catalog } = await dropped()
    store.hooks.before = async ({ op, key }) => {
      if (op !== 'put' || !key.endsWith('/v4.metadata.json')) return
      delete store.hooks.before
      await open(store).createTable(orders, request)
    }
    const lost = catalog.registerTable(orders, `${location}/metadata/v2.metadata.json`)
    await expect(lost).rejects.toMatchObject({ kind: 'exists', code: 'TABLE_EXISTS' })
  })
})
