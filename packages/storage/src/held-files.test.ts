import type { Files, ObjectStore } from '@moulin/core'
import { isKind, unavailable } from '@moulin/core'
import type { SimulatedDisk, VirtualClock } from '@moulin/testing'
import { simulatedDisk, virtualClock, virtualRuntime } from '@moulin/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { countedFiles } from './counted-files.test-support.ts'
import type { FileCalls } from './counted-files.test-support.ts'
import { fileSystem } from './file-system.ts'

const ROOT = '/srv/lake'
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

let clock: VirtualClock
let disk: SimulatedDisk
let calls: FileCalls
beforeEach(() => {
  clock = virtualClock()
  disk = simulatedDisk({ seed: 1, clock })
  calls = countedFiles(disk.files)
})

const open = (files: Files = calls.files): ObjectStore =>
  fileSystem({ root: ROOT, runtime: virtualRuntime({ seed: 1, files, clock }) })
/** A store of another process. */
const other = (): ObjectStore =>
  fileSystem({ root: ROOT, runtime: virtualRuntime({ seed: 2, files: disk.files, clock }) })
const part = async (store: ObjectStore, key: string, start = 0, end = 3): Promise<string> =>
  textOf((await store.get(key, { range: { start, end } })).bytes)
/** All of it, but as a range. */
const read = async (store: ObjectStore, key: string): Promise<string> =>
  textOf((await store.get(key, { range: { start: 0 } })).bytes)
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )
/** The names of the calls made since it was asked last. */
const names = (): string[] => calls.take().map((call) => call.split(' ')[0]!)

/** A disk whose reads of a path wait. */
function stalling(path: string): { files: Files; readonly waiting: number; let(): void } {
  const held = Promise.withResolvers<void>()
  let waiting = 0
  return {
    files: {
      ...calls.files,
      async open(opened, mode) {
        const handle = await calls.files.open(opened, mode)
        if (opened !== path || mode !== 'read') return handle
        return {
          ...handle,
          async read(position, length) {
            waiting++
            await held.promise
            return handle.read(position, length)
          },
        }
      },
    },
    get waiting() {
      return waiting
    },
    let: held.resolve,
  }
}

describe('the calls of the disk of a range', () => {
  it('are two, a look and a read, and one read more for each further range', async () => {
    await other().put('t/a', bytesOf('0123456789'))
    const store = open()
    expect(await part(store, 't/a')).toBe('012')
    const first = names()
    expect(first.filter((name) => name !== 'syncDirectory')).toEqual([
      ...['stat', 'realpath', 'realpath', 'open', 'fstat', 'mountOf', 'read'],
    ])
    expect(await part(store, 't/a', 3, 6)).toBe('345')
    expect(calls.take()).toEqual([`stat ${ROOT}/t/a`, `read ${ROOT}/t/a`])
    const ranges = [{ start: 0, end: 1 }, { start: 5, end: 6 }, { suffix: 1 }]
    const { parts } = await store.getRanges('t/a', ranges)
    expect(parts.map(textOf)).toEqual(['0', '5', '9'])
    expect(names()).toEqual(['stat', 'read', 'read', 'read'])
    expect(textOf((await store.get('t/a')).bytes)).toBe('0123456789')
    expect(names()).toEqual(['stat', 'read'])
    const { etag } = (await store.head('t/a'))!
    expect(names()).toEqual(['stat', 'realpath'])
    expect(isKind(await failure(store.get('t/a', { ifNoneMatch: etag })), 'exists', 'NOT_MODIFIED')).toBe(true)
    expect(names()).toEqual(['stat'])
    expect(isKind(await failure(store.get('t/none')), 'not-found', 'KEY_MISSING')).toBe(true)
    expect(names()).toEqual(['stat'])
    expect(calls.open).toBe(1)
    // What is read whole and was not open is closed again.
    await other().put('t/b', bytesOf('whole'))
    await store.get('t/b')
    expect(names()).toEqual(['stat', 'realpath', 'open', 'fstat', 'read', 'close'])
  })

  it('are as many as ever on a disk of the network, where no file stays open', async () => {
    calls = countedFiles(simulatedDisk({ seed: 1, clock, mount: 'network' }).files)
    const store = open()
    await store.put('a', bytesOf('0123456789'))
    await part(store, 'a')
    calls.take()
    expect(await part(store, 'a', 3, 6)).toBe('345')
    expect(names()).toEqual(['stat', 'realpath', 'open', 'fstat', 'read', 'close'])
    expect(calls.open).toBe(0)
  })
})

