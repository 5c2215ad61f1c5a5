/** The flights job's table, opened by its path with Spark 3.5.3 and Iceberg 1.6.1. Long lane: needs Java 17 and Maven. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openLog } from 'moulin'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { spark } from '../foreign/engines.ts'
import type { Rows } from '../foreign/engines.ts'

interface Row {
  readonly _kafka_partition: number
  readonly _kafka_crc: number
  readonly _kafka_headers: readonly unknown[]
  readonly date: Date
  readonly delay: number
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

async function sparkSql(tables: string, statements: readonly string[]): Promise<Rows[]> {
  const engine = await spark({ iceberg: '1.6.1', folder: tables })
  try {
    return await Promise.all(statements.map((statement) => engine.sql(statement)))
  } finally {
    await engine.stop()
  }
}

const ROWS = 300_000
let folder = ''
let dir = ''

// 300 000 rows take minutes: in the lane `npm run test:engines`, which says so by MOULIN_LONG.
describe.skipIf(process.env['MOULIN_LONG'] !== '1')('Spark, its vectorised reader on', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'moulin-flights-'))
    dir = join(folder, 'lake')
    const job = fileURLToPath(new URL('../../examples/flights.ts', import.meta.url))
    const args = ['--conditions=moulin-source', job, '--dir', dir, '--rows', String(ROWS), '--json']
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 26 })
    expect(JSON.parse(stdout)).toMatchObject({ tableRows: ROWS, auditClean: true })
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('reads every row of the table of flights as the log does', async () => {
    const table = '{path:travel/flights}'
    const sums =
      'count(*), sum(delay), sum(distance), sum(unix_micros(cast(date AS timestamp))), min(origin), max(destination)'
    const [, plan, kafka, origins, headers] = await sparkSql(join(dir, 'tables'), [
      // Else the plan does not say yet where rows are made of columns.
      'SET spark.sql.adaptive.enabled = false',
      `EXPLAIN SELECT ${sums} FROM ${table}`,
      `SELECT _kafka_partition, count(*), count(DISTINCT _kafka_offset), sum(_kafka_crc) FROM ${table} GROUP BY 1 ORDER BY 1`,
      `SELECT origin, ${sums} FROM ${table} WHERE delay > 0 GROUP BY 1 ORDER BY 1`,
      `SELECT count(*), sum(size(_kafka_headers)) FROM ${table} WHERE _kafka_value_state = 'typed'`,
    ])
    expect(JSON.stringify(plan)).toContain('ColumnarToRow')

    const log = await openLog(dir, { access: 'read-only', threads: 0 })
    const topic = await log.topic('flights')
    const partitions = new Map<number, { count: number; crc: bigint }>()
    const byOrigin = new Map<string, { count: number; delay: number; distance: number; micros: bigint; max: string }>()
    let headerCount = 0
    const columns = [
      '_kafka_partition',
      '_kafka_headers',
      '_kafka_crc',
      'date',
      'delay',
      'distance',
      'origin',
      'destination',
    ]
    let total = 0
    for await (const batch of topic.scan({ columns } as never).batches()) {
      for (const row of batch as unknown as Row[]) {
        total++
        headerCount += row._kafka_headers.length
        const partition = partitions.get(row._kafka_partition) ?? { count: 0, crc: 0n }
        partition.count++
        partition.crc += BigInt(row._kafka_crc)
        partitions.set(row._kafka_partition, partition)
        if (!(row.delay > 0)) continue
        const sum = byOrigin.get(row.origin) ?? { count: 0, delay: 0, distance: 0, micros: 0n, max: '' }
        sum.count++
        sum.delay += row.delay
        sum.distance += row.distance
        sum.micros += BigInt(Number(row.date)) * 1000n
        if (row.destination > sum.max) sum.max = row.destination
        byOrigin.set(row.origin, sum)
      }
    }
    await log.close()
    expect(total).toBe(ROWS)
    expect(byOrigin.size).toBeGreaterThan(100)
    const text = (...values: unknown[]): string[] => values.map(String)
    expect(kafka).toEqual(
      [...partitions].sort(([a], [b]) => a - b).map(([at, { count, crc }]) => text(at, count, count, crc)),
    )
    expect(origins).toEqual(
      [...byOrigin]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([origin, { count, delay, distance, micros, max }]) =>
          text(origin, count, delay, distance, micros, origin, max),
        ),
    )
    expect(headers).toEqual([text(ROWS, headerCount)])
  })
})
