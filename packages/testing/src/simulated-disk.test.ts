import type { Files } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { simulatedDisk } from './simulated-disk.ts'
import { bytesOf, contentOf, create, settles } from './simulated-disk.test-files.ts'

describe('simulatedDisk: a power loss', () => {
  it('loses bytes that no sync has covered, and keeps those that one has', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const handle = await create(disk.files, '/log', 'kept', true)
    await disk.files.syncDirectory('/')
    await handle.writev([bytesOf(' lost')], 4)
    expect(await contentOf(disk.files, '/log')).toBe('kept lost')
    disk.crash()
    expect(await contentOf(disk.files, '/log')).toBe('kept')
  })

  it('loses bytes written over synced ones', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const handle = await disk.files.open('/segment', 'create')
    await handle.preallocate(16)
    await handle.sync()
    await disk.files.syncDirectory('/')
    await handle.writev([bytesOf('ab'), bytesOf('cd')], 0)
    await handle.datasync()
    await handle.writev([bytesOf('XY')], 1)
    disk.crash()
    expect(await contentOf(disk.files, '/segment')).toBe('abcd' + '\0'.repeat(12))
  })

  it('loses a name whose folder was not synced, although its file was', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const handle = await create(disk.files, '/log', 'bytes')
    await handle.sync()
    disk.crash()
    expect(await disk.files.stat('/log')).toBeUndefined()
  })

  it('keeps a name whose folder was synced, empty where its bytes were not', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await create(disk.files, '/log', 'bytes')
    await disk.files.syncDirectory('/')
    disk.crash()
    expect(await contentOf(disk.files, '/log')).toBe('')
  })

  it('needs every folder on the way: a synced name in a lost folder is lost', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await disk.files.mkdir('/a/b', { recursive: true })
    await create(disk.files, '/a/b/log', 'bytes', true)
    await disk.files.syncDirectory('/a/b')
    await disk.files.syncDirectory('/')
    disk.crash()
    expect(await disk.files.stat('/a')).toBeDefined()
    expect(await disk.files.stat('/a/b')).toBeUndefined()
  })

  it('brings a removed name and a replaced file back until the folder is synced', async () => {
    const disk = simulatedDisk({ seed: 1 })
    for (const name of ['/removed', '/replaced']) await create(disk.files, name, 'old', true)
    await disk.files.syncDirectory('/')
    await create(disk.files, '/new', 'new', true)
    await disk.files.unlink('/removed')
    await disk.files.rename('/new', '/replaced')
    disk.crash()
    expect(await contentOf(disk.files, '/removed')).toBe('old')
    expect(await contentOf(disk.files, '/replaced')).toBe('old')
    expect(await disk.files.stat('/new')).toBeUndefined()
  })

  it('makes a rename durable, in both folders, with the sync of the folder it leads to', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await disk.files.mkdir('/from')
    await disk.files.mkdir('/to')
    await create(disk.files, '/from/x', 'bytes', true)
    for (const folder of ['/', '/from']) await disk.files.syncDirectory(folder)
    await disk.files.rename('/from/x', '/to/y')
    await disk.files.syncDirectory('/to')
    disk.crash()
    expect(await disk.files.readdir('/from')).toEqual([])
    expect(await contentOf(disk.files, '/to/y')).toBe('bytes')
  })

  it('renames a folder with all that is in it, onto nothing or an empty folder only', async () => {
    const { files } = simulatedDisk({ seed: 1 })
    for (const folder of ['/prepared', '/late', '/empty', '/full']) await files.mkdir(folder)
    await create(files, '/prepared/who', 'one')
    await create(files, '/late/who', 'two')
    await create(files, '/full/who', 'three')
    await files.rename('/prepared', '/epoch')
    await expect(files.rename('/late', '/epoch')).rejects.toMatchObject({ kind: 'exists' })
    await expect(files.rename('/late', '/full')).rejects.toMatchObject({ kind: 'exists' })
    expect(await contentOf(files, '/epoch/who')).toBe('one')
    expect(await contentOf(files, '/late/who')).toBe('two')
    await files.rename('/late', '/empty')
    expect(await contentOf(files, '/empty/who')).toBe('two')
    expect((await files.readdir('/')).map(({ name }) => name)).toEqual(['empty', 'epoch', 'full'])
  })

  it('loses the rename of a folder until its parent is synced, and what was not synced in it for ever', async () => {
    for (const isSynced of [false, true]) {
      const disk = simulatedDisk({ seed: 1 })
      await disk.files.mkdir('/prepared')
      await create(disk.files, '/prepared/kept', 'kept', true)
      for (const folder of ['/prepared', '/']) await disk.files.syncDirectory(folder)
      await create(disk.files, '/prepared/lost', 'lost', true)
      await disk.files.rename('/prepared', '/epoch')
      if (isSynced) await disk.files.syncDirectory('/')
      disk.crash()
      const [name, other] = isSynced ? ['/epoch', '/prepared'] : ['/prepared', '/epoch']
      expect(await disk.files.stat(other!)).toBeUndefined()
      expect(await contentOf(disk.files, `${name}/kept`)).toBe('kept')
      expect(await contentOf(disk.files, `${name}/lost`)).toBeUndefined()
    }
  })

  it('keeps one file under two names one file', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await create(disk.files, '/a', 'bytes', true)
    await disk.files.link('/a', '/b')
    await disk.files.syncDirectory('/')
    disk.crash()
    expect((await disk.files.stat('/a'))!.inode).toBe((await disk.files.stat('/b'))!.inode)
  })

  it('tears: over many seeds a write is kept, lost, cut short, or kept in pages', async () => {
    const seen = new Set<string>()
    const all = 'x'.repeat(3 * 4096)
    for (let seed = 0; seed < 200; seed++) {
      const disk = simulatedDisk({ seed })
      const handle = await create(disk.files, '/log', 'head', true)
      await disk.files.syncDirectory('/')
      await handle.writev([bytesOf(all)], 4096)
      disk.crash({ tear: true })
      const text = (await contentOf(disk.files, '/log'))!
      expect(text.slice(0, 4)).toBe('head')
      const body = text.slice(4096)
      const pages = [0, 1, 2].map((page) => body.slice(page * 4096, (page + 1) * 4096))
      if (body === '') seen.add('lost')
      else if (body === all) seen.add('kept')
      else if (body.length % 4096 > 0) seen.add('cut')
      else if (pages.some((page) => page.includes('\0'))) seen.add('pages')
    }
    expect([...seen].sort()).toEqual(['cut', 'kept', 'lost', 'pages'])
  })

  it('tears names in the order of their making', async () => {
    const kept = new Set<number>()
    for (let seed = 0; seed < 50; seed++) {
      const disk = simulatedDisk({ seed })
      for (const name of ['/a', '/b', '/c']) await create(disk.files, name, name, true)
      disk.crash({ tear: true })
      const names = (await disk.files.readdir('/')).map(({ name }) => name)
      expect(names).toEqual(['a', 'b', 'c'].slice(0, names.length))
      kept.add(names.length)
    }
    expect(kept).toEqual(new Set([0, 1, 2, 3]))
  })

  it('does the same for the same seed', async () => {
    const run = async (): Promise<string | undefined> => {
      const disk = simulatedDisk({ seed: 77 })
      const handle = await create(disk.files, '/log', '', true)
      await disk.files.syncDirectory('/')
      for (let i = 0; i < 20; i++) await handle.writev([bytesOf(`${i},`.repeat(1000))], i * 3000)
      disk.crash({ tear: true })
      return contentOf(disk.files, '/log')
    }
    expect(await run()).toBe(await run())
  })

  it('ends the old life: its calls never settle, its handles neither', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const old = disk.files
    const handle = await create(old, '/log', 'bytes')
    disk.crash()
    expect(await settles(old.stat('/'))).toBe(false)
    expect(await settles(handle.datasync())).toBe(false)
    expect(await settles(disk.files.stat('/'))).toBe(true)
  })
})

