import { tableFiles } from '@moulin/core'
import type { Catalog, LoadedTable, ObjectStore, TableCommit } from '@moulin/core'
import type { CatalogServer } from '@moulin/gateway'
import { planAppend } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { append, messageOf, refusal, served, servedOrders, tables } from './gateway.ts'

const orders = { namespace: ['shop'], name: 'orders' }
const path = `${tables}/orders`
const nothing = new Map<number, never>()

/** One commit of files that lie where they say, and perhaps of one that lies elsewhere. */
async function appendTo(
  store: ObjectStore,
  catalog: Catalog,
  id: bigint,
  elsewhere: readonly string[] = [],
): Promise<void> {
  const table = await catalog.loadTable(orders)
  const key = `tables/shop/orders/data/${id}.parquet`
  await store.put(key, Buffer.from('rows'))
  const files = [store.root + key, ...elsewhere].map((filePath) => ({
    content: 0 as const,
    filePath,
    fileFormat: 'PARQUET' as const,
    specId: 0,
    partition: [],
    recordCount: 1n,
    fileSizeBytes: 4n,
    columnSizes: nothing,
    valueCounts: nothing,
    nullValueCounts: nothing,
    nanValueCounts: nothing,
    lowerBounds: nothing,
    upperBounds: nothing,
    splitOffsets: [],
    sortOrderId: undefined,
  }))
  const plan = await planAppend({
    table,
    tableFiles: tableFiles(store),
    snapshotId: id,
    commitId: `commit-${id}`,
    files,
    nowMs: Number(table.metadata['last-updated-ms']) + 1,
  })
  for (const { location, bytes } of plan.objects) await store.put(location.slice(store.root.length), bytes)
  await catalog.commitTable(orders, plan.commit)
}

async function keysIn(store: ObjectStore): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix: '' })) keys.push(key.replace(/^tables\/shop\//, ''))
  return keys.sort()
}

describe.each(['memory', 'folder'] as const)('DROP TABLE … PURGE over the %s catalog', (kind) => {
  it('deletes all that the table reaches, and nothing else', async () => {
    const { ask, store, catalog } = await servedOrders({ kind })
    await appendTo(store, catalog, 1n)
    // Whoever may write to a table may have it name what he likes: files of another table, of a log, of nobody.
    const others = [
      'tables/shop/orders-2/data/1.parquet',
      'tables/shop/orders/b/data/1.parquet',
      'log/topics/rides/v1.json',
    ]
    for (const key of others) await store.put(key, Buffer.from('rows'))
    const named = others.map((key) => store.root + key)
    await appendTo(store, catalog, 2n, ['s3://another/bucket/file.parquet', ...named])
    await store.put('tables/shop/orders/data/of-somebody-else.parquet', Buffer.from('rows'))
    expect(await keysIn(store)).toContain('orders/data/2.parquet')

    expect((await ask('DELETE', `${path}?purgeRequested=true`)).status).toBe(204)
    expect((await ask('HEAD', path)).status).toBe(404)
    const left = (await keysIn(store)).filter((key) => !/namespace/.test(key))
    // A folder counts on from its last version, which says that the table is gone.
    const last = kind === 'folder' ? [expect.stringMatching(/^orders\/metadata\/v\d+\.metadata\.json$/)] : []
    expect(left).toEqual([
      'log/topics/rides/v1.json',
      'orders-2/data/1.parquet',
      'orders/b/data/1.parquet',
      'orders/data/of-somebody-else.parquet',
      ...last,
    ])
    expect(
      (await ask('POST', tables, { name: 'orders', schema: (await import('./gateway.ts')).orders.schema })).status,
    ).toBe(200)
  })

  it('leaves the files when it is dropped without', async () => {
    const { ask, store, catalog } = await servedOrders({ kind })
    await appendTo(store, catalog, 1n)
    for (const query of ['', '?purgeRequested=false']) {
      expect((await ask('DELETE', path + query)).status).toBe(query === '' ? 204 : 404)
    }
    expect(await keysIn(store)).toContain('orders/data/1.parquet')
  })
})

describe('a table that is not purged', () => {
  const kept = async (change: (all: { catalog: Catalog; store: ObjectStore }) => Promise<unknown>, options = {}) => {
    const all = await servedOrders(options)
    await appendTo(all.store, all.catalog, 1n)
    await change(all)
    const refused = await all.ask('DELETE', `${path}?purgeRequested=true`)
    expect((await all.ask('HEAD', path)).status).toBe(204)
    expect(await keysIn(all.store)).toContain('orders/data/1.parquet')
    return [refusal(refused), messageOf(refused)]
  }
  const set =
    (updates: Record<string, string>) =>
    (all: { catalog: Catalog }): Promise<LoadedTable> =>
      all.catalog.commitTable(orders, { requirements: [], updates: [{ action: 'set-properties', updates }] })

  it("is a log's history", async () => {
    const marked = set({ 'moulin.marker.0190a6f0-0000-7000-8000-000000000000': '{}' })
    expect(await kept(marked)).toEqual([
      '406 UnsupportedOperationException',
      expect.stringContaining("a log's history"),
    ])
  })

  it("is what was a log's history, though somebody has removed its marker", async () => {
    const summarized = async ({ catalog }: { catalog: Catalog }): Promise<void> => {
      const { metadata } = await catalog.loadTable(orders)
      const { requirements, updates } = append(metadata) as unknown as TableCommit
      const ours = updates.map((update) =>
        update.action === 'add-snapshot'
          ? { ...update, snapshot: { ...update.snapshot, summary: { operation: 'append', 'moulin.log': '0190a6f0' } } }
          : update,
      )
      await catalog.commitTable(orders, { requirements, updates: ours })
    }
    expect(await kept(summarized)).toEqual([
      '406 UnsupportedOperationException',
      expect.stringContaining("a log's history"),
    ])
  })

  it.each(['false', 'FALSE', 'no', '0', ''])('is one whose files are not its own, gc.enabled=%s', async (value) => {
    expect(await kept(set({ 'gc.enabled': value }))).toEqual([
      '406 UnsupportedOperationException',
      expect.stringContaining('gc.enabled'),
    ])
  })

  it('is one that a log takes for its history meanwhile', async () => {
    const { catalog, store, metadata } = await servedOrders()
    await appendTo(store, catalog, 1n)
    let loads = 0
    const raced: Catalog = {
      ...catalog,
      async loadTable(...given) {
        if (++loads === 2) await set({ 'moulin.marker.0190a6f0-0000-7000-8000-000000000000': '{}' })({ catalog })
        return catalog.loadTable(...given)
      },
    }
    const { ask } = await served({ catalog: raced, stores: store })
    expect(refusal(await ask('DELETE', `${path}?purgeRequested=true`))).toBe('406 UnsupportedOperationException')
    expect((await catalog.loadTable(orders)).metadata['table-uuid']).toBe(metadata['table-uuid'])
  })

  it('is one whose files the server does not reach', async () => {
    const told = await kept(async () => {}, { stores: undefined as never as CatalogServer })
    expect(told).toEqual(['406 UnsupportedOperationException', expect.stringContaining('reaches no files')])
  })

  it('is one of which nobody can tell what it has', async () => {
    const lost = async ({ store }: { store: ObjectStore }): Promise<void> => {
      for await (const { key } of store.list({ prefix: 'tables/shop/orders/metadata/' }))
        if (key.endsWith('.avro')) await store.delete(key)
    }
    expect((await kept(lost))[0]).toBe('404 NotFoundException')
  })
})
