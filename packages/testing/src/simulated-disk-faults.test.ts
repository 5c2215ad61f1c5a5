import { isKind } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import type { SimulatedDisk } from './simulated-disk.ts'
import { simulatedDisk } from './simulated-disk.ts'
import { bytesOf, contentOf, create, settles, textOf } from './simulated-disk.test-files.ts'

describe('simulatedDisk: faults', () => {
  const fails = async (
    promise: Promise<unknown>,
    kind: 'exhausted' | 'unavailable',
    code: string,
  ): Promise<unknown> => {
    const error: unknown = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(isKind(error, kind, code), String(error)).toBe(true)
    return error
  }

  it('runs full at its quota, keeping the part that fits', async () => {
    const disk = simulatedDisk({ seed: 1, quotaBytes: 10 })
    const handle = await create(disk.files, '/a', '1234567')
    const error = await fails(handle.writev([bytesOf('89ABCDEF')], 7), 'exhausted', 'NO_SPACE')
    expect(error).toMatchObject({ outcome: 'unknown' })
    expect(await contentOf(disk.files, '/a')).toBe('123456789A')
    await handle.writev([bytesOf('over')], 0)
    await fails(handle.preallocate(64), 'exhausted', 'NO_SPACE')
    disk.quotaBytes = 100
    await handle.preallocate(64)
  })

  it('fails the nth write', async () => {
    const disk = simulatedDisk({ seed: 1 })
    disk.fail({ fault: 'NO_SPACE', call: 'write', nth: 2 })
    const handle = await create(disk.files, '/a', 'one')
    await fails(handle.writev([bytesOf('two')], 3), 'exhausted', 'NO_SPACE')
    await handle.writev([bytesOf('three')], 3)
    expect(await contentOf(disk.files, '/a')).toBe('onethree')
  })

  it('refuses every change while read-only', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await create(disk.files, '/a', 'one')
    disk.readOnly = true
    await fails(disk.files.mkdir('/b'), 'unavailable', 'READ_ONLY')
    await fails(disk.files.unlink('/a'), 'unavailable', 'READ_ONLY')
    expect(await contentOf(disk.files, '/a')).toBe('one')
  })

  it('loses pages of a failed datasync for good, though a second one succeeds', async () => {
    const sizes = new Set<string>()
    for (let seed = 0; seed < 30; seed++) {
      const disk = simulatedDisk({ seed })
      const handle = await create(disk.files, '/a', 'x'.repeat(2 * 4096))
      await disk.files.syncDirectory('/')
      disk.fail({ fault: 'EIO', call: 'datasync' })
      await fails(handle.datasync(), 'unavailable', 'EIO')
      await handle.datasync()
      expect(await contentOf(disk.files, '/a')).toBe('x'.repeat(2 * 4096))
      disk.crash()
      const text = (await contentOf(disk.files, '/a'))!
      sizes.add(`${text.length / 4096}${text.startsWith('x')}`)
    }
    expect([...sizes].sort()).toEqual(['0false', '1true', '2false', '2true'])
  })
})

describe('simulatedDisk: as a disk', () => {
  const refuses = async (promise: Promise<unknown>, kind: 'exists' | 'not-found' | 'unavailable'): Promise<void> => {
    const error: unknown = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(isKind(error, kind), String(error)).toBe(true)
  }
  const fresh = async (): Promise<SimulatedDisk> => {
    const disk = simulatedDisk({ seed: 1 })
    await disk.files.mkdir('/folder')
    await create(disk.files, '/folder/file', 'text')
    return disk
  }

  it('answers as the door says when names are missing or taken', async () => {
    const { files } = await fresh()
    await refuses(files.open('/none', 'read'), 'not-found')
    await refuses(files.open('/none', 'write'), 'not-found')
    await refuses(files.open('/folder/file', 'create'), 'exists')
    await refuses(files.open('/none/file', 'create'), 'not-found')
    await refuses(files.mkdir('/folder'), 'exists')
    await files.mkdir('/folder', { recursive: true })
    await refuses(files.link('/folder/file', '/folder/file'), 'exists')
    await refuses(files.unlink('/none'), 'not-found')
    await refuses(files.rmdir('/folder'), 'exists')
    await refuses(files.readdir('/folder/file'), 'not-found')
    await refuses(files.realpath('/none'), 'not-found')
    expect(await files.realpath('/folder/../folder/file')).toBe('/folder/file')
  })

  it('lists in byte order and gives a removed inode number out again', async () => {
    const { files } = await fresh()
    for (const name of ['b', 'a', '\u{1f600}', '\uff5e']) await (await files.open(`/folder/${name}`, 'create')).close()
    expect((await files.readdir('/folder')).map(({ name }) => name)).toEqual(['a', 'b', 'file', '\uff5e', '\u{1f600}'])
    const { inode } = (await files.stat('/folder/a'))!
    await files.unlink('/folder/a')
    const again = await files.open('/folder/c', 'create')
    expect((await again.stat()).inode).toBe(inode)
  })

  it('keeps an open file readable after its name has gone', async () => {
    const { files } = await fresh()
    const handle = await files.open('/folder/file', 'read')
    await files.unlink('/folder/file')
    expect(textOf(await handle.read(1, 2))).toBe('ex')
    await refuses(handle.writev([bytesOf('x')], 0), 'unavailable')
    await handle.close()
    await refuses(handle.read(0, 1), 'unavailable')
  })

  it('calls watchers back on changes of names and bytes', async () => {
    const { files } = await fresh()
    let calls = 0
    const watcher = files.watch('/folder', () => calls++)
    const handle = await files.open('/folder/file', 'write')
    await handle.writev([bytesOf('x')], 0)
    await files.unlink('/folder/file')
    await settles(Promise.resolve())
    expect(calls).toBe(2)
    watcher.close()
    await (await files.open('/folder/other', 'create')).close()
    await settles(Promise.resolve())
    expect(calls).toBe(2)
  })
})
