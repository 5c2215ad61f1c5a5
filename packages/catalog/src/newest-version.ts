import { corrupt, unavailable, unsupported, uriOf } from '@moulin/core'
import type { Hint } from './version-hint.ts'
import { readHint } from './version-hint.ts'
import type { TableFolder, VersionBytes } from './version-files.ts'
import { getVersion, hasVersion, hintKey, listVersions, versionKey, withSignal } from './version-files.ts'

/** Versions this far below the hint are never collected. */
export const KEPT_VERSIONS = 100
/** A version this far below the hint is not believed to be the newest: it may have been collected and come back. */
const NEAR_VERSIONS = KEPT_VERSIONS / 2
/** Steps forward from the hint before a list is cheaper. */
const MAX_PROBES = 16
const MAX_ROUNDS = 8

export interface Newest {
  readonly found: VersionBytes
  readonly hint: Hint
}

/**
 * The newest version of a table's metadata; undefined when there is none.
 *
 * The hint is a lower bound, so the search goes forward from it. A version whose name was collected may be back under
 * that name (a committer stalled for a hundred versions, or its put arrived late), and a reader as slow as that could
 * meet it: what is found counts only if the hint is still near afterwards and, where hints can fall, if the version
 * before is still there. Else, and without a usable hint, the list decides, which cannot be fooled.
 *
 * `known` is a version that was read before: it is not read again while its tag is the same.
 *
 * @throws `corrupt` when the hint is ahead of every version; `unsupported` for the folder of another kind of catalog.
 */
export async function newestVersion(
  folder: TableFolder,
  known: VersionBytes | undefined,
  signal?: AbortSignal,
): Promise<Newest | undefined> {
  const hint = await readHint(folder, signal)
  if (hint.version !== undefined) {
    const found = await searchForward(folder, hint.version, known, signal)
    if (found !== undefined) return { found, hint }
  }
  const found = await searchList(folder, signal)
  if (found === undefined) return await refuseForeign(folder, hint, signal)
  if (hint.version !== undefined && hint.version > found.version) throw hintAhead(folder, hint.version, found.version)
  return { found, hint }
}

async function searchForward(
  folder: TableFolder,
  from: number,
  known: VersionBytes | undefined,
  signal: AbortSignal | undefined,
): Promise<VersionBytes | undefined> {
  let version = from
  while (await hasVersion(folder, version + 1, signal)) {
    if (++version - from > MAX_PROBES) return undefined
  }
  const found = await getVersion(folder, version, known, signal)
  if (found === undefined) return undefined
  const after = await readHint(folder, signal)
  if (after.version === undefined || after.version > version + NEAR_VERSIONS) return undefined
  const canFall = !folder.store.capabilities.compareAndSwap
  if (canFall && version > 1 && !(await hasVersion(folder, version - 1, signal))) return undefined
  return found
}

async function searchList(folder: TableFolder, signal: AbortSignal | undefined): Promise<VersionBytes | undefined> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const newest = (await listVersions(folder, signal)).at(-1)
    if (newest === undefined) return undefined
    const found = await getVersion(folder, newest, undefined, signal)
    if (found !== undefined) return found
    // Collected since it was listed: newer ones are there.
  }
  throw unavailable('METADATA_MOVES', `The newest metadata in ${folder.path} was gone ${MAX_ROUNDS} times; try again.`)
}

async function refuseForeign(folder: TableFolder, hint: Hint, signal: AbortSignal | undefined): Promise<undefined> {
  const key = hintKey(folder)
  for await (const { key: other } of folder.store.list({ prefix: `${folder.path}/metadata/`, ...withSignal(signal) })) {
    if (!other.includes('.metadata.json') && (other !== key || hint.version !== undefined)) continue
    const message = `${folder.path} is a table of another catalog (${other}): only vN.metadata.json files are read here. openTable reads it with a catalog of your own (examples/open-table.ts).`
    throw unsupported('FOREIGN_LAYOUT', message, { context: { key: other } })
  }
  if (hint.version !== undefined) throw hintAhead(folder, hint.version, undefined)
  return undefined
}

function hintAhead(folder: TableFolder, hint: number, newest: number | undefined): Error {
  const key = hintKey(folder)
  const message = `${key} names version ${hint}, but the newest that is there is ${newest ?? 'none'}: metadata was removed.`
  const location = uriOf(folder.store, versionKey(folder, hint))
  return corrupt('HINT_AHEAD', message, { context: { key, hint, newest, location } })
}
