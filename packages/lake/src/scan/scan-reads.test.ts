/** What a scan fetches: bytes and ranges of the one data file, with all rows right. */
import { and, eq, gte, lt, schema, t } from '@moulin/core'
import type { Codec, ColdTopic, ObjectStore, ScanOptions } from '@moulin/core'
import { avro } from '@moulin/format'
import { hookedStore } from '@moulin/testing'
import { beforeAll, describe, expect, it } from 'vitest'
import { testLog } from '../lake.test-support.ts'

const RECORDS = 30_000
const Order = schema({ id: t.int53, note: t.string })
const codec = avro(Order) as Codec

let topic: ColdTopic
let fileBytes = 0
const fetched = { bytes: 0, reads: 0 }

/** Counts what is fetched of data files, once their footers are known. */
function counted(store: ObjectStore): ObjectStore {
  return {
    ...store,
    async get(key, options) {
      const object = await store.get(key, options)
      if (key.includes('/data/')) {
        fetched.bytes += object.bytes.length
        fetched.reads++
      }
      return object
    },
  }
}

beforeAll(async () => {
  const log = testLog({ codec, store: counted(hookedStore()), info: { partitions: 1, partitionBy: [] } })
  // Notes that do not compress, so that a page is a page.
  let seed = 42
  const noise = (): string => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0), seed.toString(36))
  for (let from = 0; from < RECORDS; from += 1000) {
    const note = (id: number): string => `${id} ${Array.from({ length: 12 }, noise).join('')}`
    const values = Array.from({ length: 1000 }, (_, at) => codec.encode({ id: from + at, note: note(from + at) }))
    log.hot.send(
      0,
      values.map((value) => ({ value })),
    )
  }
  topic = await log.attach()
  await topic.tier({ upTo: [BigInt(RECORDS)] })
  for await (const { size } of log.store.list({ prefix: 'tables/shop/orders/data/' })) fileBytes += size
  await topic.scan({ columns: [] }).toArray()
})

async function fetch(options: ScanOptions): Promise<{ ids: unknown[]; bytes: number; reads: number }> {
  fetched.bytes = fetched.reads = 0
  const rows = await topic.scan(options).toArray()
  return { ids: rows.map((row) => row['id']), ...fetched }
}

describe('a scan', () => {
  it('fetches the columns that it needs', async () => {
    const { ids, bytes } = await fetch({ columns: ['id'] })
    expect(ids).toHaveLength(RECORDS)
    expect(bytes).toBeLessThan(fileBytes / 5)
  })

  it('fetches of wide columns only what lies around the rows that pass', async () => {
    const { ids, bytes } = await fetch({ columns: ['id', 'note'], where: eq('id', 12_345) })
    expect(ids).toEqual([12_345])
    expect(bytes).toBeLessThan(fileBytes / 4)
  })

  it('fetches the pages of an offset range', async () => {
    const where = and(gte('_kafka_offset', 20_000n), lt('_kafka_offset', 20_010n))
    const { ids, bytes } = await fetch({ columns: ['id', 'note'], where })
    expect(ids).toEqual(Array.from({ length: 10 }, (_, at) => 20_000 + at))
    expect(bytes).toBeLessThan(fileBytes / 4)
  })

  it('fetches nothing where the footer says that no row matches', async () => {
    expect(await fetch({ columns: ['id', 'note'], where: eq('id', -1) })).toEqual({ ids: [], bytes: 0, reads: 0 })
  })
})
