import type { Files, ObjectStore } from '@moulin/core'
import { isKind, unavailable } from '@moulin/core'
import type { SimulatedDisk } from '@moulin/testing'
import { simulatedDisk, virtualClock, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fileSystem } from './file-system.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const open = (files: Files, seed = 1): ObjectStore =>
  fileSystem({ root: '/srv/lake', runtime: virtualRuntime({ seed, files }) })

async function textAt(store: ObjectStore, key: string): Promise<string | undefined> {
  if ((await store.head(key)) === undefined) return undefined
  return new TextDecoder().decode((await store.get(key)).bytes)
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list()) keys.push(key)
  return keys
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** Runs `scenario` once per crash point: stopped before and after each of its effects, then the power goes. */
async function atEveryCrash(
  scenario: (store: ObjectStore, acked: (what: string) => void) => Promise<void>,
  check: (store: ObjectStore, acked: ReadonlySet<string>, where: string) => Promise<void>,
  lose: (disk: SimulatedDisk) => void,
): Promise<number> {
  const whole = simulatedDisk({ seed: 0 })
  await scenario(open(whole.files), () => {})
  const effects = whole.effects.length
  for (let effect = 1; effect <= effects; effect++) {
    for (const when of ['before', 'during', 'after'] as const) {
      const disk = simulatedDisk({ seed: effect })
      const acked = new Set<string>()
      disk.stopAt({ effect, when })
      void scenario(open(disk.files), (what) => acked.add(what))
      await disk.halted()
      lose(disk)
      const { kind, path } = whole.effects[effect - 1]!
      await check(open(disk.files, 2), acked, `${when} effect ${effect}, ${kind} of ${path}`)
    }
  }
  return effects
}

const scenario = async (store: ObjectStore, acked: (what: string) => void): Promise<void> => {
  await store.put('t/a', bytesOf('first'), { mode: 'create' })
  acked('create')
  await store.put('t/a', bytesOf('second'))
  acked('overwrite')
  await store.put('u/v/b', bytesOf('other'))
  acked('other')
  await store.delete('t/a')
  acked('delete')
}

const check = async (store: ObjectStore, acked: ReadonlySet<string>, where: string): Promise<void> => {
  const allowed: (string | undefined)[] = acked.has('delete')
    ? [undefined]
    : acked.has('other')
      ? ['second', undefined]
      : acked.has('overwrite')
        ? ['second']
        : acked.has('create')
          ? ['first', 'second']
          : [undefined, 'first']
  expect(allowed, where).toContain(await textAt(store, 't/a'))
  expect(acked.has('other') ? ['other'] : [undefined, 'other'], where).toContain(await textAt(store, 'u/v/b'))
  // The folder is usable again, and what a list shows can be read whole.
  for (const key of await keysOf(store)) expect(['first', 'second', 'other'], where).toContain(await textAt(store, key))
  await store.put('t/new', bytesOf('new'), { mode: 'create' })
}

