import type { Dirent, Stats } from 'node:fs'
import { constants, statSync, watch } from 'node:fs'
import * as fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { exhausted, exists, notFound, unavailable, type ErrorContext } from '../model/errors.ts'
import { heedsSyncedWrites, isNetworkType } from './file-system-types.ts'
import { gatedReads, processReads } from './read-gate.ts'
import type { DirectoryEntry, FileHandle, Files, FileStat } from '../doors/files.ts'

const { O_CREAT, O_DSYNC, O_EXCL, O_RDONLY, O_RDWR } = constants
const modes = { read: O_RDONLY, create: O_RDWR | O_CREAT | O_EXCL, write: O_RDWR }

/** IOV_MAX: the kernel takes no more parts at a time. */
const MAX_PARTS = 1024
const zeros = new Uint8Array(1024 * 1024)
/** Zeros written by one call. */
const MAX_ZEROS = 16 * zeros.length

/** The real disk. So many of its files at most are read at a time, in the whole process, that a flush finds a thread. */
export function systemFiles(): Files {
  return gatedReads(diskFiles(), processReads())
}

/** Without turns. */
function diskFiles(): Files {
  return {
    async open(path, mode, options) {
      const isSynced = options?.synced === true && mode !== 'read' && (await canSync(path))
      const flags = modes[mode] | (isSynced ? O_DSYNC : 0)
      return systemHandle(await doing('open', path, fs.open(path, flags)), path, isSynced)
    },
    async mkdir(path, options) {
      await doing('mkdir', path, fs.mkdir(path, { recursive: options?.recursive ?? false }))
    },
    link: (from, to) => doing('link', to, fs.link(from, to)),
    rename: (from, to) => doing('rename', to, fs.rename(from, to)),
    unlink: (path) => doing('unlink', path, fs.unlink(path)),
    rmdir: (path) => doing('rmdir', path, fs.rmdir(path)),
    async readdir(path) {
      const entries = await doing('readdir', path, fs.readdir(path, { withFileTypes: true }))
      return entries.map(entryOf).sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
    },
    async stat(path) {
      try {
        return statOf(await fs.stat(path))
      } catch (cause) {
        return noneWhenMissing(path, cause)
      }
    },
    statNow(path) {
      try {
        const stat = statSync(path, { throwIfNoEntry: false })
        return stat && statOf(stat)
      } catch (cause) {
        return noneWhenMissing(path, cause)
      }
    },
    async syncDirectory(path) {
      const handle = await doing('open', path, fs.open(path, 'r'))
      try {
        await doing('fsync', path, handle.sync())
      } finally {
        await handle.close()
      }
    },
    watch(path, changed) {
      const watcher = watch(path, { persistent: false }, () => changed())
      watcher.on('error', () => changed())
      return { close: () => watcher.close() }
    },
    realpath: (path) => doing('realpath', path, fs.realpath(path)),
    async mountOf(path) {
      // Windows reports 0 for every file system.
      const { type } = await doing('statfs', path, fs.statfs(path))
      return isNetworkType(type) ? 'network' : 'local'
    },
    async spaceOf(path) {
      const { bsize, blocks, bavail } = await doing('statfs', path, fs.statfs(path))
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize }
    },
  }
}

/** Elsewhere O_DSYNC is missing, or says less. */
async function canSync(path: string): Promise<boolean> {
  if (process.platform !== 'linux') return false
  const { type } = await doing('statfs', path, fs.statfs(dirname(path)))
  return heedsSyncedWrites(type)
}

