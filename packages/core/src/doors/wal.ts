import type { Durability } from '../model/durability.ts'
import type { WalReader, WalReaderOptions } from './wal-reader.ts'
import type { WalOptions } from './wal-session.ts'
import type { WalWriter, WalWriterOptions } from './wal-writer.ts'

/**
 * The door to the write-ahead tier: where the newest records are durable before they are in a table.
 *
 * A Wal stores *sections*: one run of v2 record batches of one topic partition. It gives a section back byte for byte, but for the
 * offsets in it that it gave itself, until it is released. At most one session is the writer; a newer one fences the older, which
 * learns it at its next append, never by silence. Readers beside a writer change nothing, and hold up nobody.
 */
export interface Wal {
  /** For messages, e.g. `fileWal(/data/lake/log/wal)`. */
  readonly name: string
  /** What an ack survives, at least: the process only (`memory`), this machine's disk, an availability zone, a region. */
  readonly durability: Durability
  /**
   * Who says which offsets a section gets. `given`: whoever appends it, before it is stored. `assigned`: the Wal, in the order of its
   * commits: a section that is new comes without offsets, and the batches that are read back have them patched in.
   */
  readonly offsets: 'given' | 'assigned'
  /**
   * UUID of the log whose data lies here; undefined where no writer has been. Asked before a log is begun in an empty store, so that
   * nothing is written to a wrong one; a Wal without it is refused by `openWriter`, and the store has a new log by then. Changes nothing.
   * @throws `corrupt` where that cannot be read.
   */
  logId?(options: Pick<WalOptions, 'runtime' | 'signal'>): Promise<string | undefined>
  /**
   * Opens the writer, which fences any older one. All live sections are told before this resolves: see {@link WalOptions.recover}.
   * @throws `conflict` code `WRITER_ALIVE` (takeover `refuse` and the owner still runs); `corrupt` for a damaged
   * section that is not the tail; `not-found` code `WAL_MISSING` when `mustExist` and there is none.
   */
  openWriter(options: WalWriterOptions): Promise<WalWriter>
  /**
   * Opens a reader beside the writer, or without one. All live sections that were acked are told before this resolves.
   * @throws `not-found` code `WAL_MISSING` where no writer has been; `corrupt`.
   */
  openReader(options: WalReaderOptions): Promise<WalReader>
}
