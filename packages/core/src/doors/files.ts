/**
 * The door to the disk. Only `fileWal`, `fileSystem()` and a `cache` in a folder use it. All paths are absolute.
 *
 * Errors are of our kinds: `not-found` (ENOENT), `exists` (EEXIST, ENOTEMPTY), `exhausted` with code `NO_SPACE` (ENOSPC, EDQUOT),
 * `unavailable` with code `READ_ONLY` (EROFS, EACCES, EPERM) or the errno as code for the rest.
 */
export interface Files {
  /**
   * Opens a file.
   * - `read`: must exist.
   * - `create`: must not exist (O_EXCL); readable and writable.
   * - `write`: must exist; readable and writable.
   */
  open(path: string, mode: 'read' | 'create' | 'write', options?: FileOpenOptions): Promise<FileHandle>
  /** Creates one folder. Atomic; throws `exists` if it is there. With `recursive`, parents too and an existing one is fine. */
  mkdir(path: string, options?: { readonly recursive?: boolean }): Promise<void>
  /** Atomic; throws `exists` if `to` exists: the create-if-absent of a file system. */
  link(from: string, to: string): Promise<void>
  /**
   * Atomic, of a file or a folder with all that is in it; replaces a file by a file, and an empty folder by a folder. Throws
   * `exists` when `to` is a folder that holds something: so of two renames to one name, one fails.
   */
  rename(from: string, to: string): Promise<void>
  /** Throws `not-found` when it is not there. */
  unlink(path: string): Promise<void>
  rmdir(path: string): Promise<void>
  /** Names in byte order of their UTF-8; throws `not-found`. */
  readdir(path: string): Promise<DirectoryEntry[]>
  /** Undefined when nothing is there. */
  stat(path: string): Promise<FileStat | undefined>
  /**
   * The same at once, while the calling thread waits: for a path of a local disk only, where it takes microseconds and an asynchronous call
   * would queue behind others. It may throw where {@link stat} would answer: ask that, then.
   */
  statNow(path: string): FileStat | undefined
  /** Makes created, linked, renamed and removed names in this folder durable. */
  syncDirectory(path: string): Promise<void>
  /** Calls back when something in the folder may have changed. May miss events: pair it with a timer. */
  watch(path: string, changed: () => void): { close(): void }
  /** How many reads of bytes wait for their turn, where they take turns. The signal of a {@link FileHandle.read} ends its wait, and no more. */
  waitingReads?(): number
  /** The path with all symbolic links resolved; throws `not-found`. */
  realpath(path: string): Promise<string>
  /**
   * Whether the path lies on a disk of this machine. A network mount keeps neither what a sync promises nor the
   * atomicity of its creates in every case, and FUSE does not tell. @throws `not-found`.
   */
  mountOf(path: string): Promise<'local' | 'network'>
  /** The disk that the path lies on. @throws `not-found`. */
  spaceOf(path: string): Promise<DiskSize>
}

export interface FileOpenOptions {
  /** Asks for a handle that {@link FileHandle.isSynced}, for `create` and `write`. Not every system, nor every disk, has one. */
  readonly synced?: boolean
}

export interface DiskSize {
  readonly totalBytes: number
  /** What this process may still take. */
  readonly freeBytes: number
}

export interface DirectoryEntry {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'other'
}

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'other'
  readonly size: number
  readonly modifiedMs: number
  /** Identity of the file on its device: the same for two names of one file. */
  readonly inode: string
}

export interface FileHandle {
  /**
   * Write and sync are one call (O_DSYNC): what a `writev` that resolved has written is durable, and the size that it takes to read it. Nothing
   * else is, whatever another handle has written or filled beside it. One that failed has left any part of its bytes, readable, durable or
   * neither: no error says how many. False: durable with the next {@link datasync} only.
   */
  readonly isSynced: boolean
  /** Up to `length` bytes at `position`, in memory of the caller's own; fewer only at the end of the file. */
  read(position: number, length: number, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>
  /**
   * Writes all parts, one after the other, from `position`; they must not change meanwhile. Not durable until {@link datasync},
   * but for {@link isSynced}. On a full disk (`NO_SPACE`) the error's context says in `written` how many bytes were taken, from the first on.
   * Where the handle is synced, so many were by earlier calls to the system, and a call that takes less than it is given fails (`SHORT_WRITE`).
   */
  writev(parts: readonly Uint8Array[], position: number): Promise<void>
  /**
   * Zero-fills up to `size` so that later writes change no metadata; never shortens. Not durable until `sync`. On a full disk it may have
   * filled a part.
   */
  preallocate(size: number): Promise<void>
  truncate(size: number): Promise<void>
  /** fdatasync. After an error the state of earlier writes is unknown for good. */
  datasync(): Promise<void>
  /** fsync. */
  sync(): Promise<void>
  size(): Promise<number>
  /** Of this very file, whatever its name means by now. */
  stat(): Promise<FileStat>
  /** Sets the time of last modification, to the microsecond. Durable with the next `sync`. */
  touch(modifiedMs: number): Promise<void>
  close(): Promise<void>
}
