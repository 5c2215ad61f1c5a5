import { isUnreadable } from '@moulin/core'
import type { CallOptions, ColdTopicInfo, TableFiles } from '@moulin/core'
import type { DataFile } from '@moulin/iceberg'
import { meeting, noneMissing, placesIn, united } from './missing-files.ts'
import type { FileLists } from '../replay/cold-plan.ts'
import { mapAhead } from '../scan/map-ahead.ts'
import { lostRanges } from '../table/lineage.ts'
import type { LostRange } from '../table/lineage.ts'
import type { TableState } from '../table/table-state.ts'

export interface LostFilesParts {
  readonly fileLists: FileLists
  readonly tableFiles: Pick<TableFiles, 'head'>
  readonly info: ColdTopicInfo
}

/** What nobody can read any more of the current snapshot. */
export interface LostFiles {
  readonly reason: string
  /** Offsets that may have been there, of those that the write-ahead tier has let go of. */
  readonly ranges: readonly LostRange[]
}

interface NamedFile {
  readonly path: string
  /** Undefined: a file of deletes. */
  readonly data: DataFile | undefined
}

const HEADS_AT_ONCE = 16
/** Files that a message names. */
const NAMED = 3

/**
 * Whether all is there that the current snapshot names, by name and size; undefined: it is, or the write-ahead tier still has the rows.
 * @throws `unavailable` where a file could not be looked at.
 */
export async function lostFiles(
  parts: LostFilesParts,
  state: TableState,
  released: readonly bigint[],
  call: CallOptions,
): Promise<LostFiles | undefined> {
  const lost: string[] = []
  const ranges: LostRange[] = []
  try {
    const looked = mapAhead(namedFiles(parts, state, call), HEADS_AT_ONCE - 1, async (file) => ({
      file,
      fault: await faultOf(parts, file, call),
    }))
    for await (const { file, fault } of looked) {
      if (fault === undefined) continue
      const doubtful = file.data === undefined ? [] : inDoubt(file.data, state, released)
      if (file.data !== undefined && doubtful.length === 0 && isPresent(file.data, state, parts.info)) continue
      lost.push(`${file.path} (${fault})`)
      ranges.push(...doubtful)
    }
  } catch (error) {
    // What names the files is gone itself.
    if (!isUnreadable(error)) throw error
    return { reason: (error as Error).message, ranges: lostRanges(parts.info.startOffsets, released) }
  }
  if (lost.length === 0) return undefined
  const more = lost.length > NAMED ? ` and ${lost.length - NAMED} more` : ''
  const reason = `files that the current snapshot names are gone or cut short: ${lost.slice(0, NAMED).join(', ')}${more}`
  return { reason, ranges: joined(ranges, released.length) }
}

async function* namedFiles(
  { fileLists }: LostFilesParts,
  state: TableState,
  call: CallOptions,
): AsyncGenerator<NamedFile> {
  const deletes = new Set<string>()
  for await (const task of fileLists.all({ ...state, missing: noneMissing }, call)) {
    yield { path: task.file.filePath, data: task.file }
    for (const { filePath } of task.deletes) {
      if (deletes.has(filePath)) continue
      deletes.add(filePath)
      yield { path: filePath, data: undefined }
    }
  }
}

async function faultOf(
  { tableFiles }: LostFilesParts,
  { path, data }: NamedFile,
  call: CallOptions,
): Promise<string | undefined> {
  try {
    const found = await tableFiles.head(path, call)
    if (found === undefined) return 'it is not there'
    if (data === undefined || BigInt(found.size) === data.fileSizeBytes) return undefined
    return `it has ${found.size} bytes; its manifest says ${data.fileSizeBytes}`
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return (error as Error).message
  }
}

function inDoubt(file: DataFile, { columns, entries }: TableState, released: readonly bigint[]): LostRange[] {
  const places = placesIn(file, columns)
  if (places === undefined) return []
  return entries.flatMap((entry) => {
    const range = meeting(places, entry, { from: entry.start, to: released[entry.partition] ?? 0n })
    return range === undefined ? [] : [{ partition: entry.partition, ...range }]
  })
}

/** All its rows are of this incarnation: the write-ahead tier has none of an earlier one to give. */
function isPresent(file: DataFile, { columns }: TableState, { incarnation }: ColdTopicInfo): boolean {
  const { min, max } = placesIn(file, columns)?.incarnation ?? {}
  return min === BigInt(incarnation) && max === min
}

const joined = (ranges: readonly LostRange[], partitions: number): LostRange[] =>
  Array.from({ length: partitions }, (_, partition) =>
    united(ranges.filter((range) => range.partition === partition)).map((range) => ({ partition, ...range })),
  ).flat()
