import { formatCaps, type IcebergSchema } from '@moulin/core'
import { type Leaf, parquetSchema } from '../parquet-schema.ts'
import { boundBytesOf } from './encoded-bound.ts'
import { BOUND_BYTES } from './writer-options.ts'

/** More than a column chunk takes besides its path, its bounds and the counts of its levels. */
const CHUNK_BYTES = 192
/** A level counts its slots in a varint of as many bytes at most. */
const COUNT_BYTES = 10
/** From here on a file is full: the row groups that its writer still holds, and the schema, have room. */
const FULL_BYTES: number = formatCaps.maxParquetFooterBytes / 4

/** At least what one row group takes in a footer. */
export function rowGroupFooterBytes(leaves: readonly Leaf[], boundBytes: number): number {
  let bytes = CHUNK_BYTES
  for (const leaf of leaves) {
    for (const part of leaf.path) bytes += 5 + Buffer.byteLength(part)
    bytes += COUNT_BYTES * (leaf.maxDefinition + leaf.maxRepetition + 2)
    // A lower one of bytes can always be cut.
    const upper = boundBytesOf(leaf, boundBytes)
    bytes += CHUNK_BYTES + upper + (leaf.element.type === 'BYTE_ARRAY' ? boundBytes : upper)
  }
  return bytes
}

/** Whether a file of as many row groups should get no more: a footer has an end ({@link formatCaps}). */
export function isFooterFull(rowGroups: number, rowGroupBytes: number): boolean {
  return rowGroups * rowGroupBytes >= FULL_BYTES || rowGroups >= formatCaps.maxParquetRowGroups / 2
}

/** At least what a row group of this schema takes in a footer. */
export function footerBytesOf(schema: IcebergSchema): number {
  return rowGroupFooterBytes(parquetSchema(schema).leaves, BOUND_BYTES)
}
