import type { OffsetRange } from '../model/offset-range.ts'

/** What a section holds, but for its offsets. */
export interface SectionFacts {
  readonly topicId: string
  readonly incarnation: number
  readonly partition: number
  readonly recordCount: number
  /** Ids in the log's schema ledger that the batches were encoded with; 0 for none. */
  readonly valueSchemaId: number
  readonly keySchemaId: number
  /** The writer's wall time of the append, milliseconds since the epoch. A section that moves keeps it. No safety rests on it. */
  readonly appendedMs: number
}

export interface SectionOffsets {
  readonly baseOffset: bigint
  /** Inclusive. */
  readonly lastOffset: bigint
  /**
   * Of these offsets, those whose records belong to aborted transactions, rising; absent: none. A section that moves keeps them: a Wal
   * that cannot store them refuses it, see `WalWriter.append`.
   */
  readonly aborted?: readonly OffsetRange[]
}

/** What a section holds. It is stored with it, under its checksum. */
export interface SectionHeader extends SectionFacts, SectionOffsets {}

/**
 * A section to be stored. Its offsets, both or neither, where somebody has given them before: the sequencer, or the append of a section
 * that moves.
 */
export interface Section extends SectionFacts, Partial<SectionOffsets> {
  /** v2 record batches, back to back; kept as they are until the append has settled. */
  readonly batches: Uint8Array
  /** CRC32C of `batches` as they are here, where whoever gives them knows it: a Wal that stores it need not walk over them once more. */
  readonly batchesCrc?: number | undefined
  /** It will free more of the disk than it takes: it may use the reserve, and goes ahead of those that wait for it. */
  readonly frees?: boolean
}

/**
 * Opaque to all but the Wal that gave it, but for its size; plain data, so that it can cross to a worker. The log keeps these three and
 * nothing else, and names a place by another object that has them.
 */
export interface WalLocation {
  readonly segment: string
  /** A whole number. */
  readonly position: number
  /** A whole number from 1, of 32 bits. */
  readonly sizeBytes: number
}
