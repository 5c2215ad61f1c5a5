import type { OffsetRange } from '../model/offset-range.ts'
import type { Fidelity } from '../model/record.ts'

/** See {@link Topic.read}. */
export interface ReadOptions {
  readonly partition?: number
  /** Inclusive; default `earliest`. `{ timestamp }`: the first offset whose record is not older (ms since the epoch). */
  readonly from?: 'earliest' | 'latest' | bigint | { readonly timestamp: bigint }
  /** Exclusive; `end` is fixed at the call. Without it the read follows new records, and while it waits for one it keeps the process alive. */
  readonly to?: 'end' | bigint
  /**
   * An earlier incarnation: what the write-ahead tier keeps of it, up to its end. See {@link TopicStats.earlier}.
   */
  readonly incarnation?: number
  /** A value that does not decode: yielded with `error` set (default), or thrown. */
  readonly onBadValue?: 'yield' | 'throw'
  readonly signal?: AbortSignal
}

/**
 * What a reader sees of transactions. `read-committed`: records below the stable offset, those of aborted transactions left out, as in
 * {@link Topic.read} and in the table. `read-uncommitted`: all that is durable; but below what the write-ahead tier still holds there is
 * only the table, which has committed records alone.
 */
export type Isolation = 'read-committed' | 'read-uncommitted'

/** See {@link Topic.fetch}. */
export interface FetchOptions {
  readonly partition: number
  /** The first offset that is wanted: from the partition's start to its high watermark. */
  readonly from: bigint
  /** Bytes of batches to wait for; default 1. With 0 it never waits; more than `maxBytes` counts as `maxBytes`. */
  readonly minBytes?: number
  /** Bytes of batches, at most; at least 1, default 1 MiB. A first batch that is larger is given all the same. */
  readonly maxBytes?: number
  /** How long to wait for `minBytes`, in milliseconds; default 500. Reading what is there may take longer. */
  readonly maxWaitMs?: number
  /** Default `read-committed`. */
  readonly isolation?: Isolation
  readonly signal?: AbortSignal
}

/** What {@link Topic.fetch} found: `batches` and the offsets that they answer for, and where the partition stood then. */
export interface FetchedBatches {
  readonly partition: number
  /** The offset that was asked for. */
  readonly baseOffset: bigint
  /**
   * Exclusive: where the next fetch goes on. Beyond `baseOffset` whenever there was anything to answer for, be it a gap: offsets whose
   * records were deleted in the table, or left out as aborted.
   */
  readonly nextOffset: bigint
  /**
   * v2 record batches, back to back, as the producer sent them where they are still known (see `fidelity`); perhaps none. Not all are
   * fit to be passed on unless `unreadable` is empty. As in Kafka the first one may begin below `baseOffset`: records below it are to be
   * passed over. The caller's own memory.
   */
  readonly batches: Uint8Array
  /** First readable offset of the partition. */
  readonly start: bigint
  /** Exclusive: everything below is durable. */
  readonly highWatermark: bigint
  /** Exclusive: below it, every transaction has ended. Never above the high watermark. */
  readonly stableOffset: bigint
  /**
   * Of the offsets answered for, those whose records belong to aborted transactions, rising: not in `batches` when committed records
   * were asked for, there in the others. What is read from the table has none, it only has gaps.
   */
  readonly aborted: readonly OffsetRange[]
  /** By offset, of the records from `baseOffset` on in `batches`: those whose bytes are not the producer's. All others are `exact`. */
  readonly fidelity: ReadonlyMap<bigint, Fidelity>
  /**
   * By offset, of the same: records that do not come back, since SQL changed their rows, and why. {@link Topic.read} gives these an
   * `error`. What is framed at such an offset only stands in: a value may be null there, or a header be gone. A server of the Kafka
   * protocol must not serve it, for a consumer would take it for a tombstone: it answers with an error, such as CORRUPT_MESSAGE, or
   * leaves the record out, which is a gap like any other.
   */
  readonly unreadable: ReadonlyMap<bigint, string>
}

/** See {@link Topic.offsetFor}. */
export interface OffsetForOptions {
  readonly partition?: number
  readonly signal?: AbortSignal
}
