import { exhausted, getIfThere, isKind } from '@moulin/core'
import type { TableFolder } from './version-files.ts'
import { hasVersion, hintKey, withSignal } from './version-files.ts'

/** What `version-hint.text` says. Engines believe it; we take it as a lower bound. */
export interface Hint {
  /** Undefined when the file is missing or holds something else than digits. */
  readonly version: number | undefined
  readonly etag: string | undefined
  readonly text: string | undefined
}

const digits = /^[1-9]\d{0,14}$/
const MAX_ROUNDS = 100

export async function readHint(folder: TableFolder, signal?: AbortSignal): Promise<Hint> {
  const object = await getIfThere(folder.store, hintKey(folder), withSignal(signal))
  if (object === undefined) return { version: undefined, etag: undefined, text: undefined }
  const text = new TextDecoder().decode(object.bytes.subarray(0, 64))
  return { version: digits.test(text) ? Number(text) : undefined, etag: object.etag, text }
}

/**
 * Moves the hint forward to a version that is committed, never back, and returns what it says in the end.
 *
 * A store that can swap does so. On one that cannot, two writers may cross: 1. A commits v6 and reads the hint, 5.
 * 2. B commits v7 and writes 7. 3. A writes 6. So whoever wrote looks for a newer version *afterwards* and, if there is
 * one, writes that; the last to write then leaves the newest.
 */
export async function moveHint(folder: TableFolder, version: number): Promise<number> {
  const { store } = folder
  const key = hintKey(folder)
  let target = version
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const hint = await readHint(folder)
    if (hint.version !== undefined && hint.version >= target) return hint.version
    const bytes = new TextEncoder().encode(String(target))
    if (store.capabilities.compareAndSwap) {
      const mode = hint.etag === undefined ? ('create' as const) : { ifMatch: hint.etag }
      await store.put(key, bytes, { mode }).catch(ignoreLostRace)
    } else {
      await store.put(key, bytes)
      while (await hasVersion(folder, target + 1)) target++
    }
  }
  throw exhausted('HINT_CONTENTION', `${key} could not be moved to ${target} in ${MAX_ROUNDS} rounds.`)
}

function ignoreLostRace(error: unknown): void {
  if (!isKind(error, 'conflict') && !isKind(error, 'exists')) throw error
}
