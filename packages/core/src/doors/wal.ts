import type { Durability } from '../model/durability.ts'
import type { Limits } from '../model/limits.ts'
import type { Runtime } from './runtime.ts'
import type { Failing } from './topic.ts'

/**
 * The door to the write-ahead tier: where the newest records are durable before they are in a table.
 *
 * A Wal stores *sections*: one run of v2 record batches of one topic partition, offsets already patched in. It gives
 * a section back byte for byte until it is released. At most one session is the writer; a newer one fences the older,
 * which learns it at its next append, never by silence.
 */
export interface Wal {
  /** For messages, e.g. `fileWal(/data/lake/log/wal)`. */
  readonly name: string
  /** What an ack survives: the process only (`memory`), this machine's disk, an availability zone, a region. */
  readonly durability: Durability
  /**
   * Opens a session. `recover` is called once per live section, per partition in offset order, before this resolves.
   * @throws `conflict` code `WRITER_ALIVE` (takeover `refuse` and the owner still runs); `corrupt` for a damaged
   * section that is not the tail; `not-found` code `WAL_MISSING` when `mustExist` and there is none.
   */
  open(options: WalOpenOptions): Promise<WalSession>
}

export interface WalOpenOptions {
  readonly runtime: Runtime
  readonly limits: Limits
  readonly logId: string
  readonly access: 'read-write' | 'read-only'
  readonly takeover: 'refuse' | 'newest'
  /** The log has been written before: an empty write-ahead tier is a loss, not a beginning. */
  readonly mustExist: boolean
  /**
   * Called before sections are recovered, and after any older writer has been fenced: the place to read the newest
   * checkpoint, which an older writer cannot make obsolete any more. A read-only session calls it at each change of epoch.
   */
  readonly beforeRecovery: () => Promise<void>
  /** Whether this section is still needed; asked at recovery, answered from the newest checkpoint. */
  readonly isLive: (header: SectionHeader) => boolean
  /**
   * Read-only: whether the newest checkpoint proves that this section was acked. Asked only while a newer writer is
   * opening, which may or may not take over what was not acked.
   */
  readonly isAcked: (header: SectionHeader) => boolean
  /**
   * A section that is needed, and where it is. Returns the places that count no more: where it was before (the same one, if it has not
   * moved), `at` itself if it is not needed after all, and those of sections that are given up for it. So whoever counts `at` and
   * takes off what is returned has counted each section once, however often it was told.
   */
  readonly recover: (header: SectionHeader, at: WalLocation) => readonly WalLocation[]
  /**
   * Read-write: claims the epoch for this opening in the log's store, once its folder is there and before `beforeRecovery`. False
   * when another opening has it: then the next number is taken in both.
   */
  readonly claimEpoch: (epoch: bigint, opener: EpochOpener) => Promise<boolean>
  /** A tail that was cut at the last good section: what an operator should hear of. */
  readonly onTornTail?: (report: TornTail) => void
  readonly signal?: AbortSignal
}

/** Who takes an epoch. */
export interface EpochOpener {
  /** A UUID of this one attempt to take one. */
  readonly id: string
  readonly logId: string
  readonly owner: EpochOwner
  /** When it began, in milliseconds since 1970 by its own clock: to be read by people. */
  readonly timeMs: number
}

/** A process, by the members of `Runtime.process` that tell it from all others. */
export interface EpochOwner {
  readonly bootId: string
  readonly pidSpace: string
  readonly pid: number
  readonly startTime: string
}

/** What a section holds. All of it is inside the section's own checksum. */
export interface SectionHeader {
  readonly topicId: string
  readonly incarnation: number
  readonly partition: number
  readonly baseOffset: bigint
  /** Inclusive. */
  readonly lastOffset: bigint
  readonly recordCount: number
  /** Ids in the log's schema ledger that the batches were encoded with; 0 for none. */
  readonly valueSchemaId: number
  readonly keySchemaId: number
  /** The writer's wall time of the append, milliseconds since the epoch. A section that moves keeps it. No safety rests on it. */
  readonly appendedMs: number
}

