/** A table whose columns another engine has changed: what the log makes of its records then. */
import { and, bucket, eq, gte, isNull, isValid, lt, schema, t } from '@moulin/core'
import type {
  Codec,
  Column,
  ColdTopic,
  IcebergField,
  IcebergType,
  JsonValue,
  StoredRecord,
  TableUpdate,
} from '@moulin/core'
import { avro, json, parquetWriter } from '@moulin/format'
import { currentSchema } from '@moulin/iceberg'
import { tableFromIPC } from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import { allRows, change, columnOf, replaceRows, tableOf, withColumn, withNumbers } from './foreign.test-support.ts'
import { checkTable, readAll, recordsOf, testLog, utf8 } from './lake.test-support.ts'
import type { TestLog, TestLogOptions } from './lake.test-support.ts'

const Visit = schema({
  count: t.int,
  share: t.float.optional(),
  price: t.decimal(9, 2),
  large: t.decimal(18, 1).optional(),
  born: t.date,
  city: t.string.optional(),
  stops: t.list(t.struct({ level: t.int, name: t.string.optional(), tags: t.map(t.string, t.int) })),
})
const codecs: readonly { readonly name: string; readonly codec: Codec }[] = [
  { name: 'avro', codec: avro(Visit) as Codec },
  { name: 'json', codec: json(Visit) as Codec },
]
const visit = (at: number): Record<string, unknown> => ({
  count: at % 2 === 0 ? at : -at - 2_000_000_000,
  share: at % 3 === 0 ? null : at / 8,
  price: `${at}.25`,
  large: at % 4 === 0 ? null : `-${at}000000000000.5`,
  born: `19${60 + (at % 20)}-02-0${1 + (at % 9)}`,
  city: at % 5 === 0 ? null : `city-${at % 3}`,
  stops: Array.from({ length: at % 3 }, (_, level) => ({
    level: level - at,
    name: level === 0 ? null : `n${at}`,
    tags: new Map([[`t${at}`, at]]),
  })),
})

const ROWS = 12

async function tiered(codec: Codec, options: TestLogOptions = {}): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ codec, ...options, info: { partitionBy: [], partitions: 1, ...options.info } })
  const topic = await log.attach()
  send(log, codec, 0, ROWS)
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return { log, topic }
}

function send(log: TestLog, codec: Codec, from: number, to: number): void {
  const headers = [['h', utf8('1')]] as const
  const records = Array.from({ length: to - from }, (_, at) => ({
    key: utf8(`key-${from + at}`),
    value: codec.encode(visit(from + at)),
    headers,
  }))
  log.hot.send(0, records)
}

async function alter(log: TestLog, edit: (fields: readonly IcebergField[]) => IcebergField[]): Promise<void> {
  const { metadata } = await tableOf(log)
  const update: TableUpdate = {
    action: 'add-schema',
    schema: { type: 'struct', fields: edit(currentSchema(metadata).fields) },
    'last-column-id': metadata['last-column-id'] + 1000,
  }
  await change(log, [update, { action: 'set-current-schema', 'schema-id': -1 }])
}

/** Every type that may be promoted, at any depth, as a stranger's ALTER TABLE leaves it. */
function promoted(type: IcebergType): IcebergType {
  if (typeof type !== 'string') {
    if (type.type === 'struct')
      return { ...type, fields: type.fields.map((field) => ({ ...field, type: promoted(field.type) })) }
    if (type.type === 'list') return { ...type, element: promoted(type.element) }
    return { ...type, key: promoted(type.key), value: promoted(type.value) }
  }
  const wider: Record<string, string> = {
    int: 'long',
    float: 'double',
    'decimal(9,2)': 'decimal(30,2)',
    'decimal(9, 2)': 'decimal(30,2)',
    'decimal(18,1)': 'decimal(38,1)',
    'decimal(18, 1)': 'decimal(38,1)',
    date: 'timestamp',
  }
  return wider[type] ?? type
}
const promoteAll = (fields: readonly IcebergField[]): IcebergField[] =>
  fields.map((field) => ({ ...field, type: promoted(field.type) }))

