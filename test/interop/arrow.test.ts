/** Arrow of a union scan, part of it from the table and part from the log, as pyarrow and DuckDB read it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { avro, gt, openLog, schema, t } from 'moulin'
import type { Infer, Log, ProducerRecord, Schema, Topic } from 'moulin'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plainRows } from './plain-rows.ts'
import { python, readTable } from './python.ts'
import { Everything, records } from './tables.ts'

const Nested = schema({
  tags: t.list(t.string.optional()).optional(),
  grid: t.list(t.list(t.long)).optional(),
  place: t.struct({ city: t.string, at: t.struct({ on: t.date.optional(), id: t.uuid }).optional() }).optional(),
  prices: t.map(t.string, t.decimal(30, 3).optional()).optional(),
  visits: t.list(t.struct({ flag: t.boolean, by: t.map(t.string, t.list(t.double)) }).optional()).optional(),
})
const uid = '00112233-4455-6677-8899-aabbccddeeff'
const nested: readonly ProducerRecord<Infer<typeof Nested>>[] = [
  {
    value: {
      tags: ['grüße 🚀', null, ''],
      grid: [[], [2n ** 63n - 1n, -(2n ** 63n)], [0n]],
      place: { city: 'ams', at: { on: '1969-12-31', id: uid } },
      prices: new Map([
        ['a', '-123456789012345678901234567.001'],
        ['b', null],
      ]),
      visits: [{ flag: true, by: new Map([['x', [-0, 0.1]]]) }, null, { flag: false, by: new Map() }],
    },
  },
  { value: {} },
  { value: { tags: [], grid: [], place: { city: '' }, prices: new Map(), visits: [] } },
  { value: { place: { city: 'rtm', at: { id: uid } }, visits: [null, null] } },
  { value: null },
]

const system = ['_kafka_partition', '_kafka_offset', '_kafka_timestamp', '_kafka_key', '_kafka_headers', '_kafka_value']

let dir = ''
let log: Log
const topics: { name: string; of: Schema; topic: Topic }[] = []

beforeAll(async () => {
  await python()
  dir = await mkdtemp(join(tmpdir(), 'moulin-arrow-'))
  log = await openLog(join(dir, 'lake'), { threads: 0 })
  const unbounded = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }
  const flat = await log.ensureTopic('flat', { value: avro(Everything), partitions: 2, ...unbounded })
  const deep = await log.ensureTopic('deep', { value: avro(Nested), ...unbounded })
  for (let round = 0; round < 3; round++) {
    await flat.producer().sendAll(records)
    await deep.producer().sendAll(nested)
    // The last round stays in the log.
    if (round < 2) await Promise.all([flat.tier(), deep.tier()])
  }
  topics.push({ name: 'flat', of: Everything, topic: flat as unknown as Topic })
  topics.push({ name: 'deep', of: Nested, topic: deep as unknown as Topic })
}, 600_000)

afterAll(async () => {
  await log.close()
  await rm(dir, { recursive: true })
})

describe.each(['arrow', 'arrow-duckdb'] as const)('%s', (engine) => {
  it.each(['flat', 'deep'])('reads the scan of topic %s as JavaScript rows have it', async (name) => {
    const { of, topic } = topics.find((each) => each.name === name)!
    const columns = [...system, ...of.fields.map((field) => field.name)]
    const file = join(dir, `${name}.arrows`)
    await writeFile(file, await topic.scan({ columns: columns as never }).toIpc())
    const { names, rows } = await readTable(engine, file)
    expect(names).toEqual(columns)
    expect(rows.length).toBeGreaterThan(10)
    expect(rows).toEqual(await plainRows(topic, names, of))
  })
})

describe('an Arrow stream', () => {
  it('holds the rows that pass, and a schema when none does', async () => {
    const { topic } = topics[0]!
    const columns = ['_kafka_partition', '_kafka_offset', 'small', 'text'] as never
    for (const [where, count] of [
      [gt('small', 0), 3],
      [gt('small', 2147483646), 3],
      [gt('small', 2147483647), 0],
    ] as const) {
      const file = join(dir, 'some.arrows')
      const scan = topic.scan({ columns, where: where as never })
      await writeFile(file, await scan.toIpc())
      const { names, rows } = await readTable('arrow', file)
      expect(names).toEqual(columns)
      expect(rows).toHaveLength(count)
      expect(await scan.count()).toBe(count)
    }
  })

  it('is read by apache-arrow, too', async () => {
    const { topic } = topics[1]!
    const table = tableFromIPC(await topic.scan({}).toIpc())
    expect(table.numRows).toBe(await topic.scan({}).count())
    expect(String(table.schema.fields.find(({ name }) => name === 'prices')!.type)).toContain('Map')
  })
})