describe('fileSystem: durability', () => {
  it('keeps what was acked, whole, through a power loss at every effect', async () => {
    const effects = await atEveryCrash(scenario, check, (disk) => disk.crash())
    expect(effects).toBeGreaterThan(30)
  })

  it('keeps it also where unsynced writes and names have reached the disk in part', async () => {
    await atEveryCrash(scenario, check, (disk) => disk.crash({ tear: true }))
  })

  it('keeps it when only the process dies', async () => {
    await atEveryCrash(scenario, check, (disk) => disk.kill())
  })

  it('shows only what a later power loss leaves, also after a writer died in the middle of a put', async () => {
    const whole = simulatedDisk({ seed: 0 })
    await scenario(open(whole.files), () => {})
    for (let effect = 1; effect <= whole.effects.length; effect++) {
      const disk = simulatedDisk({ seed: effect })
      disk.stopAt({ effect, when: 'after' })
      void scenario(open(disk.files), () => {})
      await disk.halted()
      disk.kill()
      const reader = open(disk.files, 2)
      const seen = await textAt(reader, 't/a')
      const listed = await keysOf(reader)
      disk.crash()
      const survivor = open(disk.files, 3)
      if (seen !== undefined) expect(await textAt(survivor, 't/a'), `effect ${effect}`).toBe(seen)
      expect(await keysOf(survivor), `effect ${effect}`).toEqual(expect.arrayContaining(listed))
    }
  })

  it('makes durable what it builds on, also the folders that a dead writer had just made', async () => {
    const put = (files: Files, seed: number): Promise<unknown> => open(files, seed).put('t/u/a', bytesOf('x'))
    const whole = simulatedDisk({ seed: 0 })
    await put(whole.files, 1)
    for (let effect = 1; effect <= whole.effects.length; effect++) {
      const disk = simulatedDisk({ seed: effect })
      disk.stopAt({ effect, when: 'after' })
      void put(disk.files, 1)
      await disk.halted()
      disk.kill()
      await put(disk.files, 2)
      disk.crash()
      expect(await textAt(open(disk.files, 3), 't/u/a'), `effect ${effect}`).toBe('x')
    }
  })

  it('tells the loser of a create only of a winner that survives', async () => {
    const start = async (stopAt: number): Promise<SimulatedDisk> => {
      const disk = simulatedDisk({ seed: 1 })
      await open(disk.files).put('t/other', bytesOf('x'))
      const winner = disk.process('winner')
      winner.stopAt({ effect: stopAt, when: 'after' })
      const put = open(winner.files, 5).put('t/a', bytesOf('won'), { mode: 'create' })
      await Promise.race([winner.halted(), put])
      return disk
    }
    const { effects } = await start(Infinity)
    const disk = await start(effects.find(({ kind, process }) => kind === 'link' && process === 'winner')!.number)
    expect(disk.effects.at(-1)).toMatchObject({ kind: 'link' })
    expect(isKind(await errorOf(open(disk.files, 6).put('t/a', bytesOf('lost'), { mode: 'create' })), 'exists')).toBe(
      true,
    )
    disk.crash()
    expect(await textAt(open(disk.files), 't/a')).toBe('won')
  })

  it('says unknown when the name is there but its sync failed, and trusts that folder no more', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    await store.put('t/a', bytesOf('x'))
    disk.fail({ fault: 'EIO', call: 'syncDirectory', path: '/srv/lake/t' })
    const error = await errorOf(store.put('t/b', bytesOf('y'), { mode: 'create' }))
    expect(error).toMatchObject({ kind: 'unavailable', code: 'EIO', outcome: 'unknown' })
    expect(await errorOf(store.get('t/b'))).toMatchObject({ kind: 'unavailable', code: 'FOLDER_UNSYNCED' })
    expect(await errorOf(keysOf(store))).toMatchObject({ code: 'FOLDER_UNSYNCED' })
    await store.put('elsewhere/c', bytesOf('z'))
    expect(await textAt(open(disk.files, 2), 't/b')).toBe('y')
  })
})

