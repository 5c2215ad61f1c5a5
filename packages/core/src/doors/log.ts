import type { Failing, Topic, TopicConfig } from './topic.ts'
import type { Durability } from '../model/durability.ts'
import type { TableIdentifier } from './catalog.ts'
import type { WalUsage } from './wal-session.ts'
import type { TornTail } from './wal-writer.ts'

/** A log: topics with partitions, durable in a write-ahead tier, their history in a cold tier. */
export interface Log extends AsyncDisposable {
  /** UUID. */
  readonly id: string
  readonly name: string
  /** What an ack survives. */
  readonly durability: Durability
  readonly access: 'read-write' | 'read-only'
  /** This writer's; of the newest writer for a read-only log. */
  readonly epoch: bigint
  /** What the opening met in the write-ahead tier. */
  readonly recovery: LogRecovery

  /** @throws `exists`. */
  createTopic<T = Uint8Array>(name: string, config?: TopicConfig<T>): Promise<Topic<T>>
  /** Without a codec in code: it is rebuilt from the schema ledger. @throws `not-found`. */
  topic<T = unknown>(name: string, config?: TopicConfig<T>): Promise<Topic<T>>
  /** Creates it, or finds it with this very config. @throws `invalid` code `CONFIG_DIFFERS` with the difference; `unsupported` for a changed schema. */
  ensureTopic<T = Uint8Array>(name: string, config?: TopicConfig<T>): Promise<Topic<T>>
  /**
   * The topic whose table this is, as {@link topic} gives it; undefined where the log has none. A table of `namespace.table` in a
   * {@link TopicConfig} is `tableIdentifier` of it; an identifier of another catalog that no topic's table can have is no fault. @throws
   * `invalid` for what is of no identifier's form; where none that can be read has the table, what the others throw: it may be theirs.
   */
  topicOfTable<T = unknown>(identifier: TableIdentifier): Promise<Topic<T> | undefined>
  /** Names, sorted. */
  topics(): Promise<readonly string[]>
  stats(): LogStats
  /** Ends the grace of everything that is confirmed in tables, and releases it now. */
  releaseNow(options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * Closes producers and readers, waits for a tiering commit already begun (at most `drainMs`, default 30 000), starts none
   * (with `tier: true` one last for each topic that needs it, within `drainMs`), gives up the epoch. Idempotent.
   */
  close(options?: { readonly drainMs?: number; readonly tier?: boolean }): Promise<void>
}

export interface LogRecovery {
  /** Tails that were cut: writes that ended in the middle and were never acked. A read-only log cuts nothing, so it has none. */
  readonly torn: readonly TornTail[]
}

/** Of the log and its topics together. `JSON.stringify` of it works. */
export interface LogStats extends Failing {
  readonly wal: WalUsage
  /**
   * Bytes that producers and appends have handed over and that are not durable yet, open batches among them: at most
   * {@link Limits.maxUnackedBytes}, but for the one
   * record, append or batch of a feed that crossed it, and for what waited at a producer's close.
   */
  readonly unackedBytes: number
  /** Memory of the newest batches that readers are served from: at most {@link Limits.tailRingBytes}. */
  readonly tailRingBytes: number
  /** Write-ahead bytes that no table holds yet. */
  readonly untieredBytes: number
  /** Bytes that still wait for their grace. */
  readonly unreleasedBytes: number
  /** Why producers wait for room in the write-ahead tier; null while they do not. */
  readonly walFull: WalFull | null
}

export interface WalFull {
  /** Wall time, ms since the epoch. */
  readonly sinceMs: number
  /** What holds the write-ahead data, in words. */
  readonly reason: string
}
