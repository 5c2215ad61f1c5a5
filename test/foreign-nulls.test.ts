/** What the log says of rows in which SQL put a null where the topic's schema requires a value. */
import { schema, t } from '@moulin/core'
import type { Codec, Column, ColumnBatch, ListColumn, LogRecord, StructColumn } from '@moulin/core'
import { avro, json, parquetWriter } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { allRows, replaceRows as replaceWith, withColumn } from '../packages/lake/src/foreign.test-support.ts'
import { checkTable, testLog, utf8 } from '../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'
import { recordsOfRun } from '../packages/log/src/read/record-view.ts'

const Visit = schema({
  who: t.uuid,
  places: t.list(t.struct({ name: t.string, tags: t.map(t.string, t.int) })),
  home: t.struct({ street: t.string, since: t.date.optional() }),
  note: t.string.optional(),
})
const codecs: { name: string; codec: Codec }[] = [
  { name: 'avro', codec: avro(Visit) as Codec },
  { name: 'json', codec: json(Visit) as Codec },
]
const visit = (at: number): unknown => ({
  who: `0000000${at}-0000-4000-8000-000000000000`,
  places: [
    { name: `p${at}`, tags: new Map([['x', at]]) },
    {
      name: 'q',
      tags: new Map([
        ['y', 2],
        ['z', 3],
      ]),
    },
  ],
  home: { street: `s${at}`, since: null },
  note: null,
})

const ROWS = 4
/** The row that SQL changes. */
const CHANGED = 2

async function tiered(codec: Codec, valueMode: 'columns' | 'columns+raw' = 'columns'): Promise<TestLog> {
  const log = testLog({ codec, info: { partitions: 1, partitionBy: [], valueMode } })
  const headers = [
    ['a', utf8('1')],
    ['', null],
  ] as const
  log.hot.send(
    0,
    Array.from({ length: ROWS }, (_, at) => ({ value: codec.encode(visit(at)), headers })),
  )
  const topic = await log.attach()
  await topic.tier({ upTo: log.hot.committedOffsets() })
  await checkTable(topic, log)
  return log
}

async function readBack(log: TestLog, codec: Codec): Promise<LogRecord[]> {
  const topic = await log.reopen().attach()
  const records: LogRecord[] = []
  for await (const run of topic.read({ partition: 0, from: 0n, to: BigInt(ROWS) })) {
    const options = { codec: async () => codec, onBadValue: 'yield' } as const
    records.push(...(await recordsOfRun(run, run.baseOffset, run.nextOffset, options)))
  }
  return records
}

const replaceRows = (log: TestLog, rows: readonly ColumnBatch[]): Promise<void> => replaceWith(log, rows, parquetWriter)

/** The same column without what row `row` had; nothing else of it changes. */
function nullAt<C extends Column>(column: C, row: number): C {
  const validity = column.validity?.slice() ?? new Uint8Array((column.length + 7) >> 3).fill(0xff)
  validity[row >> 3]! &= ~(1 << (row & 7))
  return { ...column, validity }
}
const inElement = (column: Column, change: (element: Column, first: number) => Column): Column => {
  const list = column as ListColumn
  return { ...list, element: change(list.element, list.offsets[CHANGED]!) }
}
const inField = (column: Column, name: string, change: (field: Column) => Column): Column => {
  const struct = column as StructColumn
  const fields = struct.fields.map((field) => (field.name === name ? { name, column: change(field.column) } : field))
  return { ...struct, fields }
}

const changes: { what: string; column: string; path: RegExp; change: (column: Column) => Column }[] = [
  { what: 'a column', column: 'who', path: /\bwho is null/, change: (who) => nullAt(who, CHANGED) },
  { what: 'a struct', column: 'home', path: /\bhome is null/, change: (home) => nullAt(home, CHANGED) },
  {
    what: 'a field of a struct',
    column: 'home',
    path: /home\.street is null/,
    change: (home) => inField(home, 'street', (street) => nullAt(street, CHANGED)),
  },
  {
    what: 'an element of a list',
    column: 'places',
    path: /places\.element is null/,
    change: (places) => inElement(places, nullAt),
  },
  {
    what: 'a field of an element',
    column: 'places',
    path: /places\.element\.name is null/,
    change: (places) => inElement(places, (element, at) => inField(element, 'name', (name) => nullAt(name, at + 1))),
  },
  {
    what: 'the value of a map',
    column: 'places',
    path: /places\.element\.tags\.value is null/,
    change: (places) =>
      inElement(places, (element, at) =>
        inField(element, 'tags', (tags) => {
          const entries = tags as ListColumn
          const first = entries.offsets[at + 1]!
          return { ...entries, element: inField(entries.element, 'value', (value) => nullAt(value, first)) }
        }),
      ),
  },
  {
    what: 'a header',
    column: '_kafka_headers',
    path: /header 0 /,
    change: (headers) => inElement(headers, nullAt),
  },
  {
    what: 'the key of a header',
    column: '_kafka_headers',
    path: /header 0 /,
    change: (headers) => inElement(headers, (element, at) => inField(element, 'key', (key) => nullAt(key, at))),
  },
]