export interface Section extends Omit<SectionHeader, 'appendedMs'> {
  /** Of a section that was appended before, and moves: what it had. Without it, the append says now. */
  readonly appendedMs?: number
  /** It will free more of the disk than it takes: it may use the reserve, and goes ahead of those that wait for it. */
  readonly frees?: boolean
  /** v2 record batches, back to back. */
  readonly batches: Uint8Array
}

/** Opaque to all but the Wal that gave it; plain data, so that it can cross to a worker. */
export interface WalLocation {
  readonly segment: string
  readonly position: number
  readonly sizeBytes: number
}

/** What a writer was writing when it ended, and never acked. */
export interface TornTail {
  readonly segment: string
  /** Bytes up to here are good. */
  readonly position: number
  /** Given up from there on, as far as the frames say: a write that was cut short may have left fewer. */
  readonly bytes: number
  readonly reason: string
}

export interface WalSession {
  /** Rises with each writer of this log. */
  readonly epoch: bigint
  /**
   * Makes the section durable, then checks the fence. Resolves in the order of the calls. Appends made while a flush
   * runs share the next one.
   * @throws `fenced` (outcome unknown: the newer writer may have taken the bytes over); `unavailable`; `exhausted` code `NO_SPACE`. An
   * error is final, and every later append rejects with `closed`; but for `NO_SPACE` with outcome `rejected`: nothing was stored of this
   * append, nor of any that waited behind it, and the next one may succeed. See {@link rejections}. Where it would take what is left of
   * the reserve, it waits some seconds for room first.
   */
  append(section: Section): Promise<WalLocation>
  /**
   * How often all appends that were under way have been rejected while the session lives on. It rises before any of them rejects: what
   * was given to their sections, offsets above all, can be given again from then on.
   */
  readonly rejections: number
  /** The batches at a location. @throws `corrupt`; `not-found` when it was released. */
  read(location: WalLocation, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>
  /**
   * These sections are not needed any more. The caller has made that durable (a checkpoint) before it calls. Storage that cannot be freed
   * now is freed later: see {@link failing}. A read-only session forgets them, and changes nothing that is stored.
   */
  release(locations: readonly WalLocation[]): Promise<void>
  /** Throws `fenced` if a newer writer exists. Called after a checkpoint and before `release`. */
  checkFence(): Promise<void>
  /**
   * Segments that nothing more will be written to, of which at most `share` (0 to 1) lives, by the names in their locations; those
   * that hold least first. Whoever appends their live sections again, and then releases the old locations, frees them for little.
   * Recovery takes a section that it finds twice from where it was appended last, whatever was appended in between. None to a reader.
   */
  sparse(share: number): readonly string[]
  /**
   * The disk, as it is now; undefined where there is none to fill. Below the reserve, what was taken ahead of need is given back first.
   */
  space(): Promise<WalSpace | undefined>
  /** What goes wrong beside the appends: released storage that cannot be freed. It is tried again. */
  readonly failing: Failing
  /** Bytes of live sections, and of the storage that holds them. */
  usage(): WalUsage
  /** Read-only sessions: calls back when there may be more; `refresh` then recovers it. */
  watch(changed: () => void): { close(): void }
  /**
   * Read-only sessions: reports sections that became durable since, by the ack rule, to the `recover` of the open. After a
   * change of epoch, and when they were appended again, it reports known sections again, at their new places.
   */
  refresh(): Promise<void>
  /** Waits for appends already begun, gives up the epoch. Idempotent. */
  close(): Promise<void>
}

export interface WalSpace {
  readonly freeBytes: number
  /** Kept free for the commits and releases that free more: below it nothing new should be accepted. */
  readonly reserveBytes: number
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
}
