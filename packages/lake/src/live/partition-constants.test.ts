/** Columns that files lack and whose value their partition tells, wherever a table is read. */
import { tableFromIPC } from 'apache-arrow'
import { eq, gt, isNull, notNull } from '@moulin/core'
import type { Column, ColumnBatch, IcebergField, IcebergType, JsonValue, Literal, StructColumn } from '@moulin/core'
import { parquetWriter } from '@moulin/format'
import { bindPartitionSpec } from '@moulin/iceberg'
import type { PartitionValue } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { alter, avroCodec, ROWS, scanned, tiered, visit } from '../evolved.test-support.ts'
import { allRows, commitFiles, foreignFile, pick, replaceRows } from '../foreign.test-support.ts'
import { logOf, placed } from '../hive.test-support.ts'
import { checkTable, readAll } from '../lake.test-support.ts'
import { plainTable } from '../open-table/open-table.test-support.ts'
import type { PlainTable } from '../open-table/open-table.test-support.ts'
import { withPartitionColumns } from './partition-constants.ts'

const field = (id: number, name: string, type: IcebergType, initial?: JsonValue): IcebergField => {
  return { id, name, required: false, type, ...(initial !== undefined && { 'initial-default': initial }) }
}
const id = field(1, 'id', 'long')

/** Two files of two rows, whose partitions tell the column. */
async function told(column: IcebergField, values: readonly [PartitionValue, PartitionValue]): Promise<PlainTable> {
  const table = await plainTable([id])
  await table.append([{ id: 1n }, { id: 2n }])
  await table.append([{ id: 3n }, { id: 4n }])
  await alter(logOf(table), (fields) => [...fields, column])
  await placed(
    logOf(table),
    [column],
    values.map((value) => [value]),
  )
  return table
}

async function rowsOf(table: PlainTable): Promise<unknown[]> {
  const rows = await (await table.open()).scan().toArray()
  return rows.map((row) => ({ ...row })).sort((a, b) => Number((a['id'] as bigint) - (b['id'] as bigint)))
}

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)
const uuid = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll('-', ''), 'hex'))
const someUuid = 'f79c3e09-677c-4bbd-a479-3f349cb785e7'

const types: readonly (readonly [IcebergType, PartitionValue, shown: unknown, asked: Literal])[] = [
  ['boolean', true, true, true],
  ['int', -7, -7, -7],
  ['long', 2n ** 60n, 2n ** 60n, 2n ** 60n],
  ['float', 0.5, 0.5, 0.5],
  ['double', -0.1, -0.1, -0.1],
  ['decimal(9,2)', -1425n, '-14.25', '-14.25'],
  ['decimal(38,3)', 10n ** 37n, `1${'0'.repeat(34)}.000`, `1${'0'.repeat(34)}.000`],
  ['date', -2, '1969-12-30', '1969-12-30'],
  ['time', 81_068_123_456n, 81_068_123_456n, 81_068_123_456n],
  ['timestamp', -1n, -1n, -1n],
  ['timestamptz', 1_510_871_468_000_000n, 1_510_871_468_000_000n, 1_510_871_468_000_000n],
  ['timestamp_ns', 7n, 7n, 7n],
  ['timestamptz_ns', -7n, -7n, -7n],
  ['string', 'Zürich', 'Zürich', 'Zürich'],
  ['string', '', '', ''],
  ['uuid', uuid(someUuid), someUuid, someUuid],
  ['fixed[3]', bytes(0, 255, 7), bytes(0, 255, 7), bytes(0, 255, 7)],
  ['binary', bytes(0, 1), bytes(0, 1), bytes(0, 1)],
]

