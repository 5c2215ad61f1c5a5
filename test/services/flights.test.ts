/** The flights job with log, catalog and table in SeaweedFS; then others read its table over S3. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sourceFile } from '../../examples/flights/source.ts'
import { sqlOver } from '../../examples/flights/sql.ts'
import { python } from '../interop/python.ts'
import { seaweedfs } from './seaweedfs.ts'
import type { S3Service } from './service-process.ts'

const run = promisify(execFile)
const ROWS = 30_000
const job = fileURLToPath(new URL('../../examples/flights.ts', import.meta.url))
const reader = fileURLToPath(new URL('read_over_s3.py', import.meta.url))

type Result = Readonly<Record<string, unknown>>

const everyCheck: Result = {
  halfwayScanEqual: true,
  typedShare: 1,
  auditClean: true,
  coldSampleEqual: true,
  groupByEqual: true,
  sqlAuditEqual: true,
}

/** Its exit status is 0, or this throws with what it said. */
async function flights(rows: number, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const all = ['--conditions=moulin-source', job, '--json', '--rows', String(rows), ...args]
  const { stdout } = await run(process.execPath, all, {
    env: { ...process.env, ...env },
    maxBuffer: 1 << 26,
    // So that one that hangs tells the phases behind it.
    timeout: 140_000,
  })
  return JSON.parse(stdout) as Result
}

/** By origin: rows, sums of delay and distance, rows that are typed. */
async function sumsOfSource(): Promise<unknown[]> {
  const sql = await sqlOver({ source: [sourceFile] })
  try {
    const rows = await sql.query(
      `SELECT origin, count(*)::INT AS n, sum(delay)::INT AS delay, sum(distance)::INT AS distance
       FROM (SELECT * FROM source LIMIT ${ROWS}) GROUP BY origin ORDER BY origin`,
    )
    return rows.map((row) => [row['origin'], row['n'], row['delay'], row['distance'], row['n']])
  } finally {
    sql.close()
  }
}

describe('The flights job on SeaweedFS', () => {
  let service: S3Service
  let env: Record<string, string> = {}
  let folder = ''
  let table = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'moulin-flights-'))
    service = await seaweedfs()
    env = {
      AWS_ENDPOINT_URL: service.endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: service.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: service.credentials.secretAccessKey,
    }
  }, 300_000)
  afterAll(async () => {
    await service.close()
    await rm(folder, { recursive: true })
  })

  it('passes every check in a bucket, and goes on where it stopped', { timeout: 300_000 }, async () => {
    const storage = JSON.stringify({ listOrder: 'none', deadlineMs: 60_000 })
    const url = `s3://${service.bucket}/flights`
    const args = ['--dir', join(folder, 'lake'), '--store', url, '--storage', storage]
    const first = await flights(ROWS / 3, args, env)
    expect(first).toMatchObject({ ...everyCheck, recordsAcked: ROWS / 3, tableRows: ROWS / 3 })
    const second = await flights(ROWS, args, env)
    expect(second).toMatchObject({
      ...everyCheck,
      recordsAlreadyThere: ROWS / 3,
      recordsAcked: (2 * ROWS) / 3,
      tableRows: ROWS,
      tableLocation: `${url}/tables/travel/flights`,
    })
    table = second['tableLocation'] as string
  })

  it.for(['pyiceberg', 'duckdb'])('is read over S3 by %s', { timeout: 300_000 }, async (engine) => {
    expect(table).not.toBe('')
    const { stdout } = await run(await python(), [reader, engine, table], {
      env: { ...process.env, ...env },
      maxBuffer: 1 << 26,
    })
    const lines = stdout.trim().split('\n')
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(await sumsOfSource())
  })

  it('starts a server of its own by `--store s3`', { timeout: 300_000 }, async () => {
    const result = await flights(ROWS / 3, ['--store', 's3'])
    expect(result).toMatchObject({ ...everyCheck, recordsAlreadyThere: 0, tableRows: ROWS / 3 })
  })
})
