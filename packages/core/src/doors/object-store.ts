/**
 * The door to bytes by name: memory, a folder, or a cloud's object store.
 *
 * Not a file system: no folders, no rename, no append. Keys are UTF-8 with `/` between segments, 1 to 1 024 bytes,
 * without empty, `.` or `..` segments and without control characters; anything else is `invalid`. An object is
 * whole or absent to every reader. After `put` resolves, every `get`, `head` and `list` that starts later sees it
 * (strong consistency), and it survives what the store survives.
 */
export interface ObjectStore {
  /** For messages, e.g. `fileSystem(/data/lake)`. No secrets. */
  readonly name: string
  /** Absolute URI of the empty key, ending in `/`: `file:///data/lake/`. Table metadata names objects by it. */
  readonly root: string
  readonly capabilities: StoreCapabilities

  /** @throws `not-found`; `invalid` with code `RANGE` when the range starts at or past the end. */
  get(key: string, options?: GetOptions): Promise<StoredObject>
  /** Undefined when missing. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>
  /**
   * Stores the whole object. The bytes must not change until the promise has settled.
   * @throws `exists` when `mode` is `create` and the key is there; `conflict` when `mode` is a swap and the tag is
   * not the present one (or the key is missing); `unsupported` for a swap without the capability. An error with
   * outcome `unknown` may have stored it: read it back before doing anything else.
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<{ readonly etag: string }>
  /** A missing key is fine. */
  delete(key: string, options?: CallOptions): Promise<void>
  /** In byte order of the keys. `after` is exclusive. */
  list(options?: ListOptions): AsyncIterable<ObjectInfo>
}

export interface StoreCapabilities {
  /** `put` with mode `create` is atomic among all writers. Required by the log; proven at open by a probe. */
  readonly createIfAbsent: boolean
  /** `put` with `{ ifMatch }` is atomic among all writers. */
  readonly compareAndSwap: boolean
  /** Parts may be uploaded apart (no method here uses it yet). */
  readonly multipart: boolean
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

/** Half-open `[start, end)`, or the last `suffix` bytes (all, if there are fewer). An `end` past the object's is cut. */
export type ByteRange = { readonly start: number; readonly end?: number } | { readonly suffix: number }

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange
}

export interface PutOptions extends CallOptions {
  /** Default `overwrite`. */
  readonly mode?: 'overwrite' | 'create' | { readonly ifMatch: string }
}

export interface ListOptions extends CallOptions {
  /** A plain string prefix, not a folder: `a/b` also lists `a/bc`. */
  readonly prefix?: string
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
  /** The asked-for bytes, in memory that is the caller's from now on; `size` is the whole object's. */
  readonly bytes: Uint8Array
}

/** Types a store's definition; adds nothing. */
export function defineObjectStore<S extends ObjectStore>(store: S): S {
  return store
}
