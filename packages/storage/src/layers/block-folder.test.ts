import type { ObjectStore } from '@moulin/core'
import { isKind, systemRuntime } from '@moulin/core'
import { simulatedDisk, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { memory } from '../memory.ts'
import { always, cacheScene, sized } from './cache.test-support.ts'
import type { CacheOptions } from './cache.ts'
import { bytesOf, errorOf, textOf } from './layers.test-support.ts'

const { timers } = systemRuntime()

describe('a cache in a folder', () => {
  const folder = '/var/cache/lake'
  const onDisk = (): { disk: ReturnType<typeof simulatedDisk>; options: Partial<CacheOptions> } => {
    const disk = simulatedDisk({ seed: 4 })
    return { disk, options: { folder, runtime: virtualRuntime({ seed: 4, files: disk.files }) } }
  }
  const paths = async (disk: ReturnType<typeof simulatedDisk>): Promise<string[]> =>
    (await disk.files.readdir(folder)).map(({ name }) => `${folder}/${name}`)
  const change = async (
    disk: ReturnType<typeof simulatedDisk>,
    path: string,
    at: number,
    bytes: Uint8Array,
  ): Promise<void> => {
    const handle = await disk.files.open(path, 'write')
    const size = await handle.size()
    await handle.writev([bytes], at < 0 ? size + at : at)
    await handle.close()
  }

  it('is there after a restart, also for who asks for another part, and bounded', async () => {
    const { options } = onDisk()
    const first = cacheScene({ ...always, ...options, maxBytes: 10_000 })
    const bytes = sized(95)
    await first.whole.put('k', bytes)
    await first.store.get('k')
    const { heldBytes } = first.store.cacheStats()
    const second = cacheScene({ ...always, ...options, maxBytes: 10_000 }, first.whole)
    expect((await second.store.get('k', { range: { suffix: 30 } })).bytes).toEqual(bytes.subarray(65))
    expect((await second.store.get('k')).bytes).toEqual(bytes)
    expect(second.asked).toEqual([])
    expect(second.store.cacheStats()).toMatchObject({ hits: 2, heldBytes, heldBlocks: 10 })
    const smaller = cacheScene({ ...always, ...options, maxBytes: Math.floor(heldBytes / 2) }, first.whole)
    expect((await smaller.store.get('k')).bytes).toEqual(bytes)
    expect(smaller.store.cacheStats()).toMatchObject({ evicted: expect.any(Number) as number })
    expect(smaller.store.cacheStats().heldBytes).toBeLessThanOrEqual(heldBytes / 2)
    // Without the rule it asks what is there now, and finds that it has it.
    const checking = cacheScene({ ...options, maxBytes: 10_000 }, first.whole)
    expect((await checking.store.get('k', { range: { start: 0, end: 1 } })).bytes).toEqual(bytes.subarray(0, 1))
  })

  it('does not find after a restart what was written or deleted through it', async () => {
    const { disk, options } = onDisk()
    const { store, whole } = cacheScene({ ...always, ...options })
    await whole.put('k', bytesOf('old'))
    await store.get('k')
    expect((await paths(disk)).length).toBe(1)
    await store.put('k', bytesOf('new'))
    expect(await paths(disk)).toEqual([])
    expect(textOf((await cacheScene({ ...always, ...options }, whole).store.get('k')).bytes)).toBe('new')
  })

  it('leaves nothing old to the next process: of a write that did not end, of a read that a write overtook', async () => {
    const whole = memory()
    let hold: 'put' | 'get' | undefined
    let go = (): void => {}
    const held = (what: 'put' | 'get'): Promise<void> =>
      hold === what ? new Promise((resolve) => (go = resolve)) : Promise.resolve()
    const slow: ObjectStore = {
      ...whole,
      async get(key, given) {
        const object = await whole.get(key, given)
        await held('get')
        return object
      },
      async put(key, bytes, given) {
        const tag = await whole.put(key, bytes, given)
        await held('put')
        return tag
      },
    }
    const opened = (): { store: ObjectStore; next: () => Promise<string> } => {
      const options = { ...always, ...onDisk().options }
      const next = async (): Promise<string> => textOf((await cacheScene(options, whole).store.get('k')).bytes)
      return { store: cacheScene(options, slow).store, next }
    }
    const { store, next } = opened()
    await whole.put('k', bytesOf('old'))
    await store.get('k')
    hold = 'put'
    const unended = store.put('k', bytesOf('new'))
    await timers.turn()
    expect(await next()).toBe('new')
    go()
    await unended

    hold = 'get'
    const other = opened()
    const overtaken = other.store.get('k')
    await timers.turn()
    await other.store.put('k', bytesOf('newest'))
    go()
    expect(textOf((await overtaken).bytes)).toBe('new')
    expect(await other.next()).toBe('newest')
  })

  it('gives no byte that is damaged: it lets go of the block and reads it anew', async () => {
    const bytes = sized(30)
    const damages: [string, (path: string, disk: ReturnType<typeof simulatedDisk>) => Promise<void>][] = [
      ['a byte of the block', (path, disk) => change(disk, path, -3, Uint8Array.of(255))],
      ['a byte of the head', (path, disk) => change(disk, path, 60, Uint8Array.of(63))],
      ['the checksum', (path, disk) => change(disk, path, 5, Uint8Array.of(1, 2))],
      ['a longer file', (path, disk) => change(disk, path, 100_000, Uint8Array.of(1))],
      ['no file', (path, disk) => disk.files.unlink(path)],
      [
        'a cut file',
        async (path, disk) => {
          const handle = await disk.files.open(path, 'write')
          await handle.truncate(7)
          await handle.close()
        },
      ],
    ]
    for (const [what, damage] of damages)
      for (const restarts of [false, true]) {
        const { disk, options } = onDisk()
        const before = cacheScene({ ...always, ...options, maxBytes: 10_000 })
        await before.whole.put('k', bytes)
        await before.store.get('k')
        for (const path of await paths(disk)) await damage(path, disk)
        const { store } = restarts ? cacheScene({ ...always, ...options, maxBytes: 10_000 }, before.whole) : before
        expect((await store.get('k')).bytes, what).toEqual(bytes)
        expect((await store.get('k')).bytes, what).toEqual(bytes)
        expect(store.cacheStats(), what).toMatchObject({ heldBlocks: 3, hits: 1 })
        expect((await paths(disk)).length, what).toBe(3)
        if (!restarts) expect(store.cacheStats().damaged, what).toBeGreaterThan(0)
      }
  })

  it('takes blocks of another store for none, and leaves what is no block alone', async () => {
    const { disk, options } = onDisk()
    const { store, whole } = cacheScene({ ...always, ...options })
    await whole.put('k', bytesOf('main'))
    await store.get('k')
    const notes = await disk.files.open(`${folder}/notes.txt`, 'create')
    await notes.close()
    const other = cacheScene({ ...always, ...options }, memory({ name: 'other' }))
    await other.whole.put('k', bytesOf('other'))
    expect(textOf((await other.store.get('k')).bytes)).toBe('other')
    expect((await paths(disk)).filter((path) => path.endsWith('notes.txt')).length).toBe(1)
  })

  it('goes on without what the disk does not take, and without a folder that cannot be made', async () => {
    const { disk, options } = onDisk()
    const { store, whole } = cacheScene({ ...always, ...options })
    await whole.put('k', bytesOf('v'))
    disk.fail({ fault: 'NO_SPACE', call: 'write', times: 1 })
    expect(textOf((await store.get('k')).bytes)).toBe('v')
    expect(store.cacheStats()).toMatchObject({ heldBytes: 0, heldBlocks: 0 })
    expect(await paths(disk)).toEqual([])
    expect(textOf((await store.get('k')).bytes)).toBe('v')
    expect(store.cacheStats()).toMatchObject({ hits: 0, heldBlocks: 1 })
    const locked = simulatedDisk({ seed: 5 })
    locked.readOnly = true
    const runtime = virtualRuntime({ seed: 5, files: locked.files })
    const without = cacheScene({ ...always, ...options, runtime }, whole)
    expect(textOf((await without.store.get('k')).bytes)).toBe('v')
    expect(runtime.logs.map(({ level, message }) => [level, message])).toEqual([
      ['warn', expect.stringContaining('the folder cannot be read') as string],
    ])
  })
})

describe('a cache in a folder, and what it lost sight of', () => {
  const folder = '/var/cache/lake'
  const scene = (maxBytes = 10_000) => {
    const disk = simulatedDisk({ seed: 4 })
    const options = { ...always, folder, maxBytes, runtime: virtualRuntime({ seed: 4, files: disk.files }) }
    const files = async (): Promise<number> => (await disk.files.readdir(folder)).length
    return { disk, options, files }
  }

  it('lets go of what a read brought in whose caller had left before it was written', async () => {
    const { disk, options, files } = scene()
    let isOpening = (): void => {}
    const opened = new Promise<void>((resolve) => (isOpening = resolve))
    let go = (): void => {}
    const slow = {
      ...disk.files,
      async open(...given: Parameters<typeof disk.files.open>) {
        isOpening()
        await new Promise<void>((resolve) => (go = resolve))
        return disk.files.open(...given)
      },
    }
    const { store, whole } = cacheScene({ ...options, runtime: { ...options.runtime, files: slow } })
    await whole.put('k', sized(10))
    const controller = new AbortController()
    const leaving = errorOf(store.get('k', { signal: controller.signal }))
    await opened
    controller.abort()
    await leaving
    go()
    for (let turns = 0; turns < 20; turns++) await timers.turn()
    expect(await files()).toBe(1)
    expect(store.cacheStats()).toMatchObject({ heldBlocks: 1 })
    await store.delete('k')
    expect(await files()).toBe(0)
    expect(store.cacheStats()).toMatchObject({ heldBlocks: 0, heldBytes: 0 })
  })

  it('lets go of what earlier processes left, of an object that lost blocks or versions while it was loaded', async () => {
    const { disk, options, files } = scene()
    const first = cacheScene(options)
    await first.whole.put('k', sized(95))
    await first.store.get('k')
    const { heldBytes } = first.store.cacheStats()
    // Room for one block: each that is loaded takes the place of the one before.
    const second = cacheScene({ ...options, maxBytes: Math.ceil(heldBytes / 9) }, first.whole)
    await second.store.get('other').catch(() => {})
    expect(second.store.cacheStats().heldBlocks).toBe(1)
    await second.store.delete('k')
    expect([await files(), second.store.cacheStats().heldBytes]).toEqual([0, 0])

    // A disk that does not let go: files of two versions.
    await first.whole.put('k', sized(95))
    const stuck = { ...disk.files, unlink: () => Promise.reject(new Error('stuck')) }
    const third = cacheScene({ ...options, runtime: { ...options.runtime, files: stuck } }, first.whole)
    await third.store.get('k', { range: { start: 0, end: 20 } })
    await third.store.put('k', sized(50, 2))
    await third.store.get('k', { range: { start: 0, end: 20 } })
    expect(await files()).toBe(4)
    const fourth = cacheScene(options, first.whole)
    await fourth.store.get('other').catch(() => {})
    await fourth.store.delete('k')
    expect([await files(), fourth.store.cacheStats().heldBytes]).toEqual([0, 0])
  })

  it('goes on with what it holds where other reads of the same version end meanwhile', async () => {
    const { disk, options } = scene()
    let isSlow = false
    let opened = 0
    const slow = {
      ...disk.files,
      async open(...given: Parameters<typeof disk.files.open>) {
        if (isSlow && given[1] === 'read') {
          opened++
          await timers.turn()
        }
        return disk.files.open(...given)
      },
    }
    const { store, whole, asked } = cacheScene({ ...options, runtime: { ...options.runtime, files: slow } })
    await whole.put('k', sized(500))
    await store.get('k', { range: { start: 0, end: 200 } })
    isSlow = true
    const long = store.get('k', { range: { start: 0, end: 200 } })
    for (let start = 200; start < 300; start += 10) {
      await timers.turn()
      await store.get('k', { range: { start, end: start + 10 } })
    }
    expect((await long).bytes).toEqual(sized(500).subarray(0, 200))
    expect(asked.length).toBe(11)
    expect(opened).toBe(20)
  })

  it('ends with its signal while the folder is loaded', async () => {
    const { disk, options } = scene()
    const deaf = { ...disk.files, readdir: () => new Promise<never>(() => {}) }
    const { store } = cacheScene({ ...options, runtime: { ...options.runtime, files: deaf } })
    const controller = new AbortController()
    const calls = Promise.all([
      errorOf(store.get('k', { signal: controller.signal })),
      errorOf(store.put('k', sized(1), { signal: controller.signal })),
    ])
    controller.abort()
    for (const error of await calls) expect(isKind(error, 'aborted')).toBe(true)
  })
})
