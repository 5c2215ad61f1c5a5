import { tableIdentifier } from '@moulin/core'
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
    store.hooks.before = () => {
      throw new RangeError('no')
    }
    await expect(catalog.commitTable(orders, set)).rejects.toThrow('no')
    expect(await catalog.loadTable(orders)).toEqual(made)
  })

  it('refuses names that cannot be folders, and a prefix that is none', async () => {
    const options = { store: hookedStore(), runtime: virtualRuntime({ seed: 1 }) }
    await expect(memoryCatalog(options).loadTable({ namespace: ['..'], name: 'a' })).rejects.toMatchObject({
      kind: 'invalid',
    })
    expect(() => memoryCatalog({ ...options, prefix: 'lake' })).toThrow('slash')
    expect(() => memoryCatalog({ ...options, prefix: 'part #2/' })).toThrow('"memory://hooked/part #2/" holds "#"')
  })
})
