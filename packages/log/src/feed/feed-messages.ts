import type { ErrorData, Limits } from '@moulin/core'
import type { WritableCompression } from '@moulin/format'

/** What a thread must know to make a topic's batches. Plain data. */
export interface FeedSetup {
  /** What the thread's messages are known by: the feed's own code runs beside it, and may post what looks like them. */
  readonly token: string
  /** The module to import. */
  readonly module: string
  readonly thread: number
  readonly threads: number
  readonly topic: string
  readonly partitions: number
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly limits: Limits
  readonly value: FeedCodec | undefined
  readonly key: FeedCodec | undefined
  readonly batchBytes: number
  readonly lingerMs: number
  readonly compression: WritableCompression
  /** Bytes that it may have accepted and not yet heard to be durable; above it, it waits. */
  readonly unackedBytes: number
}

/** A codec, as it is found again among the built-in ones. */
export interface FeedCodec {
  readonly format: string
  readonly definition: string
}

/** To a thread: `begin`, then how many bytes of its batches have become durable, and at last perhaps that no more is taken. */
export type ToFeed =
  | { readonly kind: 'begin'; readonly setup: FeedSetup }
  | { readonly kind: 'durable'; readonly bytes: number }
  | { readonly kind: 'stop' }

/** One batch without its offsets, in memory that goes over. */
export interface BatchMessage {
  readonly kind: 'batch'
  readonly partition: number
  readonly batches: Uint8Array<ArrayBuffer>
  readonly recordCount: number
  /** What it takes of the thread's {@link FeedSetup.unackedBytes}. */
  readonly bytes: number
  /** How long its first record had been accepted when it left. */
  readonly ageMs: number
}

/** From a thread, in order: its batches, why it failed, if it did, and that it has nothing more to do. */
export type FromFeed =
  | BatchMessage
  | { readonly kind: 'failed'; readonly error: ErrorData; readonly cause?: unknown }
  | { readonly kind: 'ended' }

/** What a thread of a feed says that it knows when it listens. */
export const FEED_CALL = 'feed'

/** As it is posted: with the {@link FeedSetup.token}. */
export type SignedFromFeed = FromFeed & Pick<FeedSetup, 'token'>

/** Undefined for what no `serveFeed` with this token has posted: the feed runs in the same thread, and may post what it likes. */
export function fromFeed(value: unknown, token: string): FromFeed | undefined {
  const signed = Object(value) as Partial<SignedFromFeed>
  return signed.token === token ? (signed as FromFeed) : undefined
}