describe('a column that files lack and their partitions tell', () => {
  it.each(types)('is read, counted, and given as Arrow: %s %s', async (type, value, shown, asked) => {
    const table = await told(field(2, 'told', type, null), [value, null])
    const row = (n: bigint, one: unknown): object => ({ id: n, told: one })
    expect(await rowsOf(table)).toEqual([row(1n, shown), row(2n, shown), row(3n, null), row(4n, null)])
    const opened = await table.open()
    expect(await opened.scan({ where: eq('told', asked) }).count()).toBe(2)
    expect(await opened.scan({ where: isNull('told') }).toArray()).toHaveLength(2)
    expect(await opened.scan({ where: notNull('told') }).count()).toBe(2)
    const arrow = tableFromIPC(await opened.scan({ columns: ['told'] }).toIpc())
    expect([arrow.numRows, arrow.getChild('told')!.nullCount]).toEqual([4, 2])
  })

  it('is null where its partition says so, whatever its initial default', async () => {
    const table = await told(field(2, 'told', 'int', 5), [null, 5])
    expect(await rowsOf(table)).toEqual([null, null, 5, 5].map((value, at) => ({ id: BigInt(at + 1), told: value })))
    const opened = await table.open()
    expect(await opened.scan({ where: eq('told', 5) }).count()).toBe(2)
    expect(await opened.scan({ where: isNull('told') }).count()).toBe(2)
  })

  it.each<readonly [from: string, to: string, value: PartitionValue, shown: unknown]>([
    ['int', 'long', -7, -7n],
    ['float', 'double', 0.5, 0.5],
    ['decimal(9,2)', 'decimal(30,2)', -1425n, '-14.25'],
    ['date', 'timestamp', -2, -172_800_000_000n],
    ['date', 'timestamp_ns', 1, 86_400_000_000_000n],
  ])('has the value of before it was promoted: %s to %s', async (from, to, value, shown) => {
    const table = await told(field(2, 'told', from), [value, null])
    const opened = await table.open()
    await opened.scan().toArray()
    await alter(logOf(table), (fields) => fields.map((one) => (one.id === 2 ? { ...one, type: to } : one)))
    const rows = [shown, shown, null, null].map((one, at) => ({ id: BigInt(at + 1), told: one }))
    expect(await rowsOf(table)).toEqual(rows)
    expect(await opened.scan({ where: notNull('told') }).count()).toBe(2)
    // What is kept of a file was read as the older type.
    await opened.refresh()
    expect((await opened.scan({ where: gt('id', 0n) }).toArray()).map((row) => row['told'])).toEqual(
      expect.arrayContaining([shown, null]),
    )
    expect(await opened.scan({ where: eq('told', shown as Literal) }).count()).toBe(2)
  })

  it('may be a member of a struct, at any depth, and a struct that is null stays so', async () => {
    const struct = (...fields: readonly IcebergField[]): IcebergType => ({ type: 'struct', fields })
    const inner = field(4, 'inner', struct(field(5, 'x', 'int')))
    const stored = field(2, 'place', struct(field(3, 'a', 'int'), inner))
    const table = await plainTable([id])
    const log = logOf(table)
    await alter(log, () => [id, stored])
    // The second one is null, and within the third one the inner one.
    const numbers: Column = { storage: 'int32', length: 3, validity: undefined, values: Int32Array.of(0, 1, 2) }
    const within = (validity: number, fields: StructColumn['fields']): Column => {
      return { storage: 'struct', length: 3, validity: Uint8Array.of(validity), fields }
    }
    const members = [
      { name: 'a', column: numbers },
      { name: 'inner', column: within(0b001, [{ name: 'x', column: numbers }]) },
    ]
    const ids: Column = { storage: 'int64', length: 3, validity: undefined, values: BigInt64Array.of(0n, 1n, 2n) }
    const columns = [
      { name: 'id', column: ids },
      { name: 'place', column: within(0b101, members) },
    ]
    const loaded = await table.loaded()
    const file = await foreignFile(log, loaded, { length: 3, columns }, 'structs', parquetWriter)
    await commitFiles(log, loaded, [file], 'structs')
    const [y, deep] = [field(6, 'y', 'decimal(20,1)'), field(7, 'deep', 'uuid')]
    const grown = { ...inner, type: struct(deep, field(5, 'x', 'int')) }
    await alter(log, () => [id, { ...stored, type: struct(y, grown, field(3, 'a', 'int')) }])
    await placed(log, [y, deep], [[15n, uuid(someUuid)]])
    expect(await rowsOf(table)).toEqual([
      { id: 0n, place: { y: '1.5', inner: { deep: someUuid, x: 0 }, a: 0 } },
      { id: 1n, place: null },
      { id: 2n, place: { y: '1.5', inner: null, a: 2 } },
    ])
  })

  it('is refused by name where its value is none of the type that is asked for', async () => {
    const column = field(2, 'told', 'string')
    const fields = [{ 'source-id': 2, 'field-id': 1000, name: 'told', transform: 'identity' }]
    const spec = bindPartitionSpec({ 'spec-id': 1, fields }, [{ type: 'struct', 'schema-id': 0, fields: [column] }])
    const whole = { rowGroups: [], has: () => false, read: async () => ({ length: 2, columns: [] }) } as never
    const { read } = withPartitionColumns(whole, { file: { partition: ['Oslo'] }, spec } as never)
    expect((await read({ rowGroup: 0, types: [column] })).columns[0]!.column).toMatchObject({ storage: 'bytes' })
    for (const type of ['int', 'unknown', { type: 'struct', fields: [] }] as const)
      await expect(read({ rowGroup: 0, types: [{ ...column, type }] })).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'PARTITION_COLUMN',
        context: { column: 'told' },
      })
  })

  it('is one of a topic, too: records, scans and audits have it', async () => {
    const names = ['count', 'share', 'price', 'born', 'city'] as const
    const { log, topic } = await tiered(avroCodec)
    const before = await scanned(topic)
    const rows = await allRows(log)
    let dropped: readonly IcebergField[] = []
    await alter(log, (fields) => {
      dropped = fields.filter(({ name }) => names.includes(name as never))
      return fields.filter((one) => !dropped.includes(one))
    })
    const without = (batch: ColumnBatch): ColumnBatch => ({
      ...batch,
      columns: batch.columns.filter(({ name }) => !names.includes(name as never)),
    })
    const one = (at: number): ColumnBatch => without(pick(rows, [at]))
    const all = Array.from({ length: ROWS }, (_, at) => one(at))
    await replaceRows(log, all, parquetWriter)
    await alter(log, (fields) => [...fields, ...dropped])
    const day = (text: string): number => Date.parse(text) / 86_400_000
    const offsetOf = (at: number): number => {
      const column = rows.columns.find(({ name }) => name === '_kafka_offset')!.column
      return Number((column as { values: BigInt64Array }).values[at])
    }
    const tuples = all.map((_, at) => {
      const { count, share, price, born, city } = visit(offsetOf(at)) as Record<string, never>
      const values = { count, share, price: BigInt(String(price).replace('.', '')), born: day(born), city }
      return dropped.map(({ name }) => values[name as keyof typeof values] as PartitionValue)
    })
    await placed(log, dropped, tuples)
    await checkTable(topic, log)
    expect(await scanned(topic)).toEqual(before)
    expect(await topic.scan({ where: eq('price', '3.25') }).count()).toBe(1)
    expect(await topic.scan({ where: isNull('city') }).count()).toBe(3)
    const records = await readAll(topic, 0)
    expect(records.map(({ fidelity }) => fidelity)).toEqual(records.map(() => 'exact'))
    expect((await topic.audit({ deep: true })).clean).toBe(true)
  })
})
