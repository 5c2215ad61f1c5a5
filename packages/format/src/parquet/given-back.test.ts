import type { Column, ColumnBatch, IcebergField } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import type { Compression } from '../bytes/compression.ts'
import { lcg } from './encode/encode.test-support.ts'
import { parquetWriter } from './encode/parquet-writer.ts'
import type { FileWriterOptions, LeafEncoding } from './file-writer.ts'
import { openParquet } from './open-parquet.ts'
import { batchFrom, field, listType, rowsOf, structType, utf8 } from './parquet.test-columns.ts'
import { bytesRangeReader } from './range-reader.ts'
import { parquetWorkers, type ParquetWorkers } from './workers.ts'

/** Numbers of 0 to 1. */
function random(seed: number): () => number {
  const next = lcg(seed)
  return () => next(2 ** 32) / 2 ** 32
}

type Next = () => number
const below = (next: Next, count: number): number => Math.floor(next() * count)
const oneOf = <T>(next: Next, choices: readonly T[]): T => choices[below(next, choices.length)]!

const fields: readonly IcebergField[] = [
  field(1, 'text', 'string'),
  field(2, 'raw', 'binary'),
  field(3, 'long', 'long'),
  field(4, 'int', 'int'),
  field(5, 'flag', 'boolean'),
  field(6, 'fixed', 'fixed[5]'),
  field(7, 'small', 'decimal(9,2)'),
  field(8, 'list', listType(20, 'string')),
  field(9, 'pair', structType(field(21, 'a', 'string'), field(22, 'b', 'double'))),
]

/** Long runs of null, of empty and of the same, beside what is new each time. */
function rowsFor(next: Next, count: number): unknown[][] {
  const rows: unknown[][] = []
  const modes = fields.map(() => 0)
  const pools = Array.from({ length: 12 }, (_, i) => utf8(`word ${i} `.repeat(1 + below(next, 12))))
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < modes.length; i++) if (next() < 0.004) modes[i] = below(next, 4)
    const text = (mode: number): Uint8Array | null => {
      if (mode === 0) return next() < 0.05 ? null : oneOf(next, pools)
      if (mode === 1) return utf8(`${row} `.repeat(below(next, 30)))
      if (mode === 2) return null
      return utf8('')
    }
    const orNull = (mode: number, value: unknown): unknown => (mode === 2 || next() < 0.03 ? null : value)
    rows.push([
      text(modes[0]!),
      text(modes[1]!),
      orNull(modes[2]!, modes[2] === 1 ? BigInt(row) * 0x1234567891n : BigInt(below(next, 9))),
      orNull(modes[3]!, modes[3] === 1 ? below(next, 2 ** 31) : below(next, 7)),
      orNull(modes[4]!, next() < 0.5),
      orNull(modes[5]!, utf8(`f${row % (modes[5] === 1 ? 9999 : 10)}`.padEnd(5))),
      orNull(modes[6]!, BigInt(below(next, modes[6] === 1 ? 999_999_999 : 20))),
      orNull(
        modes[7]!,
        Array.from({ length: below(next, 4) }, () => text(modes[7]!)),
      ),
      orNull(modes[8]!, [text(modes[8]!), next() < 0.1 ? null : next()]),
    ])
  }
  return rows
}

/** Memory that is still there, and positions within it: of nulls as well. */
function checkSound(column: Column): void {
  if (column.storage === 'struct') for (const member of column.fields) checkSound(member.column)
  else if (column.storage === 'list') checkSound(column.element)
  else if (column.storage !== 'bytes') expect((column.values.buffer as ArrayBuffer).detached).toBe(false)
  else {
    const { data, starts, ends } = column
    for (const { buffer } of [data, starts, ends]) expect((buffer as ArrayBuffer).detached).toBe(false)
    for (let row = 0; row < column.length; row++)
      if (!(starts[row]! >= 0 && starts[row]! <= ends[row]! && ends[row]! <= data.length))
        throw new Error(`Row ${row} lies at ${starts[row]} to ${ends[row]} of ${data.length}.`)
  }
}

function checked(batch: ColumnBatch): unknown[][] {
  for (const { column } of batch.columns) checkSound(column)
  return rowsOf(batch)
}

const textEncodings: readonly LeafEncoding[] = [
  'auto',
  'plain',
  'dictionary',
  'delta-length-byte-array',
  'delta-byte-array',
]
const intEncodings: readonly LeafEncoding[] = ['auto', 'plain', 'delta-binary-packed', 'byte-stream-split']

