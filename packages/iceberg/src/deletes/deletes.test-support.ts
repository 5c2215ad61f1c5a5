/** Files of deletes as other engines write them: the log itself writes none. */
import { crc32 } from 'node:zlib'
import { valueArrays } from '@moulin/core'
import type { Column, ColumnBatch, IcebergField, IcebergType } from '@moulin/core'
import { parquetWriter } from '@moulin/format'
import { positionDeleteFields } from './position-deletes.ts'
import type { DataFile } from '../manifests/data-file.ts'
import { dataFileMetrics } from '../manifests/data-file-metrics.ts'

/** A value of a column: text for a string, an object for a struct, what its typed array holds for all others. */
export type Value = null | boolean | number | bigint | string | Uint8Array | { readonly [name: string]: Value }

/** Rows as columns. */
export function batchOf(fields: readonly IcebergField[], rows: readonly (readonly Value[])[]): ColumnBatch {
  const columns = fields.map(({ name, type }, at) => ({
    name,
    column: columnOf(
      type,
      rows.map((row) => row[at]!),
    ),
  }))
  return { length: rows.length, columns }
}

const storages: Readonly<Record<string, keyof typeof valueArrays>> = {
  boolean: 'bool',
  int: 'int32',
  date: 'int32',
  float: 'float32',
  double: 'float64',
}

function columnOf(type: IcebergType, values: readonly Value[]): Column {
  const length = values.length
  const validity = new Uint8Array((length + 7) >> 3)
  values.forEach((value, row) => value !== null && (validity[row >> 3]! |= 1 << (row & 7)))
  const base = { length, validity: values.includes(null) ? validity : undefined }
  if (typeof type === 'object') {
    if (type.type !== 'struct') throw new Error(`no ${type.type} here`)
    const members = (name: string): Value[] =>
      values.map((value) => (value as { readonly [name: string]: Value } | null)?.[name] ?? null)
    const fields = type.fields.map((field) => ({ name: field.name, column: columnOf(field.type, members(field.name)) }))
    return { storage: 'struct', ...base, fields }
  }
  if (type === 'string' || type === 'binary') {
    const parts = values.map((value) =>
      typeof value === 'string' ? Buffer.from(value) : ((value ?? new Uint8Array(0)) as Uint8Array),
    )
    const ends = Int32Array.from(
      parts,
      (
        (at) =>
        ({ length: bytes }) =>
          (at += bytes)
      )(0),
    )
    const starts = Int32Array.from(parts, ({ length: bytes }, at) => ends[at]! - bytes)
    return { storage: 'bytes', ...base, data: Buffer.concat(parts), starts, ends }
  }
  if (type === 'uuid') {
    const parts = values.map((value) => (value ?? new Uint8Array(16)) as Uint8Array)
    return { storage: 'fixed', ...base, width: 16, values: new Uint8Array(Buffer.concat(parts)) }
  }
  const storage = storages[type] ?? 'int64'
  const zero = storage === 'int64' ? 0n : 0
  const all = new valueArrays[storage](length)
  values.forEach((value, row) => (all[row] = (typeof value === 'boolean' ? Number(value) : (value ?? zero)) as never))
  return { storage, ...base, values: all } as Column
}

export function parquetOf(fields: readonly IcebergField[], rows: readonly (readonly Value[])[]): Uint8Array {
  return describedParquet(fields, rows).bytes
}

/** With what a manifest says of it. */
export function describedParquet(
  fields: readonly IcebergField[],
  rows: readonly (readonly Value[])[],
): { readonly bytes: Uint8Array; readonly metrics: FileMetrics } {
  const schema = { type: 'struct', fields } as const
  const writer = parquetWriter.create({ schema, compression: 'zstd' })
  writer.writeRowGroup(batchOf(fields, rows))
  const { bytes, metrics, rowGroups } = writer.finish()
  const splitOffsets = rowGroups.map(({ offset }) => BigInt(offset))
  return { bytes, metrics: { ...dataFileMetrics(schema, metrics), splitOffsets } }
}

export type FileMetrics = ReturnType<typeof dataFileMetrics> & Pick<DataFile, 'splitOffsets'>

/** A file of which nothing more is said. */
export const noMetrics: FileMetrics = {
  columnSizes: new Map(),
  valueCounts: new Map(),
  nullValueCounts: new Map(),
  nanValueCounts: new Map(),
  lowerBounds: new Map(),
  upperBounds: new Map(),
  splitOffsets: [],
}

export function positionsFile(rows: readonly (readonly [path: string | null, position: bigint | null])[]): Uint8Array {
  const fields = positionDeleteFields.map((field) => ({ ...field, required: false }))
  return parquetOf(fields, rows)
}

/** The blob of a deletion vector around a roaring bitmap. Spec: Puffin, "`deletion-vector-v1`". */
export function vectorBlob(bitmap: Uint8Array): Uint8Array {
  const body = Buffer.concat([Uint8Array.of(0xd1, 0xd3, 0x39, 0x64), bitmap])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(body.length)
  checksum.writeUInt32BE(crc32(body))
  return new Uint8Array(Buffer.concat([length, body, checksum]))
}
