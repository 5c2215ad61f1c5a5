/**
 * What other engines do to the table of a topic, and what the log says afterwards. Needs Java 17, Maven and Python; README.md
 * says how it works.
 */
import { identity } from 'moulin'
import type { TopicConfig } from 'moulin'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Meaning } from './checks.ts'
import { duckdb, pyicebergAppend, restCatalog, spark } from './engines.ts'
import type { RestCatalog, SqlEngine } from './engines.ts'
import { checkLog, filledLog, operate, removeLog } from './operated-log.ts'
import type { OperatedLog } from './operated-log.ts'
import { codecs } from './orders.ts'
import type { Order, Sent } from './orders.ts'

const INSTALLS_MS = 900_000

let catalog: RestCatalog
/** All operations run in one process of an engine. */
const engines: { spark: SqlEngine; duckdb: SqlEngine } = {} as never

beforeAll(async () => {
  catalog = await restCatalog()
  const { uri } = catalog
  engines.duckdb = await duckdb(uri)
  engines.spark = await spark({ iceberg: '1.11.0', uri })
}, INSTALLS_MS)
afterAll(async () => {
  await engines.spark?.stop()
  await engines.duckdb?.stop()
  await catalog?.stop()
})

let operated: OperatedLog | undefined
afterEach(async () => {
  if (operated !== undefined) await removeLog(operated)
  operated = undefined
})

const sparkSql = (statement: string): Promise<unknown> => engines.spark.sql(statement)
const call = (procedure: string, table: string, ...args: string[]): Promise<unknown> =>
  sparkSql(`CALL lake.system.${procedure}(${[`table => '${table}'`, ...args].join(', ')})`)
const rewriteAll = "options => map('rewrite-all', 'true')"
const expire = (table: string, ...args: string[]): Promise<unknown> =>
  call('expire_snapshots', table, "older_than => TIMESTAMP '2099-01-01 00:00:00'", 'retain_last => 1', ...args)

const unchanged: Meaning = { change: (sent) => sent }
const allRows = (tabled: readonly Sent[]): number => tabled.length
/** A change of the values that `test` takes. */
const values = (test: (value: Order) => boolean, set: (value: Order) => Order) => {
  return (codec: TopicConfig<Order>['value']): Meaning => ({
    change: (sent) => {
      if (sent.value == null || !test(sent.value)) return sent
      const value = set(sent.value)
      return { ...sent, value, bytes: codec!.encode(value) }
    },
  })
}

interface Operation {
  readonly name: string
  readonly config: TopicConfig<Order>
  readonly verdict: 'intact' | 'plausible'
  readonly work: (table: string) => Promise<void>
  readonly meaning: Meaning
}

const operations: readonly Operation[] = [
  {
    name: 'Spark: binpack',
    config: { value: codecs.avro },
    verdict: 'intact',
    work: async (table) => {
      await call('rewrite_data_files', table, "strategy => 'binpack'", rewriteAll)
    },
    meaning: { ...unchanged, rowsOfOthers: allRows },
  },
]

describe('an operation of a stranger', () => {
  it.each(operations)('$name', { timeout: 120_000 }, async ({ config, work, meaning, verdict }) => {
    operated = await filledLog(config)
    await operate(catalog, operated, work)
    await checkLog(operated, meaning, verdict)
  })
})