const renameFields = (type: IcebergType): IcebergType => {
  if (typeof type === 'string') return type
  if (type.type === 'list') return { ...type, element: renameFields(type.element) }
  if (type.type === 'map') return { ...type, value: renameFields(type.value) }
  // Backwards, and under other names; `level` and `name` have swapped theirs.
  const names = new Map([
    ['level', 'name'],
    ['name', 'level'],
  ])
  const fields = type.fields.map((field) => ({ ...field, name: names.get(field.name) ?? `${field.name} of old` }))
  return { ...type, fields: fields.reverse() }
}

/** In the struct within `stops`. */
function inStops(
  fields: readonly IcebergField[],
  edit: (members: readonly IcebergField[]) => readonly IcebergField[],
): IcebergField[] {
  return fields.map((field) => {
    if (field.name !== 'stops' || typeof field.type === 'string' || field.type.type !== 'list') return field
    const { element } = field.type
    if (typeof element === 'string' || element.type !== 'struct') return field
    return { ...field, type: { ...field.type, element: { ...element, fields: edit(element.fields) } } }
  })
}

const rewrite = async (log: TestLog): Promise<void> => replaceRows(log, [await allRows(log)], parquetWriter)
/** By offset. */
async function scanned(
  topic: ColdTopic,
  columns: readonly string[] = Visit.fields.map(({ name }) => name),
): Promise<unknown[]> {
  const rows = await topic.scan({ columns: ['_kafka_offset', ...columns] }).toArray()
  return rows.sort((a, b) => Number(a['_kafka_offset']) - Number(b['_kafka_offset']))
}
const fidelities = (records: readonly StoredRecord[]): string[] => records.map(({ fidelity }) => fidelity)

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

const [{ codec }] = codecs as [{ codec: Codec }]

