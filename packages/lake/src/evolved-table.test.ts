/** A table whose columns another engine has promoted, renamed, moved and dropped: what the log makes of its records then. */
import { and, bucket, byValue, eq, gte, isNull, lt, truncate } from '@moulin/core'
import type { Column, IcebergField } from '@moulin/core'
import { parquetWriter } from '@moulin/format'
import { tableFromIPC } from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import {
  alter,
  avroCodec,
  codecs,
  fidelities,
  inStops,
  promoteAll,
  renameFields,
  rewrite,
  ROWS,
  scanned,
  send,
  tiered,
  visit,
} from './evolved.test-support.ts'
import { allRows, columnOf, replaceRows, withColumn, withNumbers } from './foreign.test-support.ts'
import { checkTable, readAll, recordsOf, utf8 } from './lake.test-support.ts'

describe.each(codecs)('a table of $name values', ({ codec }) => {
  it.each([
    ['promoted', promoteAll],
    [
      'renamed and moved',
      (fields: readonly IcebergField[]) =>
        [...fields].reverse().map((f, at) => ({
          ...f,
          name: f.name === 'city' || f.name === 'count' ? `c${at}` : f.name,
          type: f.name.startsWith('_') ? f.type : renameFields(f.type),
        })),
    ],
  ] as const)('gives every byte back when all of it is %s', async (_what, edit) => {
    const { log, topic } = await tiered(codec)
    const before = await scanned(topic)
    await alter(log, edit)
    await checkTable(topic, log)
    expect(await scanned(topic)).toEqual(before)
    await rewrite(log)
    await checkTable(topic, log)
    expect(await scanned(topic)).toEqual(before)
    send(log, codec, ROWS, ROWS + 5)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    await rewrite(log)
    const next = await log.reopen().attach()
    await checkTable(next, log)
    expect((await next.audit({ deep: true })).clean).toBe(true)
    expect((await scanned(next)).slice(0, ROWS)).toEqual(before)
    const arrow = tableFromIPC(await next.scan({ columns: ['born'] }).toIpc())
    expect(arrow.numRows).toBe(ROWS + 5)
    expect(
      arrow
        .toArray()
        .map((row) => (row as { born: number }).born)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: ROWS + 5 }, (_each, at) => Date.parse(visit(at)['born'] as string)))
  })

  it('finds rows of promoted columns by what they were and by what they are', async () => {
    const { log, topic } = await tiered(codec)
    const wheres = [
      eq('count', 4),
      gte('count', -2_000_000_003),
      eq('share', 0.125),
      eq('price', '7.25'),
      and(gte('born', '1962-01-01'), lt('born', '1969-06-30')),
      isNull('share'),
    ]
    const found = async (): Promise<number[]> =>
      Promise.all(wheres.map(async (where) => (await topic.scan({ columns: ['count'], where }).toArray()).length))
    const before = await found()
    expect(before.every((count) => count > 0)).toBe(true)
    await alter(log, promoteAll)
    expect(await found()).toEqual(before)
    expect(await Promise.all(wheres.map((where) => topic.scan({ where }).count()))).toEqual(before)
    await rewrite(log)
    expect(await found()).toEqual(before)
  })

  it.each([
    ['count', (rows: Column) => replaced(rows, 3, 3_000_000_000n), 'count', '3000000000'],
    ['born', (rows: Column) => replaced(rows, 3, 1n), 'born', '1 µs'],
    ['share', (rows: Column) => replaced(rows, 4, 0.1), 'share', '0.1'],
  ] as const)(
    'tells of a value in %s that SQL made too large for its type, and gives no other',
    async (name, edit, path, text) => {
      for (const valueMode of ['columns', 'columns+raw'] as const) {
        const { log, topic } = await tiered(codec, { info: { valueMode } })
        await alter(log, promoteAll)
        const rows = await allRows(log)
        const changed = edit(columnOf(rows, name))
        await replaceRows(log, [withColumn(rows, name, changed)], parquetWriter)
        const at = name === 'share' ? 4 : 3
        const run = []
        for await (const each of topic.read({ partition: 0, from: 0n, to: BigInt(ROWS) })) run.push(each)
        expect(run.flatMap(({ unreadable = new Map<number, string>() }) => [...unreadable])).toEqual([
          [at, expect.stringMatching(new RegExp(`${path} is ${text}`))],
        ])
        const records = run.flatMap((each) => recordsOf(each))
        expect(records.map(({ bytes, fidelity }) => [bytes === null ? null : Buffer.from(bytes), fidelity])).toEqual(
          Array.from({ length: ROWS }, (_, row) =>
            row === at ? [null, 'degraded'] : [Buffer.from(codec.encode(visit(row))), 'exact'],
          ),
        )
        await expect(topic.scan({ columns: [name] }).toArray()).rejects.toMatchObject({
          kind: 'corrupt',
          code: 'BAD_VALUE',
          message: expect.stringMatching(new RegExp(`Row ${at} .* has ${text}.* in ${path}`)),
        })
        // Nobody asked for it.
        expect(await topic.scan({ columns: ['price'] }).toArray()).toHaveLength(ROWS)
        expect(await topic.scan({}).count()).toBe(ROWS)
      }
    },
  )

  it('takes no empty list that stands where there was a null for a value', async () => {
    for (const valueMode of ['columns', 'columns+raw'] as const) {
      const { log, topic } = await tiered(codec, { info: { valueMode } })
      log.hot.send(0, [
        { key: utf8('gone'), value: null },
        { key: utf8('odd'), value: utf8('no visit') },
      ])
      await topic.tier({ upTo: log.hot.committedOffsets() })
      const sent = log.hot.records(0)
      const rows = await allRows(log)
      const stops = columnOf(rows, 'stops')
      expect(stops.validity).toBeDefined()
      // As PyIceberg writes rows anew.
      await replaceRows(log, [withColumn(rows, 'stops', { ...stops, validity: undefined })], parquetWriter)
      expect(await readAll(topic, 0)).toEqual(sent)
    }
  })

  it('goes on without members of a struct that are gone, and takes a new one of the name for another', async () => {
    const { log, topic } = await tiered(codec)
    const gone = (members: readonly IcebergField[]): IcebergField[] => [
      { id: 5001, name: 'extra', required: false, type: 'variant', 'initial-default': null },
      ...members.filter(({ name }) => name !== 'name'),
      { id: 5002, name: 'name', required: false, type: 'string', 'initial-default': 'made up' },
    ]
    await alter(log, (fields) => inStops(fields, gone))
    const records = await readAll(topic, 0)
    const without = (at: number): Buffer => {
      const { stops, ...rest } = visit(at) as { stops: { name: unknown }[] }
      return Buffer.from(codec.encode({ ...rest, stops: stops.map((stop) => ({ ...stop, name: null })) }))
    }
    expect(records.map(({ bytes }) => Buffer.from(bytes!))).toEqual(
      Array.from({ length: ROWS }, (_, at) => without(at)),
    )
    // Where there was no name its loss changes nothing, and the checksum says so.
    expect(fidelities(records)).toEqual(Array.from({ length: ROWS }, (_, at) => (at % 3 === 2 ? 'degraded' : 'exact')))
    send(log, codec, ROWS, ROWS + 4)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const later = (await readAll(topic, 0)).slice(ROWS)
    expect(later).toEqual(log.hot.records(0).slice(ROWS))
    expect(await scanned(topic, ['stops'])).toEqual(
      Array.from({ length: ROWS + 4 }, (_, at) => {
        const { stops } = visit(at) as { stops: { name: unknown }[] }
        return { _kafka_offset: BigInt(at), stops: stops.map((stop) => ({ ...stop, name: null })) }
      }),
    )
  })

  it('never gives kept bytes for old where a column is gone and SQL has changed another', async () => {
    const { log, topic } = await tiered(codec, { info: { valueMode: 'columns+raw' } })
    await alter(log, (fields) =>
      inStops(fields, (members) => members.filter(({ name }) => name !== 'name')).filter(({ name }) => name !== 'city'),
    )
    await rewrite(log)
    await checkTable(topic, log)
    const rows = await allRows(log)
    const counts = Array.from({ length: ROWS }, (_, at) => (at === 5 ? 77 : (visit(at)['count'] as number)))
    await replaceRows(log, [withNumbers(rows, 'count', counts)], parquetWriter)
    const records = await readAll(topic, 0)
    expect(fidelities(records)).toEqual(Array.from({ length: ROWS }, (_, at) => (at === 5 ? 'degraded' : 'exact')))
    expect((codec.decode(records[5]!.bytes!) as { count: number; city: unknown }).count).toBe(77)
  })
})

