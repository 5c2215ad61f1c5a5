import { tableIdentifier } from '@moulin/core'
import { creationUpdates } from '@moulin/iceberg'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { memoryCatalog } from './memory-catalog.ts'

const orders = tableIdentifier('shop.orders')
const schema = { type: 'struct' as const, fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }
const set = { requirements: [], updates: [{ action: 'set-properties' as const, updates: { a: '1' } }] }

describe('memoryCatalog', () => {
  it('stores each version as a metadata file that engines open by path', async () => {
    const store = hookedStore()
    const catalog = memoryCatalog({ store, runtime: virtualRuntime({ seed: 1 }), prefix: 'lake/' })
    await catalog.createTable(orders, { schema })
    const { metadataLocation, metadata } = await catalog.commitTable(orders, set)
    expect(metadataLocation).toMatch(
      /^memory:\/\/hooked\/lake\/shop\/orders\/metadata\/00001-[0-9a-f-]{36}\.metadata\.json$/,
    )
    const stored = await store.get(metadataLocation.slice(store.root.length))
    expect(JSON.parse(new TextDecoder().decode(stored.bytes))).toEqual(metadata)
  })

  it('leaves the table as it was when the file cannot be stored', async () => {
    const store = hookedStore()
    const catalog = memoryCatalog({ store, runtime: virtualRuntime({ seed: 1 }) })
    const made = await catalog.createTable(orders, { schema })
    store.hooks.before = ({ op }) => {
      if (op === 'put') throw new RangeError('no')
    }
    await expect(catalog.commitTable(orders, set)).rejects.toThrow('no')
    expect(await catalog.loadTable(orders)).toEqual(made)
  })

  it('says that a table has lost its file, which engines would look for', async () => {
    const store = hookedStore()
    const catalog = memoryCatalog({ store, runtime: virtualRuntime({ seed: 1 }) })
    const { metadataLocation } = await catalog.createTable(orders, { schema })
    await store.delete(metadataLocation.slice(store.root.length))
    const vanished = { kind: 'not-found', code: 'FILE_VANISHED', context: { metadataLocation } }
    await expect(catalog.loadTable(orders)).rejects.toMatchObject(vanished)
  })

  it('refuses names that cannot be folders, and a prefix that is none', async () => {
    const options = { store: hookedStore(), runtime: virtualRuntime({ seed: 1 }) }
    await expect(memoryCatalog(options).loadTable({ namespace: ['..'], name: 'a' })).rejects.toMatchObject({
      kind: 'invalid',
    })
    expect(() => memoryCatalog({ ...options, prefix: 'lake' })).toThrow('slash')
    expect(() => memoryCatalog({ ...options, prefix: 'part #2/' })).toThrow('"memory://hooked/part #2/" holds "#"')
  })

  it('lets no table lie in the folder of another', async () => {
    const store = hookedStore()
    const catalog = memoryCatalog({ store, runtime: virtualRuntime({ seed: 1 }) })
    const at = (name: string, folder: string) =>
      catalog.createTable({ namespace: ['shop'], name }, { schema, location: store.root + folder })
    await at('one', 'tables/a/b')
    for (const folder of ['tables/a', 'tables/a/b', 'tables/a/b/data/c'])
      await expect(at('two', folder)).rejects.toMatchObject({ kind: 'unsupported', code: 'TABLE_LOCATION' })
    await at('three', 'tables/a/b2')
  })

  it('renames a table where it lies, and gives its old name a folder of its own', async () => {
    const store = hookedStore()
    const catalog = memoryCatalog({ store, runtime: virtualRuntime({ seed: 1 }) })
    const made = await catalog.createTable(orders, { schema })
    const sales = { namespace: ['shop'], name: 'sales' }
    await catalog.renameTable(orders, sales)
    const renamed = await catalog.commitTable(sales, set)
    expect(renamed.metadataLocation).toContain('/tables/shop/orders/metadata/00001-')
    const again = await catalog.createTable(orders, { schema })
    expect(again.metadata.location).toMatch(/\/tables\/shop\/orders-[0-9a-f-]{36}$/)
    expect(again.metadata.location).not.toBe(made.metadata.location)
  })

  it('puts a table where it is asked to, below its prefix and in no folder of another', async () => {
    const store = hookedStore()
    const catalog = memoryCatalog({ store, runtime: virtualRuntime({ seed: 1 }) })
    const location = 'memory://hooked/tables/elsewhere/x'
    const { metadata, metadataLocation } = await catalog.createTable(orders, { schema, location: `${location}/` })
    expect([metadata.location, metadataLocation.startsWith(`${location}/metadata/`)]).toEqual([location, true])
    const other = { namespace: ['shop'], name: 'other' }
    for (const taken of [location, 'memory://hooked/outside/x', 's3://bucket/x', 'memory://hooked/tables/../x'])
      await expect(catalog.createTable(other, { schema, location: taken })).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'TABLE_LOCATION',
      })
  })

  it('makes no table of a transaction when one of its files cannot be stored', async () => {
    const store = hookedStore()
    const catalog = memoryCatalog({ store, runtime: virtualRuntime({ seed: 1 }) })
    const other = { namespace: ['shop'], name: 'other' }
    const before = [await catalog.createTable(orders, { schema }), await catalog.createTable(other, { schema })]
    const commits = [orders, other].map((identifier) => ({ identifier, ...set }))
    store.hooks.before = ({ op, key }) => {
      if (op === 'put' && key.includes('/other/')) throw new RangeError('no')
    }
    await expect(catalog.commitTransaction(commits)).rejects.toThrow('no')
    delete store.hooks.before
    expect([await catalog.loadTable(orders), await catalog.loadTable(other)]).toEqual(before)
    await catalog.commitTransaction(commits)
    expect((await catalog.loadTable(other)).metadata.properties).toEqual({ a: '1' })
    await expect(catalog.commitTransaction([commits[0]!, commits[0]!])).rejects.toMatchObject({
      kind: 'invalid',
      code: 'TRANSACTION',
    })
  })

  it('does not make two tables of one transaction in one folder', async () => {
    const catalog = memoryCatalog({ store: hookedStore(), runtime: virtualRuntime({ seed: 1 }) })
    const location = 'memory://hooked/tables/x'
    const commits = ['a', 'b'].map((name) => ({
      identifier: { namespace: ['shop'], name },
      requirements: [{ type: 'assert-create' as const }],
      updates: creationUpdates({ schema }, { uuid: name, location }),
    }))
    await expect(catalog.commitTransaction(commits)).rejects.toMatchObject({ code: 'TABLE_LOCATION' })
    expect(await catalog.loadNamespace(['shop']).catch((error: unknown) => error)).toMatchObject({ kind: 'not-found' })
  })

  it('takes names that are no folders, and tells them apart', async () => {
    const store = hookedStore()
    const catalog = memoryCatalog({ store, runtime: virtualRuntime({ seed: 1 }) })
    const tables = [
      { namespace: ['a.b'], name: 'c' },
      { namespace: ['a'], name: 'b.c' },
      { namespace: ['a', 'b'], name: 'c' },
      { namespace: ['a'], name: 'b/c' },
      { namespace: ['ü'], name: '100 % "x"' },
    ]
    const locations = new Set<string>()
    for (const table of tables) locations.add((await catalog.createTable(table, { schema })).metadata.location)
    expect(locations.size).toBe(tables.length)
    for (const location of locations) expect(location).toMatch(/^memory:\/\/hooked\/tables\/[a-zA-Z0-9_\/-]+$/)
    expect((await catalog.loadNamespace(['a.b'])).namespace).toEqual(['a.b'])
    for (const name of ['', '.', '..', 'a\u001fb', '\ud800', 'x'.repeat(256)])
      await expect(catalog.loadTable({ namespace: ['a'], name })).rejects.toMatchObject({ code: 'TABLE_NAME' })
  })
})
