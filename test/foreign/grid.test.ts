/**
 * Tables that Spark, DuckDB and Iceberg's own library write over all that a table may have, read without a log and compared with what
 * Spark reads: rows, counts, conditions, and every snapshot. Needs Java 17, Maven and Python; README.md says how it works.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import type { Expression, IcebergField } from '@moulin/core'
import { openTable } from '@moulin/lake'
import type { TableView } from '@moulin/lake'
import { fileSystem } from '@moulin/storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { duckdb, restCatalog, spark } from './engines.ts'
import { fixtureCatalog } from './fixture-catalog.ts'
import { added } from './grid-added.ts'
import { deletes } from './grid-deletes.ts'
import { evolution } from './grid-evolution.ts'
import { partitions } from './grid-partitions.ts'
import { typed } from './grid-types.ts'
import { selected, textOfOurs, textOfSpark } from './grid-values.ts'
import { GridTable } from './grid.ts'
import type { Condition, GridCase, GridEngines } from './grid.ts'
import { icebergWriter } from './iceberg-writer.ts'

const INSTALLS_MS = 900_000
/** On a busy machine. */
const TEST_MS = 240_000

let engines: GridEngines
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'moulin-grid-'))
  const catalog = await restCatalog()
  const { uri } = catalog
  const [theirSpark, theirDuckdb, java] = await Promise.all([
    spark({ version: '4.1.4', iceberg: '1.11.0', uri, isBrief: true }),
    duckdb(uri),
    icebergWriter(catalog),
  ])
  await theirSpark.sql('CREATE NAMESPACE lake.grid')
  engines = { catalog, spark: theirSpark, duckdb: theirDuckdb, java, folder }
}, INSTALLS_MS)
afterAll(async () => {
  await engines?.java.stop()
  await engines?.spark.stop()
  await engines?.duckdb.stop()
  await engines?.catalog.stop()
  if (engines !== undefined) await rm(engines.folder, { recursive: true })
})

/** What is compared, all as text. */
interface Reading {
  readonly fields: readonly IcebergField[]
  /** What Spark reads of: a table, as it was. */
  readonly source: string
  readonly view: TableView
}

/** Each as one line of text. */
interface TheirRow {
  readonly text: string
  /** Of each condition, whether it is true of the row. */
  readonly passes: readonly boolean[]
}

/** One query for the rows and all that is asked of them: Spark takes a second for each. */
async function theirRows({ fields, source }: Reading, conditions: readonly Condition[]): Promise<TheirRow[]> {
  const asked = [...fields.map(selected), ...conditions.map(([sql]) => `CAST(coalesce(${sql}, false) AS STRING)`)]
  const rows = await engines.spark.sql(`SELECT ${asked.join(', ')} FROM ${source}`)
  return rows.map((row) => ({
    text: fields.map(({ type }, at) => textOfSpark(type, row[at]!)).join(' | '),
    passes: row.slice(fields.length).map((text) => text === 'true'),
  }))
}

async function checkRows(reading: Reading, conditions: readonly Condition[] = []): Promise<void> {
  const { fields, source, view } = reading
  const columns = fields.map(({ name }) => name)
  const theirs = await theirRows(reading, conditions)
  const check = async (wanted: readonly TheirRow[], what: string, where?: Expression): Promise<void> => {
    const scan = view.scan({ columns, ...(where && { where }) })
    const ours = await scan.toArray()
    const texts = ours.map((row) => fields.map(({ name, type }) => textOfOurs(type, row[name])).join(' | '))
    expect(texts.sort(), what).toEqual(wanted.map(({ text }) => text).sort())
    expect(await scan.count(), what).toBe(wanted.length)
    expect(tableFromIPC(await scan.toIpc()).numRows).toBe(wanted.length)
  }
  await check(theirs, source)
  for (const [at, [sql, where]] of conditions.entries()) {
    await check(
      theirs.filter(({ passes }) => passes[at]),
      `${source} where ${sql}`,
      where,
    )
  }
}

const lineage: readonly IcebergField[] = ['_row_id', '_last_updated_sequence_number'].map((name) => {
  return { id: 0, name, required: false, type: 'long' }
})

function fieldsOf({ columns }: TableView, names: readonly string[] | undefined): readonly IcebergField[] {
  return names === undefined ? columns : [...columns, ...lineage].filter(({ name }) => names.includes(name))
}

/** The first one, one of the middle, and the one before the last. */
function someOf<T>(all: readonly T[]): readonly T[] {
  return [...new Set([all[0], all[all.length >> 1], all.at(-2)])].filter((one) => one !== undefined)
}

async function check({ name, write, where = [], columns, expected, refused }: GridCase): Promise<void> {
  const table = new GridTable(engines, name)
  await write(table)
  const { catalog, folder } = engines
  const opened = await openTable({
    catalog: fixtureCatalog(catalog),
    table: table.identifier,
    stores: fileSystem({ root: folder }),
    threads: 0,
  })
  const source = `lake.${table.identifier}`
  const reading = (view: TableView, at: string): Reading => ({
    fields: fieldsOf(view, columns),
    source: source + at,
    view,
  })
  if (refused !== undefined) {
    for (const read of [() => opened.scan().toArray(), () => opened.scan().toIpc(), () => opened.count()])
      await expect(read()).rejects.toMatchObject({ kind: 'unsupported', code: refused })
    // It was all right before.
    await checkRows(reading(opened.at(opened.snapshots()[0]!.id), ` VERSION AS OF ${opened.snapshots()[0]!.id}`))
    await opened.close()
    return
  }
  if (expected !== undefined) {
    const rows = await opened.scan().toArray()
    const texts = rows.map((row) => opened.columns.map((field) => textOfOurs(field.type, row[field.name])).join(' | '))
    expect(texts.sort()).toEqual(expected.map((row) => row.join(' | ')).sort())
    for (const [sql, expression] of where) {
      const passing = await opened.scan({ where: expression }).count()
      expect([sql, passing]).toEqual([sql, Number(sql)])
    }
    await opened.close()
    return
  }
  await checkRows(reading(opened, ''), where)
  // What it was: at some snapshots, and by each name.
  const snapshots = opened.snapshots()
  const refs = new Set(snapshots.flatMap((snapshot) => snapshot.refs.filter((ref) => ref !== 'main')))
  for (const { id } of someOf(snapshots)) await checkRows(reading(opened.at(id), ` VERSION AS OF ${id}`))
  for (const ref of refs) await checkRows(reading(opened.at({ ref }), ` VERSION AS OF '${ref}'`))
  await opened.close()
}

describe('a table of others is read as Spark reads it', { timeout: TEST_MS }, () => {
  for (const one of [...deletes, ...partitions, ...evolution, ...typed, ...added]) it(one.name, () => check(one))
})
