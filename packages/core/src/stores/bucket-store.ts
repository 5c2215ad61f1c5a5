import type { Durability } from '../model/durability.ts'
import type {
  CallOptions,
  DeleteFailure,
  DeleteManyResult,
  ListOptions,
  ListOrder,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
} from '../doors/object-store.ts'
import type { Runtime } from '../doors/runtime.ts'
import { exhausted, invalid, isKind, isMoulinError, notFound, throwIfAborted, withOutcome } from '../model/errors.ts'
import { checkKey, compareKeys } from '../model/object-key.ts'
import { objectStoreOptions } from '../options/object-store-options.ts'
import { checkOptions } from '../options/options.ts'
import { atMost } from './at-most.ts'
import type { StoreCall } from './answers.ts'
import type { Bucket, BucketWrite } from './bucket.ts'
import { streamed } from './bucket-upload.ts'
import { checkRange, resolveRange } from './byte-range.ts'
import { checkBody } from './chunks.ts'
import { defineObjectStore } from './define-object-store.ts'
import { inByteOrder } from './list-in-order.ts'
import { settledWrite } from './settled-write.ts'
import { timedCalls } from './timed-calls.ts'

export interface BucketStoreOptions {
  /** For messages. No secrets. */
  readonly name: string
  /** URI of the bucket's empty key, ending in `/`. */
  readonly bucketRoot: string
  readonly bucketAliases: readonly string[]
  /** Empty, or ending in `/`. */
  readonly prefix: string
  readonly durability: Durability
  readonly listOrder: ListOrder
  readonly runtime: Pick<Runtime, 'timers' | 'random'>
  /** How long a request may say nothing; each MiB that is sent is worth another second. */
  readonly deadlineMs: number
  /** Of a part where the caller names none. */
  readonly partBytes: number
  /** What the service takes at least, but for the last one: a caller's smaller size becomes this. */
  readonly minPartBytes: number
  /** What the size of a part must be a multiple of: a caller's other size is rounded up. Default 1. */
  readonly partStepBytes?: number
  readonly maxParts: number
  readonly parallelParts: number
  /** The longest object that one request may put. */
  readonly maxPutBytes: number
  readonly maxBatchKeys: number
  /** False: the service drops user metadata, so that a write of unknown outcome is settled by its bytes. */
  readonly attemptIds: boolean
}

/** A write, and whether its caller knows its id. */
interface OwnWrite extends BucketWrite {
  readonly isNamed: boolean
}

const PARALLEL_DELETES = 8
const PARALLEL_BATCHES = 2

/**
 * An ObjectStore made of a {@link Bucket}: it checks keys and options, keeps to the prefix, ends requests at their deadline, settles
 * conditional writes by attempt ids, sends streams in parts, deletes in batches and watches over the order of lists. What adapters have in
 * common is here; what their services answer is in their tables.
 */