describe.each(codecs)('a null that SQL put where the schema requires a value ($name)', ({ codec }) => {
  it.each(changes)('is an error on its record alone: $what', async ({ column, change, path }) => {
    for (const valueMode of ['columns', 'columns+raw'] as const) {
      const log = await tiered(codec, valueMode)
      const rows = await allRows(log)
      const before = rows.columns.find(({ name }) => name === column)!.column
      await replaceRows(log, [withColumn(rows, column, change(before))])
      const records = await readBack(log, codec)
      expect(records.map(({ offset }) => offset)).toEqual([0n, 1n, 2n, 3n])
      for (const [at, { error, value, fidelity, bytes }] of records.entries()) {
        if (at === CHANGED) {
          expect(error).toMatchObject({ kind: 'corrupt', code: 'BAD_VALUE', context: { offset: 2n } })
          expect(error!.message).toMatch(path)
          expect({ value, fidelity }).toEqual({ value: undefined, fidelity: 'degraded' })
        } else {
          expect({ error, fidelity, bytes: Buffer.from(bytes!) }).toEqual({
            error: undefined,
            fidelity: 'exact',
            bytes: Buffer.from(codec.encode(visit(at))),
          })
        }
      }
      // A scan shows the row as SQL left it.
      const topic = await log.reopen().attach()
      expect(await topic.scan({}).count()).toBe(ROWS)
      expect(await topic.scan({ columns: [column] }).toArray()).toHaveLength(ROWS)
    }
  })

  it('is no error where the schema permits it, nor where the checksum says that nothing is missing', async () => {
    const log = await tiered(codec)
    const rows = await allRows(log)
    const note = rows.columns.find(({ name }) => name === 'note')!.column
    const headers = rows.columns.find(({ name }) => name === '_kafka_headers')!.column
    // An empty key is framed as a null one would be, and that is what was sent.
    const nulled = inElement(headers, (element, at) => inField(element, 'key', (key) => nullAt(key, at + 1)))
    await replaceRows(log, [withColumn(withColumn(rows, 'note', nullAt(note, CHANGED)), '_kafka_headers', nulled)])
    const records = await readBack(log, codec)
    expect(records.map(({ error, fidelity }) => [error, fidelity])).toEqual(
      Array.from({ length: ROWS }, () => [undefined, 'exact']),
    )
  })

  it('does not let a value without its schema pass for a tombstone', async () => {
    const log = await tiered(codec)
    const rows = await allRows(log)
    const ids = rows.columns.find(({ name }) => name === '_kafka_schema_id')!.column
    await replaceRows(log, [withColumn(rows, '_kafka_schema_id', nullAt(ids, CHANGED))])
    const records = await readBack(log, codec)
    expect(records.map(({ error }) => error?.message.match(/_kafka_schema_id is \d+/)?.[0])).toEqual([
      undefined,
      undefined,
      '_kafka_schema_id is 0',
      undefined,
    ])
  })

  it('does not let an INSERT of identity and columns alone pass for a tombstone', async () => {
    const log = await tiered(codec)
    const rows = await allRows(log)
    const given = ['_kafka_partition', '_kafka_offset', '_kafka_incarnation', 'who', 'home', 'places']
    const bare = (batch: ColumnBatch): ColumnBatch => ({
      ...batch,
      columns: batch.columns.map(({ name, column }) => ({
        name,
        column: given.includes(name) ? column : nullAt(column, CHANGED),
      })),
    })
    await replaceRows(log, [bare(rows)])
    const records = await readBack(log, codec)
    expect(records.map(({ error, bytes }) => (error === undefined ? bytes!.length > 0 : error.message))).toEqual([
      true,
      true,
      expect.stringContaining('_kafka_schema_id is 0'),
      true,
    ])
    expect(records[CHANGED]).toMatchObject({ fidelity: 'degraded', value: undefined })
  })
})
