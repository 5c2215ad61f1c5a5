import type { ListOptions, ObjectInfo, ObjectStore, OptionTable, PutOptions, Runtime, StoredObject } from '@moulin/core'
import {
  checkKey,
  checkOptions,
  compareKeys,
  defineObjectStore,
  equalParts,
  exhausted,
  exists,
  notFound,
  objectStoreOptions,
  option,
  resolveRange,
  systemRuntime,
  throwIfAborted,
  unsupported,
  waitFor,
} from '@moulin/core'
import { seededRandom } from './seeded-random.ts'

export interface PartedStoreOptions {
  readonly seed: number
  /** Answers come some turns of its event loop late. Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'timers'>
  /** Of the parts of a stream. Default 16 KiB, so that many of them are under way. */
  readonly partBytes?: number
}

const optionTable: OptionTable<PartedStoreOptions> = {
  seed: option.required(option.integer('', 0)),
  runtime: option.runtimeOf('timers'),
  partBytes: option.positiveBytes,
}

const MAX_PARTS = 10_000
const PARALLEL_PARTS = 4
const MAX_TURNS = 4

/**
 * An object store in memory that is as unlike `memory()` as the door allows: it lists in no order, another one each time; it has no swaps
 * and no attempt ids; a stream goes up in parts, several at a time, that arrive in any order; an object is kept as the parts that it
 * came in; and every answer comes some turns late, long after the effect.
 */
export function partedStore(options: PartedStoreOptions): ObjectStore {
  checkOptions('partedStore', options, optionTable)
  const { partBytes: ownPartBytes = 16 * 1024 } = options
  const { timers } = options.runtime ?? systemRuntime()
  const random = seededRandom(options.seed)
  const objects = new Map<string, { readonly info: ObjectInfo; readonly parts: readonly Uint8Array[] }>()
  let versions = 0

  /** The effect is at once, what is told of it later. */
  const answer = async <T>(signal: AbortSignal | undefined, effect: () => T): Promise<T> => {
    throwIfAborted(signal)
    let result: { readonly value: T } | { readonly error: unknown }
    try {
      result = { value: effect() }
    } catch (error) {
      result = { error }
    }
    for (let turns = random.below(MAX_TURNS); turns > 0; turns--) await timers.turn()
    if ('error' in result) throw result.error
    return result.value
  }

  const find = (key: string): { readonly info: ObjectInfo; readonly parts: readonly Uint8Array[] } => {
    const object = objects.get(key)
    if (object === undefined) throw notFound('KEY_MISSING', `There is no object ${key}.`)
    return object
  }

  const store = (key: string, parts: readonly Uint8Array[], { mode }: PutOptions): { readonly etag: string } => {
    if (mode === 'create' && objects.has(key)) throw exists('KEY_EXISTS', `${key} is there already.`)
    const etag = `v${++versions}`
    const size = parts.reduce((sum, { length }) => sum + length, 0)
    objects.set(key, { info: { key, size, etag, modifiedMs: versions }, parts })
    return { etag }
  }

  const checkPut = (key: string, { mode, signal }: PutOptions): void => {
    checkKey(key)
    throwIfAborted(signal)
    if (typeof mode === 'object') throw unsupported('SWAP', 'partedStore has no compare-and-swap.')
  }

  return defineObjectStore({
    name: 'partedStore',
    root: 'memory://parted/',
    capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: true },
    durability: 'memory',
    listOrder: 'none',

    async get(key, options = {}) {
      checkOptions('partedStore.get', options, objectStoreOptions.get)
      checkKey(key)
      return answer(options.signal, (): StoredObject => {
        const { info, parts } = find(key)
        if (info.etag === options.ifNoneMatch) throw exists('NOT_MODIFIED', `${key} still has the tag ${info.etag}.`)
        const { start, end } = resolveRange(options.range, info.size, key)
        return { ...info, bytes: cutOf(parts, start, end) }
      })
    },

    async head(key, options = {}) {
      checkOptions('partedStore.head', options, objectStoreOptions.call)
      checkKey(key)
      return answer(options.signal, () => objects.get(key)?.info)
    },

    async put(key, bytes, options = {}) {
      checkOptions('partedStore.put', options, objectStoreOptions.put)
      checkPut(key, options)
      return answer(options.signal, () => store(key, [new Uint8Array(bytes)], options))
    },

    async putStream(key, chunks, options = {}) {
      checkOptions('partedStore.putStream', options, objectStoreOptions.putStream)
      checkPut(key, options)
      const { signal, partBytes = ownPartBytes } = options
      const parts: Uint8Array[] = []
      const underWay = new Set<Promise<void>>()
      let sent = 0
      for await (const part of equalParts(chunks, partBytes, signal)) {
        if (sent === MAX_PARTS)
          throw exhausted(
            'TOO_MANY_PARTS',
            `${key} has more than ${MAX_PARTS} parts of ${partBytes} bytes: take larger ones.`,
          )
        const number = sent++
        const upload = answer(signal, () => void (parts[number] = part)).finally(() => underWay.delete(upload))
        // Heard of below, unless the stream ends otherwise first.
        upload.catch(() => {})
        underWay.add(upload)
        if (underWay.size === PARALLEL_PARTS) await waitFor(Promise.race(underWay), signal)
      }
      await waitFor(Promise.all(underWay), signal)
      return answer(signal, () => store(key, parts, options))
    },

    async delete(key, options = {}) {
      checkOptions('partedStore.delete', options, objectStoreOptions.call)
      checkKey(key)
      return answer(options.signal, () => void objects.delete(key))
    },

    async *list(options: ListOptions = {}) {
      checkOptions('partedStore.list', options, objectStoreOptions.list)
      const { prefix = '', after, signal } = options
      const infos = await answer(signal, () =>
        [...objects.values()]
          .map(({ info }) => info)
          .filter(({ key }) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0)),
      )
      while (infos.length > 0) {
        throwIfAborted(signal)
        const [info] = infos.splice(random.below(infos.length), 1)
        yield info!
      }
    },
  })
}

/** The bytes `[start, end)` of all parts together, copied. */
function cutOf(parts: readonly Uint8Array[], start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - start)
  let at = 0
  for (const part of parts) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, part.length)]
    if (from < to) bytes.set(part.subarray(from, to), Math.max(at - start, 0))
    at += part.length
  }
  return bytes
}
