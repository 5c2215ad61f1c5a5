import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Column, ColumnBatch, IcebergField, IcebergSchema } from '@moulin/core'
import { parquetWriter } from '@moulin/format'
import { hyparquetWriter } from '@moulin/format/second-opinion'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const field = (id: number, name: string, type: IcebergField['type'], required = false): IcebergField => ({
  id,
  name,
  type,
  required,
})
const header = [field(9, 'key', 'string', true), field(10, 'value', 'binary')]
const schema: IcebergSchema = {
  type: 'struct',
  fields: [
    field(1, 'id', 'long'),
    field(2, 'n', 'int'),
    field(3, 'city', 'string'),
    field(4, 'at', 'timestamptz'),
    field(5, 'day', 'date'),
    field(6, 'price', 'decimal(9,2)'),
    field(7, '_kafka_headers', {
      type: 'list',
      'element-id': 8,
      'element-required': true,
      element: { type: 'struct', fields: header },
    }),
    field(11, 'sum', 'decimal(20,1)'),
    field(12, 'uid', 'uuid'),
    field(13, 'flag', 'boolean'),
    field(14, 'd', 'double'),
    field(15, 'f', 'float'),
    field(16, 'clock', 'time'),
    field(17, 'local', 'timestamp'),
    field(18, 'none', 'binary'),
  ],
}

const rowsPerGroup = 20_000
const groups = 3

// Everything of row `i` follows from `i`, so that SQL can say it, too.
function batch(first: number): ColumnBatch {
  const length = rowsPerGroup
  const row = (slot: number): number => first + slot
  const numbers = <A extends Int32Array | Float64Array | Float32Array>(array: A, value: (i: number) => number): A =>
    array.map((_, slot) => value(row(slot))) as A
  const longs = (value: (i: number) => bigint): BigInt64Array =>
    new BigInt64Array(length).map((_, slot) => value(row(slot)))
  const texts = (count: number, value: (slot: number) => string): Column => {
    const parts = Array.from({ length: count }, (_, slot) => new TextEncoder().encode(value(slot)))
    const starts = new Int32Array(count)
    const ends = new Int32Array(count)
    let size = 0
    for (const [slot, part] of parts.entries()) {
      starts[slot] = size
      ends[slot] = size += part.length
    }
    return { storage: 'bytes', length: count, validity: undefined, data: Buffer.concat(parts), starts, ends }
  }
  const base = { length, validity: undefined }
  // Every third row is null in `city`; every tenth has one header, the others none.
  const cityValidity = new Uint8Array(length / 8)
  for (let slot = 0; slot < length; slot++) if (row(slot) % 3 !== 0) cityValidity[slot >> 3]! |= 1 << (slot & 7)
  const offsets = new Int32Array(length + 1)
  for (let slot = 0; slot < length; slot++) offsets[slot + 1] = offsets[slot]! + (row(slot) % 10 === 0 ? 1 : 0)
  const withHeader = Array.from({ length }, (_, slot) => row(slot)).filter((i) => i % 10 === 0)
  const fixed = (width: number, value: (i: number) => bigint): Column => {
    const values = new Uint8Array(length * width)
    for (let slot = 0; slot < length; slot++)
      for (let at = width - 1, rest = value(row(slot)); at >= 0; at--, rest >>= 8n)
        values[slot * width + at] = Number(rest & 0xffn)
    return { storage: 'fixed', ...base, width, values }
  }
  const columns: Record<string, Column> = {
    id: { storage: 'int64', ...base, values: longs((i) => BigInt(i) * 10n ** 14n - 2n ** 62n) },
    n: { storage: 'int32', ...base, values: numbers(new Int32Array(length), (i) => i - 30_000) },
    city: { ...texts(length, (slot) => ['', 'Zürich', '東京'][row(slot) % 3]!), validity: cityValidity },
    at: { storage: 'int64', ...base, values: longs((i) => BigInt(i) * 1_000_000_001n - 5_000_000_000_000_000n) },
    day: { storage: 'int32', ...base, values: numbers(new Int32Array(length), (i) => i - 25_000) },
    price: { storage: 'int64', ...base, values: longs((i) => BigInt(i) - 30_000n) },
    _kafka_headers: {
      storage: 'list',
      ...base,
      offsets,
      element: {
        storage: 'struct',
        length: withHeader.length,
        validity: undefined,
        fields: [
          { name: 'key', column: texts(withHeader.length, () => 'trace') },
          { name: 'value', column: texts(withHeader.length, (slot) => String(withHeader[slot])) },
        ],
      },
    },
    sum: fixed(9, (i) => -(BigInt(i) ** 4n)),
    uid: fixed(16, (i) => BigInt(i)),
    flag: { storage: 'bool', ...base, values: Uint8Array.from({ length }, (_, slot) => row(slot) % 2) },
    d: { storage: 'float64', ...base, values: numbers(new Float64Array(length), (i) => (i === 7 ? NaN : i / 8)) },
    f: { storage: 'float32', ...base, values: numbers(new Float32Array(length), (i) => -i / 4) },
    clock: { storage: 'int64', ...base, values: longs((i) => BigInt(i) * 1_000_003n) },
    local: { storage: 'int64', ...base, values: longs((i) => BigInt(i) * 3_600_000_000n) },
  }
  return { length, columns: Object.entries(columns).map(([name, column]) => ({ name, column })) }
}

