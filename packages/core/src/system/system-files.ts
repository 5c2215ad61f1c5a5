import type { Dirent, Stats } from 'node:fs'
import { watch } from 'node:fs'
import * as fs from 'node:fs/promises'
import { exhausted, exists, notFound, unavailable, type ErrorContext } from '../model/errors.ts'
import { gatedReads, processReads } from './read-gate.ts'
import type { DirectoryEntry, FileHandle, Files, FileStat } from '../doors/files.ts'

// statfs(2), "f_type": NFS, SMB, CIFS, SMB2, AFS, Coda, Ceph, Lustre, GFS2, OCFS2, GPFS, 9P, FUSE.
const networkTypes: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x73757245, 0x00c36400, 0x0bd00bd0, 0x01161970, 0x7461636f,
  0x47504653, 0x01021997, 0x65735546,
])

const zeros = new Uint8Array(1024 * 1024)

/** The real disk. So many of its files at most are read at a time, in the whole process, that a flush finds a thread. */
export function systemFiles(): Files {
  return gatedReads(diskFiles(), processReads())
}

/** Without turns. */
function diskFiles(): Files {
  return {
    async open(path, mode) {
      const flags = mode === 'read' ? 'r' : mode === 'create' ? 'wx+' : 'r+'
      return systemHandle(await doing('open', path, fs.open(path, flags)), path)
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
        const code = (cause as NodeJS.ErrnoException).code
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
        throw fileError('stat', path, cause)
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
      return networkTypes.has(type) ? 'network' : 'local'
    },
    async spaceOf(path) {
      const { bsize, blocks, bavail } = await doing('statfs', path, fs.statfs(path))
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize }
    },
  }
}

function systemHandle(handle: fs.FileHandle, path: string): FileHandle {
  return {
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
      let written = 0
      while (queue.length > 0) {
        // The kernel takes at most IOV_MAX (1024) parts, and may write fewer bytes than asked for.
        const writing = handle.writev(queue.slice(0, 1024), position)
        const { bytesWritten } = await doing('write', path, writing, { written })
        written += bytesWritten
        if (bytesWritten === 0)
          throw unavailable('SHORT_WRITE', `${path}: the disk took no bytes.`, { outcome: 'unknown' })
        position += bytesWritten
        queue = dropWritten(queue, bytesWritten)
      }
    },
    async preallocate(size) {
      let at = (await doing('stat', path, handle.stat())).size
      while (at < size) {
        const part = zeros.subarray(0, Math.min(zeros.length, size - at))
        const { bytesWritten } = await doing('write', path, handle.write(part, 0, part.length, at))
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
