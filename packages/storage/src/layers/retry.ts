import type {
  CallOptions,
  Chunks,
  DeleteFailure,
  DeleteManyResult,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  OptionTable,
  PutOptions,
  Runtime,
} from '@moulin/core'
import {
  checkOptions,
  guardedLogger,
  hasOutcome,
  isKind,
  isMoulinError,
  option,
  systemRuntime,
  waitFor,
  withDefaults,
  withOutcome,
} from '@moulin/core'
import { checkedCalls } from './checked-calls.ts'
import { CallDeadline } from './call-deadline.ts'
import { amount, facesOf, withSignal } from './layer.ts'
import { TokenBucket } from './token-bucket.ts'

export interface RetryOptions {
  /** How often a call is tried at most, the first time included. Default 8. */
  readonly maxTries?: number
  /** The second try comes up to so much later, each further one up to twice as much as the one before. Default 100. */
  readonly minWaitMs?: number
  /** What a wait grows to. Default 10 000. What the service asks for comes on top: see {@link retry}. */
  readonly maxWaitMs?: number
  /** No try begins so long after the call, or, of a list, after its last key. Default 60 000. */
  readonly maxRetryMs?: number
  /**
   * Ends a call with all its tries, the one under way too: `unavailable` code `DEADLINE`. Of a list: each wait for a key. Default: none,
   * for how long a large object may take only its reader knows.
   */
  readonly deadlineMs?: number
  /** What all calls together may spend on further tries. */
  readonly budget?: RetryBudget
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock' | 'random' | 'timers' | 'logger'>
}

/** Each further try takes one token. Where none is left, the first failure of a call is its last. */
export interface RetryBudget {
  /** How many there are at first and at most. Default 100. */
  readonly tokens?: number
  /** How many come back with time. Default 1. */
  readonly perSecond?: number
  /** How many a call that succeeds brings back. Default 0.2: in the long run a fifth of the calls may fail once. */
  readonly perSuccess?: number
}

const optionTable: OptionTable<RetryOptions> = {
  maxTries: option.integer('tries', 1),
  minWaitMs: option.milliseconds(0),
  maxWaitMs: option.milliseconds(0),
  maxRetryMs: option.milliseconds(0),
  deadlineMs: option.milliseconds(1),
  budget: option.nested<RetryBudget>({
    tokens: option.integer('tokens', 0),
    perSecond: amount,
    perSuccess: amount,
  }),
  runtime: option.runtimeOf('clock', 'random', 'timers', 'logger'),
}

const defaults = { maxTries: 8, minWaitMs: 100, maxWaitMs: 10_000, maxRetryMs: 60_000 }
const defaultBudget: Required<RetryBudget> = { tokens: 100, perSecond: 1, perSuccess: 0.2 }

/** One call of the layer, whatever number of tries it takes. */
interface Call {
  /** For messages: the method, and what it is about. */
  readonly what: string
  readonly signal: AbortSignal | undefined
  /** It has no effect, so its outcome is of no interest. */
  readonly isRead?: true
  /** A key of a list: it brings nothing back to the budget. */
  readonly isStep?: true
  /** May it be sent again after this failure, one of a kind that passes? Default: always. */
  mayRepeat?(error: unknown): boolean
}

/**
 * The same store, whose calls are tried again where that may help and can do no harm. Waits are random, up to a bound that doubles. A
 * service that says when to come again (`retryAfterMs` in the context of its error) is left alone so long, and the random wait on top, so
 * that those who were refused together do not come back together: a limit such as one write a second to one name is waited out.
 *
 * What is tried again after an error of kind `unavailable`, or one that says `retryable`; never code `CREDENTIALS`, which only others mend:
 *
 * - Reads, whatever the outcome. A list goes on behind its last key where `listOrder` is `bytes`; otherwise it begins anew and leaves out
 *   the keys that it gave, which it keeps in memory.
 * - Overwrites and deletes, also where the outcome is `unknown`. An earlier try that is late then lands after what others wrote since: who
 *   shares a key with others puts with a condition. Of a delete of many only the keys that failed.
 * - Creates and swaps that were `rejected`. Where the outcome is `unknown`, only in a store with capability `attemptIds`, and under the
 *   attempt id of the first try: the caller's, or one that is made here and handed down.
 * - A stream where it can be had again: an array of chunks, or any source of which nothing was read yet.
 *
 * Once the outcome of a try of a write was `unknown`, an error is so too, whichever it is: an `exists` may be of the object of that try. Of a
 * delete of many that goes key by key.
 *
 * @throws what the last try threw, with the outcome of all; `aborted` when the signal fires in a wait; `unavailable` code `DEADLINE`.
 * @example
 * const store = retry(s3({ bucket: 'lake' }), { maxTries: 5, deadlineMs: 30_000 })
 */
