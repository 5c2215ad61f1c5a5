import type { MoulinError } from '@moulin/core'
import { conflict, exists, notFound } from '@moulin/core'

export function missingKey(store: string, key: string, cause?: unknown): MoulinError {
  return notFound('KEY_MISSING', `${store} holds no object ${JSON.stringify(key)}.`, { context: { store, key }, cause })
}

export function keyExists(store: string, key: string, cause?: unknown): MoulinError {
  return exists('KEY_EXISTS', `${store} holds an object ${JSON.stringify(key)} already.`, {
    context: { store, key },
    cause,
  })
}

export function tagMismatch(store: string, key: string, wanted: string, present: string | undefined): MoulinError {
  const now = present === undefined ? 'is missing' : `has the tag ${present} by now`
  return conflict('TAG_MISMATCH', `${JSON.stringify(key)} in ${store} ${now}, not ${wanted}: read it again.`, {
    context: { store, key, wanted, present },
  })
}

/** For a read that wanted another version than the one there is. */
export function notModified(store: string, key: string, etag: string): MoulinError {
  return exists('NOT_MODIFIED', `${JSON.stringify(key)} in ${store} still has the tag ${etag}.`, {
    context: { store, key, etag },
  })
}