describe('a table that lost a system column', () => {
  it.each(['_kafka_partition', '_kafka_offset', '_kafka_incarnation'])('is broken without %s', async (name) => {
    const { log, topic } = await tiered(codec)
    await alter(log, (fields) => fields.filter((field) => field.name !== name))
    const broken = { kind: 'conflict', code: 'LINEAGE_BROKEN', context: { fault: 'lost-identity' } }
    await expect(topic.refresh()).rejects.toMatchObject(broken)
    await expect(readAll(topic, 0)).rejects.toMatchObject(broken)
    await expect(log.reopen().attach()).rejects.toThrow(name)
    // Not to be adopted, by whatever policy: there is nothing to count.
    for (const how of ['restore', 'gap', 'by-hand'] as const) await expect(log.adopt(how)).rejects.toMatchObject(broken)
    // One of the name is another column.
    await alter(log, (fields) => [
      ...fields,
      { id: 6000, name, required: false, type: name === '_kafka_offset' ? 'long' : 'int' },
    ])
    await expect(topic.refresh()).rejects.toMatchObject(broken)
    // The schema of before is the way back.
    const { metadata } = await tableOf(log)
    await change(log, [{ action: 'set-current-schema', 'schema-id': metadata.schemas[0]!['schema-id']! }])
    await checkTable(topic, log)
  })

  const others: readonly { readonly name: string; readonly reads: Partial<StoredRecord>; readonly error?: RegExp }[] = [
    { name: '_kafka_timestamp', reads: { timestamp: -1n } },
    { name: '_kafka_key', reads: { key: null } },
    { name: '_kafka_headers', reads: { headers: [] } },
    { name: '_kafka_crc', reads: {} },
    { name: '_kafka_schema_id', reads: {} },
    { name: '_kafka_key_schema_id', reads: {} },
  ]
  it.each(others)('reads $name as null, says degraded, and goes on', async ({ name, reads }) => {
    const { log, topic } = await tiered(codec)
    const sent = log.hot.records(0).map((record) => ({ ...record, ...reads, fidelity: 'degraded' }))
    await alter(log, (fields) => fields.filter((field) => field.name !== name))
    expect(await readAll(topic, 0)).toEqual(sent)
    expect(await topic.scan({ columns: [name] }).toArray()).toEqual(sent.map(() => ({ [name]: null })))
    await rewrite(log)
    expect(await readAll(topic, 0)).toEqual(sent)
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    const more = log.hot.records(0).map((record) => ({ ...record, ...reads, fidelity: 'degraded' }))
    const next = await log.reopen().attach()
    expect(await readAll(next, 0)).toEqual(more)
    const report = await next.audit({ deep: true })
    expect(report.partitions[0]).toMatchObject({ rows: BigInt(ROWS + 3), deleted: 0n })
    expect(report.deep).toMatchObject({ mismatched: 0n })
    expect(report.clean).toBe(true)
    if (name === '_kafka_crc') expect(report.partitions[0]).toMatchObject({ checksum: null, ledgerChecksum: null })
  })

  it('finds no time where there is none, and what has none before all', async () => {
    const { log, topic } = await tiered(codec)
    await alter(log, (fields) => fields.filter(({ name }) => name !== '_kafka_timestamp'))
    const since = (timestamp: bigint): Promise<bigint | undefined> =>
      topic.offsetSince!({ partition: 0, timestamp, to: BigInt(ROWS) })
    expect(await since(0n)).toBeUndefined()
    expect(await since(-1n)).toBe(0n)
  })

  it('knows by the checksum what is whole without the column', async () => {
    const { log, topic } = await tiered(codec)
    await alter(log, (fields) =>
      fields.filter(({ name }) => name !== '_kafka_timestamp_type' && name !== '_kafka_value_state'),
    )
    await checkTable(topic, log)
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await checkTable(topic, log)
  })

  it('gives no tombstone for a value that was in _kafka_value', async () => {
    const log = testLog({ info: { partitions: 1, partitionBy: [] } })
    const topic = await log.attach()
    log.hot.send(0, [
      { key: utf8('a'), value: utf8('one') },
      { key: utf8('b'), value: null },
    ])
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await alter(log, (fields) => fields.filter(({ name }) => name !== '_kafka_value'))
    const runs = []
    for await (const run of topic.read({ partition: 0, from: 0n, to: 2n })) runs.push(run)
    expect(runs.flatMap(({ unreadable }) => [...(unreadable ?? [])])).toEqual([
      [0, expect.stringContaining('_kafka_value')],
    ])
    expect(runs.flatMap((run) => fidelities(recordsOf(run)))).toEqual(['degraded', 'exact'])
  })

  it('lacks the keys of headers without a fault of theirs', async () => {
    const { log, topic } = await tiered(codec)
    await alter(log, (fields) =>
      fields.map((field) => {
        if (field.name !== '_kafka_headers' || typeof field.type === 'string' || field.type.type !== 'list')
          return field
        const { element } = field.type
        if (typeof element === 'string' || element.type !== 'struct') return field
        return { ...field, type: { ...field.type, element: { ...element, fields: element.fields.slice(1) } } }
      }),
    )
    const records = await readAll(topic, 0)
    expect(records[0]).toMatchObject({ headers: [['', utf8('1')]], fidelity: 'degraded' })
    send(log, codec, ROWS, ROWS + 1)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect((await readAll(topic, 0)).at(-1)).toMatchObject({ headers: [['', utf8('1')]], fidelity: 'degraded' })
  })
})

