import { getIfThere, hasOutcome, isKind } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { withSignal } from './version-files.ts'

export interface Creation {
  /** Unlike those of every other attempt. */
  readonly bytes: Uint8Array
  readonly signal: AbortSignal | undefined
  /** The error when the name was another's first: nothing happened. */
  taken(): Error
  /** The error when the object may be there, or may yet arrive. */
  unknown(why: string, cause: unknown): Error
}

/** Stores an object by create-if-absent. Sent once; when it returns, the object is there with these bytes. */
export async function createOnce(store: ObjectStore, key: string, creation: Creation): Promise<string> {
  try {
    const { etag } = await store.put(key, creation.bytes, { mode: 'create', ...withSignal(creation.signal) })
    return etag
  } catch (error) {
    if (hasOutcome(error, 'rejected') && !isKind(error, 'exists')) throw error
    return await findOwn(store, key, creation, error)
  }
}

// After a lost answer, or an `exists` that a layer below may have got for its own second try: whose bytes are there?
async function findOwn(
  store: ObjectStore,
  key: string,
  { bytes, taken, unknown }: Creation,
  cause: unknown,
): Promise<string> {
  let present
  try {
    present = await getIfThere(store, key)
  } catch (error) {
    throw unknown('and it could not be read back', isKind(cause, 'exists') ? error : cause)
  }
  if (present !== undefined && Buffer.compare(present.bytes, bytes) === 0) return present.etag
  // With another's bytes there, a put of ours that arrives late finds the name taken.
  if (present !== undefined || isKind(cause, 'exists')) throw taken()
  throw unknown('and it is not there, but may yet arrive', cause)
}
