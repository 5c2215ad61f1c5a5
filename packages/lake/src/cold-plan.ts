import { and, eq, gte, lt } from '@moulin/core'
import type { CallOptions, Expression, IcebergField, LoadedTable, ObjectStore } from '@moulin/core'
import { RecordPlace } from '@moulin/format'
import type { ParquetFile, ParquetRowGroup } from '@moulin/format'
import { bindExpression, currentSchema, metricsMightMatch, planScan } from '@moulin/iceberg'
import type { FileScanTask } from '@moulin/iceberg'
import type { DataFiles } from './data-files.ts'
import type { LedgerEntry } from './ledger.ts'
import type { TableColumns } from './table-layout.ts'
import { snapshotIdOf } from './topic-table.ts'
import type { TableState } from './topic-table.ts'

/** A row group that may hold rows of the wanted range. */
export interface PlannedGroup {
  readonly file: ParquetFile
  readonly rowGroup: number
  /** No row of the wanted partition is below or above, inclusive. */
  readonly min: bigint
  readonly max: bigint
  /** Data sequence number of the file. */
  readonly sequence: bigint
}

export interface ColdPlan {
  readonly state: TableState
  readonly partition: number
  /** Live offsets of the partition, of all incarnations. */
  readonly entries: readonly LedgerEntry[]
  /** What the checksums of each entry's rows are bound to. */
  readonly places: readonly RecordPlace[]
  /** By rising `min`. */
  readonly groups: readonly PlannedGroup[]
}

export interface ColdPlanParts {
  readonly fileLists: FileLists
  readonly files: DataFiles
}

/** The data files of the newest snapshot that was asked for, so that a seek does not read all manifests again. */
export interface FileLists {
  /** Files of the table's current snapshot whose bounds do not rule the predicate out. */
  matching(table: LoadedTable, where: Expression, call: CallOptions): AsyncIterable<FileScanTask>
  /** All of them. */
  all(table: LoadedTable, call: CallOptions): AsyncIterable<FileScanTask>
}

/** Above `maxFiles` nothing is kept, and manifests prune as they are read. */
export function fileLists(store: ObjectStore, maxFiles = 20_000): FileLists {
  let kept: { readonly snapshotId: bigint | null; readonly files: readonly FileScanTask[] | undefined } | undefined

  const listed = async (table: LoadedTable, call: CallOptions): Promise<readonly FileScanTask[] | undefined> => {
    const { metadata } = table
    const snapshotId = snapshotIdOf(table)
    if (kept?.snapshotId !== snapshotId) {
      let files: FileScanTask[] | undefined = []
      for await (const task of planScan({ store, metadata, ...call })) {
        files.push(task)
        if (files.length > maxFiles) {
          files = undefined
          break
        }
      }
      kept = { snapshotId, files }
    }
    return kept.files
  }

  return {
    async *matching(table, where, call) {
      const { metadata } = table
      const files = await listed(table, call)
      if (files === undefined) {
        yield* planScan({ store, metadata, where, ...call })
        return
      }
      const predicate = bindExpression(where, currentSchema(metadata).fields)
      for (const task of files) if (metricsMightMatch(predicate, task.file)) yield task
    },
    async *all(table, call) {
      yield* (await listed(table, call)) ?? planScan({ store, metadata: table.metadata, ...call })
    },
  }
}

/** Row groups for `[from, to)` of one partition, by manifest bounds, then by footers. */
export async function planCold(
  parts: ColdPlanParts,
  state: TableState,
  range: { readonly partition: number; readonly from: bigint; readonly to: bigint },
  call: CallOptions,
): Promise<ColdPlan> {
  const { columns, loaded } = state
  const { partition, from, to } = range
  const groups: PlannedGroup[] = []
  // Whoever adds a file again does not add its rows again.
  const listed = new Map<string, FileScanTask>()
  for await (const task of parts.fileLists.matching(loaded, wherePlace(columns, range), call)) {
    const known = listed.get(task.file.filePath)
    if (known === undefined || task.sequenceNumber < known.sequenceNumber) listed.set(task.file.filePath, task)
  }
  for (const { file, sequenceNumber } of listed.values()) {
    const parquet = await parts.files.open(file, call)
    parquet.rowGroups.forEach((group, rowGroup) => {
      const bounds = placeBounds(group, columns, partition)
      if (bounds === undefined || bounds.max < from || bounds.min >= to) return
      groups.push({ file: parquet, rowGroup, sequence: sequenceNumber, ...bounds })
    })
  }
  return planOver(state, partition, groups)
}

/** The plan over these row groups. */
export function planOver(state: TableState, partition: number, some: readonly PlannedGroup[]): ColdPlan {
  const entries = state.marker.ledger.filter((entry) => entry.partition === partition)
  const groups = some.toSorted((a, b) => (a.min < b.min ? -1 : a.min > b.min ? 1 : 0))
  const places = entries.map(({ incarnation }) => new RecordPlace(incarnation, partition))
  return { state, partition, entries, places, groups }
}

/** What the checksum of a row of the plan is bound to: its incarnation is the one that the offset is live in. */
export function recordPlace({ entries, places }: ColdPlan, offset: bigint): RecordPlace {
  // Nearly always there is one.
  let at = entries.length - 1
  while (at > 0 && offset < entries[at]!.start) at--
  return places[at]!
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