describe('columns of others', () => {
  const added = (field: Partial<IcebergField> & Pick<IcebergField, 'type'>) => (fields: readonly IcebergField[]) => [
    ...fields,
    { id: 7000, name: 'theirs', required: false, ...field },
  ]

  it.each(['variant', 'geometry(srid:4326)', 'geography', 'unknown', 'timestamp_ns', 'timestamptz_ns', 'of-tomorrow'])(
    'are left alone whatever their type: %s',
    async (type) => {
      const { log, topic } = await tiered(codec)
      await alter(log, added({ type }))
      await checkTable(topic, log)
      send(log, codec, ROWS, ROWS + 3)
      await topic.tier({ upTo: log.hot.committedOffsets() })
      await checkTable(topic, log)
      expect(await topic.scan({ where: eq('count', 4) }).count()).toBe(1)
      expect((await topic.audit({ deep: true })).clean).toBe(true)
      await checkTable(await log.reopen().attach(), log)
    },
  )

  it('stop tiering by name where they must have a value, and reads go on', async () => {
    const { log, topic } = await tiered(codec)
    for (const edit of [
      added({ type: 'string', required: true }),
      (fields: readonly IcebergField[]) =>
        inStops(
          fields.filter(({ id }) => id !== 7000),
          (members) => [...members, { id: 7001, name: 'theirs', required: true, type: 'int' }],
        ),
    ]) {
      await alter(log, edit)
      log.hot.send(0, [{ value: codec.encode(visit(1)) }])
      await expect(topic.tier({ upTo: log.hot.committedOffsets() })).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'REQUIRED_COLUMN',
        message: expect.stringContaining('theirs'),
      })
      expect((await readAll(topic, 0)).slice(0, ROWS)).toEqual(log.hot.records(0).slice(0, ROWS))
    }
  })

  it.each<readonly [string, JsonValue, string]>([
    ['int', 7, '7'],
    ['string', 'ß', 'c39f'],
    ['decimal(20,3)', '-14.205', `${'ff'.repeat(7)}c883`],
    ['date', '2024-02-29', '19782'],
    ['timestamptz', '2024-02-29T23:59:59.123456+02:00', '1709243999123456'],
    ['uuid', '00112233-4455-6677-8899-aabbccddeeff', '00112233445566778899aabbccddeeff'],
  ])('are written with their write default: %s', async (type, value, stored) => {
    const { log, topic } = await tiered(codec)
    await alter(log, added({ type, required: true, 'initial-default': value, 'write-default': value }))
    await checkTable(topic, log)
    // To a reader rows of before have it, and rows from now on, whether or not anybody has rewritten them.
    const rowsOf = async (): Promise<string[]> => {
      const column = columnOf(await allRows(log), 'theirs')
      expect(column.validity).toBeUndefined()
      return Array.from({ length: column.length }, (_, row) => bytesAt(column, row))
    }
    const before = await rowsOf()
    expect(new Set(before)).toEqual(new Set([stored]))
    send(log, codec, ROWS, ROWS + 3)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    // Another default from now on says nothing of what is written.
    await alter(log, (fields) =>
      fields.map(({ 'initial-default': _gone, ...field }) => ({ ...field, required: false })),
    )
    const column = columnOf(await allRows(log), 'theirs')
    const written = Array.from({ length: column.length }, (_, row) => row)
      .filter((row) => isValid(column, row))
      .map((row) => bytesAt(column, row))
    expect(written).toEqual([stored, stored, stored])
  })
})

function bytesAt(column: Column, row: number): string {
  if (column.storage === 'bytes')
    return Buffer.from(column.data.subarray(column.starts[row], column.ends[row])).toString('hex')
  if (column.storage === 'fixed')
    return Buffer.from(column.values.subarray(row * column.width, (row + 1) * column.width)).toString('hex')
  return String((column as Column & { values: ArrayLike<unknown> }).values[row])
}

it('partitions by a column that was promoted, as engines do', async () => {
  const { log, topic } = await tiered(codec, { info: { partitionBy: [bucket(4, 'count')] } })
  await alter(log, promoteAll)
  send(log, codec, ROWS, ROWS + 6)
  await topic.tier({ upTo: log.hot.committedOffsets() })
  await checkTable(topic, log)
  for (let at = 0; at < ROWS + 6; at++) {
    expect(await topic.scan({ where: eq('count', visit(at)['count'] as number) }).count()).toBe(1)
  }
})