export function retry(store: ObjectStore, options: RetryOptions = {}): ObjectStore {
  checkOptions('retry', { store }, { store: option.required(option.storeCheck) })
  checkOptions('retry', options, optionTable)
  const { maxTries, minWaitMs, maxWaitMs, maxRetryMs, deadlineMs } = withDefaults<
    typeof defaults & { readonly deadlineMs?: number }
  >(defaults, options)
  const { tokens, perSecond, perSuccess } = withDefaults(defaultBudget, options.budget)
  const { clock, random, timers, logger } = options.runtime ?? systemRuntime()
  const faces = facesOf('retry', store)
  const budget = new TokenBucket({ tokens, perSecond, clock })
  const log = guardedLogger(logger)
  const hasAttemptIds = store.capabilities.attemptIds === true

  /** From 0 to below 1. */
  const chance = (): number => {
    const { buffer, byteOffset } = random.bytes(4)
    return new DataView(buffer, byteOffset).getUint32(0) / 2 ** 32
  }

  const run = async <T>(call: Call, tryOnce: (signal: AbortSignal | undefined) => Promise<T>): Promise<T> => {
    const startMs = clock.monotonic()
    const deadline = new CallDeadline(timers, call.signal, deadlineMs)
    let isUnknown = false
    const outcomeOfAll = (error: unknown): unknown => {
      const own = deadline.hasEnded(error) ? deadline.error(faces.name, call.what, error) : error
      return isUnknown ? withOutcome(own, 'unknown') : own
    }
    try {
      for (let tries = 1; ; tries++) {
        try {
          const trying = tryOnce(deadline.signal)
          // The bytes of a write are its store's until that is done with them; a read that is stuck is left behind.
          const answer = await (call.isRead === true ? waitFor(trying, deadline.signal) : trying)
          if (call.isStep !== true) budget.give(perSuccess)
          return answer
        } catch (error) {
          if (call.isRead !== true && hasOutcome(error, 'unknown')) isUnknown = true
          const waitMs = hintOf(error) + chance() * Math.min(maxWaitMs, minWaitMs * 2 ** (tries - 1))
          const isInTime = clock.monotonic() - startMs + waitMs < maxRetryMs
          const mayRepeat = isPassing(error) && (call.mayRepeat?.(error) ?? true)
          if (!mayRepeat || tries >= maxTries || !isInTime || !budget.take()) throw outcomeOfAll(error)
          log.debug({ err: error, store: store.name, tries, waitMs }, `${call.what} failed: another try`)
          await timers.sleep(waitMs, deadline.signal).catch((ended: unknown) => {
            throw outcomeOfAll(ended)
          })
        }
      }
    } finally {
      deadline.cancel()
    }
  }

  const read = <T>(
    method: string,
    key: string,
    given: CallOptions,
    tryOnce: (own: CallOptions) => Promise<T>,
  ): Promise<T> =>
    run({ what: `${method} of ${key}`, signal: given.signal, isRead: true }, (signal) => tryOnce(withSignal(signal)))

  /** The options of all tries of one write, and whether one of unknown outcome may be sent again. */
  const write = <O extends PutOptions>(
    given: O,
  ): { readonly options: O; readonly mayRepeat: (error: unknown) => boolean } => {
    const isConditional = given.mode !== undefined && given.mode !== 'overwrite'
    const isNamed = isConditional && hasAttemptIds
    return {
      options: isNamed && given.attemptId === undefined ? { ...given, attemptId: random.uuid() } : given,
      mayRepeat: (error) => !isConditional || isNamed || !hasOutcome(error, 'unknown'),
    }
  }

  return checkedCalls({
    ...faces,
    get: (key, given = {}) => read('get', key, given, (own) => store.get(key, { ...given, ...own })),
    getRanges: (key, ranges, given = {}) =>
      read('getRanges', key, given, (own) => store.getRanges(key, ranges, { ...given, ...own })),
    head: (key, given = {}) => read('head', key, given, (own) => store.head(key, { ...given, ...own })),

    async put(key, bytes, given = {}) {
      const { options: same, mayRepeat } = write(given)
      return run({ what: `put of ${key}`, signal: given.signal, mayRepeat }, (signal) =>
        store.put(key, bytes, { ...same, ...withSignal(signal) }),
      )
    },

    async putStream(key, chunks, given = {}) {
      const { options: same, mayRepeat } = write(given)
      const source = new Source(chunks)
      return run(
        {
          what: `putStream of ${key}`,
          signal: given.signal,
          mayRepeat: (error) => source.canBeHadAgain && mayRepeat(error),
        },
        (signal) => store.putStream(key, source.chunks, { ...same, ...withSignal(signal) }),
      )
    },

    delete: (key, given = {}) =>
      run({ what: `delete of ${key}`, signal: given.signal }, (signal) => store.delete(key, withSignal(signal))),

    async deleteMany(keys, given = {}) {
      const failures = new Map<string, DeleteFailure>()
      /** Keys of which a try may have been done, or may still be. */
      const unsure = new Set<string>()
      let left: readonly string[] = keys
      let hasAnswered = false
      let isPartial = false
      const what = `deleteMany of ${keys.length} keys`
      try {
        await run({ what, signal: given.signal }, async (signal) => {
          isPartial = false
          const { failed } = await store.deleteMany(left, withSignal(signal)).catch((error: unknown) => {
            if (hasOutcome(error, 'unknown')) for (const key of left) unsure.add(key)
            throw error
          })
          hasAnswered = true
          for (const key of left) failures.delete(key)
          for (const failure of failed) {
            if (hasOutcome(failure.error, 'unknown')) unsure.add(failure.key)
            failures.set(failure.key, failure)
          }
          const passing = failed.filter(({ error }) => isPassing(error))
          left = passing.map(({ key }) => key)
          isPartial = passing.length > 0
          if (isPartial) throw passing[0]!.error
        })
      } catch (error) {
        // Nothing is known of any key yet.
        if (!hasAnswered) throw error
        if (isKind(error, 'aborted')) throw withOutcome(error, 'unknown')
        if (!isPartial) for (const key of left) failures.set(key, { key, error })
      }
      for (const { key, error } of failures.values())
        if (unsure.has(key)) failures.set(key, { key, error: withOutcome(error, 'unknown') })
      return inOrder(keys, failures)
    },

    async *list(given: ListOptions = {}) {
      const isOrdered = store.listOrder === 'bytes'
      const told = new Set<string>()
      let after = given.after
      let open: OpenList | undefined
      /** The next key that was not told yet: those that are passed over are no progress. */
      const step = async (): Promise<ObjectInfo | undefined> => {
        open ??= openList(store, { ...given, ...(after === undefined ? {} : { after }) })
        try {
          for (;;) {
            const { done, value } = await open.steps.next()
            if (done === true) return undefined
            if (!told.has(value.key)) return value
          }
        } catch (error) {
          open = undefined
          throw error
        }
      }
      try {
        for (;;) {
          const call = {
            what: `list of ${given.prefix ?? ''}`,
            signal: given.signal,
            isRead: true,
            isStep: true,
          } as const
          const info = await run(call, step)
          if (info === undefined) break
          if (isOrdered) after = info.key
          else told.add(info.key)
          yield info
        }
        budget.give(perSuccess)
      } finally {
        open?.close()
      }
    },
  })
}

