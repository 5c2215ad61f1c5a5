import type { ByteRange, ObjectInfo, StoredObject } from '../doors/object-store.ts'
import type { MoulinError } from '../model/errors.ts'
import type { StoreCall } from './answers.ts'

/**
 * What an adapter of a cloud's store writes, and `bucketStore` makes a whole ObjectStore of: one method for each kind of request, each
 * sent once, with keys as the service knows them. They throw what the SDK throws; `failure` tells what it means.
 *
 * Signals fire at the caller's abort and at the deadline. An SDK that knows no signals may let a request run on: nobody waits for it.
 */
export interface Bucket {
  /** `onBytes` is called as bytes come in, for a long answer may last longer than the deadline. */
  get(key: string, ask: BucketRead, signal: AbortSignal, onBytes: () => void): Promise<StoredObject>
  /** Undefined when the object is missing; a missing bucket is an error. */
  head(key: string, signal: AbortSignal): Promise<BucketObject | undefined>
  /**
   * The service, or the SDK, checks the bytes by a checksum that is made before they are sent: what a request that nobody waits for sends
   * after its owner changed them must not be stored.
   */
  put(key: string, bytes: Uint8Array, write: BucketWrite, signal: AbortSignal): Promise<{ readonly etag: string }>
  /** Begins an upload in parts, of which nobody sees anything before it is complete. */
  beginUpload(key: string, write: BucketWrite, signal: AbortSignal): Promise<BucketUpload>
  /** A missing object is fine. */
  delete(key: string, signal: AbortSignal): Promise<void>
  /**
   * Deletes at most `maxBatchKeys` objects by one request. Undefined: batches are refused here, and `delete` is called for each, as it is
   * where this is left out.
   */
  deleteBatch?(keys: readonly string[], signal: AbortSignal): Promise<readonly BucketDeleteFailure[] | undefined>
  /**
   * One page of keys with the prefix, in the service's order. `after` is handed over only where that is the order of bytes. Keys that no
   * store has may be among them, such as those of folders.
   */
  listPage(ask: BucketList, signal: AbortSignal): Promise<BucketPage>
  /** What the SDK threw, or a code in the answer of a batch, by the adapter's table of answers. */
  failure(thrown: unknown, call: StoreCall, key: string | undefined): MoulinError
}

export interface BucketRead {
  /** Already checked, but for the size. */
  readonly range?: ByteRange
  readonly ifNoneMatch?: string
  readonly ifMatch?: string
}

export interface BucketObject extends ObjectInfo {
  /** Of whoever wrote this version; undefined: written without one, or not kept. */
  readonly attemptId: string | undefined
}

export interface BucketWrite {
  readonly mode: 'overwrite' | 'create' | { readonly ifMatch: string }
  /** Goes into the object's user metadata. */
  readonly attemptId: string | undefined
}

export interface BucketUpload {
  /** Parts are numbered from 1 and come in any order, several at a time. */
  part(number: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  /** All parts are there: makes the object of them, under the condition of the write. */
  complete(signal: AbortSignal): Promise<{ readonly etag: string }>
  /** Removes the parts. Called also when `complete` failed. */
  abort(signal: AbortSignal): Promise<void>
}

export interface BucketList {
  readonly prefix: string
  readonly after?: string
  /** Of the page before. */
  readonly token?: string
}

export interface BucketPage {
  readonly infos: readonly ObjectInfo[]
  /** Undefined: it was the last one. */
  readonly token: string | undefined
}

export interface BucketDeleteFailure {
  readonly key: string
  /** As `failure` understands it. */
  readonly thrown: unknown
}
