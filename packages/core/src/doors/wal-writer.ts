import type { Durability } from '../model/durability.ts'
import { isMoulinError } from '../model/errors.ts'
import type { Section, SectionOffsets, WalLocation } from './section.ts'
import type { Failing } from './topic.ts'
import type { WalOptions, WalSession } from './wal-session.ts'

export interface WalWriterOptions extends WalOptions {
  readonly takeover: 'refuse' | 'newest'
  /** The log has been written before: an empty write-ahead tier is a loss, not a beginning. */
  readonly mustExist: boolean
  /** Where a partition goes on, as far as the log knows: asked by a Wal that assigns offsets, once it has told all that it holds. */
  readonly nextOffset: NextOffset
  /** A tail that was cut at the last good section: what an operator should hear of. */
  readonly onTornTail?: (report: TornTail) => void
}

export type NextOffset = (topicId: string, incarnation: number, partition: number) => bigint

/** What a writer was writing when it ended, and never acked. */
export interface TornTail {
  readonly segment: string
  /** Bytes up to here are good. */
  readonly position: number
  /** Given up from there on, as far as the frames say: a write that was cut short may have left fewer. */
  readonly bytes: number
  readonly reason: string
}

/** A section is durable. */
export interface Appended extends SectionOffsets {
  readonly location: WalLocation
  /** What this ack survives: the Wal's own level, or a higher one. */
  readonly durability: Durability
}

/** The one session that appends. */
export interface WalWriter extends WalSession {
  /**
   * Makes the section durable, then checks the fence. Resolves in the order of the calls, but for those that free more than they take.
   * Appends made while a flush runs share the next one.
   * @throws `fenced` (outcome unknown: the newer writer may have taken the bytes over); `unavailable`; `exhausted` code `NO_SPACE`. An
   * error is final, and every later append rejects with `closed`, but for one that {@link isLivedThrough}: see {@link rejections}. Where
   * it would take what is left of the reserve, it waits some seconds for room first. `unsupported` code `ABORTED_RANGES` (rejected) for
   * a section with `aborted` ranges where the Wal cannot store them, which it must not drop: that one is not stored, and the writer
   * goes on.
   */
  append(section: Section): Promise<Appended>
  /**
   * How often all appends that were under way have been rejected while the session lives on. It rises before any of them rejects: what
   * was given to their sections, offsets above all, can be given again from then on.
   */
  readonly rejections: number
  /** Throws `fenced` if a newer writer exists. Called after a checkpoint and before `release`. */
  checkFence(): Promise<void>
  /**
   * Segments that nothing more will be written to, of which at most `share` (0 to 1) lives, by the names in their locations; those
   * that hold least first. Whoever appends their live sections again, and then releases the old locations, frees them for little.
   * Recovery takes a section that it finds twice from where it was appended last, whatever was appended in between.
   */
  sparse(share: number): readonly string[]
  /**
   * The disk, as it is now; undefined where there is none to fill. Below the reserve, what was taken ahead of need is given back first.
   */
  space(): Promise<WalSpace | undefined>
  /** What goes wrong beside the appends: released storage that cannot be freed. It is tried again. */
  readonly failing: Failing
}

export interface WalSpace {
  readonly freeBytes: number
  /** Kept free for the commits and releases that free more: below it nothing new should be accepted. */
  readonly reserveBytes: number
}

/**
 * Whether the writer goes on after this error of an append, which says so by its members: `rejected` and `retryable`. Nothing was stored
 * of this append, nor of any that waited behind it, and the next one may succeed.
 */
export function isLivedThrough(error: unknown): boolean {
  return isMoulinError(error) && error.outcome === 'rejected' && error.retryable
}
