import type { Durability } from '../model/durability.ts'

/**
 * The door to bytes by name: memory, a folder, or a cloud's object store.
 *
 * Not a file system: no folders, no rename, no append. Keys are UTF-8 with `/` between segments, 1 to 1 024 bytes,
 * without empty, `.` or `..` segments and without control characters; anything else is `invalid`. An object is
 * whole or absent to every reader. After `put` resolves, every `get`, `head` and `list` that starts later sees it
 * (strong consistency), and it survives what the store survives.
 *
 * Whose bytes: what is given to `put` and `putStream` the store may keep until the promise settles, so its owner leaves it alone until
 * then and does with it what he likes from then on; the store never changes or detaches it. What a call returns is the caller's, in
 * memory that nobody else reads or writes.
 *
 * Credentials that the service refuses, those too that have run out, are `unavailable` code `CREDENTIALS`, and nothing happened then.
 *
 * An adapter writes {@link SmallObjectStore}; `defineObjectStore` fills in the rest.
 */
export interface ObjectStore {
  /** For messages, e.g. `fileSystem(/data/lake)`. No secrets. */
  readonly name: string
  /** Absolute URI of the empty key, ending in `/`: `file:///data/lake/`. Table metadata names objects by it. */
  readonly root: string
  /** Other URIs of the empty key, each ending in `/`: `s3a://bucket/` beside `s3://bucket/`. Metadata of others may name objects by them. */
  readonly aliases?: readonly string[]
  readonly capabilities: StoreCapabilities
  /** What an object survives once its `put` has resolved. */
  readonly durability: Durability
  readonly listOrder: ListOrder

  /**
   * @throws `not-found`; `invalid` with code `RANGE` when the range starts at or past the end; `exists` with code `NOT_MODIFIED` when
   * the object has the tag of `ifNoneMatch` (still).
   */
  get(key: string, options?: GetOptions): Promise<StoredObject>
  /**
   * Several ranges of one version of an object, in the order asked; ranges may overlap. With no ranges it tells what `head` does.
   * @throws `not-found`, `invalid` code `RANGE` like `get`; `conflict` code `OVERWRITTEN` where the store cannot keep to one version
   * and it was overwritten meanwhile: read again.
   */
  getRanges(key: string, ranges: readonly ByteRange[], options?: GetRangesOptions): Promise<StoredRanges>
  /** Undefined when missing. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>
  /**
   * Stores the whole object.
   * @throws `exists` when `mode` is `create` and the key is there; `conflict` when `mode` is a swap and the tag is
   * not the present one (or the key is missing); `unsupported` for a swap without the capability. An error with
   * outcome `unknown` may have stored it: read it back before doing anything else.
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<{ readonly etag: string }>
  /**
   * Stores the whole object from a stream, whose length nobody need know. Nobody sees it before it is whole. When the source throws, the
   * signal fires or the mode refuses, nothing is stored, nothing is left lying about, and the source is stopped. All chunks, not only the
   * newest, are left alone by their owner until the promise settles.
   * @throws like `put`; what the source throws; `exhausted` for more than the store gathers in memory (without capability `multipart`)
   * or more than 10 000 parts; `invalid` code `CHUNK` for a chunk that is no Uint8Array.
   */
  putStream(key: string, chunks: Chunks, options?: PutStreamOptions): Promise<{ readonly etag: string }>
  /** A missing key is fine. */
  delete(key: string, options?: CallOptions): Promise<void>
  /**
   * Deletes each of the keys, in batches as large as the store's own, in no order. Missing keys are fine, and so are repeated ones.
   * @returns what could not be deleted, key by key: look at it.
   * @throws `invalid` for a bad key, before anything is deleted; `aborted`, outcome `unknown` when some may be gone.
   */
  deleteMany(keys: readonly string[], options?: CallOptions): Promise<DeleteManyResult>
  /**
   * Each object once, in the order that `listOrder` tells: `listInOrder` sorts where there is none. What others put there under a name that
   * is no key, such as `a//b` or the mark of a folder, is left out: no call could name it.
   */
  list(options?: ListOptions): AsyncIterable<ObjectInfo>
}

/** What an adapter writes: the least, and what it can do better than `defineObjectStore`. */
export type SmallObjectStore = Omit<ObjectStore, Filled> & { readonly [K in Filled]?: ObjectStore[K] | undefined }

type Filled = 'getRanges' | 'putStream' | 'deleteMany'

export interface StoreCapabilities {
  /** `put` with mode `create` is atomic among all writers. Required by the log; proven at open by a probe. */
  readonly createIfAbsent: boolean
  /** `put` with `{ ifMatch }` is atomic among all writers. */
  readonly compareAndSwap: boolean
  /** `putStream` needs memory for a few parts only, however long the stream; without, it gathers up to a limit of the store. */
  readonly multipart: boolean
  /** A repeated `put` with the same `attemptId` recognises what the first one stored. Default: no, and ids are ignored. */
  readonly attemptIds?: boolean
}

/** `bytes`: by the bytes of the keys' UTF-8. `none`: as it comes, and differently each time. */
export type ListOrder = 'bytes' | 'none'

export interface CallOptions {
  readonly signal?: AbortSignal
}

/** Half-open `[start, end)`, or the last `suffix` bytes (all, if there are fewer). An `end` past the object's is cut. */
export type ByteRange = { readonly start: number; readonly end?: number } | { readonly suffix: number }

/** A stream of bytes: a generator, a Node stream of Buffers, an array. Chunks may have any length, also none. */
export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange
  /** Only if the object has another tag than this one: for whoever holds that version. */
  readonly ifNoneMatch?: string
}

export interface GetRangesOptions extends CallOptions {
  /** Up to so many bytes between two ranges are read along where that saves a request. Default 1 MiB. */
  readonly maxGapBytes?: number
}

export interface PutOptions extends CallOptions {
  /** Default `overwrite`. */
  readonly mode?: 'overwrite' | 'create' | { readonly ifMatch: string }
  /**
   * Names this write, the same in every repetition of it and in no other. With capability `attemptIds` a create or swap that finds that
   * the newest version is of its own name has succeeded before, and gives that version's tag. Without it this is ignored. 1 to 200
   * letters, digits and `. : _ -`, such as a UUID: services keep it in a header.
   */
  readonly attemptId?: string
}

export interface PutStreamOptions extends PutOptions {
  /** Of each part but the last, where the store uploads in parts; it may take larger ones. Default: the store's own. */
  readonly partBytes?: number
}

export interface ListOptions extends CallOptions {
  /** A plain string prefix, not a folder: `a/b` also lists `a/bc`. */
  readonly prefix?: string
  /** Only keys whose bytes are above these, in whatever order. */
  readonly after?: string
}

export interface ObjectInfo {
  readonly key: string
  readonly size: number
  /** Changes whenever the bytes change; opaque. */
  readonly etag: string
  /** The store's own time, for age checks only. */
  readonly modifiedMs: number
}

export interface StoredObject extends ObjectInfo {
  /** The asked-for bytes; `size` is the whole object's. */
  readonly bytes: Uint8Array
}

export interface StoredRanges extends ObjectInfo {
  /** One for each range, in memory of its own. */
  readonly parts: readonly Uint8Array[]
}

export interface DeleteManyResult {
  /** Keys that may still be there, in the order asked. Empty: all are gone. */
  readonly failed: readonly DeleteFailure[]
}

export interface DeleteFailure {
  readonly key: string
  /** What `delete` of this key alone would throw. */
  readonly error: unknown
}