describe('fileSystem: a failing disk', () => {
  it('takes a folder that could not be opened once for one to be synced, not for a bad one', async () => {
    const disk = simulatedDisk({ seed: 1 })
    let full = 0
    const files = (): Files => ({
      ...disk.files,
      syncDirectory(path) {
        if (path !== '/srv/lake/t' || full-- <= 0) return disk.files.syncDirectory(path)
        return Promise.reject(unavailable('EMFILE', `open of ${path} failed: too many open files`))
      },
    })
    const store = open(files())
    await store.put('t/a', bytesOf('x'))
    full = 1
    // The name is there, durable or not.
    expect(await errorOf(store.put('t/b', bytesOf('y')))).toMatchObject({ code: 'EMFILE', outcome: 'unknown' })
    expect(await textAt(store, 't/b')).toBe('y')
    disk.crash()
    expect(await textAt(open(disk.files), 't/b')).toBe('y')
    const fresh = open(files(), 2)
    full = 1
    expect(await errorOf(fresh.get('t/a'))).toMatchObject({ code: 'EMFILE', outcome: 'rejected' })
    expect(await textAt(fresh, 't/a')).toBe('x')
  })

  it('rejects a put at every write that finds the disk full, and leaves nothing but the old object', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    await store.put('t/a', bytesOf('old'))
    for (const call of ['create', 'write', 'touch', 'sync', 'link', 'rename'] as const) {
      const rule = disk.fail({ fault: 'NO_SPACE', call, times: Infinity })
      for (const key of ['t/a', 't/b']) {
        const error = await errorOf(store.put(key, bytesOf('new'), { mode: key === 't/a' ? 'overwrite' : 'create' }))
        const spared = (call === 'link' && key === 't/a') || (call === 'rename' && key === 't/b')
        if (spared) expect(error).toBeUndefined()
        else expect(error, call).toMatchObject({ kind: 'exhausted', code: 'NO_SPACE', outcome: 'rejected' })
      }
      rule.remove()
      await store.delete('t/b')
      await store.put('t/a', bytesOf('old'))
      expect(await disk.files.readdir('/srv/lake/.moulin-tmp'), call).toEqual([])
    }
    expect(await textAt(store, 't/a')).toBe('old')
  })

  it('fits no object above the quota and takes the next that fits', async () => {
    const disk = simulatedDisk({ seed: 1, quotaBytes: 100 })
    const store = open(disk.files)
    await store.put('a', new Uint8Array(60))
    expect(await errorOf(store.put('b', new Uint8Array(50)))).toMatchObject({ kind: 'exhausted', outcome: 'rejected' })
    await store.put('b', new Uint8Array(40))
    expect(await keysOf(store)).toEqual(['a', 'b'])
  })

  it('reads a read-only folder and rejects what would change it', async () => {
    const disk = simulatedDisk({ seed: 1 })
    await open(disk.files).put('t/a', bytesOf('old'))
    disk.readOnly = true
    const store = open(disk.files, 2)
    expect(await textAt(store, 't/a')).toBe('old')
    expect(await keysOf(store)).toEqual(['t/a'])
    const put = (key: string) => () => store.put(key, bytesOf('new'))
    for (const change of [put('t/a'), put('u'), () => store.delete('t/a')])
      expect(await errorOf(change())).toMatchObject({ kind: 'unavailable', code: 'READ_ONLY', outcome: 'rejected' })
  })

  it('shows nothing in a root that is not there, and makes it with the first put', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    expect(await keysOf(store)).toEqual([])
    expect(await store.head('a')).toBeUndefined()
    expect(await disk.files.stat('/srv')).toBeUndefined()
    await store.put('a', bytesOf('x'))
    disk.crash()
    expect(await keysOf(open(disk.files))).toEqual(['a'])
  })

  it('puts again when its folder or its temporary file has been removed meanwhile', async () => {
    const disk = simulatedDisk({ seed: 1 })
    const store = open(disk.files)
    await store.put('t/a', bytesOf('x'))
    await store.delete('t/a')
    await disk.files.rmdir('/srv/lake/t')
    await store.put('t/a', bytesOf('y'))
    disk.crash()
    expect(await textAt(open(disk.files), 't/a')).toBe('y')
  })
})

describe('fileSystem: tags', () => {
  it('never repeats one, where the clock stands still and inode numbers come round', async () => {
    const clock = virtualClock()
    const disk = simulatedDisk({ seed: 1, clock })
    const tags = new Set<string>()
    for (let i = 0; i < 20; i++) {
      const store = fileSystem({ root: '/lake', runtime: virtualRuntime({ seed: 1, files: disk.files, clock }) })
      for (let j = 0; j < 10; j++) tags.add((await store.put('k', bytesOf(`${j}`))).etag)
      await store.delete('k')
      tags.add((await store.put('k', bytesOf('x'))).etag)
      await clock.advance(1)
    }
    expect(tags.size).toBe(220)
  })
})

describe('fileSystem: temporary files', () => {
  it('sweeps those that dead processes left an hour ago, with the first put of a later store', async () => {
    const clock = virtualClock()
    const disk = simulatedDisk({ seed: 1, clock })
    const store = (): ObjectStore =>
      fileSystem({ root: '/lake', runtime: virtualRuntime({ seed: 1, files: disk.files, clock }) })
    const leave = async (name: string): Promise<void> =>
      (await disk.files.open(`/lake/.moulin-tmp/${name}`, 'create')).close()
    await store().put('a', bytesOf('x'))
    await leave('old')
    await clock.advance(3_600_001)
    await leave('young')
    await store().put('b', bytesOf('x'))
    expect((await disk.files.readdir('/lake/.moulin-tmp')).map(({ name }) => name)).toEqual(['young'])
    expect(await keysOf(store())).toEqual(['a', 'b'])
  })
})
