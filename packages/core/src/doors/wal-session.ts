import type { Limits } from '../model/limits.ts'
import type { ObjectStore } from './object-store.ts'
import type { Runtime } from './runtime.ts'
import type { SectionHeader, WalLocation } from './section.ts'

/** What a Wal is told by the log that opens it, and what it tells the log. */
export interface WalOptions {
  readonly runtime: Runtime
  readonly limits: Limits
  readonly logId: string
  /** The log's own. */
  readonly store: ObjectStore
  /**
   * Called before sections are told, and after any older writer has been fenced: the place to read the newest checkpoint, which
   * an older writer cannot make obsolete any more. A reader calls it at each change of epoch.
   */
  readonly beforeRecovery: () => Promise<void>
  /** Whether this section is still needed; asked before it is told, answered from the newest checkpoint. */
  readonly isLive: (header: SectionHeader) => boolean
  /**
   * A section that is needed, and where it is: per partition in offset order. One that was told before has moved. Whatever place does
   * not count any more, the one before or `at` itself, is released by the log.
   */
  readonly recover: (header: SectionHeader, at: WalLocation) => void
  readonly signal?: AbortSignal
}

/** What writer and reader have in common. */
export interface WalSession {
  /** Rises with each writer of this log, and is never given twice: checkpoints are ordered by it. A reader's is the newest writer's. */
  readonly epoch: bigint
  /** The batches at a location, with their offsets. The bytes are the caller's. @throws `corrupt`; `not-found` when it was released. */
  read(location: WalLocation, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>
  /**
   * These sections are not needed any more. A writer frees them: the caller has made that durable (a checkpoint) before it calls, and what
   * cannot be freed now is freed later. A reader forgets them, and changes nothing that is stored.
   */
  release(locations: readonly WalLocation[]): Promise<void>
  /** Bytes of sections that were told or appended, and not released, and of the storage that holds them. */
  usage(): WalUsage
  /** Waits for what has begun, and tells nothing afterwards; a writer gives up its epoch. Idempotent. */
  close(): Promise<void>
}

export interface WalUsage {
  readonly liveBytes: number
  /**
   * What the live sections keep from being freed: all that their segments take of the disk, but for the one being written, of which only
   * what is live. This is what `maxWalBytes` bounds.
   */
  readonly heldBytes: number
  readonly segments: number
  /** Segments that hold live sections. */
  readonly liveSegments: number
  /** Memory in which flushes are laid out, kept between them. Sections that wait for theirs are not in it. */
  readonly bufferBytes: number
}
