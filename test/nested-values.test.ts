/** Lists, structs and maps from a producer's value to other engines and back: log, table, cold read, scan, DuckDB. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { objectStoreCatalog } from '@moulin/catalog'
import { eq, isKind, isNull, keyOf, notNull, schema, systemRuntime, t, tableFiles } from '@moulin/core'
import type { Infer, Log, LogRecord, Topic } from '@moulin/core'
import { avro, encodeBatch, json, parquetWriter } from '@moulin/format'
import { planScan } from '@moulin/iceberg'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const Order = schema({
  id: t.int53,
  tags: t.list(t.string.optional()),
  at: t.struct({ x: t.double, label: t.string.optional() }).optional(),
  lines: t.list(t.struct({ sku: t.string, sizes: t.list(t.int), paid: t.map(t.string, t.double.optional()) })),
  counts: t.map(t.int, t.list(t.long.optional())),
  deep: t.list(t.list(t.list(t.struct({ a: t.map(t.string, t.list(t.int)).optional() })))).optional(),
})
type Order = Infer<typeof Order>

const times = <T>(count: number, of: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => of(at))

/** Everything of an order follows from its id: with empty and missing parts at every level. */
const order = (id: number): Order => ({
  id,
  tags: times(id % 4, (at) => (at === 1 ? null : `tag ${id} é${at}`)),
  at: id % 3 === 0 ? null : { x: id / 4, label: id % 2 === 0 ? null : `at ${id}` },
  lines: times(id % 3, (line) => ({
    sku: `sku-${id}-${line}`,
    sizes: times((id + line) % 4, (at) => at - id),
    paid: new Map(times((id + line) % 3, (at) => [`key ${at}`, at === 1 ? null : id + at / 2])),
  })),
  counts: new Map(times(id % 5, (at) => [at * id - 3, times(at, (n) => (n === 1 ? null : BigInt(id) * 10n ** 15n))])),
  deep:
    id % 4 === 0
      ? null
      : times(id % 3, (i) => times(i + 1, (j) => times(j, (k) => ({ a: k === 0 ? null : new Map([['k', [id, k]]]) })))),
})

const runtime = systemRuntime()
let root: string
const open: Log[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-nested-'))
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await rm(root, { recursive: true })
})

type Writing = { readonly threads: number; readonly fileWriter?: typeof parquetWriter }

async function openHere(writing: Writing, access: 'read-write' | 'read-only' = 'read-write'): Promise<Log> {
  const store = fileSystem({ root, files: runtime.files })
  const catalog = objectStoreCatalog({ store, runtime, access })
  const wal = fileWal({ dir: join(root, 'log/wal') })
  const log = await openLog({ store, wal, tier: icebergTier({ catalog, ...writing }), runtime, access })
  open.push(log)
  return log
}

async function allOf<T>(topic: Topic<T>): Promise<LogRecord<T>[]> {
  const records: LogRecord<T>[] = []
  for await (const record of topic.read({ from: 'earliest', to: 'end' })) records.push(record)
  return records
}

const bytesOf = (records: readonly LogRecord[]): (string | null)[] =>
  records.map(({ bytes }) => bytes && Buffer.from(bytes).toString('latin1'))

/** Entries instead of Maps and objects without a prototype, so that the order of entries counts. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return [...value].map(([key, member]) => ({ key: plain(key), value: plain(member) }))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** Values that say the same as canonical ones in other bytes, and one that says nothing. */
const strange = {
  avro: [
    // Blocks of one with and without a size; a key twice.
    hex('c801 02 02 0261 02 00 00 00 00 00 00'),
    hex('ca01 01 06 02 0261 00 00 00 00 00'),
    hex('cc01 00 00 02 0273 00 04 026b 00 026b 02 000000000000f03f 00 00 00 00'),
    hex('ff'),
  ],
  json: [
    utf8('{ "id": 100, "lines": [], "tags": ["a", null], "counts": [] }'),
    utf8('{"id":101,"tags":[],"at":{"label":null,"x":1.0},"lines":[],"counts":[]}'),
    utf8('{"id":102,"tags":[],"lines":[{"sku":"s","sizes":[],"paid":{"k":1,"k":2}}],"counts":[[1,[]],[1,[2]]]}'),
    utf8('{"id":103,"tags":{}}'),
  ],
}

const codecs = { avro: avro(Order), json: json(Order) }
const writings: Record<string, Writing> = {
  'the calling thread': { threads: 0, fileWriter: parquetWriter },
  'a worker': { threads: 1 },
}