/** What may go well the next time, as far as the error says. What becomes of a try of unknown outcome its caller decides. */
function isPassing(error: unknown): boolean {
  if (!isMoulinError(error) || error.code === 'CREDENTIALS') return false
  return error.retryable || (error.kind === 'unavailable' && error.outcome === 'unknown')
}

/** How long the service wants to be left alone. */
function hintOf(error: unknown): number {
  const hint = isMoulinError(error) ? error.context['retryAfterMs'] : undefined
  return typeof hint === 'number' && hint > 0 ? hint : 0
}

function inOrder(keys: readonly string[], failures: ReadonlyMap<string, DeleteFailure>): DeleteManyResult {
  return { failed: [...new Set(keys)].flatMap((key) => failures.get(key) ?? []) }
}

/** A stream, and whether it can still be had from its first chunk on. */
class Source {
  readonly chunks: Chunks
  readonly #isArray: boolean
  #isBegun = false

  constructor(chunks: Chunks) {
    this.#isArray = Array.isArray(chunks)
    if (this.#isArray) this.chunks = chunks
    else if (Symbol.asyncIterator in chunks)
      this.chunks = { [Symbol.asyncIterator]: () => this.#begin(chunks[Symbol.asyncIterator]()) }
    else this.chunks = { [Symbol.iterator]: () => this.#begin(chunks[Symbol.iterator]()) }
  }

  get canBeHadAgain(): boolean {
    return this.#isArray || !this.#isBegun
  }

  #begin<T>(iterator: T): T {
    this.#isBegun = true
    return iterator
  }
}

interface OpenList {
  readonly steps: AsyncIterator<ObjectInfo>
  /** Also where a step is stuck. */
  close(): void
}

function openList(store: ObjectStore, options: ListOptions): OpenList {
  const end = new AbortController()
  const signal = options.signal === undefined ? end.signal : AbortSignal.any([options.signal, end.signal])
  const steps = store.list({ ...options, signal })[Symbol.asyncIterator]()
  return {
    steps,
    close() {
      end.abort()
      steps.return?.().catch(() => {})
    },
  }
}
