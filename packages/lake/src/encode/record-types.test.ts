import { and, eq, gt, isNull, lt, not, schema, startsWith, t, TIMESTAMP_MS_MAX } from '@moulin/core'
import type { Codec, ColdTopic, Expression, ValueMode } from '@moulin/core'
import { avro, json } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { checkTable, readAll, testLog, utf8 } from '../lake.test-support.ts'
import type { SentRecord, TestLog } from '../lake.test-support.ts'
import { systemNames } from '../table/system-columns.ts'

const Everything = schema({
  boolean: t.boolean.optional(),
  int: t.int.optional(),
  int53: t.int53.optional(),
  long: t.long.optional(),
  float: t.float.optional(),
  double: t.double.optional(),
  small: t.decimal(9, 2).optional(),
  large: t.decimal(38, 10).optional(),
  string: t.string.optional(),
  binary: t.binary.optional(),
  uuid: t.uuid.optional(),
  fixed: t.fixed(3).optional(),
  date: t.date.optional(),
  time: t.time.optional(),
  time_micros: t.time.micros.optional(),
  timestamp: t.timestamp.optional(),
  timestamp_micros: t.timestamp.micros.optional(),
  timestamptz: t.timestamptz.optional(),
  timestamptz_micros: t.timestamptz.micros.optional(),
})
type Value = Record<string, unknown>

const full: Value = {
  boolean: true,
  int: -2147483648,
  int53: 2 ** 53 - 1,
  long: 2n ** 63n - 1n,
  float: Math.fround(0.1),
  double: -0.1,
  small: '-1234567.89',
  large: '1234567890123456789012345678.0123456789',
  string: 'Zürich 🏔 ',
  binary: Uint8Array.of(0, 255, 128),
  uuid: '00112233-4455-6677-8899-aabbccddeeff',
  fixed: Uint8Array.of(1, 2, 3),
  date: '1969-12-31',
  time: 86_399_999,
  time_micros: 86_399_999_999n,
  timestamp: new Date('1900-01-01T00:00:00.001Z'),
  timestamp_micros: -1n,
  timestamptz: new Date('2100-02-28T23:59:59.999Z'),
  timestamptz_micros: 253_402_300_800_000_001n,
}
const empty: Value = Object.fromEntries(Object.keys(full).map((name) => [name, null]))
const plain: Value = {
  boolean: false,
  int: 0,
  int53: -(2 ** 53 - 1),
  long: -(2n ** 63n),
  float: 0,
  double: 1e300,
  small: '0.00',
  large: '-0.0000000001',
  string: '',
  binary: new Uint8Array(0),
  uuid: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  fixed: new Uint8Array(3),
  date: '2024-02-29',
  time: 0,
  time_micros: 0n,
  timestamp: new Date(0),
  timestamp_micros: 0n,
  timestamptz: new Date(0),
  timestamptz_micros: 1n,
}
const values = [full, empty, plain]

const codecs: { name: string; codec: Codec<Value> }[] = [
  { name: 'avro', codec: avro(Everything) as unknown as Codec<Value> },
  { name: 'json', codec: json(Everything) as unknown as Codec<Value> },
]

const nullRow = (row: Value): Value => Object.assign(Object.create(null) as Value, row)

function manyRecords(codec: Codec<Value>): SentRecord[] {
  return [
    ...values.map((value, at) => ({ key: utf8(`key-${at}`), value: codec.encode(value), timestamp: -1n - BigInt(at) })),
    { key: null, value: null, timestamp: TIMESTAMP_MS_MAX },
    { key: new Uint8Array(0), value: new Uint8Array(0), timestamp: -TIMESTAMP_MS_MAX },
    { key: utf8('k'), value: utf8('\u0000 not a value'), timestamp: 0n },
    {
      value: codec.encode(plain),
      headers: [
        ['trace', utf8('1')],
        ['trace', utf8('2')],
        ['', null],
        ['empty', new Uint8Array(0)],
        ['é', utf8('ü')],
      ],
    },
    { value: nonCanonical(codec, full) },
  ]
}

// The same value in other bytes: a blank in JSON, a byte more in Avro.
function nonCanonical(codec: Codec<Value>, value: Value): Uint8Array {
  const bytes = codec.encode(value)
  return codec.format.startsWith('json') ? Buffer.concat([utf8(' '), bytes]) : Buffer.concat([bytes, utf8('!')])
}

async function tiered(log: TestLog): Promise<ColdTopic> {
  const topic = await log.attach()
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return topic
}

