import type { ObjectStore } from '../doors/object-store.ts'
import { invalid, isKind } from '../model/errors.ts'
import { MAX_KEY_BYTES, uriOf } from '../model/object-key.ts'

const encoder = new TextEncoder()

/**
 * Whether a store takes a key as long as this one, below whatever prefix it has. Writes nothing: for what will be needed once, before
 * anybody relies on it. Only a key that is long with all of the root costs a request.
 * @param next What to do about one that is not taken, as the end of the sentence.
 * @throws `invalid` code `KEY_ROOM`; what `head` throws.
 */
export async function checkKeyRoom(
  store: Pick<ObjectStore, 'name' | 'root' | 'head'>,
  key: string,
  next: string,
  signal?: AbortSignal,
): Promise<void> {
  // No prefix is longer than the root, which holds it.
  if (encoder.encode(uriOf(store, key)).length <= MAX_KEY_BYTES) return
  try {
    // The store knows what it puts before a key.
    await store.head(key, signal === undefined ? {} : { signal })
  } catch (cause) {
    if (!isKind(cause, 'invalid', 'KEY')) throw cause
    const message = `${store.name} has no room for a key such as ${JSON.stringify(key)}: with the prefix of the place it would be longer than ${MAX_KEY_BYTES} bytes, the limit of a key: ${next}`
    throw invalid('KEY_ROOM', message, { context: { store: store.name, key, limit: MAX_KEY_BYTES }, cause })
  }
}