export function bucketStore(bucket: Bucket, options: BucketStoreOptions): ObjectStore {
  const { name, prefix, listOrder, runtime, maxPutBytes } = options
  const timed = timedCalls(name, bucket, runtime.timers, options.deadlineMs)
  checkPrefix(name, prefix)

  const innerOf = (key: string): string => {
    checkKey(key)
    if (prefix !== '') checkKey(prefix + key)
    return prefix + key
  }
  const outer = <T extends ObjectInfo>(info: T, key = info.key.slice(prefix.length)): T => ({ ...info, key })
  const infoOf = async (key: string, inner: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> => {
    const found = await timed({ call: 'head', key, signal }, (end) => bucket.head(inner, end))
    if (found === undefined) return undefined
    const { size, etag, modifiedMs } = found
    return { key, size, etag, modifiedMs }
  }

  /** Sends bytes, or completes what was sent in parts, and settles a condition. */
  const settled = async (
    key: string,
    inner: string,
    { mode, attemptId, isNamed }: OwnWrite,
    signal: AbortSignal | undefined,
    send: () => Promise<{ readonly etag: string }>,
    isEqualTo: (bytes: Uint8Array) => boolean,
  ): Promise<{ readonly etag: string }> => {
    if (mode === 'overwrite' || attemptId === undefined) return { etag: (await send()).etag }
    const { etag } = await settledWrite({
      attemptId,
      isNamed,
      ifMatch: typeof mode === 'object' ? mode.ifMatch : undefined,
      send,
      look: () => timed({ call: 'head', key, signal }, (end) => bucket.head(inner, end)),
      async hasBytes(ifMatch) {
        const found = await timed({ call: 'get', key, signal }, (end, onBytes) =>
          bucket.get(inner, { ifMatch }, end, onBytes),
        )
        return isEqualTo(found.bytes)
      },
    })
    return { etag }
  }
  const writeOf = ({ mode = 'overwrite', attemptId }: PutOptions): OwnWrite => ({
    mode,
    isNamed: attemptId !== undefined,
    attemptId: attemptId ?? (mode === 'overwrite' ? undefined : runtime.random.uuid()),
  })
  const putBytes = async (key: string, bytes: Uint8Array, write: OwnWrite, signal?: AbortSignal) => {
    const inner = innerOf(key)
    if (bytes.length > maxPutBytes) throw tooLarge(name, key, bytes.length, maxPutBytes)
    const call = callOf(write)
    const send = (): Promise<{ readonly etag: string }> =>
      timed({ call, key, signal, bytes: bytes.length }, (end) => bucket.put(inner, bytes, write, end))
    return await settled(key, inner, write, signal, send, (stored) => Buffer.compare(stored, bytes) === 0)
  }

  return defineObjectStore({
    name,
    root: options.bucketRoot + prefix,
    aliases: options.bucketAliases.map((root) => root + prefix),
    capabilities: { createIfAbsent: true, compareAndSwap: true, multipart: true, attemptIds: options.attemptIds },
    durability: options.durability,
    listOrder,

    async get(key, ask = {}): Promise<StoredObject> {
      checkOptions(`${name}.get`, ask, objectStoreOptions.get)
      const inner = innerOf(key)
      const { signal, ...read } = ask
      if (read.range !== undefined) checkRange(read.range, key)
      const send = (): Promise<StoredObject> =>
        timed({ call: 'get', key, signal }, (end, onBytes) => bucket.get(inner, read, end, onBytes))
      try {
        return outer(await send(), key)
      } catch (error) {
        if (read.range === undefined || !isKind(error, 'invalid', 'RANGE')) throw error
        const info = await infoOf(key, inner, signal)
        if (info === undefined) throw notFound('KEY_MISSING', `${name} holds no object ${JSON.stringify(key)}.`)
        resolveRange(read.range, info.size, key)
        // No service has a suffix of nothing.
        if (info.size === 0) return { ...info, bytes: new Uint8Array(0) }
        return outer(await send(), key)
      }
    },

    async head(key, call = {}) {
      checkOptions(`${name}.head`, call, objectStoreOptions.call)
      return await infoOf(key, innerOf(key), call.signal)
    },

    async put(key, bytes, put = {}) {
      checkOptions(`${name}.put`, put, objectStoreOptions.put)
      checkBody(key, bytes)
      return await putBytes(key, bytes, writeOf(put), put.signal)
    },

    async putStream(key, chunks, put = {}) {
      checkOptions(`${name}.putStream`, put, objectStoreOptions.putStream)
      const inner = innerOf(key)
      throwIfAborted(put.signal)
      const write = writeOf(put)
      const { maxParts, parallelParts, minPartBytes, partStepBytes = 1 } = options
      const least = Math.max(put.partBytes ?? options.partBytes, minPartBytes)
      const partBytes = Math.ceil(least / partStepBytes) * partStepBytes
      const place = { store: name, key, inner }
      const sent = await streamed(bucket, timed, place, chunks, write, { partBytes, maxParts, parallelParts }, put)
      if ('bytes' in sent) return await putBytes(key, sent.bytes, write, put.signal)
      try {
        // The parts are not kept, so bytes without an id count as equal: that leaves the outcome unknown.
        return await settled(
          key,
          inner,
          write,
          put.signal,
          () => sent.complete(put.signal),
          () => true,
        )
      } catch (error) {
        await sent.abandon()
        throw error
      }
    },

    async delete(key, call = {}) {
      checkOptions(`${name}.delete`, call, objectStoreOptions.call)
      const inner = innerOf(key)
      await timed({ call: 'delete', key, signal: call.signal }, (end) => bucket.delete(inner, end))
    },

    async deleteMany(keys, call = {}) {
      checkOptions(`${name}.deleteMany`, call, objectStoreOptions.call)
      const distinct = [...new Set(keys)]
      const inner = distinct.map(innerOf)
      return await deleted(distinct, inner, call)
    },

    async *list(ask: ListOptions = {}) {
      checkOptions(`${name}.list`, ask, objectStoreOptions.list)
      const infos = listed(ask)
      yield* listOrder === 'bytes' ? inByteOrder(name, infos) : infos
    },
  })

  async function* listed({ prefix: below = '', after, signal }: ListOptions): AsyncIterable<ObjectInfo> {
    const from = after === undefined || listOrder === 'none' ? {} : { after: prefix + after }
    let token: string | undefined
    do {
      const ask = { prefix: prefix + below, ...(token === undefined ? from : { token }) }
      const page = await timed({ call: 'list', key: below, signal }, (end) => bucket.listPage(ask, end))
      for (const info of page.infos) {
        throwIfAborted(signal)
        const found = outer(info)
        if (after === undefined || compareKeys(found.key, after) > 0) yield found
      }
      token = page.token
    } while (token !== undefined)
  }

  async function deleted(
    keys: readonly string[],
    inner: readonly string[],
    { signal }: CallOptions,
  ): Promise<DeleteManyResult> {
    throwIfAborted(signal)
    const failures = new Map<number, DeleteFailure>()
    let begun = false
    const fail = (at: number, error: unknown): void => void failures.set(at, { key: keys[at]!, error })
    const sent = async (positions: readonly number[], work: (end: AbortSignal) => Promise<void>): Promise<void> => {
      try {
        const key = positions.length === 1 ? { key: keys[positions[0]!]! } : {}
        if (signal?.aborted !== true) begun = true
        await timed({ call: 'delete', signal, ...key }, work)
      } catch (error) {
        if (isKind(error, 'aborted')) throw begun ? withOutcome(error, 'unknown') : error
        for (const at of positions) fail(at, error)
      }
    }
    const all = keys.map((_, at) => at)
    if (bucket.deleteBatch === undefined) {
      await atMost(PARALLEL_DELETES, all, (at) => sent([at], (end) => bucket.delete(inner[at]!, end)))
    } else {
      const places = new Map(inner.map((key, at) => [key, at]))
      const batches: number[][] = []
      for (let at = 0; at < all.length; at += options.maxBatchKeys)
        batches.push(all.slice(at, at + options.maxBatchKeys))
      await atMost(PARALLEL_BATCHES, batches, (batch) =>
        sent(batch, async (end) => {
          for (const { key, thrown } of await bucket.deleteBatch!(
            batch.map((at) => inner[at]!),
            end,
          )) {
            const at = places.get(key)
            // A failure of no key that was asked for is one of all.
            for (const each of at === undefined ? batch : [at])
              fail(each, bucket.failure(thrown, 'delete', keys[each]!))
          }
        }),
      )
    }
    return { failed: [...failures].sort(([a], [b]) => a - b).map(([, failure]) => failure) }
  }
}

function callOf({ mode }: BucketWrite): StoreCall {
  return typeof mode === 'object' ? 'swap' : mode
}

function tooLarge(store: string, key: string, bytes: number, maxPutBytes: number): Error {
  const message = `An object of ${bytes} bytes (${JSON.stringify(key)}) is above the ${maxPutBytes} that ${store} takes in one request: use putStream.`
  return exhausted('OBJECT_TOO_LARGE', message, { context: { store, key, bytes, maxPutBytes } })
}

function checkPrefix(store: string, prefix: string): void {
  if (prefix === '') return
  try {
    if (!prefix.endsWith('/')) throw invalid('KEY', 'It does not end in a slash.')
    checkKey(prefix.slice(0, -1))
  } catch (cause) {
    const message = `${store}: ${JSON.stringify(prefix)} is no prefix: give a key and a slash, such as "lake/".`
    throw invalid('PREFIX', message, { cause: isMoulinError(cause) ? cause : undefined })
  }
}
