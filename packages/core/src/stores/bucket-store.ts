import type { Durability } from '../model/durability.ts'
import type {
  ListOptions,
  ListOrder,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
} from '../doors/object-store.ts'
import type { Runtime } from '../doors/runtime.ts'
import { exhausted, invalid, isKind, isMoulinError, notFound, throwIfAborted } from '../model/errors.ts'
import { checkKey } from '../model/object-key.ts'
import { objectStoreOptions } from '../options/object-store-options.ts'
import { checkOptions } from '../options/options.ts'
import { failureBy } from './answers.ts'
import type { StoreCall } from './answers.ts'
import type { Bucket, BucketWrite } from './bucket.ts'
import { bucketDeletes } from './bucket-deletes.ts'
import { bucketList } from './bucket-lists.ts'
import { streamed } from './bucket-upload.ts'
import { checkRange, resolveRange } from './byte-range.ts'
import { checkBody } from './chunks.ts'
import { defineObjectStore } from './define-object-store.ts'
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
  /** The longest object that one request may put, at most {@link MAX_REQUEST_BYTES}. */
  readonly maxPutBytes: number
  readonly maxBatchKeys: number
  /** False: the service drops user metadata, so that a write of unknown outcome is settled by its bytes. */
  readonly attemptIds: boolean
}

/** The longest request, whatever the service takes: Node hashes no more at a time. */
export const MAX_REQUEST_BYTES: number = 2 ** 31 - 1

// Whatever else stands in a header of conditions: any version, one of a list, a character that none can have.
const oneTag = /^(?:W\/)?"[!#-~]*"$|^[\w.:/+=-]+$/

/** A write, and whether its caller knows its id. */
interface OwnWrite extends BucketWrite {
  readonly isNamed: boolean
}

/**
 * An ObjectStore made of a {@link Bucket}: it checks keys and options, keeps to the prefix, ends requests at their deadline, settles
 * conditional writes by attempt ids, sends streams in parts, deletes in batches and watches over the order of lists. What adapters have in
 * common is here; what their services answer is in their tables.
 */
export function bucketStore(bucket: Bucket, options: BucketStoreOptions): ObjectStore {
  const { name, prefix, listOrder, runtime } = options
  const maxPutBytes = Math.min(options.maxPutBytes, MAX_REQUEST_BYTES)
  const timed = timedCalls(name, bucket, runtime.timers, options.deadlineMs)
  checkPrefix(name, prefix)

  const innerOf = (key: string): string => {
    checkKey(key)
    if (prefix !== '') checkKey(prefix + key)
    return prefix + key
  }
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
        // Some servers pass over conditions of reads: the bytes of another version tell nothing of this one.
        if (found.etag !== ifMatch) throw failureBy('moved', { store: name, call: 'get', key })
        return isEqualTo(found.bytes)
      },
    })
    return { etag }
  }
  const writeOf = (key: string, { mode = 'overwrite', attemptId }: PutOptions): OwnWrite => {
    if (typeof mode === 'object' && !oneTag.test(mode.ifMatch))
      throw failureBy('moved', { store: name, call: 'swap', key, name: 'NoTag' })
    return {
      mode,
      isNamed: attemptId !== undefined,
      attemptId: attemptId ?? (mode === 'overwrite' ? undefined : runtime.random.uuid()),
    }
  }
  const putBytes = async (key: string, inner: string, bytes: Uint8Array, write: OwnWrite, signal?: AbortSignal) => {
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
      const { signal, ifNoneMatch, ...rest } = ask
      const read = { ...rest, ...(ifNoneMatch !== undefined && oneTag.test(ifNoneMatch) ? { ifNoneMatch } : {}) }
      if (read.range !== undefined) checkRange(read.range, key)
      const send = async (): Promise<StoredObject> => {
        const found = await timed({ call: 'get', key, signal }, (end, onBytes) => bucket.get(inner, read, end, onBytes))
        if (found.etag === read.ifNoneMatch) throw failureBy('unchanged', { store: name, call: 'get', key })
        return { ...found, key }
      }
      try {
        return await send()
      } catch (error) {
        if (read.range === undefined || !isKind(error, 'invalid', 'RANGE')) throw error
        const info = await infoOf(key, inner, signal)
        if (info === undefined) throw notFound('KEY_MISSING', `${name} holds no object ${JSON.stringify(key)}.`)
        resolveRange(read.range, info.size, key)
        // No service has a suffix of nothing.
        if (info.size === 0) return { ...info, bytes: new Uint8Array(0) }
        return await send()
      }
    },

    async head(key, call = {}) {
      checkOptions(`${name}.head`, call, objectStoreOptions.call)
      return await infoOf(key, innerOf(key), call.signal)
    },

    async put(key, bytes, put = {}) {
      checkOptions(`${name}.put`, put, objectStoreOptions.put)
      checkBody(key, bytes)
      const inner = innerOf(key)
      return await putBytes(key, inner, bytes, writeOf(key, put), put.signal)
    },

    async putStream(key, chunks, put = {}) {
      checkOptions(`${name}.putStream`, put, objectStoreOptions.putStream)
      const inner = innerOf(key)
      throwIfAborted(put.signal)
      const write = writeOf(key, put)
      const { maxParts, parallelParts, minPartBytes, partStepBytes = 1 } = options
      const least = Math.max(put.partBytes ?? options.partBytes, minPartBytes)
      const partBytes = Math.ceil(least / partStepBytes) * partStepBytes
      if (partBytes > MAX_REQUEST_BYTES) throw partTooLarge(key, partBytes)
      const place = { store: name, key, inner }
      const limits = { partBytes, maxPutBytes, maxParts, parallelParts }
      const sent = await streamed(bucket, timed, place, chunks, write, limits, put)
      if ('bytes' in sent) return await putBytes(key, inner, sent.bytes, write, put.signal)
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
      return await bucketDeletes(bucket, timed, options.maxBatchKeys, distinct, inner, call)
    },

    list: (ask: ListOptions = {}) => bucketList(bucket, timed, { store: name, prefix, listOrder }, ask),
  })
}

function callOf({ mode }: BucketWrite): StoreCall {
  return typeof mode === 'object' ? 'swap' : mode
}

function tooLarge(store: string, key: string, bytes: number, maxPutBytes: number): Error {
  const message = `An object of ${bytes} bytes (${JSON.stringify(key)}) is above the ${maxPutBytes} that ${store} takes in one request: use putStream.`
  return exhausted('OBJECT_TOO_LARGE', message, { context: { store, key, bytes, maxPutBytes } })
}

function partTooLarge(key: string, partBytes: number): Error {
  const message = `Parts of ${partBytes} bytes (${JSON.stringify(key)}) are above the ${MAX_REQUEST_BYTES} that one request sends: give a smaller partBytes.`
  return invalid('PART_BYTES', message, { context: { key, partBytes, maxPartBytes: MAX_REQUEST_BYTES } })
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
