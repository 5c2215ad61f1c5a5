import type { ByteRange, CallOptions, ListOptions, ObjectInfo, ObjectStore, OptionTable } from '@moulin/core'
import { checkOptions, option, throwIfAborted, withDefaults } from '@moulin/core'
import { checkedCalls } from './checked-calls.ts'
import { Gate } from './gate.ts'
import { facesOf, withSignal } from './layer.ts'

export interface LimitOptions {
  /** Calls under way at a time. Default 64. */
  readonly concurrency?: number
  /** Streams under way at a time, beside them. Default 8. */
  readonly streams?: number
  /** Bytes of the calls under way; those of streams may be as many again. Default 256 MiB. */
  readonly bytes?: number
  /** What a read counts for of which nobody knows how long it is: a whole object, or the rest of one. Default 1 MiB. */
  readonly assumedBytes?: number
  /** Calls that wait; the next one is `exhausted`. Default 10 000. */
  readonly maxQueue?: number
}

const optionTable: OptionTable<LimitOptions> = {
  concurrency: option.integer('calls', 1),
  streams: option.integer('streams', 1),
  bytes: option.positiveBytes,
  assumedBytes: option.integer('bytes', 0),
  maxQueue: option.integer('calls', 0),
}

const MIB = 1024 * 1024
const defaults: Required<LimitOptions> = {
  concurrency: 64,
  streams: 8,
  bytes: 256 * MIB,
  assumedBytes: MIB,
  maxQueue: 10_000,
}
/** What adapters hold of a stream: some parts on their way, and the one that is filled. */
const PARTS_OF_STREAM = 5
const DEFAULT_PART_BYTES = 8 * MIB
/** What is taken of a list at a time: a page of the common services. */
const PAGE_KEYS = 1000

/**
 * The same store with so many calls, and bytes of them, under way at a time. The others wait in the order of their coming, each until its
 * signal fires; what waits is bounded too.
 *
 * A call counts as one, with the bytes that it is asked to move, however many requests it is below: several ranges, a delete of many. A
 * list takes a place while it fetches up to 1 000 keys ahead, and none while its caller looks at them. Streams have a gate of their own,
 * for their sources may read from this store: each counts for five of its parts. So a source of a stream must not itself wait for another
 * stream into this store.
 *
 * @throws `exhausted` code `QUEUE_FULL`, and nothing happened.
 * @example
 * const store = limit(s3({ bucket: 'lake' }), { concurrency: 32, bytes: 128 * 1024 * 1024 })
 */
export function limit(store: ObjectStore, options: LimitOptions = {}): ObjectStore {
  checkOptions('limit', { store }, { store: option.required(option.storeCheck) })
  checkOptions('limit', options, optionTable)
  const { concurrency, streams, bytes, assumedBytes, maxQueue } = withDefaults(defaults, options)
  const faces = facesOf('limit', store)
  const calls = new Gate({ name: faces.name, places: concurrency, bytes, maxQueue })
  const streamed = new Gate({ name: `${faces.name} for streams`, places: streams, bytes, maxQueue })

  const within = async <T>(
    gate: Gate,
    size: number,
    given: CallOptions | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    const leave = await gate.enter(size, given?.signal)
    try {
      return await work()
    } finally {
      leave()
    }
  }
  const sizeOf = (range: ByteRange | undefined): number => {
    if (range === undefined) return assumedBytes
    const size = 'suffix' in range ? range.suffix : (range.end ?? range.start + assumedBytes) - range.start
    // What is no range the store refuses.
    return size > 0 ? size : 0
  }

  return checkedCalls({
    ...faces,
    get: (key, given) => within(calls, sizeOf(given?.range), given, () => store.get(key, given)),
    getRanges: (key, ranges, given) => {
      const size = ranges.reduce((sum, range) => sum + sizeOf(range), 0)
      return within(calls, size, given, () => store.getRanges(key, ranges, given))
    },
    head: (key, given) => within(calls, 0, given, () => store.head(key, given)),
    put: async (key, given, put) => within(calls, given.length, put, () => store.put(key, given, put)),
    putStream(key, chunks, given) {
      const size = PARTS_OF_STREAM * (given?.partBytes ?? DEFAULT_PART_BYTES)
      return within(streamed, size, given, () => store.putStream(key, chunks, given))
    },
    delete: (key, given) => within(calls, 0, given, () => store.delete(key, given)),
    deleteMany: (keys, given) => within(calls, 0, given, () => store.deleteMany(keys, given)),

    async *list(given: ListOptions = {}) {
      const { signal } = given
      const steps = store.list(given)[Symbol.asyncIterator]()
      let isOver = false
      /** What comes next, and at last how the list ended. */
      const page = async (): Promise<{
        readonly infos: ObjectInfo[]
        readonly failure?: { readonly error: unknown }
      }> => {
        const infos: ObjectInfo[] = []
        try {
          while (infos.length < PAGE_KEYS) {
            const { done, value } = await steps.next()
            if (done === true) {
              isOver = true
              break
            }
            infos.push(value)
          }
          return { infos }
        } catch (error) {
          isOver = true
          return { infos, failure: { error } }
        }
      }
      try {
        while (!isOver) {
          const { infos, failure } = await within(calls, 0, withSignal(signal), page)
          for (const info of infos) {
            throwIfAborted(signal)
            yield info
          }
          if (failure !== undefined) throw failure.error
        }
      } finally {
        if (!isOver) await steps.return?.()
      }
    },
  })
}
