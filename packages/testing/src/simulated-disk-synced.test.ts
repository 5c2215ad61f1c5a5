import { isKind, isMoulinError } from '@moulin/core'
import type { FileHandle, Files } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { simulatedDisk } from './simulated-disk.ts'
import type { SimulatedDisk, SimulatedDiskOptions } from './simulated-disk.ts'
import { bytesOf, contentOf, settles } from './simulated-disk.test-files.ts'

interface Setting {
  readonly disk: SimulatedDisk
  readonly synced: FileHandle
  readonly plain: FileHandle
}

/** One file by two handles, its name durable. */
async function setting(options: Partial<SimulatedDiskOptions> = {}): Promise<Setting> {
  const disk = simulatedDisk({ seed: 1, ...options })
  const synced = await disk.files.open('/log', 'create', { synced: true })
  const plain = await disk.files.open('/log', 'write')
  await disk.files.syncDirectory('/')
  return { disk, synced, plain }
}

const content = ({ files }: { readonly files: Files }): Promise<string | undefined> => contentOf(files, '/log')
const page = 'x'.repeat(4096)

describe('simulatedDisk: a handle that syncs what it writes', () => {
  it('is one for create and write, where it is asked for', async () => {
    const { disk, synced, plain } = await setting()
    expect([synced.isSynced, plain.isSynced]).toEqual([true, false])
    expect((await disk.files.open('/log', 'write', { synced: true })).isSynced).toBe(true)
    expect((await disk.files.open('/log', 'read', { synced: true })).isSynced).toBe(false)
  })

  it('keeps what it wrote, in place and at the end', async () => {
    const { disk, synced } = await setting()
    await synced.writev([bytesOf('ab'), bytesOf('cd')], 0)
    await synced.writev([bytesOf('XYZ')], 3)
    disk.crash()
    expect(await content(disk)).toBe('abcXYZ')
  })

  it('makes nothing durable that another handle wrote, nor a name', async () => {
    const { disk, synced, plain } = await setting()
    await plain.writev([bytesOf('lost')], 0)
    await synced.writev([bytesOf('kept')], 8)
    const unnamed = await disk.files.open('/unnamed', 'create', { synced: true })
    await unnamed.writev([bytesOf('kept')], 0)
    disk.crash()
    expect(await content(disk)).toBe('\0'.repeat(8) + 'kept')
    expect(await disk.files.stat('/unnamed')).toBeUndefined()
  })

  it('does not make durable what was preallocated beside it: a sync of the other handle does', async () => {
    for (const isSynced of [false, true]) {
      const { disk, synced, plain } = await setting()
      await plain.preallocate(64)
      if (isSynced) await plain.sync()
      await synced.writev([bytesOf('abcd')], 0)
      disk.crash()
      expect(await content(disk)).toBe('abcd' + '\0'.repeat(isSynced ? 60 : 0))
    }
  })

  it('keeps it, whatever of what came before reaches the disk, and when', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const { disk, synced, plain } = await setting({ seed })
      await plain.writev([bytesOf('o'.repeat(100))], 0)
      await plain.sync()
      await plain.truncate(10)
      await plain.writev([bytesOf('p'.repeat(100))], 0)
      await synced.writev([bytesOf('SYNCED')], 50)
      if (seed % 2 === 0) await plain.sync()
      disk.crash({ tear: true })
      expect((await content(disk))!.slice(50, 56), `seed ${seed}`).toBe('SYNCED')
    }
  })

  it('is none on a disk that has none: what it wrote is volatile', async () => {
    const { disk, synced } = await setting({ syncedWrites: false })
    expect(synced.isSynced).toBe(false)
    await synced.writev([bytesOf('lost')], 0)
    disk.crash()
    expect(await content(disk)).toBe('')
  })

  it.each(['write', 'datasync', 'syncedWrite'] as const)(
    'that fails (%s) has left any part, readable or durable or neither, and says nothing of it',
    async (call) => {
      const readable = new Set<string>()
      const durable = new Set<string>()
      const name = (text: string): string => (text.length === 0 ? 'none' : text === page + page ? 'all' : 'some')
      for (let seed = 0; seed < 100; seed++) {
        const { disk, synced } = await setting({ seed })
        disk.fail({ fault: 'NO_SPACE', call })
        const error: unknown = await synced.writev([bytesOf(page + page)], 0).catch((failure: unknown) => failure)
        expect(
          isMoulinError(error) && [error.code, error.outcome, error.context['call'], error.context['written']],
        ).toEqual(['NO_SPACE', 'unknown', 'write', 0])
        readable.add(name((await content(disk))!))
        disk.crash()
        durable.add(name((await content(disk))!.replaceAll('\0', '')))
      }
      expect([...readable].sort()).toEqual(['all', 'none', 'some'])
      expect([...durable].sort()).toEqual(['all', 'none', 'some'])
    },
  )

  it('is refused whole while the disk is read-only', async () => {
    const { disk, synced } = await setting()
    disk.readOnly = true
    await expect(synced.writev([bytesOf('x')], 0)).rejects.toMatchObject({ code: 'READ_ONLY' })
    expect(await content(disk)).toBe('')
  })

  it('is told of a part that it took of a full disk, which is durable then', async () => {
    const { disk, synced } = await setting({ quotaBytes: 6 })
    const error: unknown = await synced.writev([bytesOf('12345678')], 0).catch((failure: unknown) => failure)
    expect(isKind(error, 'unavailable', 'SHORT_WRITE'), String(error)).toBe(true)
    await expect(synced.writev([bytesOf('78')], 6)).rejects.toMatchObject({ code: 'NO_SPACE' })
    disk.crash()
    expect(await content(disk)).toBe('123456')
  })

  it('that is cut by a kill has given a part, or all, of which nothing need be durable', async () => {
    const seen = new Set<string>()
    const kept = new Set<string>()
    const name = (text: string): string => (text === '' ? 'none' : text === page + page ? 'all' : 'some')
    for (let seed = 0; seed < 100; seed++) {
      const { disk, synced } = await setting({ seed })
      disk.stopAt({ effect: disk.effectCount + 1, when: 'during' })
      void synced.writev([bytesOf(page + page)], 0)
      await disk.halted()
      disk.kill()
      seen.add(name((await content(disk))!))
      disk.crash({ tear: seed % 2 === 0 })
      const text = (await content(disk))!
      if (seed % 2 === 1) expect(text).toBe('')
      kept.add(name(text.replaceAll('\0', '')))
    }
    expect([...seen].sort()).toEqual(['all', 'none', 'some'])
    expect(seen.size).toBeGreaterThan(1)
    expect(kept.size).toBe(3)
  })

  it('is one effect', async () => {
    const { disk, synced } = await setting()
    const before = disk.effectCount
    await synced.writev([bytesOf('a'), bytesOf('b')], 0)
    expect(disk.effects.slice(before).map(({ kind }) => kind)).toEqual(['syncedWrite'])
  })
})

describe('simulatedDisk: a look at once', () => {
  it('sees what an asynchronous one does', async () => {
    const { disk } = await setting()
    const { files } = disk
    expect(files.statNow('/log')).toEqual(await files.stat('/log'))
    expect(files.statNow('/none')).toBeUndefined()
    expect(files.statNow('/log/none')).toBeUndefined()
  })

  it('fails by order, and while its process is held, when the asynchronous one waits', async () => {
    const { disk } = await setting()
    const other = disk.process('other')
    disk.fail({ fault: 'EIO', call: 'stat', process: 'other' })
    expect(() => other.files.statNow('/log')).toThrow(/EIO|failed/)
    expect(other.files.statNow('/log')).toBeDefined()
    other.pause()
    expect(() => other.files.statNow('/log')).toThrow(/held/)
    expect(await settles(other.files.stat('/log'))).toBe(false)
    other.resume()
    expect(other.files.statNow('/log')).toBeDefined()
    other.kill()
    expect(() => other.files.statNow('/log')).toThrow(/held/)
  })
})
