import type { CallOptions, ObjectStore, OptionTable, Runtime } from '@moulin/core'
import { checkOptions, invalid, isKind, option, systemRuntime } from '@moulin/core'
import { checkedCalls } from './checked-calls.ts'
import { amount, facesOf } from './layer.ts'
import { Latencies } from './latencies.ts'
import { TokenBucket } from './token-bucket.ts'

export interface HedgeOptions {
  /** A read that has no answer after so long is sent a second time. Either this or `percentile`. */
  readonly afterMs?: number
  /**
   * The second time comes when a read takes longer than so many of a hundred have taken, of the newest 200 with the same method; none
   * before there were 20. Default 95.
   */
  readonly percentile?: number
  /** Second requests for each read, in the long run; 10 may be saved up. Default 0.05. */
  readonly maxExtra?: number
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock' | 'timers'>
}

const optionTable: OptionTable<HedgeOptions> = {
  afterMs: option.milliseconds(0),
  percentile: option.integer('percent', 1, 99),
  maxExtra: { expected: 'a number from 0 to 1', accepts: (value) => amount.accepts(value) && (value as number) <= 1 },
  runtime: option.runtimeOf('clock', 'timers'),
}

const SAVED_EXTRA = 10
const DEFAULT_PERCENTILE = 95
const DEFAULT_EXTRA = 0.05

export interface HedgeStats {
  readonly reads: number
  /** Second requests that were sent. */
  readonly extra: number
  /** Those of them whose answer was the first. */
  readonly won: number
}

/** A store with {@link hedge}. */
export interface HedgedStore extends ObjectStore {
  /** Since it was made. */
  hedgeStats(): HedgeStats
}

/**
 * The same store, of which a `get`, `getRanges` or `head` that is slow is asked a second time. The first answer counts, that there is no
 * such object too, and the other request is aborted. A request that is `unavailable` is no answer where the other one is still under way;
 * before there is another, it fails at once: trying again is {@link retry}'s. Lists and writes pass.
 *
 * A read is as slow as it is long: how long whole objects take says little of a range. Where both are read, give `afterMs`.
 *
 * @throws `invalid` for both `afterMs` and `percentile`.
 * @example
 * const store = hedge(s3({ bucket: 'lake' }), { percentile: 95 })
 */
export function hedge(store: ObjectStore, options: HedgeOptions = {}): HedgedStore {
  checkOptions('hedge', { store }, { store: option.required(option.storeCheck) })
  checkOptions('hedge', options, optionTable)
  const { afterMs, percentile = DEFAULT_PERCENTILE, maxExtra = DEFAULT_EXTRA } = options
  if (afterMs !== undefined && options.percentile !== undefined)
    throw invalid('OPTION', 'hedge: afterMs and percentile are two answers to one question: give one of them.')
  const { clock, timers } = options.runtime ?? systemRuntime()
  const budget = new TokenBucket({ tokens: maxExtra === 0 ? 0 : SAVED_EXTRA, clock })
  const latencies = { get: new Latencies(), getRanges: new Latencies(), head: new Latencies() }
  const counts = { reads: 0, extra: 0, won: 0 }

  const read = async <T>(
    method: keyof typeof latencies,
    given: CallOptions | undefined,
    request: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    counts.reads++
    budget.give(maxExtra)
    const startMs = clock.monotonic()
    const waitMs = afterMs ?? latencies[method].percentile(percentile)
    const answer = await firstOf(request, given?.signal, {
      after: (run) => (waitMs === undefined ? undefined : timers.after(waitMs, run, { ref: true })),
      mayBegin() {
        if (!budget.take()) return false
        counts.extra++
        return true
      },
      won: () => void counts.won++,
    })
    latencies[method].add(clock.monotonic() - startMs)
    return answer
  }

  return checkedCalls({
    ...facesOf('hedge', store),
    hedgeStats: () => ({ ...counts }),
    get: (key, given) => read('get', given, (signal) => store.get(key, { ...given, signal })),
    getRanges: (key, ranges, given) =>
      read('getRanges', given, (signal) => store.getRanges(key, ranges, { ...given, signal })),
    head: (key, given) => read('head', given, (signal) => store.head(key, { ...given, signal })),
    put: (key, bytes, given) => store.put(key, bytes, given),
    putStream: (key, chunks, given) => store.putStream(key, chunks, given),
    delete: (key, given) => store.delete(key, given),
    deleteMany: (keys, given) => store.deleteMany(keys, given),
    list: (given) => store.list(given),
  })
}

interface Second {
  /** Runs it when it is time. */
  after(run: () => void): { cancel(): void } | undefined
  mayBegin(): boolean
  won(): void
}

/** The first answer of a request and, when it is time for it, of another one like it. */
function firstOf<T>(
  request: (signal: AbortSignal) => Promise<T>,
  given: AbortSignal | undefined,
  second: Second,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const underWay = new Set<AbortController>()
    const end = (settle: () => void): void => {
      timer?.cancel()
      settle()
      for (const other of underWay) other.abort()
      underWay.clear()
    }
    const begin = (isSecond: boolean): void => {
      const own = new AbortController()
      const signal = given === undefined ? own.signal : AbortSignal.any([given, own.signal])
      underWay.add(own)
      const asked = async (): Promise<T> => request(signal)
      asked().then(
        (answer) => {
          // Of the one that lost nobody wants to hear any more.
          if (!underWay.delete(own)) return
          if (isSecond) second.won()
          end(() => resolve(answer))
        },
        (error: unknown) => {
          if (!underWay.delete(own)) return
          if (underWay.size > 0 && isKind(error, 'unavailable')) return
          end(() => reject(error as Error))
        },
      )
    }
    const timer = second.after(() => {
      if (second.mayBegin()) begin(true)
    })
    begin(false)
  })
}
