import type { FileHandle, Files, FileStat, Timer, Timers } from '@moulin/core'
import { isKind } from '@moulin/core'
import { etagOf } from './file-info.ts'
import type { Place } from './folder-place.ts'

/** Files held open at a time; those that are being read come on top where that is more. */
const MAX_HELD = 64
/** A file that nobody reads is closed when it has been quiet for so long, or for up to twice that. */
const QUIET_MS = 5_000

/** What a store asks of the disk: none of it follows a folder or asks for room. */
export type StoreFiles = Pick<
  Files,
  'open' | 'mkdir' | 'link' | 'rename' | 'unlink' | 'readdir' | 'stat' | 'syncDirectory' | 'realpath'
>

/** One version of an object, open for whoever asked for it, until he {@link HeldFiles.release}s it. */
export interface HeldFile {
  readonly handle: FileHandle
  /** Of the very file. */
  readonly stat: FileStat
}

interface Entry extends HeldFile {
  readonly path: string
  readonly etag: string
  /** Reads under way. */
  users: number
  /** Since the timer last looked. */
  wasUsed: boolean
  /** One that is not is closed with its last use. */
  isHeld: boolean
}

/**
 * Files of a store that stay open between reads of their parts: ranges of a data file are asked for one after the other, and each time anew
 * to find the file, open and close it took five calls of the disk, in front of every flush, for one that read. What is read whole is rarely
 * read again, and closed at once.
 *
 * A handle shows the file that was opened, whatever its name means by now, and others may overwrite and delete; so each read asks
 * for the `stat` of the path first, and is answered from a handle only where that tells the tag of its file. Nothing else can tell
 * it: as long as the handle is open no other file gets its inode number. That is two calls a range; with one the store could not keep
 * its promise that a get sees every put before it.
 *
 * No handle stands in the way of a change: who overwrites or deletes through this store closes it first, unless it is being read, and
 * others can where an open file may lose its name, as on every POSIX system; its bytes take their room on the disk until it has been
 * quiet for a while. Where the disk is a network's no file is held: there a `stat` may be answered by what this machine remembers, and only
 * an open asks the server (nfs(5), close-to-open).
 *
 * Nobody need close this: the timer that closes what is quiet runs as long as anything is held, and keeps no process alive.
 */
export class HeldFiles {
  readonly #disk: Files
  readonly #timers: Pick<Timers, 'after'>
  /** The least recently used first. */
  readonly #held = new Map<string, Entry>()
  readonly #local = new Map<string, Promise<boolean>>()
  #timer: Timer | undefined
  readonly #closing = new Set<Promise<void>>()
  /** How many descriptors were given back. */
  #closed = 0
  /** The disk, on which a call that finds no descriptor free is made again when those of files that nobody reads have been closed. */
  readonly files: StoreFiles

  constructor(disk: Files, timers: Pick<Timers, 'after'>) {
    this.#disk = disk
    this.#timers = timers
    this.files = {
      open: (path, mode) => this.#withRoom(() => disk.open(path, mode)),
      readdir: (path) => this.#withRoom(() => disk.readdir(path)),
      syncDirectory: (path) => this.#withRoom(() => disk.syncDirectory(path)),
      mkdir: (path, options) => disk.mkdir(path, options),
      link: (from, to) => disk.link(from, to),
      rename: (from, to) => disk.rename(from, to),
      unlink: (path) => disk.unlink(path),
      stat: (path) => disk.stat(path),
      realpath: (path) => disk.realpath(path),
    }
  }

  /** The file of that `stat`, which was taken since the read began, if it is the one that is open. */
  take(path: string, stat: FileStat): HeldFile | undefined {
    const known = this.#at(path, stat)
    if (known === undefined) return undefined
    known.users++
    known.wasUsed = true
    this.#held.delete(path)
    this.#held.set(path, known)
    return known
  }

  /** As {@link take}, without a use. */
  isAt(path: string, stat: FileStat): boolean {
    return this.#at(path, stat) !== undefined
  }

  /**
   * Opens what is at the path, in place of what was held by its name, and `keeps` it for the next read.
   * @throws `not-found`.
   */
  async open({ path, folder }: Place, keeps: boolean): Promise<HeldFile> {
    const handle = await this.files.open(path, 'read')
    try {
      const stat = await handle.stat()
      const entry = { path, handle, stat, etag: etagOf(stat), users: 1, wasUsed: true, isHeld: false }
      if (keeps && (await this.#isLocal(folder))) this.#hold(entry)
      return entry
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Ends a use. */
  async release(file: HeldFile): Promise<void> {
    const entry = file as Entry
    entry.users--
    entry.wasUsed = true
    if (entry.isHeld) this.#shrink()
    else if (entry.users === 0) await entry.handle.close()
  }

  /** The name is about to go, or to mean another file. */
  async forget(path: string): Promise<void> {
    const entry = this.#held.get(path)
    if (entry !== undefined) await this.#drop(entry)
  }

  #at(path: string, stat: FileStat): Entry | undefined {
    const entry = this.#held.get(path)
    return entry?.etag === etagOf(stat) ? entry : undefined
  }

  #hold(entry: Entry): void {
    const other = this.#held.get(entry.path)
    // Somebody opened it at the same time.
    if (other?.etag === entry.etag) return
    if (other !== undefined) void this.#drop(other)
    entry.isHeld = true
    this.#held.set(entry.path, entry)
    this.#shrink()
    this.#watch()
  }

  /** Asked once of each folder. */
  #isLocal(folder: string): Promise<boolean> {
    const known = this.#local.get(folder)
    if (known !== undefined) return known
    const asked = this.#disk.mountOf(folder).then(
      (mount) => mount === 'local',
      () => false,
    )
    this.#local.set(folder, asked)
    return asked
  }

  /** It is held no more: closed now, or with the end of its last use. */
  async #drop(entry: Entry): Promise<void> {
    entry.isHeld = false
    if (this.#held.get(entry.path) === entry) this.#held.delete(entry.path)
    if (entry.users === 0) await this.#close(entry)
  }

  async #close({ handle }: Entry): Promise<void> {
    // Nothing was written: what a close could tell is nobody's concern.
    const closing = handle.close().catch(() => {})
    this.#closing.add(closing)
    await closing
    this.#closing.delete(closing)
    this.#closed++
  }

  #shrink(): void {
    for (const entry of this.#held.values()) {
      if (this.#held.size <= MAX_HELD) return
      if (entry.users === 0) void this.#drop(entry)
    }
  }

  #watch(): void {
    this.#timer ??= this.#timers.after(QUIET_MS, () => {
      this.#timer = undefined
      for (const entry of this.#held.values()) {
        if (entry.users === 0 && !entry.wasUsed) void this.#drop(entry)
        entry.wasUsed = false
      }
      if (this.#held.size > 0) this.#watch()
    })
  }

  async #withRoom<T>(call: () => Promise<T>): Promise<T> {
    const closed = this.#closed
    try {
      return await call()
    } catch (error) {
      if (!isKind(error, 'unavailable', 'EMFILE') && !isKind(error, 'unavailable', 'ENFILE')) throw error
      for (const entry of this.#held.values()) if (entry.users === 0) void this.#drop(entry)
      // Several meet the limit together: the first closes all there is, and that is room for the others, too.
      await Promise.all(this.#closing)
      if (this.#closed === closed) throw error
      return await call()
    }
  }
}
