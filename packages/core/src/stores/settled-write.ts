import { isKind, isMoulinError, MoulinError, withOutcome } from '../model/errors.ts'

/** What the head of an object tells of who wrote it. */
export interface WrittenBy {
  readonly etag: string
  /** Undefined: written without one, or the store does not keep it. */
  readonly attemptId: string | undefined
}

/** A create or a swap, as {@link settledWrite} carries it through. */
export interface ConditionalWrite {
  readonly attemptId: string
  /** Whether the caller knows the id, so that the same call is the same write. */
  readonly isNamed?: boolean
  /** The tag that a swap expects; undefined: it is a create. */
  readonly ifMatch: string | undefined
  /** Sends it once. An error that may come of an earlier sending (an SDK that repeats by itself) has outcome `unknown`. */
  send(): Promise<{ readonly etag: string }>
  /** Who wrote the newest version; undefined: there is none. */
  look(): Promise<WrittenBy | undefined>
  /** Whether the version with this tag has the very bytes; asked only where it tells no attempt id. */
  hasBytes(etag: string): Promise<boolean>
}

/**
 * Sends a conditional write and finds out what became of it, where the answer does not say: it reads the object's head back and compares
 * attempt ids.
 *
 * - Of its own id: it has succeeded, in this sending or an earlier one.
 * - Of another id: `exists`, or `conflict` for a swap. The outcome is `unknown` where the answer of the sending was lost, since the version
 *   may have been there and been overwritten.
 * - Of no id, in a store that drops them: as another's where the bytes differ; the outcome is `unknown` where they are equal, since two
 *   callers may write the same.
 * - Nothing there, or the version that a swap expects still: after a lost answer `unknown`, for it may still land; after a definite one
 *   that stands.
 *
 * @throws what `send` does, as told; when the head cannot be read, with outcome `unknown`; `aborted`, outcome `unknown`, when that is why.
 */
export async function settledWrite(write: ConditionalWrite): Promise<{ readonly etag: string }> {
  try {
    return await write.send()
  } catch (error) {
    if (!isWorthALook(error)) throw error
    const isLost = error.outcome === 'unknown'
    const seen = await write.look().catch((failed: unknown) => {
      // Whoever sends it again under the same id looks again; under another it would take its own object for another's.
      const mayPass = write.isNamed === true && isMoulinError(failed) && failed.retryable
      throw isKind(failed, 'aborted') ? withOutcome(failed, 'unknown') : withOutcome(error, 'unknown', mayPass)
    })
    // Before its tag: where equal bytes have equal tags, a swap of equal bytes leaves the one that it expects.
    if (seen?.attemptId === write.attemptId) return { etag: seen.etag }
    // A lost one may still be on its way.
    if (seen === undefined || seen.etag === write.ifMatch) throw error
    if (seen.attemptId !== undefined) throw refused(write, error, isLost)
    const isEqual = await write.hasBytes(seen.etag).catch((failed: unknown) => {
      if (isKind(failed, 'aborted')) throw withOutcome(failed, 'unknown')
      return true
    })
    throw refused(write, error, isLost || isEqual)
  }
}

function isWorthALook(error: unknown): error is MoulinError {
  if (!isMoulinError(error)) return false
  // Whoever gave up waits for no more requests.
  if (error.kind === 'aborted') return false
  return (
    error.outcome === 'unknown' || error.kind === 'exists' || error.kind === 'conflict' || error.code === 'WRITE_RACED'
  )
}

function refused({ ifMatch }: ConditionalWrite, error: MoulinError, isUnknown: boolean): MoulinError {
  const isSwap = ifMatch !== undefined
  const outcome = isUnknown ? 'unknown' : 'rejected'
  const kind = isSwap ? 'conflict' : 'exists'
  if (error.kind === kind) return withOutcome(error, outcome, false)
  const code = isSwap ? 'TAG_MISMATCH' : 'KEY_EXISTS'
  const { context, message } = error
  const options = { outcome, retryable: false, context, cause: error } as const
  return new MoulinError(kind, code, `Another has written this key: read it. ${message}`, options)
}
