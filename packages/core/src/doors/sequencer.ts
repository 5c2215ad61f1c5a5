import type { Section, SectionFacts, SectionHeader, WalLocation } from './section.ts'
import type { Appended, NextOffset, WalWriter } from './wal-writer.ts'
import type { Wal } from './wal.ts'

/**
 * The door to offset assignment: who says which offset a section gets, and when that is final.
 *
 * `single` (one writer) knows the next offset and patches it into the batches before they are written, or takes what the Wal assigns. A
 * shared sequencer has several writers, and learns the offsets from the order of their commits. The log only sees this.
 */
export interface Sequencer {
  readonly name: string
  open(context: SequencerContext): SequencerSession
}

export interface SequencerContext {
  readonly wal: WalWriter
  /** Of {@link wal}. */
  readonly offsets: Wal['offsets']
  /** The next offset of a partition, as recovered; asked once per partition and incarnation. */
  readonly nextOffset: NextOffset
}

/** A section that has no offsets yet. */
export interface UnsequencedSection extends SectionFacts {
  /** v2 record batches, back to back. They are the sequencer's: kept, given offsets, and shown to followers. */
  readonly batches: Uint8Array
  /** Puts the base offset into the batches, in place. Returns their {@link Section.batchesCrc} from then on, where it is known. */
  readonly patch: (baseOffset: bigint) => number | void
}

export interface SequencerSession {
  /**
   * Gives the section its offsets and makes it durable. Per partition, resolves in the order of the calls, with dense
   * offsets. Moves no sequence before the bytes are durable: after an error that is not lived through nothing more is accepted.
   */
  append(section: UnsequencedSection): Promise<Appended>
  /** From now on this follower is told of every section, of whichever writer, until the session is closed. Called before the first append. */
  follow(follower: SectionFollower): void
  close(): Promise<void>
}

/** Who is told what became durable. */
export interface SectionFollower {
  /**
   * A section is durable: per partition in offset order, without gaps, and before its `append` resolves. `batches`, with their offsets, where
   * they are at hand: read them, change nothing.
   */
  add(header: SectionHeader, location: WalLocation, batches?: Uint8Array): void
  /** Nothing more will be told: an append ended in an error after which nobody knows what is stored. */
  failed(error: Error): void
}
