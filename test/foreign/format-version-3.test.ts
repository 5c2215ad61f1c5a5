/**
 * Tables of format version 3, ours and those that others upgrade, and files that were put back: Spark reads every row once, and each
 * with an id that no other has. Needs Java 17, Maven and Python; README.md says how it works.
 */
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { openTable } from '@moulin/lake'
import { fileSystem } from '@moulin/storage'
import type { TopicConfig } from 'moulin'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { restCatalog, spark } from './engines.ts'
import type { RestCatalog, Rows, SqlEngine } from './engines.ts'
import { fixtureCatalog } from './fixture-catalog.ts'
import { checkLog, filledLog, opened, operate, removeLog, topicOf } from './operated-log.ts'
import type { OperatedLog } from './operated-log.ts'
import { changedValues, unchanged } from './operations.ts'
import type { Meaning } from './checks.ts'
import { codecs } from './orders.ts'
import type { Order, Sent } from './orders.ts'

const INSTALLS_MS = 900_000
const TEST_MS = 240_000

let catalog: RestCatalog
let engine: SqlEngine
beforeAll(async () => {
  catalog = await restCatalog()
  engine = await spark({ version: '4.1.4', iceberg: '1.11.0', uri: catalog.uri, isBrief: true })
}, INSTALLS_MS)
afterAll(async () => {
  await engine?.stop()
  await catalog?.stop()
})

let operated: OperatedLog
afterEach(() => removeLog(operated))

/** By place. */
type RowIds = Map<string, readonly [id: number, changed: number]>

/** Row id and the sequence number of the last change: every row of the table has its own. Spark and we read the same. */
async function rowIds(): Promise<RowIds> {
  const [theirs, ours] = await bothRowIds()
  expect(ours).toEqual(theirs)
  return theirs
}

const asked = ['_kafka_partition', '_kafka_offset', '_row_id', '_last_updated_sequence_number'] as const

/** As Spark reads them, and as `openTable` does. */
async function bothRowIds(): Promise<readonly [theirs: RowIds, ours: RowIds]> {
  let rows: Rows = []
  let ours: Rows = []
  await operate(catalog, operated, async (table) => {
    rows = await engine.sql(`SELECT ${asked.join(', ')} FROM lake.${table}`)
    const stores = fileSystem({ root: operated.dir })
    const opened = await openTable({ catalog: fixtureCatalog(catalog), table, stores, threads: 0 })
    const read = await opened.scan({ columns: asked }).toArray()
    ours = read.map((row) => asked.map((name) => String(row[name])))
    await opened.close()
  })
  const ids = new Set(rows.map(([, , id]) => id))
  expect(ids.has('None')).toBe(false)
  expect(ids.size).toBe(rows.length)
  const byPlace = (all: Rows): RowIds =>
    new Map(all.map(([partition, offset, id, changed]) => [`${partition}/${offset}`, [Number(id), Number(changed)]]))
  expect(ours.length).toBe(rows.length)
  return [byPlace(rows), byPlace(ours)]
}

const sum = (offsets: readonly bigint[]): number => Number(offsets.reduce((total, offset) => total + offset, 0n))
const highest = (ids: Iterable<readonly [number, number]>): number => Math.max(...[...ids].map(([id]) => id))

