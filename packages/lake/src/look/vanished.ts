import { conflict, corrupt, isKind, isMoulinError } from '@moulin/core'
import type { CallOptions, TableFiles } from '@moulin/core'
import { noneMissing } from './missing-files.ts'
import type { FileLists } from '../replay/cold-plan.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import type { TableState } from '../table/table-state.ts'
import type { TopicTable } from '../table/topic-table.ts'

export interface VanishedParts {
  readonly table: TopicTable
  readonly fileLists: FileLists
  readonly tableFiles: TableFiles
}

/** Files that a message names. */
const NAMED = 3

/**
 * What is said of an object that the snapshot names and the store does not have, where the write-ahead tier has no copy: a table
 * that names it still has lost it; else only the snapshot is gone, and the next one can be read.
 */
export async function vanished(
  parts: VanishedParts,
  state: TableState,
  error: unknown,
  call: CallOptions,
): Promise<Error> {
  return (await isStillNamed(parts, state, error, call)) ? fileMissing(state, error) : expired(state, error)
}

/** The table's snapshot, which is the current one, lacks an object. */
export function fileMissing(state: TableState, error: unknown): Error {
  const snapshot = snapshotIdOf(state.loaded)
  // One that was known to be missing is not asked for: what it had is.
  const file = fileIn(error)
  const files = file === undefined ? [...state.missing.keys()] : [file]
  const more = files.length > NAMED ? ` and ${files.length - NAMED} more` : ''
  const isNamed = files.length === 0 || (error as Error).message.includes(files[0]!)
  const names = isNamed ? '' : ` (${files.slice(0, NAMED).join(', ')}${more})`
  const message = `A file of the table's current snapshot ${snapshot} is not there${names}: ${(error as Error).message}`
  return corrupt('FILE_MISSING', message, { cause: error, context: { snapshot, file: files[0] } })
}

/** The snapshot cannot be read to its end, but another one can be. */
export function expired(state: TableState, error: unknown): Error {
  const snapshot = snapshotIdOf(state.loaded)
  const message = `Snapshot ${snapshot} lost files before it was read to its end: it was expired, or they are damaged. Try again.`
  return conflict('SNAPSHOT_EXPIRED', message, { retryable: true, context: { snapshot }, cause: error })
}

async function isStillNamed(
  { table, fileLists, tableFiles }: VanishedParts,
  state: TableState,
  error: unknown,
  call: CallOptions,
): Promise<boolean> {
  try {
    const fresh = await table.load(call)
    if (snapshotIdOf(fresh.loaded) === snapshotIdOf(state.loaded)) return true
    const file = fileIn(error)
    if (file === undefined) return false
    for await (const { file: data, deletes } of fileLists.all({ ...fresh, missing: noneMissing }, call))
      if ([data, ...deletes].some(({ filePath }) => tableFiles.isSame(filePath, file))) return true
  } catch (failure) {
    if (isKind(failure, 'aborted')) throw failure
  }
  return false
}

/** The object that the error is about, as it names it. */
export function fileIn(error: unknown): string | undefined {
  const { file, key } = isMoulinError(error) ? error.context : {}
  return typeof file === 'string' ? file : typeof key === 'string' ? key : undefined
}
