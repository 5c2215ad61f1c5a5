import type {
  ByteRange,
  Chunks,
  Meter,
  MetricAttributes,
  ObjectInfo,
  ObjectStore,
  OptionTable,
  Runtime,
} from '@moulin/core'
import {
  checkOptions,
  counterOf,
  errorType,
  histogramOf,
  joinSpans,
  option,
  systemRuntime,
  withDefaults,
} from '@moulin/core'
import { amount, facesOf } from './layer.ts'
import type { PriceTable, RequestKind, StoreCost, StoreUsage } from './price-table.ts'
import { costOf, pricesOf } from './price-table.ts'

export interface MeterOptions {
  /** Told of requests, bytes and durations: docs/metrics.md. Default: the runtime's, if it has one. */
  readonly meter?: Meter
  /** Default: those of `priceTables` that the scheme of the store's root names. */
  readonly prices?: PriceTable
  /** Attribute `moulin.store.name` of all that the meter is told. Default: the store's name. */
  readonly name?: string
  /** Parts that the store uploads streams in, where a call does not say. Default 8 MiB. */
  readonly partBytes?: number
  /** Keys that the store lists, or deletes, with one request. Default 1 000. */
  readonly pageKeys?: number
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock' | 'meter'>
}

const charge = option.required(option.oneOf('a', 'b', 'free'))
const money = option.required(amount)
const price: OptionTable<PriceTable> = {
  name: option.required(option.text),
  currency: option.required(option.text),
  date: option.required(option.text),
  source: option.required(option.text),
  classes: option.required(
    option.nested<PriceTable['classes']>({ get: charge, head: charge, list: charge, put: charge, delete: charge }),
  ),
  perThousand: option.required(option.nested<PriceTable['perThousand']>({ a: money, b: money })),
  perGiB: option.required(option.nested<PriceTable['perGiB']>({ sent: money, received: money })),
  perGiBMonth: money,
}

const optionTable: OptionTable<MeterOptions> = {
  meter: option.meterCheck,
  prices: option.nested(price),
  name: option.text,
  partBytes: option.positiveBytes,
  pageKeys: option.integer('keys', 1),
  runtime: option.runtimeOf('clock'),
}

const defaults = { partBytes: 8 * 1024 * 1024, pageKeys: 1000 }
const DEFAULT_GAP_BYTES = 1024 * 1024

/** A store with {@link meter}. */
export interface MeteredStore extends ObjectStore {
  /** Since it was made. */
  usage(): StoreUsage
  /** What that costs; undefined without prices. */
  cost(): StoreCost | undefined
}

type Method = 'get' | 'getRanges' | 'head' | 'list' | 'put' | 'putStream' | 'delete' | 'deleteMany'

/**
 * The same store, whose requests, bytes and durations are counted, by kind. Put it right over the adapter: each try of `retry` and each
 * second request of `hedge` is then one.
 *
 * Calls are seen, not requests: of one that makes several below, the usual number is taken. Several ranges: one for each read that they
 * are joined to. A list: one for each `pageKeys` keys, and one at least. A stream longer than a part: one for each part, one for the
 * beginning and one for the end. Calls that fail count, as services charge them too; bytes count when they were sent or have come.
 *
 * @example
 * const store = meter(s3({ bucket: 'lake' }), { meter: openTelemetryMeter() })
 * store.cost()?.total
 */
