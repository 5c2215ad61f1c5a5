/**
 * What other engines do to the table of a topic, and what the log says afterwards. Needs Java 17, Maven and Python; README.md
 * says how it works.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { rangesOf, rowsOfEngine } from './checks.ts'
import { expectOnPage } from './engine-results.ts'
import { duckdb, restCatalog, spark } from './engines.ts'
import type { RestCatalog } from './engines.ts'
import { checkLog, checkRefused, filledLog, opened, operate, removeLog, topicOf } from './operated-log.ts'
import type { OperatedLog } from './operated-log.ts'
import {
  call,
  copies,
  operations,
  rewritten,
  rollback,
  rowLevel,
  unchanged,
  withoutRowLevelDeletes,
} from './operations.ts'
import type { Engines, Operation } from './operations.ts'
import { codecs } from './orders.ts'
import type { Sent } from './orders.ts'

const INSTALLS_MS = 900_000
/** On a busy machine; seconds of an idle one are in README.md. */
const TEST_MS = 240_000

let catalog: RestCatalog
/** One process of each for all operations. */
let engines: Engines
beforeAll(async () => {
  catalog = await restCatalog()
  const { uri } = catalog
  const [theirSpark, theirDuckdb] = await Promise.all([spark({ iceberg: '1.11.0', uri, isBrief: true }), duckdb(uri)])
  engines = { spark: theirSpark, duckdb: theirDuckdb, uri }
}, INSTALLS_MS)
afterAll(async () => {
  await engines?.spark.stop()
  await engines?.duckdb.stop()
  await catalog?.stop()
})

let operated: OperatedLog
afterEach(() => removeLog(operated))

/** The log has committed on top of what others did: they must read that, too. */
async function checkEngine({ meaning, cityColumn = 'city' }: Pick<Operation, 'meaning' | 'cityColumn'>): Promise<void> {
  await operate(catalog, operated, async (table) => {
    const rows = await engines.duckdb.sql(
      `SELECT _kafka_partition, _kafka_offset, id, ${cityColumn} FROM lake.${table}
       WHERE _kafka_partition IS NOT NULL ORDER BY 1, 2, 4`,
    )
    // In an order of our own: engines differ in where nulls go.
    expect(rows.map(String).sort()).toEqual(rowsOfEngine(operated.book, meaning, operated.at).map(String).sort())
  })
}

describe('an operation of another engine on the table of a topic', { timeout: TEST_MS }, () => {
  const check = async (operation: Operation): Promise<void> => {
    const { config, work, meaning, verdict = 'intact' } = operation
    operated = await filledLog(config)
    await operate(catalog, operated, (table) => work(engines, table))
    await checkLog(operated, meaning, verdict)
    await checkEngine(operation)
    await expectOnPage(operation.name, 'right')
  }
  for (const operation of operations) it(operation.name, () => check(operation))
  it(copies.name, () => check(copies))
})

describe('deletes beside the rows', { timeout: TEST_MS }, () => {
  it.each(rowLevel)('are read, and are read until the files are rewritten, after $name', async (operation) => {
    const { name, config, work, meaning } = operation
    operated = await filledLog(config)
    await operate(catalog, operated, (table) => work(engines, table))
    await checkLog(operated, meaning, 'intact')
    await checkEngine({ meaning })
    await expectOnPage(name, 'right')
    await operate(catalog, operated, (table) => withoutRowLevelDeletes(engines, table))
    await checkLog(operated, meaning, 'intact')
    await checkEngine({ meaning })
    await expectOnPage(name + rewritten, 'right')
  })
})

describe('a refused table is a state of its topic', { timeout: TEST_MS }, () => {
  const rollBack = (commit: number): Promise<void> =>
    operate(catalog, operated, (table) =>
      call(engines, 'rollback_to_snapshot', table, `snapshot_id => ${operated.commits[commit]!.snapshotId}`),
    )

  it('until the rollback is taken back, after Spark: rollback', async () => {
    operated = await filledLog({ value: codecs.json })
    await rollBack(0)
    const lost = operated.at.released.map((end, partition) => `partition ${partition} [0, ${end})`).join(', ')
    const context = expect.objectContaining({ fault: 'left-main', lost }) as object
    await checkRefused(operated, { kind: 'conflict', code: rollback.code, context })
    await expectOnPage(rollback.name, `refused, ${rollback.code}`)
    await operate(catalog, operated, (table) =>
      call(engines, 'set_current_snapshot', table, `snapshot_id => ${operated.commits[3]!.snapshotId}`),
    )
    await checkLog(operated, unchanged, 'intact')
  })

  it('until the table is adopted, after Spark: rollback', async () => {
    operated = await filledLog({ value: codecs.avro })
    const { book, dir, commits, at } = operated
    await rollBack(0)
    // All that the second commit had, and the write-ahead tier has let go of.
    const isLost = ({ partition, offset }: Sent): boolean =>
      offset >= commits[0]!.frontier[partition]! && offset < at.released[partition]!
    const lost = book.records.filter(isLost)
    const log = await opened(dir)
    const adoption = await (await topicOf(log)).adoptTable()
    expect(adoption).toMatchObject({
      outcome: 'recounted',
      frontier: at.released,
      skippedOffsets: BigInt(lost.length),
      skipped: rangesOf(lost),
    })
    await log.close()
    operated.at = { changedBelow: at.released, released: at.released, frontier: at.released }
    const meaning = { change: (sent: Sent) => (isLost(sent) ? undefined : sent), isSkipped: isLost }
    await checkLog(operated, meaning, 'intact')
    await checkEngine({ meaning })
  })

  it('until what the write-ahead tier holds is tiered again, after Spark: rollback of what it has not let go of', async () => {
    operated = await filledLog({ value: codecs.json, partitionBy: [] })
    await rollBack(1)
    const log = await opened(operated.dir, { onBroken: 'restore' })
    const { frontier } = await (await topicOf(log)).tier()
    expect(frontier).toEqual(operated.book.ends)
    await log.close()
    operated.at = { ...operated.at, frontier }
    await checkLog(operated, unchanged, 'intact')
  })
})
