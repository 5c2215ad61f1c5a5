import { formatCaps, Int32Builder, Int64Builder } from '@moulin/core'
import type { ColumnBatch, PartitionSpec } from '@moulin/core'
import { bytesRangeReader, openParquet, parquetWriter } from '@moulin/format'
import { bindPartitionSpec } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { PartitionWriters } from './partition-writers.ts'
import type { EncodedFile, WriterLimits } from './partition-writers.ts'
import { batchBytes } from './slice-buffer.ts'

const schema = {
  type: 'struct',
  fields: [
    { id: 1, name: '_kafka_partition', required: false, type: 'int' },
    { id: 2, name: '_kafka_offset', required: false, type: 'long' },
    { id: 1001, name: 'kind', required: false, type: 'int' },
  ],
} as const
const limits: WriterLimits = {
  fileBytes: 1 << 20,
  rowGroupBytes: 1 << 20,
  sharedRowGroupBytes: 1600,
  pageBytes: 1 << 16,
  openWriters: 64,
  openBytes: 1 << 20,
}

function writers(change: Partial<WriterLimits> = {}, transform = 'identity'): PartitionWriters {
  const fields = [{ 'source-id': 1001, name: 'k', transform }]
  const spec = bindPartitionSpec({ 'spec-id': 0, fields: transform === 'none' ? [] : fields }, [schema])
  return new PartitionWriters({
    schema,
    spec,
    factory: parquetWriter,
    compression: 'none',
    keyValue: {},
    limits: { ...limits, ...change },
  })
}

/** 16 bytes a row. */
function slice(
  partition: number,
  from: number,
  count: number,
  kind: (at: number) => number | null = () => 1,
): [partition: number, batch: ColumnBatch] {
  const partitions = new Int32Builder()
  const offsets = new Int64Builder()
  const kinds = new Int32Builder()
  for (let at = 0; at < count; at++) {
    partitions.append(partition)
    offsets.appendNumber(from + at)
    const value = kind(from + at)
    if (value === null) kinds.appendNull()
    else kinds.append(value)
  }
  const columns = [
    { name: '_kafka_partition', column: partitions.finish() },
    { name: '_kafka_offset', column: offsets.finish() },
    { name: 'kind', column: kinds.finish() },
  ]
  return [partition, { length: count, columns }]
}

/** Partitions and offset bounds of each row group. */
async function groupsOf({ bytes }: EncodedFile): Promise<unknown[]> {
  const file = await openParquet(bytesRangeReader(bytes, 'file'))
  return file.rowGroups.map((group) => {
    const partitions = group.bounds(1)
    const offsets = group.bounds(2)
    return [partitions.min, partitions.max, offsets.min, offsets.max, group.rowCount]
  })
}