const sameRows = `
  select count(*) as rows from read_parquet($path, file_row_number = true) as t, lateral (select t.file_row_number as i)
  where id = i * 100000000000000 - 4611686018427387904
    and n = i - 30000
    and city is not distinct from (case i % 3 when 0 then null when 1 then 'Zürich' else '東京' end)
    and epoch_us("at") = i * 1000000001 - 5000000000000000
    and day = date '1970-01-01' + (i - 25000)::int
    and price = ((i - 30000) / 100)::decimal(9, 2)
    and len(_kafka_headers) = (case when i % 10 = 0 then 1 else 0 end)
    and (i % 10 <> 0 or (_kafka_headers[1].key = 'trace' and _kafka_headers[1].value = i::varchar::blob))
    and sum * 10 = -(i::hugeint * i * i * i)
    and uid = ('00000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::uuid
    and flag = (i % 2 = 1)
    and (case when i = 7 then isnan(d) else d = i / 8 end)
    and f = -i / 4
    and epoch_us(clock) = i * 1000003
    and epoch_us(local) = i * 3600000000
    and "none" is null`

describe.each([parquetWriter, await hyparquetWriter()])('a Parquet file of $name in DuckDB', (factory) => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'moulin-duckdb-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it.each(['zstd', 'snappy', 'gzip', 'none'] as const)('has every row and value (%s)', async (compression) => {
    const writer = factory.create({ schema, compression, columnIndexes: ['id'] })
    for (let group = 0; group < groups; group++) writer.writeRowGroup(batch(group * rowsPerGroup))
    const path = join(folder, `${compression}.parquet`)
    await writeFile(path, writer.finish().bytes)

    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    try {
      const ask = async (sql: string): Promise<Record<string, unknown>[]> =>
        (await connection.runAndReadAll(sql, { path })).getRowObjects()
      const all = BigInt(groups * rowsPerGroup)
      expect(await ask('select count(*) as rows from read_parquet($path)')).toEqual([{ rows: all }])
      expect(await ask(sameRows)).toEqual([{ rows: all }])
      // Row group statistics and the column index prune; a wrong bound would lose the row.
      expect(
        await ask('select n from read_parquet($path) where id = 4567800000000000000 - 4611686018427387904'),
      ).toEqual([{ n: 15_678 }])
      expect(await ask('select count(*) as rows from read_parquet($path) where sum < -99999999999999999.9')).toEqual([
        { rows: all - 31_623n },
      ])
      expect(await ask('select n from read_parquet($path) where price = -299.99')).toEqual([{ n: -29_999 }])
      const ids = await ask("select field_id from parquet_schema($path) where name in ('id', 'key', '_kafka_headers')")
      expect(ids.map((row) => row['field_id'])).toEqual([1n, 7n, 9n])
    } finally {
      connection.closeSync()
      instance.closeSync()
    }
  })
})
