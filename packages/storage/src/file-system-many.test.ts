import type { Files, ObjectStore } from '@moulin/core'
import { isKind } from '@moulin/core'
import type { SimulatedDisk } from '@moulin/testing'
import { simulatedDisk, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fileSystem } from './file-system.ts'

const MIB = 1024 * 1024
const ROOT = '/srv/lake'
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const open = (files: Files, seed = 1): ObjectStore =>
  fileSystem({ root: ROOT, runtime: virtualRuntime({ seed, files }) })

async function textAt(store: ObjectStore, key: string): Promise<string | undefined> {
  if ((await store.head(key)) === undefined) return undefined
  return new TextDecoder().decode((await store.get(key)).bytes)
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

const onTheirWay = async (disk: SimulatedDisk): Promise<number> =>
  (await disk.files.readdir(`${ROOT}/.moulin-tmp`)).length
const synced = (disk: SimulatedDisk, from: number): string[] =>
  disk.effects.slice(from).flatMap(({ kind, path }) => (kind === 'syncDirectory' ? [path] : []))

describe('putStream of fileSystem', () => {
  it('keeps what was acked, and shows nothing that is cut short, through a power loss at every effect', async () => {
    const scenario = async (store: ObjectStore, acked: (what: string) => void): Promise<void> => {
      await store.putStream('t/a', [bytesOf('fi'), bytesOf('rst')], { mode: 'create' })
      acked('create')
      await store.putStream('t/a', [bytesOf('sec'), bytesOf('ond')])
      acked('overwrite')
      await store.deleteMany(['t/a', 't/none'])
      acked('delete')
    }
    const whole = simulatedDisk({ seed: 0 })
    await scenario(open(whole.files), () => {})
    expect(whole.effects.length).toBeGreaterThan(15)
    for (let effect = 1; effect <= whole.effects.length; effect++) {
      for (const when of ['before', 'during', 'after'] as const) {
        const disk = simulatedDisk({ seed: effect })
        let done = 'nothing'
        disk.stopAt({ effect, when })
        void scenario(open(disk.files), (what) => (done = what))
        await disk.halted()
        disk.crash({ tear: effect % 2 === 0 })
        const allowed = {
          nothing: [undefined, 'first'],
          create: ['first', 'second'],
          overwrite: ['second', undefined],
          delete: [undefined],
        }[done]
        expect(allowed, `${when} effect ${effect}, after ${done}`).toContain(await textAt(open(disk.files, 2), 't/a'))
      }
    }
  })

  it('writes a stream as it comes, and waits for the disk before it asks for more', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    const sizes: number[] = []
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 40; i++) {
        const [entry] = await disk.files.readdir(`${ROOT}/.moulin-tmp`)
        sizes.push((await disk.files.stat(`${ROOT}/.moulin-tmp/${entry!.name}`))!.size)
        yield new Uint8Array(MIB / 4).fill(i)
      }
    }
    await store.putStream('t/a', chunks())
    // Never more than a write's worth is held back.
    sizes.forEach((size, i) => expect((i * MIB) / 4 - size).toBeLessThanOrEqual(MIB))
    expect(sizes.at(-1)).toBeGreaterThan(8 * MIB)
    expect((await store.head('t/a'))?.size).toBe(10 * MIB)
    expect(await onTheirWay(disk)).toBe(0)
  })

  it('leaves no file behind when the stream breaks off, is aborted, is refused or finds the disk full', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    await store.put('old', bytesOf('old'))
    const controller = new AbortController()
    async function* bad(how: 'breaks' | 'stalls'): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(2 * MIB)
      if (how === 'breaks') throw new TypeError('broken')
      controller.abort()
      await new Promise(() => {})
    }
    for (const key of ['old', 'new/x']) {
      expect(await errorOf(store.putStream(key, bad('breaks')))).toBeInstanceOf(TypeError)
      const aborted = await errorOf(store.putStream(key, bad('stalls'), { signal: controller.signal }))
      expect(isKind(aborted, 'aborted') && aborted.outcome).toBe('rejected')
      const rule = disk.fail({ fault: 'NO_SPACE', call: 'write', nth: 2 })
      const full = await errorOf(store.putStream(key, [new Uint8Array(MIB), new Uint8Array(MIB)]))
      expect(full).toMatchObject({ kind: 'exhausted', code: 'NO_SPACE', outcome: 'rejected' })
      rule.remove()
    }
    const exists = await errorOf(store.putStream('old', [bytesOf('x')], { mode: 'create' }))
    expect(isKind(exists, 'exists', 'KEY_EXISTS')).toBe(true)
    expect(await onTheirWay(disk)).toBe(0)
    expect(await textAt(store, 'old')).toBe('old')
    expect(await store.head('new/x')).toBeUndefined()
  })

  it('asks for a stream again when a folder was removed under it, and begins anew where it can', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    await store.put('t/a', bytesOf('x'))
    await store.delete('t/a')
    // Before the stream has begun nothing of it is lost.
    await disk.files.rmdir(`${ROOT}/.moulin-tmp`)
    await store.putStream('t/a', [bytesOf('y')])
    expect(await textAt(store, 't/a')).toBe('y')
    await store.delete('t/a')
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield bytesOf('z')
      await disk.files.rmdir(`${ROOT}/t`)
    }
    const error = await errorOf(store.putStream('t/a', chunks()))
    expect(error).toMatchObject({ kind: 'unavailable', code: 'PUT_DISTURBED', outcome: 'rejected', retryable: true })
    expect(await onTheirWay(disk)).toBe(0)
    await store.putStream('t/a', [bytesOf('z')])
    expect(await textAt(store, 't/a')).toBe('z')
  })
})