function replaced(column: Column, row: number, value: bigint | number): Column {
  const values = (column as Column & { values: BigInt64Array | Float64Array }).values.slice()
  values[row] = value as never
  return { ...column, values } as Column
}

it.each([
  ['bucket', 'count', bucket(4, 'count')],
  ['truncate', 'count', truncate(10, 'count')],
  ['identity', 'count', byValue('count')],
  ['identity', 'price', byValue('price')],
  ['truncate', 'price', truncate(500, 'price')],
  ['bucket', 'price', bucket(4, 'price')],
] as const)('partitions by %s of %s, which was promoted, and finds all in either files', async (_kind, name, field) => {
  const { log, topic } = await tiered(avroCodec, { info: { partitionBy: [field] } })
  await alter(log, promoteAll)
  send(log, avroCodec, ROWS, ROWS + 6)
  await topic.tier({ upTo: log.hot.committedOffsets() })
  await checkTable(topic, log)
  for (let at = 0; at < ROWS + 6; at++) {
    expect(await topic.scan({ where: eq(name, visit(at)[name] as never) }).count()).toBe(1)
  }
  const few = await topic.scan({ columns: ['_kafka_offset'], where: gte('count', 10) }).toArray()
  expect(few.map((row) => Number(row['_kafka_offset'])).sort((a, b) => a - b)).toEqual([10, 12, 14, 16])
})

it('gives what SQL puts into a promoted column while it is one of the topic', async () => {
  for (const valueMode of ['columns', 'columns+raw'] as const) {
    const { log, topic } = await tiered(avroCodec, { info: { valueMode } })
    await alter(log, promoteAll)
    const rows = await allRows(log)
    await replaceRows(log, [withColumn(rows, 'count', replaced(columnOf(rows, 'count'), 3, 77n))], parquetWriter)
    const records = await readAll(topic, 0)
    expect(fidelities(records)).toEqual(Array.from({ length: ROWS }, (_, at) => (at === 3 ? 'rewritten' : 'exact')))
    expect(records[3]!.bytes).toEqual(avroCodec.encode({ ...visit(3), count: 77 }))
    expect(await topic.scan({ where: eq('count', 77) }).count()).toBe(1)
  }
})
