import { spawnSync } from 'node:child_process'
import { constants } from 'node:fs'
import { mkdtemp, open, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isKind } from '../model/errors.ts'
import type { ErrorKind } from '../model/errors.ts'
import { heedsSyncedWrites, isNetworkType } from './file-system-types.ts'
import { systemFiles } from './system-files.ts'

const files = systemFiles()
let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moulin-files-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}
const kind = (wanted: ErrorKind, code?: string) => (error: unknown) => isKind(error, wanted, code)

describe('systemFiles', () => {
  it('writes more parts than one system call takes, and reads them back in order', async () => {
    const handle = await files.open(join(dir, 'a'), 'create')
    const parts = Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i},`))
    await handle.writev(parts, 5)
    await handle.datasync()
    const all = Buffer.concat(parts)
    expect(Buffer.compare(await handle.read(5, all.length + 100), all)).toBe(0)
    expect(await handle.size()).toBe(all.length + 5)
    await handle.close()
  })

  it('preallocates with zeros and never shortens', async () => {
    const handle = await files.open(join(dir, 'a'), 'create')
    await handle.writev([Buffer.from('x')], 0)
    await handle.preallocate(3_000_000)
    expect(await handle.size()).toBe(3_000_000)
    expect([...(await handle.read(0, 3))]).toEqual([120, 0, 0])
    await handle.preallocate(10)
    expect(await handle.size()).toBe(3_000_000)
    // More than one call writes.
    await handle.preallocate(20_000_003)
    expect(await handle.size()).toBe(20_000_003)
    const all = await handle.read(1, 20_000_002)
    expect(Buffer.compare(all, new Uint8Array(all.length))).toBe(0)
    await handle.close()
  })

  it('preallocates more than one call writes, and not a byte more than asked for', async () => {
    const handle = await files.open(join(dir, 'a'), 'create')
    const MiB = 1024 * 1024
    for (const size of [16 * MiB - 1, 16 * MiB, 33 * MiB + 5]) {
      await handle.preallocate(size)
      expect(await handle.size()).toBe(size)
    }
    expect((await handle.read(0, 40 * MiB)).every((byte) => byte === 0)).toBe(true)
    await handle.close()
  })

  it('tells errors apart by kind', async () => {
    await (await files.open(join(dir, 'a'), 'create')).close()
    expect(await failure(files.open(join(dir, 'a'), 'create'))).toSatisfy(kind('exists'))
    expect(await failure(files.open(join(dir, 'b'), 'read'))).toSatisfy(kind('not-found'))
    expect(await failure(files.open(join(dir, 'b'), 'write'))).toSatisfy(kind('not-found'))
    expect(await failure(files.unlink(join(dir, 'b')))).toSatisfy(kind('not-found'))
    expect(await failure(files.readdir(join(dir, 'b')))).toSatisfy(kind('not-found'))
    expect(await failure(files.mkdir(dir))).toSatisfy(kind('exists'))
    expect(await failure(files.link(join(dir, 'a'), join(dir, 'a')))).toSatisfy(kind('exists'))
    expect(await files.stat(join(dir, 'a', 'below-a-file'))).toBeUndefined()
  })

  it('says read-only and full for what they are', async () => {
    expect(await failure(files.mkdir('/proc/moulin'))).toSatisfy((e) => kind('unavailable')(e) || kind('not-found')(e))
    const full = await files.open('/dev/full', 'write')
    expect(await failure(full.writev([Buffer.from('x')], 0))).toSatisfy(
      (e) => isKind(e, 'exhausted', 'NO_SPACE') && e.outcome === 'unknown',
    )
    await full.close()
  })

  it('lists names in byte order with their kinds', async () => {
    for (const name of ['b', '\u{10000}', '\uffee', 'a']) await (await files.open(join(dir, name), 'create')).close()
    await files.mkdir(join(dir, 'c'))
    await symlink('/', join(dir, 'd'))
    expect(await files.readdir(dir)).toEqual([
      { name: 'a', kind: 'file' },
      { name: 'b', kind: 'file' },
      { name: 'c', kind: 'directory' },
      { name: 'd', kind: 'other' },
      { name: '\uffee', kind: 'file' },
      { name: '\u{10000}', kind: 'file' },
    ])
  })

  it('links are two names of one file, renames replace', async () => {
    await (await files.open(join(dir, 'a'), 'create')).close()
    await files.link(join(dir, 'a'), join(dir, 'b'))
    expect((await files.stat(join(dir, 'b')))!.inode).toBe((await files.stat(join(dir, 'a')))!.inode)
    await (await files.open(join(dir, 'c'), 'create')).close()
    await files.rename(join(dir, 'c'), join(dir, 'b'))
    expect((await files.stat(join(dir, 'b')))!.inode).not.toBe((await files.stat(join(dir, 'a')))!.inode)
    expect(await files.stat(join(dir, 'c'))).toBeUndefined()
    await files.syncDirectory(dir)
  })

  it('knows a local disk', async () => {
    expect(await files.mountOf(dir)).toBe('local')
    expect(await failure(files.mountOf(join(dir, 'none')))).toSatisfy(kind('not-found'))
    const { totalBytes, freeBytes } = await files.spaceOf(dir)
    expect(totalBytes).toBeGreaterThan(freeBytes)
    expect(freeBytes).toBeGreaterThan(0)
    expect(await failure(files.spaceOf(join(dir, 'none')))).toSatisfy(kind('not-found'))
  })

  it('watches a folder', async () => {
    const changed = Promise.withResolvers<void>()
    const watcher = files.watch(dir, changed.resolve)
    await (await files.open(join(dir, 'a'), 'create')).close()
    await changed.promise
    watcher.close()
  })
})

describe.runIf(process.platform === 'linux')('a handle of systemFiles that syncs what it writes', () => {
  /** Whether the kernel knows it, for each handle that this process has of the file. */
  const dsyncOf = async (path: string): Promise<boolean[]> => {
    const found: boolean[] = []
    for (const fd of await readdir('/proc/self/fd')) {
      if ((await readlink(`/proc/self/fd/${fd}`).catch(() => '')) !== path) continue
      const flags = /^flags:\s+([0-7]+)/m.exec(await readFile(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!
      found.push((Number.parseInt(flags, 8) & constants.O_DSYNC) !== 0)
    }
    return found.sort()
  }

  it('is opened with O_DSYNC, for create and write, where it is asked for', async () => {
    const path = join(dir, 'a')
    const handles = [
      await files.open(path, 'create', { synced: true }),
      await files.open(path, 'write', { synced: true }),
      await files.open(path, 'write'),
      await files.open(path, 'read', { synced: true }),
    ]
    expect(handles.map(({ isSynced }) => isSynced)).toEqual([true, true, false, false])
    expect(await dsyncOf(path)).toEqual([false, false, true, true])
    expect(await failure(files.open(path, 'create', { synced: true }))).toSatisfy(kind('exists'))
    for (const handle of handles) await handle.close()
    expect(await failure(files.open(join(dir, 'none', 'a'), 'create', { synced: true }))).toSatisfy(kind('not-found'))
  })

  it('writes more parts than one system call takes', async () => {
    const handle = await files.open(join(dir, 'a'), 'create', { synced: true })
    const parts = Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i},`))
    await handle.writev(parts, 5)
    expect(Buffer.compare(await handle.read(5, 100_000), Buffer.concat(parts))).toBe(0)
    await handle.close()
  })

  it('does not take a part of a write for the whole, and a plain one goes on behind it', async () => {
    const probe = await open(join(dir, 'probe'), 'w')
    const write = vi.spyOn(Object.getPrototypeOf(probe) as typeof probe, 'writev')
    await probe.close()
    try {
      for (const synced of [true, false]) {
        const handle = await files.open(join(dir, `short-${synced}`), 'create', { synced })
        write.mockResolvedValueOnce({ bytesWritten: 3, buffers: [] })
        const error = await failure(handle.writev([Buffer.from('ab'), Buffer.from('cdef')], 0))
        if (synced) expect(error).toMatchObject({ code: 'SHORT_WRITE', outcome: 'unknown', context: { written: 3 } })
        else expect(error).toBeUndefined()
        expect(Buffer.from(await handle.read(0, 10)).toString()).toBe(synced ? '' : '\0\0\0def')
        await handle.close()
      }
    } finally {
      write.mockRestore()
    }
  })

  it('says so of a disk that takes only a part', () => {
    const script = `
      import { systemFiles } from ${JSON.stringify(new URL('system-files.ts', import.meta.url).href)}
      process.on('SIGXFSZ', () => {})
      for (const synced of [true, false]) {
        const file = await systemFiles().open(process.argv[1] + synced, 'create', { synced })
        const parts = [new Uint8Array(3000), new Uint8Array(3000)]
        const error = await file.writev(parts, 0).then(() => 'none', (failure) => failure)
        console.log(error.code, error.outcome, error.context?.written)
      }`
    // No file may be larger than 4 KiB.
    const run = 'ulimit -f 8; exec "$0" --input-type=module -e "$1" "$2"'
    const { stdout, stderr } = spawnSync('sh', ['-c', run, process.execPath, script, join(dir, 'short-')], {
      encoding: 'utf8',
    })
    expect(stdout.split('\n').slice(0, 2), stderr).toEqual(['SHORT_WRITE unknown 4096', 'EFBIG unknown 4096'])
  })
})

describe('systemFiles, asked at once', () => {
  it('knows what is there', async () => {
    const path = join(dir, 'a')
    await (await files.open(path, 'create')).close()
    expect(files.statNow(path)).toEqual(await files.stat(path))
    expect(files.statNow(dir)).toMatchObject({ kind: 'directory' })
    expect(files.statNow(join(dir, 'none'))).toBeUndefined()
    expect(files.statNow(join(path, 'below-a-file'))).toBeUndefined()
    await symlink('loop', join(dir, 'loop'))
    expect(() => files.statNow(join(dir, 'loop'))).toThrow(expect.objectContaining({ code: 'ELOOP' }))
  })
})

it('tells file systems apart by their type', () => {
  const [ext4, xfs, nfs, fuse, btrfs] = [0xef53, 0x58465342, 0x6969, 0x65735546, 0x9123683e]
  expect([ext4, xfs, nfs, fuse, btrfs].map(isNetworkType)).toEqual([false, false, true, true, false])
  expect([ext4, xfs, nfs, fuse, btrfs].map(heedsSyncedWrites)).toEqual([true, true, false, false, false])
})
