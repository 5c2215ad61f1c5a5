import { and, gte, isUnreadable, lt } from '@moulin/core'
import type { CallOptions } from '@moulin/core'
import type { LiveFiles } from '../live/live-files.ts'
import { highest, lowest, meeting, partitionsOf, placesIn } from './missing-files.ts'
import type { OffsetRange } from '../encode/row-builder.ts'
import type { FileLists } from '../replay/cold-plan.ts'
import type { TableState } from '../table/table-state.ts'

export interface UnreadDeletesParts {
  readonly fileLists: FileLists
  readonly files: LiveFiles
}

/** Rows of the table that nobody can read, since nobody can tell which of them are deleted. */
export interface UnreadDeletes {
  /** What who reads them is told. */
  readonly error: Error
  /** Per partition, the first offset of its range that such a row may have; else the end of the range. */
  readonly from: readonly bigint[]
}

/**
 * Asks of each file that may hold some of the ranges what is deleted in it; undefined: all can be told. What is missing is not asked: it has
 * its write-ahead copy.
 */
export async function unreadDeletes(
  { fileLists, files }: UnreadDeletesParts,
  state: TableState,
  ranges: readonly OffsetRange[],
  call: CallOptions,
): Promise<UnreadDeletes | undefined> {
  const { columns, entries, loaded } = state
  const from = ranges.map(({ to }) => to)
  const wanted = ranges.filter((range) => range.from < range.to)
  const [first] = wanted
  if (first === undefined) return undefined
  const offset = columns.byName.get('_kafka_offset')!.name
  // One plan for all partitions: of each by itself the whole table would be gone through as often as there are partitions.
  const where = and(
    gte(offset, lowest(first.from, ...wanted.map((range) => range.from))),
    lt(offset, highest(first.to, ...wanted.map(({ to }) => to))),
  )
  let error: Error | undefined
  try {
    for await (const task of fileLists.matching(state, where, () => undefined, call)) {
      const places = placesIn(task.file, columns)
      const held = (places === undefined ? [] : partitionsOf(places, ranges.length)).flatMap((partition) => {
        const range = meeting(places!, entries[partition]!, ranges[partition]!)
        return range !== undefined && range.from < from[partition]! ? [{ partition, at: range.from }] : []
      })
      if (held.length === 0) continue
      try {
        await files.keyOf(task, loaded.metadata, call)
      } catch (refusal) {
        if (!isUnreadable(refusal)) throw refusal
        error ??= refusal as Error
        for (const { partition, at } of held) from[partition] = lowest(from[partition]!, at)
      }
    }
  } catch (refusal) {
    // The plan itself: what the manifests of deletes say is about any file.
    if (!isUnreadable(refusal)) throw refusal
    error ??= refusal as Error
    return { error, from: ranges.map((range) => lowest(range.from, range.to)) }
  }
  return error && { error, from }
}
