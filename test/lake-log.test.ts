/** The real log over the real tier, in a folder. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { objectStoreCatalog } from '@moulin/catalog'
import { eq, keyOf, month, schema, systemRuntime, t, tableFiles } from '@moulin/core'
import type { Infer, Log, LogRecord, Position, Topic } from '@moulin/core'
import { avro, json } from '@moulin/format'
import type { FileWriterFactory } from '@moulin/format'
import { hyparquetWriter } from '@moulin/format/second-opinion'
import { planScan } from '@moulin/iceberg'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const Trip = schema({ id: t.int53, city: t.string, note: t.string.optional(), at: t.timestamptz })
type Trip = Infer<typeof Trip>
const runtime = systemRuntime()
const trip = (id: number): Trip => ({
  id,
  city: `city-${id % 5}`,
  note: id % 3 === 0 ? null : `note ${id}`,
  at: new Date(Date.UTC(2001, id % 6, 1 + (id % 28))),
})

let root: string
const open: Log[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-lake-'))
})
afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  await rm(root, { recursive: true })
})

interface Writing {
  readonly threads: number
  readonly fileWriter?: FileWriterFactory
}

async function openHere(
  access: 'read-write' | 'read-only' = 'read-write',
  writing: Writing = { threads: 0 },
): Promise<Log> {
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
  return records.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
}

const bytesOf = (records: readonly LogRecord[]): unknown[] =>
  records.map(({ partition, offset, timestamp, key, bytes, headers }) => [
    partition,
    offset,
    timestamp,
    key && Buffer.from(key).toString('hex'),
    bytes && Buffer.from(bytes).toString('hex'),
    headers.map(([name, value]) => [name, value && Buffer.from(value).toString('hex')]),
  ])

async function fill(topic: Topic<Trip>, from: number, to: number): Promise<void> {
  const producer = topic.producer({ batchBytes: 2_000 })
  const records = Array.from({ length: to - from }, (_, at) => ({
    key: `key-${at % 17}`,
    value: (from + at) % 50 === 7 ? null : trip(from + at),
    headers: at % 10 === 0 ? { trace: String(at) } : {},
  }))
  await producer.sendAll(records)
  await producer.close()
}

const ourName = 'moulin version 0.1.0'

describe.each([
  { name: 'avro', codec: avro(Trip), writing: { threads: 0 } },
  { name: 'json', codec: json(Trip), writing: { threads: 1 } },
  // Beside our own encoder, in the calling thread.
  { name: 'hyparquet-writer', codec: avro(Trip), writing: { threads: 0, fileWriter: await hyparquetWriter() } },
])('a log whose history is a table ($name)', ({ name, codec, writing }) => {
  const config = { value: codec, partitions: 3, table: 'travel.trips', partitionBy: [month('at')] } as const

  it('gives the same records hot, half tiered, released, and in another process without the schema', async () => {
    const log = await openHere('read-write', writing)
    const topic = await log.ensureTopic('trips', config)
    await fill(topic, 0, 400)
    const hot = await allOf(topic)
    expect(hot).toHaveLength(400)
    const first = await topic.tier()
    expect(first.rows).toBe(400)
    await fill(topic, 400, 600)
    expect(await topic.scan().count()).toBe(600)
    expect((await topic.scan({ columns: ['id'], where: eq('city', 'city-3') }).toArray()).length).toBe(120)
    const { snapshotId } = await topic.tier()
    expect(topic.stats().snapshotId).toBe(snapshotId)
    await log.releaseNow()
    expect(log.stats()).toMatchObject({ untieredBytes: 0, unreleasedBytes: 0 })
    const cold = await allOf(topic)
    expect(bytesOf(cold).filter((_, at) => cold[at]!.fidelity !== 'exact')).toEqual([])
    expect(bytesOf(cold)).toEqual(expect.arrayContaining(bytesOf(hot)))
    expect((await topic.audit()).clean).toBe(true)
    await log.close()

    const reader = await openHere('read-only')
    const again = await reader.topic('trips')
    const read = await allOf(again)
    expect(bytesOf(read)).toEqual(bytesOf(cold))
    // Of the table, whoever made its last commit.
    expect(again.stats().snapshotId).toBe(snapshotId)
    expect(read.filter(({ value, bytes }) => (value === undefined) !== (bytes === null))).toEqual([])
    expect(read.find(({ offset, partition }) => offset === 0n && partition === 0)!.value).toMatchObject({
      city: expect.stringMatching(/^city/),
    })
    const positions: Position[] = cold
      .filter((_, at) => at % 7 === 0)
      .map(({ partition, offset }) => ({ partition, offset }))
    const seen: (LogRecord | undefined)[] = []
    for await (const record of again.readAt(positions)) seen.push(record)
    expect(seen.map((record) => record && { partition: record.partition, offset: record.offset })).toEqual(positions)
  })

  it('agrees with DuckDB row for row, also on the audit', async () => {
    const log = await openHere('read-write', writing)
    const topic = await log.ensureTopic('trips', config)
    await fill(topic, 0, 300)
    await topic.tier()
    await fill(topic, 300, 500)
    await topic.tier()
    const store = fileSystem({ root, files: runtime.files })
    const catalog = objectStoreCatalog({ store, runtime, access: 'read-only' })
    const { metadata } = await catalog.loadTable({ namespace: ['travel'], name: 'trips' })
    const files: string[] = []
    for await (const { file } of planScan({ tableFiles: tableFiles(store), metadata }))
      files.push(`'${join(root, keyOf(store, file.filePath))}'`)
    const instance = await DuckDBInstance.create(':memory:')
    const duck = await instance.connect()
    await duck.run(`CREATE VIEW trips AS SELECT * FROM read_parquet([${files.join()}])`)
    const writers = await duck.runAndReadAll(`SELECT DISTINCT created_by FROM parquet_file_metadata([${files.join()}])`)
    const isSecond = name === 'hyparquet-writer'
    expect(writers.getRowObjects()).toEqual([{ created_by: isSecond ? 'moulin (hyparquet-writer)' : ourName }])
    const report = await topic.audit()
    const audited = (await duck.runAndReadAll(report.sql.replace('{table}', 'trips'))).getRowObjects()
    expect(audited.map((row) => [row['_kafka_partition'], row['row_count'], row['checksum']])).toEqual(
      report.partitions.map(({ partition, rows, checksum }) => [partition, rows, checksum]),
    )
    const counts = await duck.runAndReadAll('SELECT city, count(*) AS n FROM trips WHERE city IS NOT NULL GROUP BY 1')
    for (const { city, n } of counts.getRowObjects()) {
      expect(await topic.scan({ where: eq('city', String(city)) }).count()).toBe(Number(n))
    }
    duck.closeSync()
    instance.closeSync()
  })

  it('is followed by a reader in another process while the writer tiers and releases', async () => {
    const log = await openHere('read-write', writing)
    const topic = await log.ensureTopic('trips', config)
    await fill(topic, 0, 100)
    await topic.tier()
    const reader = await (await openHere('read-only')).topic('trips')
    await fill(topic, 100, 200)
    await topic.tier()
    await log.releaseNow()
    expect(await reader.scan().count()).toBe(200)
    expect(bytesOf(await allOf(reader)).length).toBeGreaterThanOrEqual(100)
  })
})
