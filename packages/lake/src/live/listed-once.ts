import type { TableFiles } from '@moulin/core'
import type { FileScanTask, ListedFile } from '@moulin/iceberg'
import { listedName } from '../table/table-objects.ts'

/**
 * A file that is listed twice has its rows once: a row is there if it is in one of the listings, so what counts is what is deleted of the
 * later one, which the fewest deletes are about. Of rows at one place it is still as old as the first.
 */
export class Listings<L extends ListedFile> {
  #oldest: L
  #newest: L

  constructor(first: L) {
    this.#oldest = first
    this.#newest = first
  }

  /** In whatever order they come. */
  add(listed: L): void {
    if (listed.sequenceNumber < this.#oldest.sequenceNumber) this.#oldest = listed
    if (listed.sequenceNumber >= this.#newest.sequenceNumber) this.#newest = listed
  }

  get asOne(): L {
    const { sequenceNumber } = this.#oldest
    return this.#newest.sequenceNumber === sequenceNumber ? this.#newest : { ...this.#newest, sequenceNumber }
  }
}

function addListing(listed: Map<string, Listings<FileScanTask>>, location: string, task: FileScanTask): void {
  const known = listed.get(location)
  if (known === undefined) listed.set(location, new Listings(task))
  else known.add(task)
}

/** Whoever adds a file again, by whatever name, does not add its rows again. */
export async function eachOnce(
  { tableFiles }: { readonly tableFiles: Pick<TableFiles, 'spellings'> },
  tasks: AsyncIterable<FileScanTask>,
): Promise<Iterable<FileScanTask>> {
  const listed = new Map<string, Listings<FileScanTask>>()
  for await (const task of tasks) addListing(listed, listedName(tableFiles, task.file.filePath), task)
  return Array.from(listed.values(), ({ asOne }) => asOne)
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
  const found = new Map<string, Listings<FileScanTask>>()
  // Nearly never: few are to be kept then.
  if (again.size === 0) return new Map()
  for await (const task of plan()) {
    const location = listedName(tableFiles, task.file.filePath)
    if (!again.has(location)) continue
    addListing(found, location, task)
  }
  return new Map([...found].map(([location, { asOne }]) => [location, asOne]))
}
