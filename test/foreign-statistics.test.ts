/** A table whose files say wrong things of their rows, and one whose manifests do: every way of reading stays right, only slower. */
import { and, eq, gte, isNull, lt, schema, t } from '@moulin/core'
import type { ColdTopic, Expression, ObjectStore } from '@moulin/core'
import { avro } from '@moulin/format'
import type { DataFile } from '@moulin/iceberg'
import { beforeEach, describe, expect, it } from 'vitest'
import { readAll, testLog, utf8 } from '../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'
import { placesIn } from '../packages/lake/src/look/missing-files.ts'
import { isAllLive } from '../packages/lake/src/scan/table-rows.ts'
import { footerNumber, footerStart, inFooter, withFooterNumber } from './parquet/edited-footer.ts'
import { thriftNumbers } from './parquet/thrift-fields.ts'

const RECORDS = 400
const codec = avro(schema({ id: t.int53, note: t.string }))
const folder = 'tables/shop/orders/data/'

/** No null count is one, no index holds, and bloom filters lie in the footer. */
function withWrongStatistics(bytes: Uint8Array): Uint8Array {
  let edited = bytes
  for (const { path } of thriftNumbers(bytes, footerStart(bytes)).numbers) {
    const [list, rowGroup, chunks, column] = path
    if (list !== 4 || chunks !== 1) continue
    const of = (place: readonly number[]): boolean => path.join('.') === place.join('.')
    if (of(inFooter.nullCount(rowGroup!, column!))) edited = withFooterNumber(edited, path, -1n)
    if (of(inFooter.columnIndex(rowGroup!, column!)) || of(inFooter.offsetIndex(rowGroup!, column!))) {
      edited = edited.slice()
      edited.fill(0xff, footerNumber(bytes, path), footerNumber(bytes, path) + 6)
    }
  }
  return edited
}

async function edit(store: ObjectStore, change: (bytes: Uint8Array) => Uint8Array): Promise<number> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix: folder })) keys.push(key)
  for (const key of keys) {
    const { bytes } = await store.get(key)
    await store.delete(key)
    await store.put(key, change(bytes))
  }
  return keys.length
}

const start = 1_700_000_000_000

async function tiered(): Promise<TestLog> {
  const log = testLog({ codec: codec as never, info: { partitions: 2, partitionBy: [] } })
  for (let at = 0; at < RECORDS; at += 100) {
    const records = Array.from({ length: 100 }, (_, i) => ({
      key: (at + i) % 3 === 0 ? null : utf8(`key ${at + i}`),
      value: codec.encode({ id: at + i, note: `note ${(at + i) % 7}` }),
      timestamp: BigInt(start + (at + i) * 1000),
    }))
    log.hot.send((at / 100) % 2, records)
  }
  const topic = await log.attach()
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return log
}

/** All that may ask a file for its statistics, as plain values. */
async function everything(topic: ColdTopic): Promise<unknown> {
  const scanned = async (where: Expression): Promise<unknown[]> => {
    const rows = await topic.scan({ columns: ['_kafka_partition', '_kafka_offset', 'id'], where }).toArray()
    return rows.map((row) => Object.values(row).join()).sort()
  }
  const read = await Promise.all([0, 1].map((partition) => readAll(topic, partition)))
  const since = async (timestamp: number): Promise<unknown> =>
    await topic.offsetSince!({ partition: 0, timestamp: BigInt(timestamp), to: 200n })
  return {
    read,
    middle: await readAll(topic, 1, 77n, 133n),
    needle: await scanned(and(eq('_kafka_partition', 1), eq('_kafka_offset', 42n))),
    range: await scanned(and(gte('_kafka_offset', 150n), lt('_kafka_offset', 170n))),
    value: await scanned(eq('note', 'note 5')),
    keyless: await scanned(isNull('_kafka_key')),
    absent: await scanned(eq('note', 'nowhere')),
    seeks: await Promise.all([start - 1, start + 50_000, start + 250_500, start + 10 ** 9].map(since)),
    count: await topic
      .scan({ columns: [] })
      .toArray()
      .then((rows) => rows.length),
    isClean: (await topic.audit({ deep: true })).clean,
  }
}

describe('a table whose files say wrong things of their rows', () => {
  let log: TestLog
  let right: unknown
  beforeEach(async () => {
    log = await tiered()
    right = await everything(await log.reopen().attach())
  })

  it('is read, sought, scanned, counted and audited as before', async () => {
    expect(right).toMatchObject({ seeks: [0n, 50n, 151n, undefined], count: RECORDS, absent: [], isClean: true })
    expect(await edit(log.store, withWrongStatistics)).toBeGreaterThan(0)
    expect(await everything(await log.reopen().attach())).toEqual(right)
  })
})

describe('bounds of a manifest', () => {
  const names = ['_kafka_partition', '_kafka_offset', '_kafka_incarnation']
  const columns = {
    byName: new Map(names.map((name, at) => [name, { id: at + 1, name, type: at === 1 ? 'long' : 'int' }])),
  }
  const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer)
  const long = (value: bigint): Uint8Array => new Uint8Array(BigInt64Array.of(value).buffer)
  const marker = { ledger: [{ partition: 0, incarnation: 1, start: 0n, frontier: 100n, rows: 100n }] }
  const file = (lower: Uint8Array, upper: Uint8Array): DataFile =>
    ({
      recordCount: 10n,
      nullValueCounts: new Map(names.map((_, at) => [at + 1, 0n])),
      lowerBounds: new Map([
        [1, int(0)],
        [2, lower],
        [3, int(1)],
      ]),
      upperBounds: new Map([
        [1, int(0)],
        [2, upper],
        [3, int(1)],
      ]),
    }) as unknown as DataFile
  const state = { marker, columns } as unknown as Parameters<typeof isAllLive>[1]
  const isLive = (lower: Uint8Array, upper: Uint8Array): boolean => isAllLive(file(lower, upper), state)

  it('prove that all rows are live, but not where they contradict each other or are no values', () => {
    expect(isLive(long(3n), long(12n))).toBe(true)
    expect(isLive(long(3n), long(100n))).toBe(false)
    expect(isLive(long(12n), long(3n))).toBe(false)
    expect(isLive(Uint8Array.of(1, 2, 3), long(12n))).toBe(false)
  })

  it('say where rows may be, and where they contradict each other, that they may be anywhere', () => {
    const of = (lower: Uint8Array, upper: Uint8Array): unknown => placesIn(file(lower, upper), columns as never)?.offset
    expect(of(long(3n), long(12n))).toEqual({ min: 3n, max: 12n })
    expect(of(long(12n), long(3n))).toEqual({ min: undefined, max: undefined })
  })
})
