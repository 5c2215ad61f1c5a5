import type { DeleteFailure, DeleteManyResult } from '@moulin/core'
import { atMost, isKind, withOutcome } from '@moulin/core'
import type { Place } from './folder-place.ts'

/** Deletes at a time. */
const PARALLEL = 8

/** The steps of one delete. */
export interface DeleteSteps {
  placeOf(key: string): Place
  /** False when nothing was there. */
  unlink(place: Place): Promise<boolean>
  /** Makes durable what has gone from a folder. */
  removed(folder: string): Promise<void>
}

/** Deletes files one by one, and makes that durable folder by folder: one sync for all that went from a folder. */
export async function deleteFiles(keys: readonly string[], steps: DeleteSteps): Promise<DeleteManyResult> {
  const failures = new Map<string, DeleteFailure>()
  const gone = new Map<string, string[]>()
  const fail = (key: string, error: unknown): void => void failures.set(key, { key, error })
  let stopped: Error | undefined
  await atMost(PARALLEL, keys, async (key) => {
    try {
      const place = steps.placeOf(key)
      if (!(await steps.unlink(place))) return
      const names = gone.get(place.folder)
      if (names === undefined) gone.set(place.folder, [key])
      else names.push(key)
    } catch (error) {
      if (isKind(error, 'aborted')) throw error
      fail(key, error)
    }
  }).catch((error: unknown) => {
    stopped = error as Error
  })
  // Also after an abort: what is gone for readers must not come back.
  await atMost(PARALLEL, [...gone], async ([folder, names]) => {
    await steps.removed(folder).catch((error: unknown) => {
      for (const key of names) fail(key, error)
    })
  })
  if (stopped !== undefined) throw gone.size > 0 ? withOutcome(stopped, 'unknown') : stopped
  return { failed: keys.flatMap((key) => failures.get(key) ?? []) }
}
