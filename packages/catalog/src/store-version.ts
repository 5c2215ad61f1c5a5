import { aborted, conflict, isKind, unavailable } from '@moulin/core'
import { createOnce } from './create-once.ts'
import type { TableFolder, Version } from './version-files.ts'
import { versionKey } from './version-files.ts'

export interface StoreVersion {
  /** The version that the new one is made of; undefined for the first of a folder. */
  readonly predecessor: Version | undefined
  /** Differ from those of every other attempt (`moulin-commit-id`). */
  readonly bytes: Uint8Array
  readonly signal: AbortSignal | undefined
}

/**
 * The one step that commits: stores the next version by create-if-absent. Sent once. When it returns, the version
 * counts.
 *
 * A created name alone proves nothing, since names are collected: 1. A reads v5 and stalls. 2. Others commit v6 to
 * v150, and v1 to v50 are collected. 3. A creates v6: the name is free. So the create counts only if its predecessor is
 * still the same object afterwards; versions are collected in ascending order, hence v5 went before v6 did.
 *
 * @throws `conflict` code `REQUIREMENT_FAILED` (rejected) when another commit took the name; an error with code
 * `COMMIT_UNKNOWN` and outcome `unknown` when the version may be there, may yet arrive, or may not count.
 */
export async function storeVersion(folder: TableFolder, request: StoreVersion): Promise<Version> {
  const version = (request.predecessor?.version ?? 0) + 1
  const key = versionKey(folder, version)
  const etag = await createOnce(folder.store, key, {
    bytes: request.bytes,
    signal: request.signal,
    taken: () => taken(key),
    unknown: (why, cause) => outcomeUnknown(key, why, cause),
  })
  if (request.predecessor !== undefined) await checkPredecessor(folder, request.predecessor, version)
  return { version, etag }
}

async function checkPredecessor(folder: TableFolder, predecessor: Version, version: number): Promise<void> {
  const key = versionKey(folder, version)
  let present
  try {
    present = await folder.store.head(versionKey(folder, predecessor.version))
  } catch (error) {
    throw outcomeUnknown(key, `and v${predecessor.version} before it could not be checked`, error)
  }
  if (present?.etag === predecessor.etag) return
  // Either the name had been collected, or this check came so late that the predecessor was collected since.
  throw outcomeUnknown(key, `but v${predecessor.version} before it is gone`, undefined)
}

function taken(key: string): Error {
  return conflict('REQUIREMENT_FAILED', `Another commit took ${key}. Reload the table.`, { context: { key } })
}

function outcomeUnknown(key: string, why: string, cause: unknown): Error {
  const raise = isKind(cause, 'aborted') ? aborted : unavailable
  const message = `${key} was sent, ${why}: load the table and look for your commit before anything else.`
  return raise('COMMIT_UNKNOWN', message, { outcome: 'unknown', retryable: false, context: { key }, cause })
}