describe('row ids in a table of format version 3', { timeout: TEST_MS }, () => {
  it('are given to every row once, by all of our commits and those of others between them', async () => {
    operated = await filledLog({ value: codecs.avro, formatVersion: 3 })
    const before = await rowIds()
    expect(before.size).toBe(sum(operated.at.frontier))
    // Each of our commits has a sequence number of its own.
    expect([...new Set([...before.values()].map(([, changed]) => changed))].sort()).toEqual([1, 2, 3, 4])

    await operate(catalog, operated, async (table) => {
      await engine.sql(
        `ALTER TABLE lake.${table} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read', 'write.update.mode' = 'merge-on-read')`,
      )
      await engine.sql(`DELETE FROM lake.${table} WHERE id % 6 = 1`)
      await engine.sql(`UPDATE lake.${table} SET city = 'changed' WHERE id % 6 = 2`)
    })
    const isDeleted = ({ value }: Sent): boolean => value !== null && value !== undefined && Number(value.id) % 6 === 1
    const set = changedValues(
      codecs.avro,
      ({ id }) => id % 6 === 2,
      (value) => ({ ...value, city: 'changed' }),
    )
    const meaning: Meaning = { change: (sent) => (isDeleted(sent) ? undefined : set(sent)) }
    // Which appends beside the deletion vectors.
    await checkLog(operated, meaning, 'intact')
    const after = await rowIds()
    const deleted = operated.book.records.filter(
      (sent) => before.has(`${sent.partition}/${sent.offset}`) && isDeleted(sent),
    )
    expect(deleted.length).toBeGreaterThan(10)
    expect(after.size).toBe(sum(operated.at.frontier) - deleted.length)
    const kept = [...after].filter(([place]) => before.has(place))
    expect(kept.map(([place, [id]]) => [place, id])).toEqual(kept.map(([place]) => [place, before.get(place)![0]]))
    const isNew = [...after].filter(([place]) => !before.has(place))
    expect(isNew.length).toBeGreaterThan(0)
    expect(Math.min(...isNew.map(([, [id]]) => id))).toBeGreaterThan(highest(before.values()))

    // Files written anew: with the same values, with others, and by position.
    await operate(catalog, operated, async (table) => {
      await engine.sql(`ALTER TABLE lake.${table} SET TBLPROPERTIES ('write.update.mode' = 'copy-on-write')`)
      await engine.sql(`UPDATE lake.${table} SET city = 'again' WHERE id % 6 = 3`)
      await engine.sql(
        `CALL lake.system.rewrite_data_files(table => '${table}', strategy => 'sort', sort_order => 'city DESC', options => map('rewrite-all', 'true'))`,
      )
      await engine.sql(`CALL lake.system.rewrite_manifests('${table}')`)
      await engine.sql(
        `MERGE INTO lake.${table} AS t USING (SELECT 4 AS rest) AS s ON t.id % 6 = s.rest WHEN MATCHED THEN UPDATE SET city = 'merged'`,
      )
    })
    const last = await rowIds()
    expect([...last].map(([place, [id]]) => [place, id]).sort()).toEqual(
      [...after].map(([place, [id]]) => [place, id]).sort(),
    )
    const moved = [...last].filter(([place, [, changed]]) => changed !== after.get(place)![1])
    expect(moved.length).toBeGreaterThan(20)
    expect(moved.length).toBeLessThan(last.size / 2)
  })

  it('of files that were compacted before an upgrade are of the data, not of the file', async () => {
    operated = await filledLog({ value: codecs.json })
    let entries: Rows = []
    await operate(catalog, operated, async (table) => {
      await engine.sql(
        `CALL lake.system.rewrite_data_files(table => '${table}', options => map('rewrite-all', 'true'))`,
      )
      await engine.sql(`ALTER TABLE lake.${table} SET TBLPROPERTIES ('format-version' = '3')`)
      await engine.sql(`DELETE FROM lake.${table} WHERE id = -1`)
      entries = await engine.sql(
        `SELECT DISTINCT sequence_number, file_sequence_number FROM lake.${table}.entries WHERE status < 2 AND data_file.content = 0`,
      )
    })
    const [theirs, ours] = await bothRowIds()
    const numbersOf = (ids: RowIds): string[] => [...new Set([...ids.values()].map(([, changed]) => String(changed)))]
    expect(ours.size).toBe(sum(operated.at.frontier))
    expect([...ours].map(([place, [id]]) => [place, id])).toEqual(
      [...ours.keys()].map((place) => [place, theirs.get(place)![0]]),
    )
    // As the specification has it; Iceberg 1.11.0 takes the other one (apache/iceberg#17039).
    expect(entries).toHaveLength(1)
    expect(entries[0]![0]).not.toBe(entries[0]![1])
    expect(numbersOf(ours)).toEqual([entries[0]![0]])
  })

  it('come to a table of version 2 that somebody upgrades, and which we go on to write', async () => {
    operated = await filledLog({ value: codecs.json, partitionBy: [] })
    await operate(catalog, operated, (table) =>
      engine.sql(`ALTER TABLE lake.${table} SET TBLPROPERTIES ('format-version' = '3')`),
    )
    await checkLog(operated, unchanged, 'intact')
    const ids = await rowIds()
    expect(ids.size).toBe(sum(operated.at.frontier))
    await operate(catalog, operated, (table) => engine.sql(`DELETE FROM lake.${table} WHERE id = -1`))
    await checkLog(operated, unchanged, 'intact')
    const after = await rowIds()
    for (const [place, id] of ids) expect(after.get(place), place).toEqual(id)
  })
})

describe('files that vanished and were put back', { timeout: TEST_MS }, () => {
  it.each([2, 3] as const)('have the same rows to Spark, in a table of version %i', async (formatVersion) => {
    const config: TopicConfig<Order> = { value: codecs.avro, formatVersion }
    operated = await filledLog(config)
    const before = formatVersion === 3 ? await rowIds() : undefined
    let newest: Rows = []
    await operate(catalog, operated, async (table) => {
      newest = await engine.sql(
        `SELECT data_file.file_path FROM lake.${table}.entries WHERE sequence_number >= 3 AND data_file.content = 0`,
      )
    })
    expect(newest.length).toBeGreaterThan(1)
    for (const [location] of newest) await rm(fileURLToPath(location!))

    const log = await opened(operated.dir)
    const topic = await topicOf(log)
    // Which looks at the files.
    await log.releaseNow()
    await vi.waitFor(() => expect(topic.stats()).toMatchObject({ missingFileCount: 0, lastError: null }), 60_000)
    await log.close()
    await checkLog(operated, unchanged, 'intact')
    await operate(catalog, operated, async (table) => {
      const operations = await engine.sql(`SELECT operation FROM lake.${table}.snapshots ORDER BY committed_at`)
      expect(operations.map(([operation]) => operation).filter((operation) => operation === 'replace')).toHaveLength(2)
      const [[rows, places] = []] = await engine.sql(
        `SELECT count(*), count(DISTINCT _kafka_partition, _kafka_offset) FROM lake.${table}`,
      )
      expect([rows, places]).toEqual([String(sum(operated.at.frontier)), String(sum(operated.at.frontier))])
    })
    if (before === undefined) return
    const [theirs, ours] = await bothRowIds()
    for (const [place, row] of before) {
      expect(theirs.get(place)?.[0], place).toBe(row[0])
      // Iceberg 1.11.0 reads from the number of their file that they changed with the commit that put them back.
      expect(ours.get(place), place).toEqual(row)
    }
  })
})
