import { and, eq, gte, lt } from '@moulin/core'
import type { CallOptions, Expression, IcebergField, TableFiles } from '@moulin/core'
import { RecordPlace } from '@moulin/format'
import type { ParquetRowGroup } from '@moulin/format'
import { planScan } from '@moulin/iceberg'
import type { DataFile, FileScanTask, LiveFile, ManifestRoom } from '@moulin/iceberg'
import { eachOnce } from '../live/listed-once.ts'
import type { LiveFiles } from '../live/live-files.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import { anywhere, meeting, placesIn, united } from '../look/missing-files.ts'
import type { OffsetRange } from '../encode/row-builder.ts'
import type { TableColumns } from '../table/table-layout.ts'
import type { TableState } from '../table/table-state.ts'

/** A row group that may hold rows of the wanted range. */
export interface PlannedGroup {
  readonly file: LiveFile
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
  /** What the checksums of each entry's rows are bound to. */
  readonly places: readonly RecordPlace[]
  /** By rising `min`. */
  readonly groups: readonly PlannedGroup[]
  /** Offsets that files which are missing may have, rising. Other files may have them too. */
  readonly holes: readonly OffsetRange[]
}

export interface ColdPlanParts {
  readonly tableFiles: Pick<TableFiles, 'spellings'>
  readonly fileLists: FileLists
  readonly files: LiveFiles
}

/** The data files of a topic's table, planned from what is kept of its manifests. */
export interface FileLists {
  /**
   * Files of the table's current snapshot whose bounds do not rule the predicate out. `gone` is told of those that are missing
   * instead: of a data file, or, undefined, of all that a manifest names.
   */
  matching(
    state: TableState,
    where: Expression,
    gone: (file: DataFile | undefined) => void,
    call: CallOptions,
  ): AsyncIterable<FileScanTask>
  /** All of them but for what is missing. */
  all(state: TableState, call: CallOptions): AsyncIterable<FileScanTask>
}

export function fileLists(tableFiles: TableFiles, room: ManifestRoom): FileLists {
  async function* matching(
    { loaded, missing }: TableState,
    where: Expression | undefined,
    gone: (file: DataFile | undefined) => void,
    call: CallOptions,
  ): AsyncGenerator<FileScanTask> {
    let isWhole = true
    const skip = (path: string): boolean => {
      if (!missing.has(path)) return false
      isWhole = false
      return true
    }
    for await (const task of planScan({ tableFiles, metadata: loaded.metadata, where, skip, room, ...call })) {
      if (missing.has(task.file.filePath)) gone(task.file)
      else yield task
    }
    if (!isWhole) gone(undefined)
  }
  return { matching, all: (state, call) => matching(state, undefined, () => undefined, call) }
}

/** Row groups for `[from, to)` of one partition, by manifest bounds, then by footers. */
export async function planCold(
  parts: ColdPlanParts,
  state: TableState,
  range: { readonly partition: number; readonly from: bigint; readonly to: bigint },
  call: CallOptions,
): Promise<ColdPlan> {
  const { columns } = state
  const { partition, from, to } = range
  const groups: PlannedGroup[] = []
  const holes: OffsetRange[] = []
  const gone = (file: DataFile | undefined): void => void holes.push(...holesOf(file, state, range))
  const matching = parts.fileLists.matching(state, wherePlace(columns, range), gone, call)
  for (const task of await eachOnce(parts, matching)) {
    const file = await parts.files.open(task, state.loaded.metadata, call)
    file.rowGroups.forEach((group, rowGroup) => {
      const bounds = placeBounds(group, columns, partition)
      if (bounds === undefined || bounds.max < from || bounds.min >= to) return
      groups.push({ file, rowGroup, ...bounds })
    })
  }
  return planOver(state, partition, groups, united(holes))
}

/** The plan over these row groups. */
export function planOver(
  state: TableState,
  partition: number,
  some: readonly PlannedGroup[],
  holes: readonly OffsetRange[] = [],
): ColdPlan {
  const entries = state.marker.ledger.filter((entry) => entry.partition === partition)
  const groups = some.toSorted((a, b) => (a.min < b.min ? -1 : a.min > b.min ? 1 : 0))
  const places = entries.map(({ incarnation }) => new RecordPlace(incarnation, partition))
  return { state, partition, entries, places, groups, holes }
}

/** The plan's holes alone: opens no file. */
export async function holesIn(
  { fileLists }: Pick<ColdPlanParts, 'fileLists'>,
  state: TableState,
  range: OffsetRange & { readonly partition: number },
  call: CallOptions,
): Promise<OffsetRange[]> {
  if (state.missing.size === 0) return []
  const holes: OffsetRange[] = []
  const gone = (file: DataFile | undefined): void => void holes.push(...holesOf(file, state, range))
  for await (const task of fileLists.matching(state, wherePlace(state.columns, range), gone, call)) void task
  return united(holes)
}

// Of a file that a missing manifest names, nobody knows what it has.
function holesOf(
  file: DataFile | undefined,
  { columns, marker }: TableState,
  range: OffsetRange & { readonly partition: number },
): OffsetRange[] {
  const places = file === undefined ? anywhere : placesIn(file, columns)
  if (places === undefined) return []
  const ofPartition = marker.ledger.filter(({ partition }) => partition === range.partition)
  return ofPartition.flatMap((entry) => meeting(places, entry, range) ?? [])
}

/** What the checksum of a row of the plan is bound to: its incarnation is the one that the offset is live in. */
export function recordPlace({ entries, places }: ColdPlan, offset: bigint): RecordPlace {
  // Nearly always there is one.
  let at = entries.length - 1
  while (at > 0 && offset < entries[at]!.start) at--
  return places[at]!
}

/** Where among the rising offsets those begin that have another {@link recordPlace} than the one at `from`. */
export function recordPlaceEnd({ entries }: ColdPlan, offsets: BigInt64Array, from: number): number {
  const { length } = offsets
  if (entries.length < 2) return length
  const next = entries.find(({ start }) => start > offsets[from]!)
  return next === undefined ? length : firstAtLeast(offsets, next.start)
}

/** The first position whose offset is not below; they rise. */
export function firstAtLeast(offsets: BigInt64Array, least: bigint): number {
  let low = 0
  let high = offsets.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (offsets[middle]! < least) low = middle + 1
    else high = middle
  }
  return low
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

/** Undefined: no row of the partition is in there. */
export function placeBounds(
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
