/**
 * Engines that know only Iceberg, on a folder lake through our server, while a log tiers into it: they make, write and read tables of their
 * own, and find in the log's table all that was acked before they asked.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { objectStoreCatalog } from '@moulin/catalog'
import { serveCatalog } from '@moulin/gateway'
import type { CatalogServer } from '@moulin/gateway'
import { fileSystem } from '@moulin/storage'
import { json, openLog, schema, t } from 'moulin'
import type { Log, Topic } from 'moulin'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { python } from '../interop/python.ts'
import { duckdb, spark } from './engines.ts'
import type { SqlEngine } from './engines.ts'

const INSTALLS_MS = 900_000
const TEST_MS = 240_000
const LAG_MS = 4_000

const Ride = schema({ id: t.int53, city: t.string })
type Ride = { id: number; city: string }

let root: string
let log: Log
let rides: Topic<Ride>
let server: CatalogServer
let sent = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'moulin-gateway-'))
  log = await openLog(root, { threads: 0 })
  rides = await log.ensureTopic('rides', { value: json(Ride), table: 'shop.rides', partitions: 2 })
  server = await served(0)
})
afterAll(async () => {
  await server?.close()
  await log?.close()
  await rm(root, { recursive: true })
})

function served(maxStalenessMs: number): Promise<CatalogServer> {
  const store = fileSystem({ root })
  const catalog = objectStoreCatalog({ store })
  return serveCatalog({ catalog, stores: store, logs: [log], maxStalenessMs, listen: '127.0.0.1:0' })
}

async function send(count: number): Promise<void> {
  const producer = rides.producer()
  const acks = Array.from({ length: count }, () => producer.send({ value: { id: sent++, city: 'ams' } }))
  await Promise.all(acks)
  await producer.close()
}

/** After each wave has been acked for long enough, the engine sees all of it; between the waves the log tiers by itself, too. */
async function seesAll(engine: SqlEngine, through: CatalogServer, maxStalenessMs = 0): Promise<void> {
  for (let wave = 0; wave < 3; wave++) {
    await send(50)
    if (wave === 1) await rides.tier()
    while ((rides.stats().untieredAgeMs ?? Infinity) <= maxStalenessMs) await setTimeout(50)
    const [[count, highest]] = (await engine.sql(
      'SELECT count(*), max(id) FROM lake.shop.rides WHERE _kafka_partition IS NOT NULL',
    )) as [[string, string]]
    expect([Number(count), Number(highest)]).toEqual([sent, sent - 1])
  }
  expect((await through.stats()).staleLoads).toBe(0)
}

/** Offsets of the log's records in a view, by partition. */
async function placesIn(engine: SqlEngine, view: string): Promise<string[][]> {
  const place = '_kafka_partition, _kafka_offset'
  const rows = await engine.sql(`SELECT ${place} FROM ${view} WHERE _kafka_partition IS NOT NULL ORDER BY ${place}`)
  return rows.map((row) => [...row])
}

/** Each once. */
function placesSent(): string[][] {
  return rides
    .offsets()
    .flatMap(({ partition, highWatermark }) =>
      Array.from({ length: Number(highWatermark) }, (_, at) => [String(partition), String(at)]),
    )
}

async function checkLog(): Promise<void> {
  const report = await rides.audit()
  expect(report.clean).toBe(true)
  const ids = (await rides.scan({ columns: ['id'] }).toArray()).map(({ id }) => id).filter((id) => id >= 0)
  expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, id) => id))
}

