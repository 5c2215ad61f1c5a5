import type { CallOptions, IcebergField } from '@moulin/core'
import type { ParquetReadRequest, ParquetRowGroup } from '@moulin/format'
import type { LiveFile, LiveRowGroup } from '@moulin/iceberg'
import { firstAtLeast } from './cold-plan.ts'
import { isOwnFile } from '../live/data-files.ts'
import type { TopicIds } from '../live/data-files.ts'
import { readIdentities } from '../places/identity-rows.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import type { TableColumns } from '../table/table-layout.ts'

/** Where the rows of one log partition are in one row group, by rising offset. */
export interface PartitionRows {
  readonly length: number
  offset(at: number): bigint
  /** Row number within the row group. */
  row(at: number): number
  /** Copies offsets and row numbers of `[from, to)` to position `at` of two arrays. */
  copy(from: number, to: number, offsets: BigInt64Array, rows: Int32Array, at: number): void
  /** The first position whose offset is not below. */
  lowerBound(offset: bigint): number
}

export interface RowIndexes {
  /** Rows of the partition that one of the ledger's entries covers, without deleted ones. */
  rows(
    file: LiveFile,
    rowGroup: number,
    wanted: { readonly partition: number; readonly entries: readonly LedgerEntry[] },
    columns: TableColumns,
    options: CallOptions & Pick<ParquetReadRequest, 'fetched'>,
  ): Promise<PartitionRows>
}

export const noRows: PartitionRows = listRows(new BigInt64Array(0), new Int32Array(0))

/**
 * Finds rows by offset. In a row group of our own that holds one partition without gaps, position is arithmetic; of any
 * other, or where rows of it are deleted, the identity columns are read once and kept, the least used forgotten above `maxBytes`.
 */
export function rowIndexes(options: { readonly topic: TopicIds; readonly maxBytes: number }): RowIndexes {
  const kept = new Map<string, { readonly byPartition: ReadonlyMap<number, PartitionRows>; readonly bytes: number }>()
  let bytes = 0

  return {
    async rows(file, rowGroup, { partition, entries }, columns, call) {
      const dense = isOwnFile(file, options.topic)
        ? denseRows(file.rowGroups[rowGroup]!, partition, entries, columns)
        : undefined
      if (dense !== undefined) return dense
      // Which incarnations are live and which rows are deleted decides which rows there are, so it is part of what is kept.
      const live = entries.map(({ incarnation, start, frontier }) => `${incarnation}:${start}-${frontier}`).join()
      const key = `${file.key}#${rowGroup}#${partition}#${live}`
      const known = kept.get(key)
      if (known !== undefined) {
        kept.delete(key)
        kept.set(key, known)
        return known.byPartition.get(partition) ?? noRows
      }
      const found = await indexed(file, rowGroup, partition, entries, columns, call)
      const size = 64 + found.length * 12
      kept.set(key, { byPartition: new Map([[partition, found]]), bytes: size })
      bytes += size
      for (const [oldest, entry] of kept) {
        if (bytes <= options.maxBytes || oldest === key) break
        kept.delete(oldest)
        bytes -= entry.bytes
      }
      return found
    },
  }
}

/** One partition, one incarnation, as many rows as offsets: each row's place follows from its offset. */
function denseRows(
  group: LiveRowGroup,
  partition: number,
  entries: readonly LedgerEntry[],
  columns: TableColumns,
): PartitionRows | undefined {
  const partitions = range(group, columns.byName.get('_kafka_partition')!)
  const incarnations = range(group, columns.byName.get('_kafka_incarnation')!)
  const offsets = range(group, columns.byName.get('_kafka_offset')!)
  if (partitions === undefined || incarnations === undefined || offsets === undefined) return undefined
  if (partitions.min !== partitions.max || incarnations.min !== incarnations.max) return undefined
  if (offsets.max - offsets.min + 1n !== BigInt(group.liveRows)) return undefined
  if (partitions.min !== BigInt(partition)) return noRows
  const entry = entries.find(({ incarnation }) => BigInt(incarnation) === incarnations.min)
  if (entry === undefined) return noRows
  if (offsets.min < entry.start || offsets.max >= entry.frontier) return undefined
  const { min } = offsets
  const length = group.rowCount
  return {
    length,
    offset: (at) => min + BigInt(at),
    row: (at) => at,
    copy: (from, to, offsets, rows, at) => {
      const halves = new Int32Array(offsets.buffer, offsets.byteOffset, offsets.length * 2)
      const low = Number(min & 0xffffffffn)
      const high = Number(min >> 32n)
      for (let index = from, target = at; index < to; index++, target++) {
        const sum = low + index
        rows[target] = index
        halves[target * 2] = sum | 0
        halves[target * 2 + 1] = high + (sum > 0xffffffff ? 1 : 0)
      }
    },
    lowerBound: (offset) => {
      if (offset <= min) return 0
      const distance = offset - min
      return distance > BigInt(length) ? length : Number(distance)
    },
  }
}

/** What the footer says of a column without nulls. */
export function range(
  group: ParquetRowGroup,
  { id, type }: IcebergField,
): { readonly min: bigint; readonly max: bigint } | undefined {
  const { min, max, nullCount } = group.bounds(id, type)
  if (nullCount !== 0 || min === undefined || max === undefined) return undefined
  return { min: BigInt(min as number | bigint), max: BigInt(max as number | bigint) }
}

async function indexed(
  file: LiveFile,
  rowGroup: number,
  partition: number,
  entries: readonly LedgerEntry[],
  columns: TableColumns,
  call: CallOptions,
): Promise<PartitionRows> {
  const identities = await readIdentities(file, rowGroup, columns, call)
  const byIncarnation = new Map(entries.map((entry) => [entry.incarnation, entry]))
  const offsets = new BigInt64Array(identities.length)
  const rows = new Int32Array(identities.length)
  let length = 0
  let isSorted = true
  for (let row = 0; row < identities.length; row++) {
    if (!identities.isKnown(row) || identities.partition(row) !== partition) continue
    const entry = byIncarnation.get(identities.incarnation(row))
    const offset = identities.offset(row)
    if (entry === undefined || offset < entry.start || offset >= entry.frontier) continue
    if (length > 0 && offsets[length - 1]! > offset) isSorted = false
    offsets[length] = offset
    rows[length++] = identities.rowOf(row)
  }
  if (isSorted) return listRows(offsets.slice(0, length), rows.slice(0, length))
  const order = Array.from({ length }, (_, at) => at).sort((a, b) => (offsets[a]! < offsets[b]! ? -1 : 1))
  return listRows(
    BigInt64Array.from(order, (at) => offsets[at]!),
    Int32Array.from(order, (at) => rows[at]!),
  )
}

/** By rising offset. */
export function listRows(offsets: BigInt64Array, rows: Int32Array): PartitionRows {
  return {
    length: offsets.length,
    offset: (at) => offsets[at]!,
    row: (at) => rows[at]!,
    copy(from, to, intoOffsets, intoRows, at) {
      intoOffsets.set(offsets.subarray(from, to), at)
      intoRows.set(rows.subarray(from, to), at)
    },
    lowerBound: (offset) => firstAtLeast(offsets, offset),
  }
}