describe.each(['avro', 'json'] as const)('nested values as %s', (format) => {
  describe.each(Object.keys(writings))('in files of %s', (writing) => {
    const config = { value: codecs[format], table: 'shop.orders', partitionBy: [], timestampBeforeMaxMs: -1 } as const

    it('come back byte for byte, scan as they were sent, and DuckDB reads the same', async () => {
      const log = await openHere(writings[writing]!)
      const topic = await log.ensureTopic('orders', config)
      const producer = topic.producer()
      await producer.sendAll(times(90, (id) => ({ key: `${id}`, value: id % 20 === 7 ? null : order(id) })))
      const records = strange[format].map((value, at) => ({
        offset: BigInt(at),
        timestamp: 1n,
        key: null,
        value,
        headers: [],
      }))
      await topic.append({ partition: 0, batches: encodeBatch({ baseOffset: 0n, timestampType: 'create', records }) })
      const hot = await allOf(topic)
      expect(hot).toHaveLength(94)
      await topic.tier()
      await producer.sendAll(times(10, (at) => ({ value: order(200 + at) })))
      await producer.close()

      // The table and what is still hot say the same as the values.
      const rows = await topic.scan().toArray()
      const sent = [...times(90, order).filter(({ id }) => id % 20 !== 7), ...times(10, (at) => order(200 + at))]
      const byId = new Map(rows.map((row) => [row.id, plain(row)]))
      for (const value of sent) expect(byId.get(value.id), String(value.id)).toEqual(plain(value))
      for (const { value } of hot.slice(90, 93)) expect(byId.get(value!.id)).toEqual(plain(value))
      expect(await topic.scan({ where: isNull('at') }).count()).toBe(rows.filter(({ at }) => at === null).length)
      expect(await topic.scan({ where: notNull('deep') }).count()).toBe(rows.filter(({ deep }) => deep !== null).length)

      await topic.tier()
      await log.releaseNow()
      const cold = await allOf(topic)
      expect(new Set(cold.map(({ fidelity }) => fidelity))).toEqual(new Set(['exact']))
      expect(bytesOf(cold).slice(0, 94)).toEqual(bytesOf(hot))
      expect((await topic.audit()).clean).toBe(true)
      const states = await topic.scan({ columns: ['_kafka_offset', '_kafka_value_state'] }).toArray()
      const stateOf = new Map(states.map((row) => [row._kafka_offset, row._kafka_value_state]))
      expect([0n, 7n, 90n, 91n, 92n, 93n].map((offset) => stateOf.get(offset))).toEqual([
        'typed',
        'null',
        'typed+raw',
        'typed+raw',
        'typed+raw',
        'raw',
      ])
      await log.close()

      const reader = await openHere(writings[writing]!, 'read-only')
      const again = await allOf(await reader.topic('orders'))
      expect(bytesOf(again)).toEqual(bytesOf(cold))
      expect(plain(again[5]!.value)).toEqual(plain(order(5)))

      const seen = await duckRows()
      for (const value of sent) {
        const { id, ...rest } = value
        expect(seen.get(String(id)), String(id)).toEqual(asDuckJson({ id: String(id), ...rest }))
      }
    })
  })

  it('refuses comparisons with a nested column by name, before it reads anything', async () => {
    const log = await openHere({ threads: 0 })
    const topic = await log.ensureTopic('orders', { value: codecs[format] })
    for (const column of ['tags', 'at', 'lines', 'counts']) {
      const where = eq(column as 'id', 1)
      const error: unknown = await topic
        .scan({ where })
        .toArray()
        .catch((reason: unknown) => reason)
      expect(isKind(error, 'invalid')).toBe(true)
      expect((error as Error).message).toMatch(`column ${column} of type`)
      expect((error as Error).message).toContain('only isNull and notNull')
    }
    // @ts-expect-error a list does not compare
    const wrong = (): unknown => topic.scan({ where: eq('tags', 'a') })
    expect(wrong).toBeTypeOf('function')
  })
})

async function duckRows(): Promise<Map<string, unknown>> {
  const store = fileSystem({ root, files: runtime.files })
  const catalog = objectStoreCatalog({ store, runtime, access: 'read-only' })
  const { metadata } = await catalog.loadTable({ namespace: ['shop'], name: 'orders' })
  const files: string[] = []
  for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata })) {
    files.push(`'${join(root, keyOf(store, file.filePath))}'`)
  }
  const instance = await DuckDBInstance.create(':memory:')
  const duck = await instance.connect()
  const columns = Order.fields.map(({ name }) => `"${name}"`).join()
  const result = await duck.runAndReadAll(`SELECT ${columns} FROM read_parquet([${files.join()}]) WHERE id IS NOT NULL`)
  const rows = new Map(result.getRowObjectsJson().map((row) => [String(row['id']), row as unknown]))
  duck.closeSync()
  instance.closeSync()
  return rows
}

/** As DuckDB's JSON has it: a map is a list of entries, a long a text. */
function asDuckJson(value: unknown): unknown {
  const said = plain(value)
  return JSON.parse(
    JSON.stringify(said, (_key, member: unknown) => (typeof member === 'bigint' ? String(member) : member)),
  )
}