describe('PartitionWriters', () => {
  it('finds the column of a spec by its id, also in a struct, and never another one of its name', () => {
    const inner = { id: 2001, name: 'kind', required: false, type: 'int' } as const
    const nested = {
      type: 'struct',
      fields: [...schema.fields, { id: 2000, name: 's', required: false, type: { type: 'struct', fields: [inner] } }],
    } as const
    const specOf = (source: number, transform = 'identity'): PartitionSpec => ({
      'spec-id': 0,
      fields: [{ 'source-id': source, name: 'k', transform }],
    })
    const over = (spec: PartitionSpec, known = nested): PartitionWriters =>
      new PartitionWriters({
        schema: nested,
        spec: bindPartitionSpec(spec, [known]),
        factory: parquetWriter,
        compression: 'none',
        keyValue: {},
        limits,
      })
    const [partition, { columns }] = slice(0, 0, 8, () => 1)
    const kinds = slice(0, 0, 8, (at) => at % 2)[1].columns[2]!
    // Of the rows from 4 on the struct is null, whatever lies in it.
    const struct = { storage: 'struct', length: 8, validity: Uint8Array.of(0x0f), fields: [kinds] } as const
    const batch = { length: 8, columns: [...columns, { name: 's', column: struct }] }
    const all = over(specOf(2001))
    all.add(partition, batch)
    const found = all.finish().map(({ tuple: [value], rowCount }) => [value, rowCount])
    expect(found.sort((a, b) => Number(b[1]) - Number(a[1]))).toEqual([
      [null, 4],
      [0, 2],
      [1, 2],
    ])
    expect(() => over(specOf(3000))).toThrow(/column id 3000, which the table has no more/)
    const voided = over(specOf(3000, 'void'))
    voided.add(partition, batch)
    expect(voided.finish().map(({ tuple }) => tuple)).toEqual([[null]])
  })

  it('gives each log partition row groups of its own, and lets small slices share one', async () => {
    const all = writers()
    expect(batchBytes(slice(0, 0, 100)[1])).toBe(1600)
    all.add(...slice(0, 0, 100))
    all.add(...slice(0, 100, 30))
    all.add(...slice(1, 0, 30))
    all.add(...slice(2, 0, 20))
    all.add(...slice(2, 20, 30))
    all.add(...slice(3, 0, 90))
    all.add(...slice(3, 90, 90))
    all.add(...slice(4, 0, 10))
    const [file, ...others] = all.finish()
    expect(others).toEqual([])
    expect(await groupsOf(file!)).toEqual([
      [0, 0, 0n, 129n, 130],
      [1, 2, 0n, 49n, 80],
      [3, 3, 0n, 179n, 180],
      [4, 4, 0n, 9n, 10],
    ])
    expect(file!.splitOffsets).toHaveLength(4)
  })

  it('lets small slices share row groups up to the limit, in the order of their partitions', async () => {
    const all = writers()
    for (let partition = 0; partition < 8; partition++) all.add(...slice(partition, 5, 30))
    const [file] = all.finish()
    expect((await groupsOf(file!)).map((group) => (group as unknown[]).slice(0, 2))).toEqual([
      [0, 3],
      [4, 7],
    ])
    const opened = await openParquet(bytesRangeReader(file!.bytes, 'file'))
    const { columns } = await opened.read({ rowGroup: 1, types: schema.fields })
    const partitions = Array.from({ length: 120 }, (_, row) => 4 + Math.floor(row / 30))
    expect(columns[0]!.column).toMatchObject({ values: Int32Array.from(partitions) })
  })

  it('sorts rows into a file per tuple, in their order', async () => {
    const all = writers()
    all.add(...slice(0, 0, 10, (at) => (at % 3 === 0 ? null : at % 3)))
    const files = all.finish()
    expect(files.map(({ tuple, rowCount }) => [tuple, rowCount])).toEqual([
      [[null], 4],
      [[1], 3],
      [[2], 3],
    ])
    const file = await openParquet(bytesRangeReader(files[1]!.bytes, 'file'))
    const rows = await file.read({ rowGroup: 0, types: schema.fields })
    expect((rows.columns[1]!.column as { values: BigInt64Array }).values).toEqual(BigInt64Array.of(1n, 4n, 7n))
  })

  it('writes one file where the table has no partition spec', () => {
    const all = writers({}, 'none')
    all.add(...slice(0, 0, 10, (at) => at))
    expect(all.finish().map(({ tuple }) => tuple)).toEqual([[]])
  })

  it('closes a file that is full, and goes on with another', () => {
    const all = writers({ fileBytes: 1 })
    all.add(...slice(0, 0, 200))
    expect(all.take()).toHaveLength(1)
    all.add(...slice(0, 200, 200))
    expect(all.take()).toHaveLength(1)
    expect(all.finish()).toEqual([])
  })

  it('puts out the largest as a small file above the number of open writers', () => {
    const all = writers({ openWriters: 3 })
    all.add(...slice(0, 0, 50, () => 7))
    all.add(...slice(0, 50, 10, (at) => at))
    const early = all.take()
    expect(early.length).toBeGreaterThanOrEqual(8)
    expect(early[0]!.tuple).toEqual([7])
    const rest = all.finish()
    expect(rest).toHaveLength(3)
    expect([...early, ...rest].reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(60)
  })

  it('puts out the largest above the bytes of open writers', () => {
    const all = writers({ openBytes: 2000 })
    all.add(...slice(0, 0, 90, () => 7))
    all.add(...slice(0, 90, 20, () => 8))
    expect(all.take()).toEqual([])
    all.add(...slice(0, 110, 30, () => 9))
    expect(all.take().map(({ tuple }) => tuple)).toEqual([[7]])
    expect(all.finish().map(({ rowCount }) => rowCount)).toEqual([20, 30])
  })

  it('has nothing to write without rows', () => {
    const all = writers()
    all.add(...slice(0, 0, 0))
    expect(all.finish()).toEqual([])
  })
})

it('ends a file whose footer grows long, however small it is, so that it is opened again', async () => {
  const columns = 2_000
  const fields = Array.from({ length: columns }, (_, at) => {
    return { id: 1001 + at, name: `column ${at}`.padEnd(1_000, '.'), required: false, type: 'int' }
  })
  const wide = { type: 'struct', fields: [...schema.fields.slice(0, 2), ...fields] } as const
  const all = new PartitionWriters({
    schema: wide,
    spec: bindPartitionSpec({ 'spec-id': 0, fields: [] }, [wide]),
    factory: parquetWriter,
    compression: 'none',
    keyValue: {},
    limits: { ...limits, sharedRowGroupBytes: 1, openBytes: 1 << 30 },
  })
  const partitions = 24
  for (let partition = 0; partition < partitions; partition++) {
    const [, { length, columns: known }] = slice(partition, 0, 1)
    all.add(partition, { length, columns: known.slice(0, 2) })
  }
  const files = all.finish()
  expect(files.length).toBeGreaterThan(1)
  let rows = 0
  for (const { bytes } of files) {
    const footer = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8).getUint32(0, true)
    // With room for row groups that come at once.
    expect(footer).toBeLessThan(formatCaps.maxParquetFooterBytes / 2)
    rows += (await openParquet(bytesRangeReader(bytes, 'file'))).rowCount
  }
  expect(rows).toBe(partitions)
})
