import type { TableFiles } from '@moulin/core'
import type { FileScanTask, ListedFile } from '@moulin/iceberg'
import { listedName } from '../table/table-objects.ts'

/**
 * A file that is listed twice has its rows once: a row is there if it is in one of the listings, so what counts is what is deleted of the
 * later one, which the fewest deletes are about. Of rows at one place it is still as old as the first.
 */
export function asOne<L extends ListedFile>(one: L, other: L): L {
  const [older, newer] = one.sequenceNumber <= other.sequenceNumber ? [one, other] : [other, one]
  return { ...newer, sequenceNumber: older.sequenceNumber }
}

function addListing(listed: Map<string, FileScanTask>, location: string, task: FileScanTask): void {
  const known = listed.get(location)
  listed.set(location, known === undefined ? task : asOne(known, task))
}

/** Whoever adds a file again, by whatever name, does not add its rows again. */
export async function eachOnce(
  { tableFiles }: { readonly tableFiles: Pick<TableFiles, 'spellings'> },
  tasks: AsyncIterable<FileScanTask>,
): Promise<Iterable<FileScanTask>> {
  const listed = new Map<string, FileScanTask>()
  for await (const task of tasks) addListing(listed, listedName(tableFiles, task.file.filePath), task)
  return listed.values()
}

/** By location, what of a plan is listed more than once, as one. @param plan Gives the same each time. */
export async function listedAgain(
  tableFiles: Pick<TableFiles, 'spellings'>,
  plan: () => AsyncIterable<FileScanTask>,
): Promise<ReadonlyMap<string, FileScanTask>> {
  const seen = new Set<string>()
  const again = new Set<string>()
  for await (const { file } of plan()) {
    const location = listedName(tableFiles, file.filePath)
    if (seen.has(location)) again.add(location)
    seen.add(location)
  }
  const found = new Map<string, FileScanTask>()
  // Nearly never: few are to be kept then.
  if (again.size === 0) return found
  for await (const task of plan()) {
    const location = listedName(tableFiles, task.file.filePath)
    if (!again.has(location)) continue
    addListing(found, location, task)
  }
  return found
}
