import { and, eq, gte, lt } from '@moulin/core'
import type { CallOptions, Expression, IcebergField, ObjectStore } from '@moulin/core'
import type { ParquetFile, ParquetRowGroup } from '@moulin/format'
import { planScan } from '@moulin/iceberg'
import type { DataFiles } from './data-files.ts'
import type { LedgerEntry } from './ledger.ts'
import type { TableColumns } from './table-layout.ts'
import type { TableState } from './topic-table.ts'

/** A row group that may hold rows of the wanted range. */
export interface PlannedGroup {
  readonly file: ParquetFile
  readonly rowGroup: number
  /** No row of the wanted partition is below or above, inclusive. */
  readonly min: bigint
  readonly max: bigint
}

export interface ColdPlan {
  readonly state: TableState
  readonly partition: number
  /** Live offsets of the partition, of all incarnations. */
  readonly entries: readonly LedgerEntry[]
  /** By rising `min`. */
  readonly groups: readonly PlannedGroup[]
}

export interface ColdPlanParts {
  readonly store: ObjectStore
  readonly files: DataFiles
}

/** Row groups for `[from, to)` of one partition, by manifest bounds, then by footers. */
export async function planCold(
  parts: ColdPlanParts,
  state: TableState,
  range: { readonly partition: number; readonly from: bigint; readonly to: bigint },
  call: CallOptions,
): Promise<ColdPlan> {
  const { columns, loaded, marker } = state
  const { partition, from, to } = range
  const entries = marker.ledger.filter((entry) => entry.partition === partition)
  const where = wherePlace(columns, range)
  const groups: PlannedGroup[] = []
  for await (const { file } of planScan({ store: parts.store, metadata: loaded.metadata, where, ...call })) {
    const parquet = await parts.files.open(file, call)
    parquet.rowGroups.forEach((group, rowGroup) => {
      const bounds = placeBounds(group, columns, partition)
      if (bounds === undefined || bounds.max < from || bounds.min >= to) return
      groups.push({ file: parquet, rowGroup, ...bounds })
    })
  }
  groups.sort((a, b) => (a.min < b.min ? -1 : a.min > b.min ? 1 : 0))
  return { state, partition, entries, groups }
}

function wherePlace(
  { byName }: TableColumns,
  { partition, from, to }: { readonly partition: number; readonly from: bigint; readonly to: bigint },
): Expression {
  const offset = byName.get('_kafka_offset')!.name
  return and(eq(byName.get('_kafka_partition')!.name, partition), gte(offset, from), lt(offset, to))
}

const LOWEST = -(2n ** 63n)
const HIGHEST = 2n ** 63n - 1n

// Undefined: no row of the partition is in there.
function placeBounds(
  group: ParquetRowGroup,
  { byName }: TableColumns,
  partition: number,
): { readonly min: bigint; readonly max: bigint } | undefined {
  const of = (field: IcebergField): { min?: bigint; max?: bigint } => {
    const { min, max } = group.bounds(field.id, field.type)
    return {
      ...(min !== undefined && { min: BigInt(min as number | bigint) }),
      ...(max !== undefined && { max: BigInt(max as number | bigint) }),
    }
  }
  const partitions = of(byName.get('_kafka_partition')!)
  const wanted = BigInt(partition)
  if ((partitions.min ?? wanted) > wanted || (partitions.max ?? wanted) < wanted) return undefined
  const { min = LOWEST, max = HIGHEST } = of(byName.get('_kafka_offset')!)
  return { min, max }
}
