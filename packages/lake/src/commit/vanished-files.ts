import { rangesWithin } from '@moulin/core'
import type { CallOptions, ColdTopicInfo, OffsetRange, TableFiles } from '@moulin/core'
import { partitionTupleKey, singleValueIn } from '@moulin/iceberg'
import type { DataFile, FileScanTask } from '@moulin/iceberg'
import type { TierRange } from '../encode/encode-shards.ts'
import { isOwnPlace } from '../live/data-files.ts'
import { absentOver } from '../look/held-records.ts'
import { highest, meeting, noneMissing, placesIn, united } from '../look/missing-files.ts'
import type { HeldParts } from '../look/rowless-offsets.ts'
import type { TableState } from '../table/table-state.ts'
import type { SystemColumn } from '../table/system-columns.ts'
import type { TableColumns } from '../table/table-layout.ts'

export interface VanishedParts extends HeldParts {
  readonly tableFiles: TableFiles
  readonly info: ColdTopicInfo
}

/** Files of one data sequence number that are not there any more, and what the write-ahead tier is asked for in their place. */
export interface VanishedFiles {
  readonly removed: readonly FileScanTask[]
  readonly sequenceNumber: bigint
  /** All offsets that the files may have. */
  readonly ranges: readonly TierRange[]
  /** By partition, rising: those of them that another file has. Of the others some never had a row. */
  readonly without: ReadonlyMap<number, readonly OffsetRange[]>
}

/**
 * Of the files that are known to be missing those of ours that have vanished or been cut short, oldest first. Files out of which rows have
 * been deleted by position are not among them: what was deleted there is known by the files alone.
 */
export async function vanishedFiles(
  parts: VanishedParts,
  state: TableState,
  call: CallOptions,
): Promise<VanishedFiles[]> {
  const bySequence = new Map<bigint, FileScanTask[]>()
  for await (const task of parts.fileLists.all({ ...state, missing: noneMissing }, call)) {
    if (!state.missing.has(task.file.filePath) || !(await hasVanished(parts, state, task, call))) continue
    bySequence.set(task.sequenceNumber, [...(bySequence.get(task.sequenceNumber) ?? []), task])
  }
  const found: VanishedFiles[] = []
  for (const [sequenceNumber, removed] of bySequence) {
    const held = await heldOf(parts, state, removed, call)
    if (held.ranges.length > 0) found.push({ removed, sequenceNumber, ...held })
  }
  return found.sort((a, b) => (a.sequenceNumber < b.sequenceNumber ? -1 : 1))
}

/**
 * Files of several commits as if they were of one, where they meet. Bounds of places are about all partitions of the log at once: rows of one
 * commit lie within those of another's file, so that alone each of the two has too many. Together they get the data sequence number of
 * the youngest one; so those that an age between would delete from, or spare, stay what they are.
 */
export function together(found: readonly VanishedFiles[]): VanishedFiles[] {
  let groups: VanishedFiles[][] = []
  for (const one of found) {
    const near = groups.filter((group) => group.some((other) => haveMet(one, other)))
    groups = [...groups.filter((group) => !near.includes(group)), [...near.flat(), one]]
  }
  return groups.flatMap((group) => {
    const sequenceNumber = highest(0n, ...group.map((one) => one.sequenceNumber))
    const removed = group.flatMap((one) => one.removed)
    const isOneAge = removed.every(({ deletes }) => deletes.every((file) => file.sequenceNumber > sequenceNumber))
    if (group.length < 2 || !isOneAge) return []
    const partitions = [...new Set(group.flatMap((one) => one.ranges.map(({ partition }) => partition)))]
    const ranges = partitions.flatMap((partition) => {
      const all = group.flatMap((one) => one.ranges.filter((range) => range.partition === partition))
      return united(all).map((range) => ({ partition, ...range }))
    })
    const rest = (partition: number): OffsetRange[] => group.flatMap((one) => one.without.get(partition) ?? [])
    const without = new Map(partitions.map((partition) => [partition, united(rest(partition))]))
    return [{ removed, sequenceNumber, ranges, without }]
  })
}

/** Within one partition of the table, for rows of others are none of its file. */
function haveMet(a: VanishedFiles, b: VanishedFiles): boolean {
  const tuples = new Set(a.removed.map(({ file }) => partitionTupleKey(file.partition)))
  return (
    b.removed.some(({ file }) => tuples.has(partitionTupleKey(file.partition))) &&
    a.ranges.some((one) =>
      b.ranges.some((other) => one.partition === other.partition && one.from < other.to && other.from < one.to),
    )
  )
}