describe('an object whose file is held open', () => {
  it('is read anew once it was overwritten, whoever did it', async () => {
    const store = open()
    await store.put('a', bytesOf('old'))
    expect(await part(store, 'a')).toBe('old')
    await store.put('a', bytesOf('new'))
    expect(calls.open).toBe(0)
    expect(await part(store, 'a')).toBe('new')
    const { etag } = await other().put('a', bytesOf('foreign'))
    expect(await store.get('a', { range: { start: 0, end: 7 } })).toMatchObject({ etag, size: 7 })
    expect(await part(store, 'a', 0, 7)).toBe('foreign')
    expect((await store.head('a'))!.etag).toBe(etag)
    expect(calls.open).toBe(1)
  })

  it('is another version when its bytes were changed in place', async () => {
    const store = open()
    const { etag } = await store.put('a', bytesOf('old'))
    await part(store, 'a')
    await clock.advance(5)
    const file = await disk.files.open(`${ROOT}/a`, 'write')
    await file.writev([bytesOf('longer')], 0)
    await file.close()
    const found = await store.get('a', { range: { start: 0 } })
    expect([textOf(found.bytes), found.size]).toEqual(['longer', 6])
    expect(found.etag).not.toBe(etag)
  })

  it('is missing once it was deleted, whoever did it, and its own store lets go of it', async () => {
    const store = open()
    for (const key of ['a', 'b', 'c']) {
      await store.put(key, bytesOf('x'))
      await read(store, key)
    }
    expect(calls.open).toBe(3)
    await store.delete('a')
    await store.deleteMany(['b'])
    expect(calls.open).toBe(1)
    await other().delete('c')
    for (const key of ['a', 'b', 'c']) {
      expect(isKind(await failure(store.get(key)), 'not-found', 'KEY_MISSING')).toBe(true)
      expect(await store.head(key)).toBeUndefined()
    }
    await clock.advance(10_000)
    expect(calls.open).toBe(0)
  })

  it('is not believed where its folder could not be synced', async () => {
    const store = open()
    await store.put('t/a', bytesOf('x'))
    await read(store, 't/a')
    disk.fail({ fault: 'EIO', call: 'syncDirectory', path: `${ROOT}/t` })
    await failure(store.put('t/b', bytesOf('y')))
    expect(await failure(store.get('t/a'))).toMatchObject({ code: 'FOLDER_UNSYNCED' })
  })

  it('is read to the end as it was, and closed no sooner, whatever comes to it meanwhile', async () => {
    for (const meanwhile of ['overwritten', 'deleted', 'crowded out', 'quiet', 'without room'] as const) {
      const stalled = stalling(`${ROOT}/a`)
      let isFull = false
      const store = open({
        ...stalled.files,
        open: (path, mode) =>
          isFull && mode === 'read' && path.endsWith('/full')
            ? Promise.reject(unavailable('EMFILE', 'too many open files'))
            : stalled.files.open(path, mode),
      })
      await store.put('a', bytesOf(`before it is ${meanwhile}`))
      const reading = store.getRanges('a', [{ start: 0, end: 6 }, { suffix: 3 }])
      while (stalled.waiting < 2) await clock.advance(0)
      calls.take()
      if (meanwhile === 'overwritten') await store.put('a', bytesOf('new'))
      if (meanwhile === 'deleted') await store.delete('a')
      if (meanwhile === 'quiet') await clock.advance(60_000)
      if (meanwhile === 'crowded out') {
        for (let at = 0; at < 80; at++) {
          await store.put(`b/${at}`, bytesOf('x'))
          await read(store, `b/${at}`)
        }
      }
      if (meanwhile === 'without room') {
        await store.put('full', bytesOf('x'))
        isFull = true
        expect(await failure(store.get('full'))).toMatchObject({ code: 'EMFILE' })
      }
      expect(calls.take(), meanwhile).not.toContain(`close ${ROOT}/a`)
      stalled.let()
      const { parts } = await reading
      expect(parts.map(textOf), meanwhile).toEqual(['before', `before it is ${meanwhile}`.slice(-3)])
      const isGone = meanwhile === 'overwritten' || meanwhile === 'deleted'
      expect(calls.take().filter((call) => call === `close ${ROOT}/a`)).toHaveLength(isGone ? 1 : 0)
      await clock.advance(20_000)
      expect(calls.open, meanwhile).toBe(0)
    }
  })

  it('is open once when several open it at the same time', async () => {
    await other().put('a', bytesOf('0123456789'))
    const store = open()
    const starts = [0, 1, 2, 3, 4]
    expect(await Promise.all(starts.map((start) => part(store, 'a', start, start + 1)))).toEqual(starts.map(String))
    expect(calls.open).toBe(1)
    await clock.advance(10_000)
    expect(calls.open).toBe(0)
  })
})

