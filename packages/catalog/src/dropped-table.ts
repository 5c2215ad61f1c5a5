import { jsonBytes } from '@moulin/core'
import { listVersions, hintKey, versionKey } from './version-files.ts'
import type { TableFolder } from './version-files.ts'

/**
 * A dropped table leaves one last version, which says so: it takes the name that a commit under way would need, and the
 * next table of the name goes on counting from it.
 */
const mark = '{"moulin-dropped":'

export function droppedBytes(uuid: string, nowMs: number, commitId: string): Uint8Array {
  return jsonBytes({ 'moulin-dropped': uuid, 'dropped-ms': nowMs, 'moulin-commit-id': commitId })
}

/** Whether a version, or its beginning, says that the table was dropped. */
export function isDropped(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, mark.length)) === mark
}

export const DROPPED_MARK_BYTES: number = mark.length

/**
 * Removes what makes the folder look like a table to engines: the hint, then all versions below the last, but for the table's own last one,
 * from which it may be registered again.
 */
export async function removeOldVersions(folder: TableFolder, last: number): Promise<void> {
  await folder.store.delete(hintKey(folder))
  for (const version of await listVersions(folder)) {
    if (version < last - 1) await folder.store.delete(versionKey(folder, version))
  }
}
