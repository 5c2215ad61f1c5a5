/** The long form of operations.test.ts: topics large enough for figures, of which docs/engines.md is written. Runs with `MOULIN_LONG=1`. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TopicConfig } from 'moulin'
import { recordingMeter } from '@moulin/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { checkTopic } from './checks.ts'
import type { Meaning } from './checks.ts'
import { duckdb, restCatalog, spark } from './engines.ts'
import type { RestCatalog } from './engines.ts'
import { judgedOperations, keepResults } from './engine-results.ts'
import type { EngineResult } from './engine-results.ts'
import { checkRefused, filledLog, opened, operate, removeLog, topicOf } from './operated-log.ts'
import type { OperatedLog } from './operated-log.ts'
import { call, copies, operations, rewritten, rollback, rowLevel, withoutRowLevelDeletes } from './operations.ts'
import type { Engines } from './operations.ts'
import { codecs, PARTITIONS } from './orders.ts'
import type { Order } from './orders.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const WAVE = 3_000
const INSTALLS_MS = 900_000
const iceberg = '1.11.0'

const results: EngineResult[] = []
let catalog: RestCatalog
let engines: Engines
let operated: OperatedLog

interface Reading {
  readonly readPerWanted: number
  readonly recordsPerSecond: number
}

/** Reads all released records in order, five times, and takes the best of it. */
async function reading({ dir }: OperatedLog): Promise<Reading> {
  const meter = recordingMeter()
  const log = await opened(dir, { meter })
  const topic = await topicOf(log)
  let best = 0
  for (let turn = 0; turn < 5; turn++) {
    const beganMs = performance.now()
    let records = 0
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const to = topic.offsets()[partition]!.released
      for await (const _ of topic.read({ partition, from: 'earliest', to })) records++
    }
    best = Math.max(best, records / ((performance.now() - beganMs) / 1_000))
  }
  await log.close()
  return {
    readPerWanted: meter.total('moulin.cold.fetched') / meter.total('moulin.cold.wanted'),
    recordsPerSecond: best,
  }
}

/** All that is in the table is only there: a log without write-ahead data below the frontier. */
async function released(config: TopicConfig<Order>): Promise<OperatedLog> {
  const filled = await filledLog(config, WAVE)
  const log = await opened(filled.dir)
  await log.releaseNow()
  await log.close()
  const { frontier } = filled.at
  return { ...filled, at: { changedBelow: frontier, released: frontier, frontier } }
}

/** What the log makes of the table as it is now. */
async function verdictOf(meaning: Meaning): Promise<string> {
  // Every record that is gone or changed is named.
  const log = await opened(operated.dir, { limits: { maxGaps: 5 * WAVE } })
  try {
    await checkTopic(await topicOf(log), operated.book, meaning, operated.at)
    return 'right'
  } catch (error) {
    console.log((error as Error).message)
    return 'not right'
  } finally {
    await log.close()
  }
}

async function judge(operation: string, before: Reading, meaning: Meaning): Promise<void> {
  const verdict = await verdictOf(meaning)
  const after = await reading(operated)
  const speedAfter = after.recordsPerSecond / before.recordsPerSecond
  results.push({ operation, verdict, readPerWanted: after.readPerWanted, speedAfter })
  console.log(`${operation}: ${verdict}`)
}

async function versions(): Promise<Record<string, string>> {
  const pins = await readFile(join(root, 'test/interop/requirements.txt'), 'utf8')
  const pinned = (name: string): string => new RegExp(`^${name}\\S*==(\\S+)`, 'm').exec(pins)![1]!
  const [[sparks]] = (await engines.spark.sql('SELECT version()')) as [[string]]
  return { Spark: sparks.split(' ')[0]!, Iceberg: iceberg, DuckDB: pinned('duckdb'), PyIceberg: pinned('pyiceberg') }
}

describe.skipIf(process.env['MOULIN_LONG'] !== '1')(
  'figures of operations of other engines',
  { timeout: 1_200_000 },
  () => {
    beforeAll(async () => {
      catalog = await restCatalog()
      const { uri } = catalog
      const [theirSpark, theirDuckdb] = await Promise.all([spark({ iceberg, uri, isBrief: true }), duckdb(uri)])
      engines = { spark: theirSpark, duckdb: theirDuckdb, uri }
    }, INSTALLS_MS)
    afterAll(async () => {
      await engines?.spark.stop()
      await engines?.duckdb.stop()
      await catalog?.stop()
    })
    afterEach(() => removeLog(operated))

    it.each([...operations, copies])('$name', async ({ name, config, work, meaning }) => {
      operated = await released(config)
      const before = await reading(operated)
      await operate(catalog, operated, (table) => work(engines, table))
      await judge(name, before, meaning)
    })

    it.each(rowLevel)('$name', async ({ name, config, work, meaning }) => {
      operated = await released(config)
      const before = await reading(operated)
      await operate(catalog, operated, (table) => work(engines, table))
      await judge(name, before, meaning)
      await operate(catalog, operated, (table) => withoutRowLevelDeletes(engines, table))
      await judge(name + rewritten, before, meaning)
    })

    it(rollback.name, async () => {
      operated = await filledLog({ value: codecs.json })
      await operate(catalog, operated, (table) =>
        call(engines, 'rollback_to_snapshot', table, `snapshot_id => ${operated.commits[0]!.snapshotId}`),
      )
      await checkRefused(operated, { kind: 'conflict', code: rollback.code })
      results.push({
        operation: rollback.name,
        verdict: `refused, ${rollback.code}`,
        readPerWanted: null,
        speedAfter: null,
      })
    })

    it('are kept, and the page is written of them', async () => {
      expect(results.map(({ operation }) => operation).toSorted()).toEqual(judgedOperations.toSorted())
      const { stdout } = await run('git', ['log', '-1', '--format=%h %cs'], { cwd: root })
      const [commit, date] = stdout.trim().split(' ') as [string, string]
      const byOrder = results.toSorted(
        (a, b) => judgedOperations.indexOf(a.operation) - judgedOperations.indexOf(b.operation),
      )
      await keepResults({ commit, date, records: 5 * WAVE, versions: await versions(), results: byOrder })
    })
  },
)
