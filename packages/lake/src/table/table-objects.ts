import { isKind, throwIfAborted, withOutcome } from '@moulin/core'
import type { CallOptions, TableFiles } from '@moulin/core'

/**
 * Stores an object that no committed table names yet, under a name that only this commit uses. Whatever goes wrong, the
 * table is as it was: so an error here always has outcome `rejected`, also when the object itself may be there.
 */
export async function putUnnamed(
  store: Pick<TableFiles, 'put'>,
  name: string,
  bytes: Uint8Array,
  options: CallOptions,
): Promise<void> {
  try {
    await store.put(name, bytes, { ...options, mode: 'create' })
  } catch (error) {
    throw beforeCommit(error)
  }
}

/** The same error with outcome `rejected`: it happened before the commit was sent. */
export function beforeCommit(error: unknown): unknown {
  return withOutcome(error, 'rejected')
}

/** Removes what a commit wrote that is known never to have happened: all objects below the prefixes with its id in their names. */
export async function discardObjects(
  tableFiles: TableFiles,
  prefixes: readonly string[],
  commit: string,
): Promise<number> {
  const locations: string[] = []
  for (const prefix of prefixes) {
    for await (const { location } of tableFiles.list(prefix)) if (location.includes(commit)) locations.push(location)
  }
  return await deleteAll(tableFiles, locations, {})
}

/** Deletes all of them, and says how many. @throws the first error that kept one, when all that can be gone is gone. */
export async function deleteAll(
  tableFiles: TableFiles,
  locations: readonly string[],
  call: CallOptions,
): Promise<number> {
  const { failed } = await tableFiles.deleteMany(locations, call)
  if (failed.length > 0) throw failed[0]!.error
  return locations.length
}

/** What the canonical locations of all files inside a table's location begin with. */
export function folderOf(tableFiles: Pick<TableFiles, 'canonical' | 'under'>, location: string): string {
  return tableFiles.canonical(tableFiles.under(location, 'x')).slice(0, -1)
}

/** Undefined for a location that lies elsewhere, or is no file's. */
export function canonicalIn(tableFiles: Pick<TableFiles, 'canonical'>, location: string): string | undefined {
  try {
    return tableFiles.canonical(location)
  } catch (error) {
    if (isKind(error, 'invalid')) return undefined
    throw error
  }
}

/**
 * One name for all those of its store that a data file may be listed by: the first that a read tries. What lies elsewhere keeps its own, and
 * fails when it is opened.
 */
export function listedName(tableFiles: Pick<TableFiles, 'spellings'>, location: string): string {
  return namesOf(tableFiles, location)[0]!
}

/** All names that a read of the location may go by, the first that it tries first; of one that lies elsewhere, itself. */
export function namesOf(tableFiles: Pick<TableFiles, 'spellings'>, location: string): readonly string[] {
  try {
    return tableFiles.spellings(location)
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error
    return [location]
  }
}

/** Fails with the first error, but not before all have ended: what is still under way could not be removed. */
export async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(work)
  await Promise.all(work)
}

/** Requests of one piece of housekeeping that are under way at once. */
const AT_ONCE = 16

/** Runs the work for each item, some at a time. After an error it begins nothing more, and throws when what runs has ended. */
export async function inTurn<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
  { signal }: CallOptions,
): Promise<void> {
  let next = 0
  let hasFailed = false
  const worker = async (): Promise<void> => {
    while (next < items.length && !hasFailed) {
      throwIfAborted(signal)
      try {
        await work(items[next++]!)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  const workers = Array.from({ length: Math.min(AT_ONCE, items.length) }, worker)
  await Promise.allSettled(workers)
  await Promise.all(workers)
}
