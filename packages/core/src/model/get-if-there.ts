import type { GetOptions, ObjectStore, StoredObject } from '../doors/object-store.ts'
import { isKind } from './errors.ts'

/** Undefined where there is no object of the key. @throws what `get` throws else. */
export async function getIfThere(
  store: Pick<ObjectStore, 'get'>,
  key: string,
  options: GetOptions = {},
): Promise<StoredObject | undefined> {
  try {
    return await store.get(key, options)
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined
    throw error
  }
}
