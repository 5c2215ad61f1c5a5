import { alwaysNull, bucket, byValue, day, eq, hour, month, schema, t, tableFiles, truncate, year } from '@moulin/core'
import type { Codec, PartitionFieldOf } from '@moulin/core'
import { avro } from '@moulin/format'
import { planScan } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { change, tableOf } from './foreign.test-support.ts'
import { checkTable, readAll, testLog, utf8 } from './lake.test-support.ts'
import { markerKey } from './table/marker.ts'

const Order = schema({ id: t.int53, city: t.string.optional(), price: t.decimal(9, 2), at: t.timestamptz, day: t.date })
const codec = avro(Order) as Codec
const order = (id: number): Uint8Array =>
  codec.encode({
    id,
    city: id % 3 === 0 ? null : `city-${id % 4}`,
    price: `${id}.50`,
    at: new Date(Date.UTC(1969, 10 + id, 1, id)),
    day: `20${10 + (id % 10)}-02-28`,
  })

describe('a new table', () => {
  it('has the system columns first, all optional, with their ids and full bounds for the identity', async () => {
    const log = testLog({ codec })
    await log.attach()
    const { metadata } = await tableOf(log)
    const [schemaNow] = metadata.schemas
    expect(schemaNow!.fields.map(({ id, name }) => `${id} ${name}`)).toEqual([
      '1 _kafka_partition',
      '2 _kafka_offset',
      '3 _kafka_incarnation',
      '4 _kafka_timestamp',
      '5 _kafka_timestamp_type',
      '6 _kafka_key',
      '7 _kafka_headers',
      '11 _kafka_crc',
      '12 _kafka_value_state',
      '13 _kafka_value',
      '14 _kafka_schema_id',
      '15 _kafka_key_schema_id',
      '1001 id',
      '1002 city',
      '1003 price',
      '1004 at',
      '1005 day',
    ])
    expect(schemaNow!.fields.filter(({ required }) => required)).toEqual([])
    expect(metadata['sort-orders']).toEqual([{ 'order-id': 0, fields: [] }])
    expect(metadata.properties).toMatchObject({
      'write.metadata.metrics.column._kafka_partition': 'full',
      'write.metadata.metrics.column._kafka_offset': 'full',
      [markerKey(log.info.id)]: expect.stringContaining('"snapshot":null'),
    })
    expect(metadata.snapshots).toEqual([])
  })

  const specs: [string, PartitionFieldOf[]][] = [
    ['none', []],
    ['identity of the log partition', [byValue('_kafka_partition')]],
    ['day of the timestamp', [day('_kafka_timestamp')]],
    ['year', [year('at')]],
    ['month', [month('at')]],
    ['day', [day('day')]],
    ['hour', [hour('at')]],
    ['bucket of a string with nulls', [bucket(4, 'city')]],
    ['bucket of a decimal and of a key', [bucket(3, 'price'), bucket(2, '_kafka_key')]],
    ['truncate of a string', [truncate(5, 'city')]],
    ['truncate of a long', [truncate(10, 'id')]],
    ['identity of a string, and void', [byValue('city'), alwaysNull('id')]],
  ]
  it.each(specs)('is partitioned as it is told: %s', async (_name, partitionBy) => {
    const log = testLog({ codec, info: { partitionBy } })
    const topic = await log.attach()
    for (let id = 0; id < 24; id++) log.hot.send(id % 2, [{ key: utf8(`${id}`), value: order(id) }, { value: null }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
    for (const where of [
      eq('id', 7),
      eq('city', 'city-1'),
      eq('day', '2013-02-28'),
      eq('at', new Date(Date.UTC(1969, 10, 1, 0))),
    ]) {
      const found = await topic.scan({ where }).count()
      const all = await topic.scan({ columns: ['id', 'city', 'day', 'at'] }).toArray()
      const { column, value } = where as { column: string; value: unknown }
      expect(found).toBe(all.filter((row) => JSON.stringify(row[column]) === JSON.stringify(value)).length)
      expect(found).toBeGreaterThan(0)
    }
    const { metadata } = await tableOf(log)
    let files = 0
    for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata })) {
      expect(file.partition).toHaveLength(partitionBy.length)
      files++
    }
    expect(files).toBeGreaterThan(0)
  })

  const badSpecs: [string, PartitionFieldOf[]][] = [
    ['a column that is not there', [byValue('nope')]],
    ['a transform that does not take the column', [hour('day')]],
    ['a list', [byValue('_kafka_headers')]],
    ['a name twice', [byValue('city'), byValue('city')]],
    ['a name of another column', [{ ...bucket(4, 'id'), name: 'city' }]],
  ]
  it.each(badSpecs)('is refused with a partition spec of %s', async (_name, partitionBy) => {
    const log = testLog({ codec, info: { partitionBy } })
    await expect(log.attach()).rejects.toMatchObject({ kind: 'invalid', code: 'PARTITION_SPEC' })
    for await (const { key } of log.store.list()) expect(key).toBe('nothing')
  })

  it('is refused with an unknown transform, a bad name, or value columns without a codec', async () => {
    const unknown = { ...byValue('id'), transform: 'zorder[3]' }
    await expect(testLog({ codec, info: { partitionBy: [unknown] } }).attach()).rejects.toMatchObject({
      kind: 'unsupported',
    })
    for (const table of ['orders', 'a..b', '.a', 'shop.or ders', 'shop/a.b', '']) {
      await expect(testLog({ info: { table } }).attach()).rejects.toMatchObject({ kind: 'invalid', code: 'TABLE_NAME' })
    }
    await expect(testLog({ info: { valueMode: 'columns' } }).attach()).rejects.toMatchObject({ code: 'VALUE_MODE' })
  })

  it('keeps values of a schema that cannot be columns as bytes, and says so', async () => {
    const nested = avro({
      type: 'record',
      name: 'Tagged',
      fields: [{ name: 'tag', type: ['int', 'string'] }],
    }) as Codec
    expect(nested.columnar).toBeUndefined()
    const log = testLog({ codec: nested, info: { partitions: 1 } })
    const topic = await log.attach()
    expect(log.runtime.logs).toContainEqual(
      expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ topic: 'orders' }) as object }),
    )
    log.hot.send(0, [{ value: nested.encode({ tag: { string: 'a' } }) }])
    await topic.tier({ upTo: [1n] })
    await checkTable(topic, log)
    expect(await topic.scan({ columns: ['_kafka_value_state'] }).toArray()).toMatchObject([
      { _kafka_value_state: 'raw' },
    ])
  })

  it('is found again, with namespaces of several levels', async () => {
    const log = testLog({ info: { table: 'a.b-c.d_1' } })
    const topic = await log.attach()
    log.hot.send(0, [{ value: utf8('x') }])
    await topic.tier({ upTo: [1n, 0n] })
    expect((await log.reopen().attach()).frontier()).toEqual([1n, 0n])
  })

  it('is responsible from the offsets on that it is given', async () => {
    const log = testLog({ info: { partitions: 1, startOffsets: [2n] } })
    log.hot.send(0, [{ value: utf8('a') }, { value: utf8('b') }, { value: utf8('c') }])
    const topic = await log.attach()
    expect(topic.frontier()).toEqual([2n])
    expect(await topic.tier({ upTo: [3n] })).toMatchObject({ rows: 1, frontier: [3n] })
    expect((await topic.audit()).partitions).toMatchObject([{ start: 2n, frontier: 3n, rows: 1n, skipped: 0n }])
  })
})