describe('through the server over a folder', { timeout: TEST_MS }, () => {
  it('DuckDB makes, writes and reads tables, and sees what was just sent', { timeout: INSTALLS_MS }, async () => {
    // It shows nothing that is younger than its own transaction, so it has to be let behind a little.
    const lagging = await served(LAG_MS)
    const engine = await duckdb(lagging.url)
    try {
      await engine.sql('CREATE SCHEMA lake.duck')
      await engine.sql('CREATE TABLE lake.duck.own (id BIGINT, city VARCHAR)')
      await engine.sql("INSERT INTO lake.duck.own VALUES (1, 'ams'), (2, 'ber')")
      await engine.sql("INSERT INTO lake.duck.own VALUES (3, 'par')")
      await engine.sql('DELETE FROM lake.duck.own WHERE id = 2')
      expect(await engine.sql('SELECT id, city FROM lake.duck.own ORDER BY 1')).toEqual([
        ['1', 'ams'],
        ['3', 'par'],
      ])
      await seesAll(engine, lagging, LAG_MS)
      await engine.sql("INSERT INTO lake.shop.rides (id, city) VALUES (-1, 'own')")
      await seesAll(engine, lagging, LAG_MS)
      await expect(engine.sql('CREATE TABLE lake.duck.own (id BIGINT)')).rejects.toThrow(/exist/i)
      await engine.sql('DROP TABLE lake.duck.own')
      await engine.sql('DROP SCHEMA lake.duck')
    } finally {
      await engine.stop()
      await lagging.close()
    }
    await checkLog()
  })

  it('PyIceberg makes, writes and reads tables of its own', async () => {
    const script = fileURLToPath(new URL('pyiceberg_catalog.py', import.meta.url))
    const [{ stdout }] = await Promise.all([
      promisify(execFile)(await python(), [script, server.url, 'berg'], { maxBuffer: 1 << 26 }),
      send(100).then(() => rides.tier()),
    ])
    expect(JSON.parse(stdout)).toEqual({
      properties: { owner: 'ann' },
      columns: ['id', 'city', 'total'],
      rows: [1, 1, 2, 3],
      left: [2, 3],
      staged: 3,
      tables: ['kept', 'staged'],
      again: 'TableAlreadyExistsError',
      full: 'NamespaceNotEmptyError',
      gone: 'NoSuchTableError',
    })
    // What was purged has left nothing but the version that says so.
    const left = await readdir(join(root, 'tables/berg/staged'), { recursive: true })
    expect(left.filter((name) => /\.(parquet|avro)$/.test(name))).toEqual([])
    await checkLog()
  })

  it('Spark makes, writes and reads tables, and sees what was just sent', { timeout: INSTALLS_MS }, async () => {
    const engine = await spark({ version: '4.1.4', iceberg: '1.11.0', uri: server.url, isBrief: true })
    try {
      await engine.sql('CREATE NAMESPACE lake.sparks')
      await engine.sql('CREATE TABLE lake.sparks.own (id BIGINT, city STRING) PARTITIONED BY (city)')
      await engine.sql("INSERT INTO lake.sparks.own VALUES (1, 'ams'), (2, 'ber')")
      await engine.sql("UPDATE lake.sparks.own SET city = 'par' WHERE id = 2")
      await engine.sql('ALTER TABLE lake.sparks.own ADD COLUMN total DOUBLE')
      await engine.sql('CREATE OR REPLACE TABLE lake.sparks.copy AS SELECT id, city FROM lake.sparks.own')
      await engine.sql('CREATE OR REPLACE TABLE lake.sparks.copy AS SELECT id + 10 AS id, city FROM lake.sparks.own')
      expect(await engine.sql('SELECT id, city FROM lake.sparks.copy ORDER BY id')).toEqual([
        ['11', 'ams'],
        ['12', 'par'],
      ])
      // What DuckDB made it of: a row of nobody, which Spark updates below.
      await engine.sql("INSERT INTO lake.shop.rides (id, city) VALUES (-2, 'own')")
      await engine.stream('lake.shop.rides', 'appended')
      await seesAll(engine, server)
      await engine.sql(
        "CALL lake.system.rewrite_data_files(table => 'shop.rides', options => map('min-input-files', '2'))",
      )
      await seesAll(engine, server)
      expect(await engine.streamed('appended')).toBeGreaterThan(1)
      expect(await placesIn(engine, 'appended')).toEqual(placesSent())
      await engine.sql("UPDATE lake.shop.rides SET city = 'other' WHERE id = -2")
      await send(50)
      await expect(engine.streamed('appended')).rejects.toThrow(/streaming-skip-overwrite-snapshots/)
      await engine.stream('lake.shop.rides', 'skipping', { 'streaming-skip-overwrite-snapshots': 'true' })
      await seesAll(engine, server)
      await engine.streamed('skipping')
      expect(await placesIn(engine, 'skipping')).toEqual(placesSent())
      await engine.sql('DROP TABLE lake.sparks.copy PURGE')
      await expect(engine.sql('ALTER TABLE lake.sparks.own RENAME TO lake.sparks.other')).rejects.toThrow()
      expect(await engine.sql('SHOW TABLES IN lake.sparks')).toHaveLength(1)
    } finally {
      await engine.stop()
    }
    await checkLog()
  })
})
