import type { Outcome } from '@moulin/core'
import { conflict, exists, isMoulinError, MoulinError, notFound } from '@moulin/core'

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

/** The same error with another outcome: a caller may know better than the call that failed whether it took effect. */
export function withOutcome(error: unknown, outcome: Outcome): unknown {
  if (!isMoulinError(error) || error.outcome === outcome) return error
  const { kind, code, message, context } = error
  return new MoulinError(kind, code, message, { context, outcome, cause: error })
}
