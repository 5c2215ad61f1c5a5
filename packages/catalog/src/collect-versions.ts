import { KEPT_VERSIONS } from './newest-version.ts'
import type { TableFolder } from './version-files.ts'
import { listVersions, versionKey } from './version-files.ts'

/** Every so many commits one also collects. */
const COLLECT_EVERY = 16

/**
 * Deletes versions more than `keep` (at least 100) below the hint, oldest first and one after the other: whoever finds
 * v(n) collected may be sure that so is all below it. The predecessor check of a commit stands on this order.
 */
export async function collectVersions(folder: TableFolder, hint: number, keep: number): Promise<void> {
  const last = hint - Math.max(KEPT_VERSIONS, keep)
  if (last < 1) return
  for (const version of await listVersions(folder)) {
    if (version > last) return
    await folder.store.delete(versionKey(folder, version))
  }
}

export function isTimeToCollect(version: number): boolean {
  return version > KEPT_VERSIONS && version % COLLECT_EVERY === 0
}
