import type { SectionHeader } from './section.ts'
import type { WalOptions, WalSession } from './wal-session.ts'

export interface WalReaderOptions extends WalOptions {
  /**
   * Whether the newest checkpoint proves that this section was acked. Asked only while a newer writer is opening, which may or
   * may not take over what was not acked.
   */
  readonly isAcked: (header: SectionHeader) => boolean
}

/** A session beside the writer: it tells what is durable by the rule of an ack, writes nothing and never fences. */
export interface WalReader extends WalSession {
  /**
   * Looks by itself from now on, whenever there may be more, until it is closed: what became durable since is told to the `recover` of
   * the open, per partition in offset order. After a change of epoch, and when they were appended again, known sections are told again,
   * at their new places. `looked` hears how each look ended. Called once.
   */
  follow(looked: (error: Error | undefined) => void): void
  /** Looks now: on return all is told that was durable at the call. */
  refresh(): Promise<void>
}
