import type { Catalog, CreateTableRequest, TableCommit } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { memoryCatalog } from './memory-catalog.ts'
import type { MetadataLimits } from './next-metadata.ts'
import { objectStoreCatalog } from './object-store-catalog.ts'

const orders = { namespace: ['shop'], name: 'orders' }
const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] } as const
const request: CreateTableRequest = { schema, properties: { a: 'x'.repeat(900) } }
const set = (name: string, value: string): TableCommit => ({
  requirements: [],
  updates: [{ action: 'set-properties', updates: { [name]: value } }],
})
const tight = { metadataWarnBytes: 900, metadataStopBytes: 900 }
const tooLarge = { kind: 'exhausted', code: 'METADATA_TOO_LARGE', outcome: 'rejected' }

const catalogs: Readonly<Record<string, typeof objectStoreCatalog | typeof memoryCatalog>> = {
  objectStoreCatalog,
  memoryCatalog,
}

describe.each(Object.keys(catalogs))('%s', (name) => {
  const open = (limits?: Partial<MetadataLimits>): { catalog: Catalog; store: ReturnType<typeof hookedStore> } => {
    const store = hookedStore()
    const runtime = virtualRuntime({ seed: 1 })
    return { store, catalog: catalogs[name]!({ store, runtime, ...(limits && { limits }) }) }
  }

  it('takes the limits of the call where it has none of its own, for a new table, too', async () => {
    const { catalog, store } = open()
    await expect(catalog.createTable(orders, request, { limits: tight })).rejects.toMatchObject(tooLarge)
    expect(store.calls.filter(({ op }) => op === 'put')).toEqual([])
    await catalog.createTable(orders, request)
    await expect(catalog.commitTable(orders, set('b', '1'), { limits: tight })).rejects.toMatchObject(tooLarge)
    await catalog.commitTable(orders, set('b', '1'))
  })

  it('holds to its own before', async () => {
    const { catalog } = open({ metadataStopBytes: 10_000 })
    await catalog.createTable(orders, request, { limits: tight })
    await catalog.commitTable(orders, set('b', 'x'.repeat(1_500)), { limits: tight })
    await expect(catalog.commitTable(orders, set('c', 'x'.repeat(9_000)))).rejects.toMatchObject(tooLarge)
  })
})