describe.each(codecs)('values of $name', ({ codec }) => {
  const modes: ValueMode[] = ['columns', 'columns+raw', 'raw']

  it.each(modes)(
    'come back as their bytes in value mode %s, from either tier and in a new process',
    async (valueMode) => {
      const log = testLog({ codec: codec as Codec, info: { valueMode } })
      log.hot.send(0, manyRecords(codec))
      log.hot.send(0, manyRecords(codec), { timestampType: 'create', valueSchemaId: 0 })
      log.hot.send(
        1,
        [
          { value: codec.encode(full), timestamp: 5n },
          { value: null, timestamp: 5n },
        ],
        { timestampType: 'append' },
      )
      log.hot.compression = 'zstd'
      log.hot.send(1, manyRecords(codec))
      await checkTable(await tiered(log), log)
      await checkTable(await log.reopen().attach(), log)
    },
  )

  it('say in their state where the bytes are', async () => {
    const states = async (valueMode: ValueMode): Promise<unknown[]> => {
      const log = testLog({ codec: codec as Codec, info: { valueMode, partitions: 1 } })
      log.hot.send(0, manyRecords(codec))
      const rows = await (await tiered(log)).scan({ columns: ['_kafka_value_state', '_kafka_value'] }).toArray()
      return rows.map((row) => `${String(row['_kafka_value_state'])}${row['_kafka_value'] === null ? '' : ' kept'}`)
    }
    const typed = ['typed', 'typed', 'typed', 'null', 'raw kept', 'raw kept', 'typed', 'typed+raw kept']
    expect(await states('columns')).toEqual(typed)
    expect(await states('columns+raw')).toEqual(typed.map((state) => (state === 'typed' ? 'typed+raw kept' : state)))
    expect(await states('raw')).toEqual(typed.map((state) => (state === 'null' ? state : 'raw kept')))
  })

  it('are the same rows hot and cold', async () => {
    const log = testLog({ codec: codec as Codec, info: { partitions: 1 } })
    log.hot.send(0, manyRecords(codec))
    const topic = await log.attach()
    const columns = [...Object.keys(full), ...systemNames]
    const hot = await topic.scan({ columns }).toArray()
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const cold = await topic.scan({ columns }).toArray()
    expect(cold).toEqual(hot)
    expect(await topic.scan({}).toArray()).toEqual([full, empty, plain, empty, empty, empty, plain, full].map(nullRow))
    expect(Object.getPrototypeOf(cold[0])).toBe(null)
    expect(cold[0]).toMatchObject({
      _kafka_partition: 0,
      _kafka_offset: 0n,
      _kafka_incarnation: 1,
      _kafka_timestamp: null,
      _kafka_timestamp_type: 0,
      _kafka_key: utf8('key-0'),
      _kafka_headers: [],
      _kafka_schema_id: 1,
      _kafka_key_schema_id: 0,
    })
    expect(cold[1]!['_kafka_timestamp']).toEqual(new Date(-2))
    expect(cold[6]!['_kafka_headers']).toEqual([
      nullRow({ key: 'trace', value: utf8('1') }),
      nullRow({ key: 'trace', value: utf8('2') }),
      nullRow({ key: '', value: null }),
      nullRow({ key: 'empty', value: new Uint8Array(0) }),
      nullRow({ key: 'é', value: utf8('ü') }),
    ])
  })

  const predicates: [string, Expression, number][] = [
    ['eq on a string', eq('string', ''), 2],
    ['a prefix', startsWith('string', 'Zür'), 2],
    ['nulls', isNull('int'), 4],
    ['not of a comparison, which nulls do not pass', not(eq('int', 0)), 2],
    ['a range of longs', and(gt('long', 0n), lt('long', 2n ** 63n - 1n)), 0],
    ['a decimal', lt('large', '0'), 2],
    ['a Date', eq('timestamp', new Date(0)), 2],
    ['a system column', gt('_kafka_offset', 5n), 2],
    ['a state', eq('_kafka_value_state', 'raw'), 2],
  ]
  it.each(predicates)('are found by %s, hot, cold and half of each', async (_name, where, count) => {
    const log = testLog({ codec: codec as Codec, info: { partitions: 1 } })
    for (const record of manyRecords(codec)) log.hot.send(0, [record])
    const topic = await log.attach()
    for (const end of [0n, 3n, 8n]) {
      await topic.tier({ upTo: [end] })
      expect(await topic.scan({ where, columns: ['_kafka_offset'] }).toArray()).toHaveLength(count)
      expect(await topic.scan({ where }).count()).toBe(count)
    }
  })
})

describe('a topic without a codec', () => {
  it('keeps values as bytes and gives them by default', async () => {
    const log = testLog({ info: { partitions: 1 } })
    log.hot.send(0, [{ value: utf8('a') }, { value: null }, { value: new Uint8Array(0) }])
    const topic = await tiered(log)
    expect(await topic.scan({}).toArray()).toEqual(
      [utf8('a'), null, new Uint8Array(0)].map((value) => nullRow({ _kafka_value: value })),
    )
    await checkTable(topic, log)
  })

  it('takes any int64 of a timestamp that has microseconds', async () => {
    const log = testLog({ info: { partitions: 1, partitionBy: [] } })
    const timestamps = [-1n, 0n, -2n, 2n ** 43n, -(2n ** 43n), TIMESTAMP_MS_MAX, -TIMESTAMP_MS_MAX, 9_007_199_254_741n]
    log.hot.send(
      0,
      timestamps.map((timestamp) => ({ value: null, timestamp })),
    )
    const topic = await tiered(log)
    expect((await readAll(topic, 0)).map(({ timestamp }) => timestamp)).toEqual(timestamps)
    await checkTable(topic, log)
  })
})

describe('rows without checksums', () => {
  it('come back exact from files of the log, and the audit counts only', async () => {
    const log = testLog({ info: { rowCrc: false } })
    log.hot.send(0, [{ value: utf8('a') }])
    const topic = await tiered(log)
    const report = await topic.audit()
    expect(report.clean).toBe(true)
    expect(report.partitions[0]).toMatchObject({ rows: 1n, ledgerRows: 1n, checksum: null, ledgerChecksum: null })
    await checkTable(topic, log)
  })
})