function systemHandle(handle: fs.FileHandle, path: string, isSynced: boolean): FileHandle {
  return {
    isSynced,
    async read(position, length) {
      // Of its own, not zeroed first; plain, since the `slice` of a Buffer is a view.
      const buffer = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await doing('read', path, handle.read(buffer, filled, length - filled, position + filled))
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return filled === length ? buffer : buffer.subarray(0, filled)
    },
    async writev(parts, position) {
      let queue = parts.filter((part) => part.length > 0)
      // In one call: each costs a sync.
      if (isSynced && queue.length > MAX_PARTS) queue = [Buffer.concat(queue)]
      let written = 0
      while (queue.length > 0) {
        const given = queue.slice(0, MAX_PARTS)
        const { bytesWritten } = await doing('write', path, handle.writev(given, position), { written })
        written += bytesWritten
        // The kernel may write fewer bytes than asked for, and the next call says why, if there is a reason. Not to a handle that syncs:
        // what it took of this one must not pass for what was asked.
        const wanted = isSynced ? given.reduce((bytes, { length }) => bytes + length, 0) : 1
        if (bytesWritten < wanted) throw shortWrite(path, bytesWritten, written)
        position += bytesWritten
        queue = dropWritten(queue, bytesWritten)
      }
    },
    async preallocate(size) {
      let at = (await doing('stat', path, handle.stat())).size
      // The same zeros several times in one call: between two the writer may wait for the thread that answers.
      while (at < size) {
        const parts: Uint8Array[] = []
        for (let left = Math.min(size - at, MAX_ZEROS); left > 0; left -= zeros.length)
          parts.push(zeros.subarray(0, Math.min(zeros.length, left)))
        const { bytesWritten } = await doing('write', path, handle.writev(parts, at))
        at += bytesWritten
      }
    },
    truncate: (size) => doing('truncate', path, handle.truncate(size)),
    datasync: () => doing('fdatasync', path, handle.datasync()),
    sync: () => doing('fsync', path, handle.sync()),
    size: async () => (await doing('stat', path, handle.stat())).size,
    stat: async () => statOf(await doing('stat', path, handle.stat())),
    touch: (modifiedMs) => doing('utimes', path, handle.utimes(modifiedMs / 1000, modifiedMs / 1000)),
    close: () => doing('close', path, handle.close()),
  }
}

function shortWrite(path: string, taken: number, written: number): Error {
  const message = `${path}: the disk took only ${taken} bytes of a write. Look for a limit of its size, or of the file's.`
  return unavailable('SHORT_WRITE', message, { outcome: 'unknown', context: { path, call: 'write', written } })
}

function noneWhenMissing(path: string, cause: unknown): undefined {
  const { code } = cause as NodeJS.ErrnoException
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw fileError('stat', path, cause)
}

function dropWritten(parts: readonly Uint8Array[], written: number): Uint8Array[] {
  let index = 0
  while (index < parts.length && written >= parts[index]!.length) written -= parts[index++]!.length
  const rest = parts.slice(index)
  if (written > 0) rest[0] = rest[0]!.subarray(written)
  return rest
}

function entryOf(entry: Dirent): DirectoryEntry {
  return { name: entry.name, kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other' }
}

function statOf(stat: Stats): FileStat {
  const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other'
  return { kind, size: stat.size, modifiedMs: stat.mtimeMs, inode: `${stat.dev}:${stat.ino}` }
}

async function doing<T>(call: string, path: string, work: Promise<T>, facts: ErrorContext = {}): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw fileError(call, path, cause, facts)
  }
}

function fileError(call: string, path: string, cause: unknown, facts: ErrorContext = {}): Error {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'EUNKNOWN'
  const context = { path, call, errno, ...facts }
  // Only these two calls can leave something behind although they failed.
  const outcome = call === 'write' || call === 'fdatasync' || call === 'fsync' ? 'unknown' : 'rejected'
  if (errno === 'ENOENT' || errno === 'ENOTDIR')
    return notFound('NO_FILE', `${path} does not exist.`, { context, cause })
  if (errno === 'EEXIST' || errno === 'ENOTEMPTY')
    return exists('FILE_EXISTS', `${path} exists already.`, { context, cause })
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return exhausted('NO_SPACE', `No space left for ${path}: free some.`, {
      context,
      cause,
      outcome,
    })
  }
  if (errno === 'EROFS' || errno === 'EACCES' || errno === 'EPERM') {
    return unavailable('READ_ONLY', `${path} cannot be changed by this process (${errno}).`, {
      context,
      cause,
      outcome,
    })
  }
  return unavailable(errno, `${call} of ${path} failed: ${(cause as Error).message}`, { context, cause, outcome })
}
