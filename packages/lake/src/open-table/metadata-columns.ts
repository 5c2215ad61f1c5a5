import { isValid } from '@moulin/core'
import type { Column, IcebergField, TableMetadata } from '@moulin/core'
import type { LiveFile } from '@moulin/iceberg'
import { rowOf } from '../live/live-files.ts'
import type { ReadRows } from '../scan/read-passing.ts'

/** A column that no table has: it says where a row is, or what became of it. Spec: "Reserved Field IDs". */
export interface MetadataColumn extends IcebergField {
  /** Of some rows of a file; `stored` is what the file itself has of it. */
  make(file: LiveFile, rowGroup: number, read: ReadRows, stored: Column | undefined): Column
  /** A file may have it: then that counts, where it is not null. */
  readonly isStored: boolean
}

const filePath: MetadataColumn = {
  id: 2_147_483_646,
  name: '_file',
  required: true,
  type: 'string',
  isStored: false,
  make({ listed }, _, { batch: { length } }) {
    const data = new TextEncoder().encode(listed.file.filePath)
    const starts = new Int32Array(length)
    return { storage: 'bytes', length, validity: undefined, data, starts, ends: starts.map(() => data.length) }
  },
}

const position: MetadataColumn = {
  id: 2_147_483_645,
  name: '_pos',
  required: true,
  type: 'long',
  isStored: false,
  make: (file, rowGroup, read) => longs(read, (at) => positionOf(file, rowGroup, read, at), undefined),
}

/** Spec: "Row Lineage". */
const rowId: MetadataColumn = {
  id: 2_147_483_540,
  name: '_row_id',
  required: false,
  type: 'long',
  isStored: true,
  make(file, rowGroup, read, stored) {
    const { firstRowId } = file.listed.file
    const inherited = (at: number): bigint => firstRowId! + positionOf(file, rowGroup, read, at)
    return longs(read, firstRowId === undefined ? undefined : inherited, stored)
  },
}

const lastUpdated: MetadataColumn = {
  id: 2_147_483_539,
  name: '_last_updated_sequence_number',
  required: false,
  type: 'long',
  isStored: true,
  make({ listed }, _, read, stored) {
    const { sequenceNumber, file } = listed
    return longs(read, file.firstRowId === undefined ? undefined : () => sequenceNumber, stored)
  },
}

/** Those of a table, that it has no column of the same name of: row lineage from format version 3 on. */
export function metadataColumns(
  { 'format-version': version }: TableMetadata,
  fields: readonly IcebergField[],
): readonly MetadataColumn[] {
  const taken = new Set(fields.map(({ name }) => name))
  const all = version < 3 ? [filePath, position] : [filePath, position, rowId, lastUpdated]
  return all.filter(({ name }) => !taken.has(name))
}

/** Counted through the file, deleted rows too. */
function positionOf(file: LiveFile, rowGroup: number, read: ReadRows, at: number): bigint {
  return BigInt(file.rowGroups[rowGroup]!.firstRow + rowOf(read, at))
}

/** What is stored, and where nothing is, what the row inherits; undefined: nothing. */
function longs(
  { batch: { length } }: ReadRows,
  inherited: ((at: number) => bigint) | undefined,
  stored: Column | undefined,
): Column {
  const values = new BigInt64Array(length)
  const validity = new Uint8Array((length + 7) >> 3)
  for (let at = 0; at < length; at++) {
    const isStored = stored?.storage === 'int64' && isValid(stored, at)
    if (!isStored && inherited === undefined) continue
    values[at] = isStored ? stored.values[at]! : inherited!(at)
    validity[at >> 3]! |= 1 << (at & 7)
  }
  return { storage: 'int64', length, validity, values }
}