describe('a later incarnation', () => {
  it('goes on in the same table, and both lives are read', async () => {
    const log = testLog({ info: { partitions: 1 } })
    log.hot.send(0, [{ value: utf8('a') }, { value: utf8('b') }])
    await (await log.attach()).tier({ upTo: [2n] })
    log.hot.send(0, [{ value: utf8('lost') }, { value: utf8('c') }])
    const next = log.reopen({ info: { partitions: 1, incarnation: 2, startOffsets: [3n] } })
    const topic = await next.attach()
    expect(topic.frontier()).toEqual([3n])
    await topic.tier({ upTo: [4n] })
    const rows = await topic.scan({ columns: ['_kafka_offset', '_kafka_incarnation'] }).toArray()
    const lives = rows.map((row) => `${String(row['_kafka_offset'])} of ${String(row['_kafka_incarnation'])}`)
    expect(lives.sort()).toEqual(['0 of 1', '1 of 1', '3 of 2'])
    expect((await readAll(topic, 0)).map(({ bytes }) => Buffer.from(bytes!).toString())).toEqual(['a', 'b', 'c'])
    const report = await topic.audit()
    expect(report.clean).toBe(true)
    expect(report.partitions.map(({ incarnation, start, frontier }) => [incarnation, start, frontier])).toEqual([
      [1, 0n, 2n],
      [2, 2n, 4n],
    ])
    await expect(log.reopen().attach()).rejects.toMatchObject({
      code: 'LOG_BEHIND_TABLE',
      context: { ranges: 'partition 0 [2, 4)' },
    })
  })
})

describe('a table that others configured', () => {
  it('is written with its present partition spec', async () => {
    const log = testLog({ codec })
    const topic = await log.attach()
    log.hot.send(0, [{ value: order(1) }, { value: order(2) }])
    await topic.tier({ upTo: [1n, 0n] })
    await change(log, [
      { action: 'add-spec', spec: { fields: [{ 'source-id': 1002, name: 'town', transform: 'identity' }] } },
      { action: 'set-default-spec', 'spec-id': -1 },
    ])
    await topic.tier({ upTo: [2n, 0n] })
    await checkTable(topic, log)
    const specs: unknown[] = []
    for await (const { file } of planScan({
      tableFiles: tableFiles(log.store),
      metadata: (await tableOf(log)).metadata,
    })) {
      specs.push([file.specId, file.partition])
    }
    expect(specs).toContainEqual([1, ['city-2']])
  })
})