export function meter(store: ObjectStore, options: MeterOptions = {}): MeteredStore {
  checkOptions('meter', { store }, { store: option.required(option.storeCheck) })
  checkOptions('meter', options, optionTable)
  const { clock, meter: own } = options.runtime ?? systemRuntime()
  const { partBytes, pageKeys } = withDefaults<typeof defaults>(defaults, options)
  const prices = options.prices ?? pricesOf(store.root)
  const told = options.meter ?? own
  const durations = histogramOf(told, 'moulin.store.call.duration')
  const requested = counterOf(told, 'moulin.store.requests')
  const sent = counterOf(told, 'moulin.store.sent')
  const received = counterOf(told, 'moulin.store.received')
  const name = options.name ?? store.name
  const requests: Record<RequestKind, number> = { get: 0, head: 0, list: 0, put: 0, delete: 0 }
  const bytes = { sentBytes: 0, receivedBytes: 0 }

  const attributesOf = (method: Method): MetricAttributes => ({
    'moulin.store.name': name,
    'moulin.store.operation': method,
  })
  const count = (method: Method, kind: RequestKind, number = 1): void => {
    requests[kind] += number
    requested.add(number, attributesOf(method))
  }
  const ended = (method: Method, ms: number, error?: unknown): void => {
    const failed = error === undefined ? {} : { 'error.type': errorType(error) }
    durations.record(ms / 1000, { ...attributesOf(method), ...failed })
  }
  const timed = async <T>(method: Method, work: () => Promise<T>): Promise<T> => {
    const startMs = clock.monotonic()
    try {
      const answer = await work()
      ended(method, clock.monotonic() - startMs)
      return answer
    } catch (error) {
      ended(method, clock.monotonic() - startMs, error ?? 'nothing')
      throw error
    }
  }
  const hasCome = (method: Method, length: number): void => {
    bytes.receivedBytes += length
    received.add(length, attributesOf(method))
  }
  const hasGone = (method: Method, length: number): void => {
    bytes.sentBytes += length
    sent.add(length, attributesOf(method))
  }

  return {
    ...facesOf('meter', store),
    usage: () => ({ requests: { ...requests }, ...bytes }),
    cost: () => (prices === undefined ? undefined : costOf({ requests, ...bytes }, prices)),

    get(key, given) {
      count('get', 'get')
      return timed('get', async () => {
        const object = await store.get(key, given)
        hasCome('get', object.bytes.length)
        return object
      })
    },

    getRanges(key, ranges, given) {
      if (ranges.length === 0) count('getRanges', 'head')
      else count('getRanges', 'get', readsOf(ranges, given?.maxGapBytes ?? DEFAULT_GAP_BYTES))
      return timed('getRanges', async () => {
        const found = await store.getRanges(key, ranges, given)
        hasCome('getRanges', lengthOf(found.parts))
        return found
      })
    },

    head(key, given) {
      count('head', 'head')
      return timed('head', () => store.head(key, given))
    },

    put(key, object, given) {
      count('put', 'put')
      return timed('put', async () => {
        hasGone('put', object.length)
        return await store.put(key, object, given)
      })
    },

    putStream(key, chunks, given) {
      const size = given?.partBytes ?? partBytes
      count('putStream', 'put')
      let isAgain = false
      const begun = (): ((more: number) => void) => {
        if (isAgain) count('putStream', 'put')
        isAgain = true
        let length = 0
        return (more) => {
          hasGone('putStream', more)
          const before = partsOf(length, size)
          length += more
          const now = partsOf(length, size)
          if (now > before) count('putStream', 'put', now - before)
        }
      }
      return timed('putStream', () => store.putStream(key, counted(chunks, begun), given))
    },

    delete(key, given) {
      count('delete', 'delete')
      return timed('delete', () => store.delete(key, given))
    },

    deleteMany(keys, given) {
      count('deleteMany', 'delete', Math.ceil(keys.length / pageKeys))
      return timed('deleteMany', () => store.deleteMany(keys, given))
    },

    async *list(given) {
      count('list', 'list')
      const steps = store.list(given)[Symbol.asyncIterator]()
      let keys = 0
      let ms = 0
      let isOver = false
      const step = async (): Promise<IteratorResult<ObjectInfo, unknown>> => {
        const startMs = clock.monotonic()
        try {
          return await steps.next()
        } finally {
          ms += clock.monotonic() - startMs
        }
      }
      try {
        for (;;) {
          const { done, value } = await step()
          isOver = done === true
          if (isOver) break
          if (keys > 0 && keys % pageKeys === 0) count('list', 'list')
          keys++
          yield value as ObjectInfo
        }
        ended('list', ms)
      } catch (error) {
        isOver = true
        ended('list', ms, error ?? 'nothing')
        throw error
      } finally {
        if (!isOver) {
          ended('list', ms)
          await steps.return?.()
        }
      }
    },
  }
}

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0)

/** Requests beside the first that a stream of this length takes. */
function partsOf(length: number, partBytes: number): number {
  return length <= partBytes ? 0 : Math.ceil(length / partBytes) + 1
}

function readsOf(ranges: readonly ByteRange[], maxGapBytes: number): number {
  const spans = ranges.flatMap((range) =>
    'suffix' in range ? [] : [{ start: range.start, end: range.end ?? Infinity }],
  )
  return joinSpans(spans, maxGapBytes).length + ranges.length - spans.length
}

/** The same stream; each time that it is read, it is told of each chunk how long it is. What is none the store refuses. */
function counted(chunks: Chunks, begun: () => (length: number) => void): Chunks {
  // Still an array: a `retry` below may read it again.
  if (Array.isArray(chunks))
    return Object.assign([...chunks], { [Symbol.iterator]: () => eachTold(chunks as Uint8Array[], begun()) })
  return {
    [Symbol.asyncIterator]() {
      const tell = begun()
      const source = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
      return {
        async next() {
          const step = await source.next()
          if (step.done !== true && step.value instanceof Uint8Array) tell(step.value.length)
          return step
        },
        async return(value?: unknown) {
          await source.return?.()
          return { done: true, value }
        },
      }
    },
  }
}

function* eachTold(chunks: readonly Uint8Array[], tell: (length: number) => void): Generator<Uint8Array, undefined> {
  for (const chunk of chunks) {
    if (chunk instanceof Uint8Array) tell(chunk.length)
    yield chunk
  }
}
