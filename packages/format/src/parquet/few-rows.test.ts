import { type Column, type IcebergField } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { parquetWriter } from './encode/parquet-writer.ts'
import { openParquet } from './open-parquet.ts'
import { batchFrom, field, rowsOf, utf8 } from './parquet.test-columns.ts'
import { bytesRangeReader } from './range-reader.ts'

const fields: readonly IcebergField[] = [
  field(1, 'id', 'long', true),
  field(2, 'text', 'string', true),
  field(3, 'kind', 'string'),
  field(4, 'maybe', 'string'),
  field(5, 'count', 'int'),
]
const count = 20_000
const rows = Array.from({ length: count }, (_, at) => [
  BigInt(at) * 3n,
  utf8(`row ${at} ${'x'.repeat(at % 60)}`),
  utf8(`kind ${at % 7}`),
  at % 5 === 0 ? null : utf8(at % 3 === 0 ? '' : `${at}`),
  at % 4 === 0 ? null : at,
])

function written(compression: 'none' | 'snappy' | 'zstd'): Uint8Array {
  const writer = parquetWriter.create({ schema: { type: 'struct', fields }, compression })
  // As tiering does: many batches, one row group.
  for (let at = 0; at < count; at += 1000) writer.write(batchFrom(fields, rows.slice(at, at + 1000)))
  return writer.finish().bytes
}

/** Bytes that the column keeps alive. */
function heldBy(column: Column): number {
  const memory = new Set(
    Object.values(column)
      .filter((value) => ArrayBuffer.isView(value))
      .map(({ buffer }) => buffer),
  )
  return [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)
}

describe.each(['none', 'snappy', 'zstd'] as const)('few rows of many, %s', (compression) => {
  const reader = bytesRangeReader(written(compression), 'a.parquet')

  it('are the rows, wherever they are', async () => {
    const file = await openParquet(reader)
    for (const [start, end] of [
      [0, 1],
      [0, 10],
      [7_123, 7_130],
      [4_000, 9_000],
      [19_990, count],
      [0, count],
    ] as const) {
      const batch = await file.read({ rowGroup: 0, types: fields, rows: { start, end } })
      expect(rowsOf(batch)).toEqual(rows.slice(start, end))
    }
  })

  it('keep little more alive than themselves', async () => {
    const file = await openParquet(reader)
    const { columns } = await file.read({ rowGroup: 0, types: fields, rows: { start: 7_100, end: 7_110 } })
    // Text, which differs from row to row; entries of a dictionary lie anywhere in it.
    expect(heldBy(columns[0]!.column)).toBeLessThan(200)
    expect(heldBy(columns[1]!.column)).toBeLessThan(2_000)
  })
})