async function hasVanished(
  { tableFiles }: VanishedParts,
  { loaded: { metadata } }: TableState,
  { file, deletes }: FileScanTask,
  call: CallOptions,
): Promise<boolean> {
  const isOurs = isOwnPlace(tableFiles, metadata)(file.filePath)
  if (!isOurs || file.specId !== metadata['default-spec-id']) return false
  if (deletes.some(({ content }) => content !== 'equality')) return false
  const info = await tableFiles.head(file.filePath, call)
  return info === undefined || BigInt(info.size) !== file.fileSizeBytes
}

/** What the write-ahead tier has of the offsets within the files' bounds. */
async function heldOf(
  parts: VanishedParts,
  state: TableState,
  tasks: readonly FileScanTask[],
  call: CallOptions,
): Promise<Pick<VanishedFiles, 'ranges' | 'without'>> {
  const released = parts.context.hot.releasedOffsets()
  const ranges: TierRange[] = []
  const without = new Map<number, readonly OffsetRange[]>()
  for (const entry of state.entries) {
    const { partition, frontier } = entry
    const held = { from: released[partition] ?? 0n, to: frontier }
    const holes = united(
      tasks.flatMap(({ file }) => {
        const places = placesIn(file, state.columns)
        return (places && meeting(places, entry, held)) ?? []
      }),
    )
    const absent: OffsetRange[] = []
    for await (const range of absentOver(parts, state, { partition, holes }, call)) absent.push(range)
    if (absent.length === 0) continue
    ranges.push(...holes.map((hole) => ({ partition, ...hole })))
    without.set(
      partition,
      holes.flatMap((hole) => outside(absent, hole)),
    )
  }
  return { ranges, without }
}

/** What of the hole none of the rising ranges has. */
function outside(ranges: readonly OffsetRange[], hole: OffsetRange): OffsetRange[] {
  const rest: OffsetRange[] = []
  let next = hole.from
  for (const { from, to } of rangesWithin(ranges, hole)) {
    if (from > next) rest.push({ from: next, to: from })
    next = to
  }
  return next < hole.to ? [...rest, { from: next, to: hole.to }] : rest
}

/** By partition tuple, which says into which file a row goes. */
function byTuple(files: readonly DataFile[]): Map<string, DataFile[]> {
  const tuples = new Map<string, DataFile[]>()
  for (const file of files) {
    const key = partitionTupleKey(file.partition)
    tuples.set(key, [...(tuples.get(key) ?? []), file])
  }
  return tuples
}

/**
 * Those of the files that have just what the vanished ones had. All offsets without a row were encoded: some may have been deleted or
 * dropped, and have no row for that reason. So where there are as many rows as there were, with the same bounds of place, time and checksum,
 * they are the same ones; where there are not, undefined.
 */
export function sameRows(
  vanished: readonly DataFile[],
  encoded: readonly DataFile[],
  columns: TableColumns,
): DataFile[] | undefined {
  const made = byTuple(encoded)
  const same: DataFile[] = []
  for (const [tuple, files] of byTuple(vanished)) {
    const ours = made.get(tuple) ?? []
    if (rowsOf(ours) !== rowsOf(files) || boundsOf(ours, columns) !== boundsOf(files, columns)) return undefined
    same.push(...ours.map((file) => ({ ...file, firstRowId: rowIdOf(file, files, columns) })))
  }
  return same
}

const rowsOf = (files: readonly DataFile[]): bigint => files.reduce((sum, { recordCount }) => sum + recordCount, 0n)

const compared: readonly SystemColumn[] = [
  '_kafka_partition',
  '_kafka_offset',
  '_kafka_incarnation',
  '_kafka_timestamp',
  '_kafka_crc',
]

/** As text, to be compared. A bound that one file does not tell is that of none. */
function boundsOf(files: readonly DataFile[], { byName }: TableColumns): string {
  return compared
    .flatMap((name) => {
      const field = byName.get(name)
      if (field === undefined) return []
      const of = (side: 'lowerBounds' | 'upperBounds'): bigint[] =>
        files.flatMap((file) => {
          const bytes = file[side].get(field.id)
          const value = bytes === undefined ? undefined : singleValueIn(field.type, bytes)
          return value === undefined ? [] : [BigInt(value as number | bigint)]
        })
      const [lower, upper] = [of('lowerBounds'), of('upperBounds')]
      const least = lower.reduce((a, b) => (b < a ? b : a), lower[0] ?? 0n)
      const most = upper.reduce((a, b) => (b > a ? b : a), upper[0] ?? 0n)
      return lower.length === files.length && upper.length === files.length ? [`${name} ${least} ${most}`] : []
    })
    .join()
}

// The same rows in the same order keep their ids.
function rowIdOf(file: DataFile, vanished: readonly DataFile[], columns: TableColumns): bigint | undefined {
  const isAlike = (one: DataFile): boolean =>
    one.recordCount === file.recordCount && boundsOf([one], columns) === boundsOf([file], columns)
  const alike = vanished.filter(isAlike)
  return alike.length === 1 ? alike[0]!.firstRowId : undefined
}