/** Two files written by turns, and any rows of one of them. */
async function check(seed: number, workers: ParquetWorkers | undefined): Promise<void> {
  const next = random(seed)
  const options: FileWriterOptions = {
    schema: { type: 'struct', fields },
    compression: oneOf<Compression>(next, ['zstd', 'snappy', 'gzip', 'none']),
    pageBytes: oneOf(next, [300, 5_000, 40_000, 1_000_000]),
    pageVersion: oneOf(next, [1, 2] as const),
    encodings: {
      text: oneOf(next, textEncodings),
      raw: oneOf(next, textEncodings),
      'list.list.element': oneOf(next, textEncodings),
      'pair.a': oneOf(next, textEncodings),
      long: oneOf(next, intEncodings),
      int: oneOf(next, intEncodings),
    },
  }
  // Their open row groups take blocks from one supply.
  const [writer, other] = [parquetWriter.create(options), parquetWriter.create({ ...options, compression: 'zstd' })]
  const groups: unknown[][][] = []
  for (let group = 0; group < 2; group++) {
    const rows = rowsFor(next, 1 + below(next, 1200))
    groups.push(rows)
    const cut = below(next, rows.length)
    for (const part of [rows.slice(0, cut), rows.slice(cut)]) {
      other.write(batchFrom(fields, part))
      writer.write(batchFrom(fields, part))
    }
    writer.endRowGroup()
    if (next() < 0.5) other.endRowGroup()
  }
  const bytes = writer.finish().bytes
  const file = await openParquet(bytesRangeReader(bytes, `${seed}`), workers === undefined ? {} : { workers })
  for (const [rowGroup, rows] of groups.entries()) {
    expect(checked(await file.read({ rowGroup, types: fields }))).toEqual(rows)
    for (let i = 0; i < 8; i++) {
      const start = below(next, rows.length + 1)
      const end = Math.min(rows.length, start + below(next, oneOf(next, [2, 20, 300, 1200])))
      const read = await file.read({ rowGroup, types: fields, rows: { start, end } })
      expect(checked(read)).toEqual(rows.slice(start, end))
    }
  }
  const second = await openParquet(bytesRangeReader(other.finish().bytes, `${seed}+`))
  const all: unknown[][] = []
  for (let rowGroup = 0; rowGroup < second.rowGroups.length; rowGroup++)
    all.push(...checked(await second.read({ rowGroup, types: fields })))
  expect(all).toEqual(groups.flat())
}

const seeds = process.env['MOULIN_LONG'] === undefined ? 2 : 200

describe('memory given back', () => {
  it('is none that columns of some of the rows lie in, whatever the pages', { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= seeds; seed++) await check(seed, undefined)
  })

  it('nor those of a thread', { timeout: 600_000 }, async () => {
    const workers = parquetWorkers({ threads: 1, inlineBytes: 0 })
    try {
      for (let seed = 1001; seed <= 1000 + seeds / 2; seed++) await check(seed, workers)
    } finally {
      await workers.close()
    }
  })

  it('leaves rows of nulls within the bytes that the others lie in', async () => {
    const types = [field(1, 'text', 'string')]
    const rows = Array.from({ length: 900 }, (_, i) => [i >= 300 && i < 600 ? null : utf8(`text ${i}`)])
    const writer = parquetWriter.create({
      schema: { type: 'struct', fields: types },
      encodings: { text: 'delta-length-byte-array' },
    })
    writer.writeRowGroup(batchFrom(types, rows))
    const file = await openParquet(bytesRangeReader(writer.finish().bytes, 'nulls.parquet'))
    for (const [start, end] of [
      [400, 410],
      [590, 601],
      [899, 900],
    ] as const)
      expect(checked(await file.read({ rowGroup: 0, types, rows: { start, end } }))).toEqual(rows.slice(start, end))
  })

  it('is not the pool that Buffers share, while an application has another size for the next one', async () => {
    const { poolSize } = Buffer
    // A page that fills more than half of it.
    const count = Math.ceil((poolSize * 0.6) / 8)
    const rows = Array.from({ length: count }, (_, i) => [BigInt((i * 7919) % 65_521)])
    const types = [field(1, 'n', 'long', true)]
    const writer = parquetWriter.create({
      schema: { type: 'struct', fields: types },
      compression: 'zstd',
      encodings: { n: 'plain' },
      pageBytes: poolSize,
    })
    writer.writeRowGroup(batchFrom(types, rows))
    const file = await openParquet(bytesRangeReader(writer.finish().bytes, 'pooled.parquet'))
    // So much is left of the present one.
    while (Buffer.allocUnsafe(poolSize / 16).byteOffset > poolSize / 8);
    try {
      Buffer.poolSize = poolSize * 16
      expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual(rows)
      expect(Buffer.from('of the pool').toString()).toBe('of the pool')
    } finally {
      Buffer.poolSize = poolSize
    }
  })
})
