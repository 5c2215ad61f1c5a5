import { and, eq, gte, isUnreadable, lt } from '@moulin/core'
import type { CallOptions } from '@moulin/core'
import type { LiveFiles } from '../live/live-files.ts'
import { lowest, meeting, placesIn } from './missing-files.ts'
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
  const [partitionColumn, offsetColumn] = ['_kafka_partition', '_kafka_offset'].map(
    (name) => columns.byName.get(name as '_kafka_offset')!.name,
  )
  const from = ranges.map(({ to }) => to)
  let error: Error | undefined
  for (const [partition, range] of ranges.entries()) {
    if (range.from >= range.to) continue
    const where = and(eq(partitionColumn!, partition), gte(offsetColumn!, range.from), lt(offsetColumn!, range.to))
    try {
      for await (const task of fileLists.matching(state, where, () => undefined, call)) {
        const places = placesIn(task.file, columns)
        const held = places && meeting(places, entries[partition]!, range)
        if (held === undefined || held.from >= from[partition]!) continue
        try {
          await files.keyOf(task, loaded.metadata, call)
        } catch (refusal) {
          if (!isUnreadable(refusal)) throw refusal
          error ??= refusal as Error
          from[partition] = lowest(from[partition]!, held.from)
        }
      }
    } catch (refusal) {
      // The plan itself: what the manifests of deletes say is about any file.
      if (!isUnreadable(refusal)) throw refusal
      error ??= refusal as Error
      from[partition] = range.from
    }
  }
  return error && { error, from }
}