describe('simulatedDisk: processes', () => {
  it('keeps the page cache when a process is killed, and still loses it to a later crash', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await create(disk.files, '/log', 'bytes')
    disk.kill()
    expect(await contentOf(disk.files, '/log')).toBe('bytes')
    disk.crash()
    expect(await disk.files.stat('/log')).toBeUndefined()
  })

  it('lets a later process make durable what a killed one left', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await create(disk.files, '/log', 'bytes')
    disk.kill()
    await (await disk.files.open('/log', 'read')).datasync()
    await disk.files.syncDirectory('/')
    disk.crash()
    expect(await contentOf(disk.files, '/log')).toBe('bytes')
  })

  const scenario = async (files: Files): Promise<void> => {
    await files.mkdir('/log')
    await files.syncDirectory('/')
    const handle = await files.open('/log/1', 'create')
    await handle.writev([bytesOf('0123456789')], 0)
    await handle.sync()
    await files.syncDirectory('/log')
  }

  it('lists every effect in order, so that a test can stop at each', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await scenario(disk.files)
    expect(disk.effects.map(({ number, kind, path }) => `${number} ${kind} ${path}`)).toEqual([
      '1 mkdir /log',
      '2 syncDirectory /',
      '3 create /log/1',
      '4 write /log/1',
      '5 sync /log/1',
      '6 syncDirectory /log',
    ])
  })

  it('stops a process before or after its nth effect', async () => {
    const outcomes: (string | undefined)[] = []
    for (let effect = 1; effect <= 6; effect++) {
      for (const when of ['before', 'after'] as const) {
        const disk = simulatedDisk({ seed: 1 })
        const run = scenario(disk.files)
        disk.stopAt({ effect, when })
        await disk.halted()
        expect(await settles(run)).toBe(false)
        expect(disk.state).toBe('dead')
        disk.kill()
        outcomes.push(await contentOf(disk.files, '/log/1'))
      }
    }
    const whole = '0123456789'
    const none = undefined
    expect(outcomes).toEqual([none, none, none, none, none, '', '', whole, whole, whole, whole, whole])
  })

  it('stops a process during a write with a part of its bytes', async () => {
    const lengths = new Set<number>()
    for (let seed = 0; seed < 40; seed++) {
      const disk = simulatedDisk({ seed })
      disk.stopAt({ effect: 4, when: 'during' })
      void scenario(disk.files)
      await disk.halted()
      disk.kill()
      const text = (await contentOf(disk.files, '/log/1'))!
      expect('0123456789'.startsWith(text)).toBe(true)
      lengths.add(text.length)
    }
    expect(lengths.size).toBeGreaterThan(3)
  })

  it('holds the calls of a paused process and applies them after others have moved on', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const zombie = disk.process('zombie')
    const handle = await create(zombie.files, '/log', 'old')
    zombie.pause()
    const late = handle.writev([bytesOf('ZOMBIE')], 0)
    expect(await settles(late)).toBe(false)
    const other = await disk.files.open('/log', 'write')
    await other.writev([bytesOf('new')], 0)
    expect(await contentOf(disk.files, '/log')).toBe('new')
    zombie.resume()
    await late
    expect(await contentOf(disk.files, '/log')).toBe('ZOMBIE')
  })

  it('pauses a process right after its nth effect, before it hears the answer', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const zombie = disk.process('zombie')
    zombie.pauseAt({ effect: 1, when: 'after' })
    const made = zombie.files.mkdir('/epoch-1')
    await zombie.halted()
    expect(await settles(made)).toBe(false)
    expect(await disk.files.stat('/epoch-1')).toBeDefined()
    zombie.resume()
    await made
  })

  it('kills one process without touching another', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const [one, two] = [disk.process(), disk.process()]
    one.kill()
    expect(await settles(one.files.mkdir('/x'))).toBe(false)
    await two.files.mkdir('/x')
  })
})
