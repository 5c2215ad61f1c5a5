/**
 * The layers of a store, in the order of docs/stores.md. Here over a store in memory; over a cloud's it is the same.
 *
 *     node examples/layers.ts
 */
import { cache, hedge, limit, memory, meter, prefix, priceTables, retry } from '@moulin/storage'

const adapter = memory()
const metered = meter(adapter, { prices: priceTables.s3 })
const hedged = hedge(metered, { percentile: 95 })
const tried = retry(limit(hedged, { concurrency: 32 }), { maxTries: 5, maxRetryMs: 30_000 })
const cached = cache(tried, {
  maxBytes: 64 * 1024 * 1024,
  // Files of a table have names of their own, so nobody writes one a second time.
  isImmutable: (key) => /\.(parquet|avro|puffin)$/.test(key),
})
const store = prefix(cached, 'lake/')

await store.put('data/1.parquet', new Uint8Array(5_000_000), { mode: 'create' })
for (let i = 0; i < 100; i++) await store.get('data/1.parquet', { range: { suffix: 8 } })

const { reads, hits } = cached.cacheStats()
const { requests } = metered.usage()
console.log(`${reads} reads, ${hits} of them from the cache; ${requests.put} put and ${requests.get} gets went out`)
console.log(`that is ${((metered.cost()?.total ?? 0) * 1e6).toFixed(1)} millionths of a dollar`)