describe('the files that a store holds open', () => {
  const filled = async (count: number): Promise<ObjectStore> => {
    const store = open()
    for (let at = 0; at < count; at++) await store.put(`${at}`, bytesOf(`${at}`))
    return store
  }

  it('are 64 at most, those that were read last', async () => {
    const store = await filled(100)
    for (let at = 0; at < 64; at++) await read(store, `${at}`)
    await read(store, '0')
    for (let at = 64; at < 100; at++) await read(store, `${at}`)
    expect(calls.open).toBe(64)
    calls.take()
    for (const at of [0, 99, 37]) await read(store, `${at}`)
    expect(names()).toEqual(['stat', 'read', 'stat', 'read', 'stat', 'read'])
    await read(store, '36')
    expect(names()).toContain('open')
    expect(calls.open).toBe(64)
  })

  it('are closed when they have been quiet for a while, and only those', async () => {
    const store = await filled(2)
    await read(store, '0')
    await read(store, '1')
    for (let round = 0; round < 10; round++) {
      await clock.advance(4_000)
      await read(store, '1')
    }
    expect(calls.open).toBe(1)
    await clock.advance(10_000)
    expect(calls.open).toBe(0)
    // The timer ran out, and begins with the next one.
    await read(store, '0')
    await clock.advance(10_000)
    expect(calls.open).toBe(0)
  })

  it('make room where the process has no descriptor left, for every call that needs one', async () => {
    let most = Infinity
    const full = (path: string): void => {
      if (calls.open >= most) throw unavailable('EMFILE', `open of ${path} failed: too many open files`)
    }
    const files: Files = {
      ...calls.files,
      async open(path, mode) {
        full(path)
        return calls.files.open(path, mode)
      },
      async readdir(path) {
        full(path)
        return calls.files.readdir(path)
      },
      async syncDirectory(path) {
        full(path)
        return calls.files.syncDirectory(path)
      },
    }
    const store = open(files)
    const fill = async (): Promise<void> => {
      most = Infinity
      for (const key of ['a', 'b', 'c']) {
        await store.put(key, bytesOf(key))
        await read(store, key)
      }
      expect(calls.open).toBeGreaterThan(2)
      most = calls.open
    }
    await fill()
    await store.put('d', bytesOf('d'))
    expect(calls.open).toBe(0)
    await fill()
    expect(await read(store, 'd')).toBe('d')
    expect(calls.open).toBe(1)
    await fill()
    const keys: string[] = []
    for await (const { key } of store.list()) keys.push(key)
    expect(keys).toEqual(['a', 'b', 'c', 'd'])
    // Where nothing can be closed, that is said.
    most = 0
    expect(await failure(store.put('e', bytesOf('e')))).toMatchObject({ code: 'EMFILE', outcome: 'rejected' })
  })

  it('make room for all calls that find none at the same time', async () => {
    const together = Promise.withResolvers<void>()
    let refused = 0
    const store = open({
      ...calls.files,
      async open(path, mode) {
        if (!/\/full\d$/.test(path) || mode !== 'read' || refused === 3) return calls.files.open(path, mode)
        if (++refused === 3) together.resolve()
        await together.promise
        throw unavailable('EMFILE', `open of ${path} failed: too many open files`)
      },
    })
    const full = ['full0', 'full1', 'full2']
    for (const key of ['a', ...full]) await store.put(key, bytesOf(key))
    await read(store, 'a')
    const got = await Promise.all(full.map((key) => store.get(key)))
    expect(got.map(({ bytes }) => textOf(bytes))).toEqual(full)
    expect(calls.made).toContain(`close ${ROOT}/a`)
  })

  it('leave none open that could not be looked at', async () => {
    const store = await filled(1)
    disk.fail({ fault: 'EIO', call: 'stat', nth: 2 })
    expect(await failure(store.get('0'))).toMatchObject({ code: 'EIO' })
    expect(calls.open).toBe(0)
    expect(await read(store, '0')).toBe('0')
  })
})
