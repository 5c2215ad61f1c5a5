import type { BatchRun } from '../model/record.ts'

/** The door to records from elsewhere (any Kafka cluster, a file): what a sink reads, with positions to resume from. */
export interface RecordSource {
  readonly name: string
  /** Identity that changes when the source is recreated: stored positions of another one are never resumed from. */
  readonly sourceId: string
  /** Partitions with the range they hold now: `start` inclusive, `end` exclusive. */
  partitions(options?: { readonly signal?: AbortSignal }): Promise<readonly SourcePartition[]>
  /** From `from` on, in order, following new records until aborted; `to` (exclusive) ends it. */
  read(request: {
    readonly partition: number
    readonly from: bigint
    readonly to?: bigint
    readonly signal?: AbortSignal
  }): AsyncIterable<BatchRun>
  close(): Promise<void>
}

export interface SourcePartition {
  readonly partition: number
  readonly start: bigint
  readonly end: bigint
}