describe('deleteMany of fileSystem', () => {
  it('syncs each folder once, however much goes from it', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    const keys = Array.from({ length: 30 }, (_, i) => `t/${i % 3}/${i}`)
    for (const key of keys) await store.put(key, bytesOf(key))
    // What a store looks into first it syncs anyway.
    for (const key of keys.slice(0, 3)) await store.head(key)
    const before = disk.effects.length
    expect(await store.deleteMany(keys.slice(3))).toEqual({ failed: [] })
    expect(synced(disk, before).sort()).toEqual([0, 1, 2].map((i) => `${ROOT}/t/${i}`))
    disk.crash()
    const left: string[] = []
    for await (const { key } of open(disk.files, 2).list()) left.push(key)
    expect(left).toEqual(['t/0/0', 't/1/1', 't/2/2'])
  })

  it('says of the keys of a folder that it could not sync that they may be back, and of no others', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    for (const key of ['bad/1', 'bad/2', 'good/1', 'stuck/1']) await store.put(key, bytesOf(key))
    await store.head('bad/1')
    disk.fail({ fault: 'EIO', call: 'syncDirectory', path: `${ROOT}/bad` })
    disk.fail({ fault: 'EIO', call: 'unlink', path: `${ROOT}/stuck` })
    const { failed } = await store.deleteMany(['good/1', 'bad/2', 'stuck/1', 'x'.repeat(300), 'bad/1', 'bad/missing'])
    expect(failed.map(({ key }) => key)).toEqual(['bad/2', 'stuck/1', 'x'.repeat(300), 'bad/1'])
    expect(failed[0]!.error).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(failed[1]!.error).toMatchObject({ kind: 'unavailable', code: 'EIO' })
    expect(failed[2]!.error).toMatchObject({ kind: 'unsupported', code: 'KEY_SEGMENT_TOO_LONG' })
    expect(await store.head('good/1')).toBeUndefined()
    expect(await textAt(store, 'stuck/1')).toBe('stuck/1')
  })
})

describe('getRanges of fileSystem', () => {
  it('reads one version, whoever overwrites it meanwhile', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const files: Files = {
      ...disk.files,
      async open(path, mode, options) {
        const handle = await disk.files.open(path, mode, options)
        if (mode === 'read') await open(disk.files, 9).put('k', new Uint8Array(1000).fill(2))
        return handle
      },
    }
    await open(disk.files).put('k', new Uint8Array(1000).fill(1))
    const { parts, etag } = await open(files, 3).getRanges('k', [
      { start: 0, end: 1 },
      { start: 500, end: 501 },
      { suffix: 1 },
    ])
    expect(parts.map(([byte]) => byte)).toEqual([1, 1, 1])
    expect((await open(disk.files, 4).head('k'))?.etag).not.toBe(etag)
  })
})
