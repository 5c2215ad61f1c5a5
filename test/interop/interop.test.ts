import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLog } from 'moulin'
import type { Log } from 'moulin'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plainRows } from './plain-rows.ts'
import { checkPartitions, python, readTable } from './python.ts'
import { fill, specs } from './tables.ts'

let dir = ''
let log: Log
const topics = [...Object.keys(specs), 'both']

beforeAll(async () => {
  await python()
  dir = join(await mkdtemp(join(tmpdir(), 'moulin-interop-')), 'lake')
  log = await openLog(dir, { threads: 0 })
  expect(await fill(log)).toEqual(topics)
}, 600_000)

afterAll(async () => {
  await log.close()
  await rm(dir, { recursive: true })
})

describe.each(['pyiceberg', 'duckdb'] as const)('%s', (engine) => {
  it.each(topics)('reads table %s row for row as the log does', async (name) => {
    const topic = await log.topic(name)
    const { names, rows } = await readTable(engine, join(dir, 'tables/default', name))
    expect(rows.length).toBeGreaterThan(0)
    expect(rows).toEqual(await plainRows(topic, names))
  })
})

describe('pyiceberg', () => {
  it.each(Object.keys(specs))(
    'finds every row of %s in the file whose partition its own transform gives',
    async (name) => {
      expect(await checkPartitions(join(dir, 'tables/default', name))).toEqual({
        wrong: [],
        rows: expect.any(Number) as number,
      })
    },
  )
})
