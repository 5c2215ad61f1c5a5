import type { Section, WalLocation, WalSession } from './wal.ts'

/**
 * The door to offset assignment: who says which offset a section gets, and when that is final.
 *
 * `single` (one writer) knows the next offset and patches it into the batches before they are written. A shared
 * sequencer writes first and learns the offsets from the order of commits. The log only sees this.
 */
export interface Sequencer {
  readonly name: string
  open(context: SequencerContext): SequencerSession
}

export interface SequencerContext {
  readonly wal: WalSession
  /** The next offset of a partition, as recovered; asked once per partition and incarnation. */
  readonly nextOffset: (topicId: string, incarnation: number, partition: number) => bigint
}

/** A section that has no offsets yet. */
export interface UnsequencedSection extends Omit<Section, 'baseOffset' | 'lastOffset'> {
  /** Puts the base offset into the batches, in place. */
  readonly patch: (baseOffset: bigint) => void
}

export interface SequencerSession {
  /**
   * Gives the section its offsets and makes it durable. Per partition, resolves in the order of the calls, with dense
   * offsets. Moves no sequence before the bytes are durable: after an error nothing more is accepted.
   */
  append(section: UnsequencedSection): Promise<Sequenced>
  close(): Promise<void>
}

export interface Sequenced {
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  readonly location: WalLocation
}
