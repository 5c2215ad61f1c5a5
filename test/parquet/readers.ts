import type { IcebergField, IcebergType } from '@moulin/core'
import { bytesRangeReader, openParquet } from '@moulin/format'
import type { NameMapping, OpenParquetOptions } from '@moulin/format'
import { type Case, leaves } from './cases.ts'
import { fromColumn } from './plain.ts'
import type { Plain } from './plain.ts'
import { arrowTable } from './read-with-arrow.ts'
import { duckdbTable } from './read-with-duckdb.ts'
import { hyparquetTable } from './read-with-hyparquet.ts'

/** Reads a whole file as the given fields, by name (we: by id). */
export type Reader = (bytes: Uint8Array, fields: readonly IcebergField[]) => Promise<Plain[][]>

/** Those that share no code with us. pyarrow is asked in test/interop. */
export const oracles: Readonly<Record<'hyparquet' | 'parquet-wasm' | 'duckdb', Reader>> = {
  hyparquet: hyparquetTable,
  'parquet-wasm': arrowTable,
  duckdb: duckdbTable,
}

/**
 * The fields that DuckDB can read: it takes nanoseconds with a zone as microseconds, and knows BYTE_STREAM_SPLIT for
 * floating point alone.
 */
export function inDuckDb({ schema, options }: Case): IcebergField[] {
  const split = leaves(schema).filter(
    ({ path, type }) => options.encodings?.[path] === 'byte-stream-split' && type !== 'float' && type !== 'double',
  )
  return schema.fields.filter(
    ({ type, ...field }) =>
      !JSON.stringify(type).includes('timestamptz_ns') &&
      !split.some(({ id }) => idsOf({ ...field, type }).includes(id)),
  )
}

function idsOf(field: IcebergField): number[] {
  return leaves({ type: 'struct', fields: [field] }).map(({ id }) => id)
}

/** Our own reader. */
export async function ourTable(
  bytes: Uint8Array,
  fields: readonly IcebergField[],
  options: OpenParquetOptions = {},
): Promise<Plain[][]> {
  const file = await openParquet(bytesRangeReader(bytes, 'test.parquet'), options)
  const table: Plain[][] = fields.map(() => [])
  for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
    const batch = await file.read({ rowGroup, types: fields })
    for (const [index, { type }] of fields.entries()) {
      for (const value of fromColumn(type, batch.columns[index]!.column)) table[index]!.push(value)
    }
  }
  return table
}

/** For a file of a writer that gives no field ids. */
export function mappingOf(fields: readonly IcebergField[]): NameMapping[] {
  return fields.map(({ id, name, type }) => ({ 'field-id': id, names: [name], fields: membersOf(type) }))
}

function membersOf(type: IcebergType): NameMapping[] {
  if (typeof type === 'string') return []
  if (type.type === 'struct') return mappingOf(type.fields)
  const member = (id: number, names: string[], of: IcebergType): NameMapping => ({
    'field-id': id,
    names,
    fields: membersOf(of),
  })
  if (type.type === 'list') return [member(type['element-id'], ['element', 'item', 'array', 'bag'], type.element)]
  return [member(type['key-id'], ['key'], type.key), member(type['value-id'], ['value'], type.value)]
}
