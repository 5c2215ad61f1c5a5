import type { ObjectStore, ProcessInfo } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import {
  faultyStore,
  simulatedDisk,
  virtualClock,
  virtualRuntime,
  type DiskEffect,
  type FaultyStore,
} from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, LAKE, machine, openIn, valuesOf, WAL, type Machine } from './machine.ts'

interface Stored {
  readonly format: number
  readonly minimumReader: number
  readonly id: string
  readonly logId: string
  readonly owner: Pick<ProcessInfo, 'bootId' | 'pidSpace' | 'pid' | 'startTime'>
  readonly timeMs: number
  readonly epoch?: number
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
const storeOf = ({ disk }: Machine): FaultyStore => faultyStore(fileSystem({ root: LAKE, files: disk.files }))

async function fileOf({ disk }: Machine, path: string): Promise<string | undefined> {
  if ((await disk.files.stat(path)) === undefined) return undefined
  const handle = await disk.files.open(path, 'read')
  const text = textOf(await handle.read(0, 100_000))
  await handle.close()
  return text
}

async function openerIn(on: Machine, epoch: number): Promise<Stored> {
  return JSON.parse((await fileOf(on, `${WAL}/epoch-${epoch}/opener.json`))!) as Stored
}

async function claimOf(store: ObjectStore, epoch: number): Promise<Stored> {
  const { bytes } = await store.get(`log/epochs/${String(epoch).padStart(10, '0')}`)
  return JSON.parse(textOf(bytes)) as Stored
}

async function claims(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix: 'log/epochs/' })) keys.push(key.replace(/^log\/epochs\/0*/, ''))
  return keys
}

async function namesIn({ disk }: Machine, folder: string): Promise<string[]> {
  return (await disk.files.readdir(folder)).map(({ name }) => name)
}

/** A log with one record and a closed writer: epoch 1. */
async function begun(on: Machine, store: ObjectStore = storeOf(on)): Promise<void> {
  const log = await openIn(on.runtime(), { store })
  await (await log.ensureTopic('orders')).producer({ lingerMs: 0 }).send({ value: bytesOf('one') })
  await log.close()
}

/** The effect of a fresh opener that names its folder epoch-2. */
async function effectOfRename(): Promise<number> {
  const on = machine()
  await begun(on)
  const { files, name } = on.disk.process('opener')
  await (await openIn(on.runtime(files))).close()
  const isRename = ({ kind, path }: DiskEffect): boolean => kind === 'rename' && path === `${WAL}/epoch-2`
  return on.disk.effects.find((effect) => effect.process === name && isRename(effect))!.number
}

/** A claim of somebody who uses another write-ahead folder. */
function strangersClaim(store: ObjectStore, epoch: number, members: object = {}): Promise<unknown> {
  const owner = { bootId: 'elsewhere', pidSpace: 'x', pid: 1, startTime: '1' }
  const claim = { format: 1, minimumReader: 1, epoch, id: 'stranger', logId: 'x', owner, timeMs: 7, ...members }
  return store.put(`log/epochs/${String(epoch).padStart(10, '0')}`, bytesOf(JSON.stringify(claim)), { mode: 'create' })
}

describe('the folder of an epoch', () => {
  it('names its opener from the first moment on, whenever the opening ends', async () => {
    const whole = machine()
    await begun(whole)
    const first = whole.disk.effectCount
    await (await openIn(whole.runtime())).close()
    const effects = whole.disk.effectCount - first
    let named = 0
    for (let effect = 1; effect <= effects; effect++) {
      for (const end of ['kill', 'crash', 'tear'] as const) {
        const on = machine(effect)
        await begun(on)
        const opener = on.runtime()
        on.disk.stopAt({ effect: first + effect, when: end === 'tear' ? 'during' : 'after' })
        const opening = openIn(opener).then((log) => log.close())
        await Promise.race([opening, on.disk.halted()])
        if (end === 'kill') on.disk.kill()
        else on.disk.crash({ tear: end === 'tear' })
        opener.exit()
        if ((await on.disk.files.stat(`${WAL}/epoch-2`)) === undefined) continue
        named++
        const { owner } = await openerIn(on, 2)
        expect(owner, `${end} at effect ${effect}`).toMatchObject({ pid: opener.process.pid })

        on.processes.reboot()
        const next = await openIn(on.runtime())
        expect(next.epoch, `${end} at effect ${effect}`).toBe(3n)
        await next.close()
        expect((await namesIn(on, WAL)).filter((name) => !/^epoch-[123]$/.test(name))).toEqual([])
      }
    }
    expect(named).toBeGreaterThan(effects)
  })

  it('cannot be taken by a late rename once it has been used and emptied', async () => {
    const on = machine()
    await begun(on)
    const late = on.disk.process('late')
    const lateRuntime = on.runtime(late.files)
    late.pauseAt({ effect: await effectOfRename(), when: 'before' })
    const opening = openIn(lateRuntime, { takeover: 'newest' })
    await late.halted()

    await (await openIn(on.runtime())).close()
    const third = await openIn(on.runtime())
    const topic = await third.ensureTopic('orders')
    expect(await namesIn(on, `${WAL}/epoch-2`)).toEqual(['opener.json'])
    late.resume()
    const log = await opening
    expect(log.epoch).toBe(4n)
    // It fences the third, which it would not have from below.
    await expect(topic.producer({ lingerMs: 0 }).send({ value: bytesOf('two') })).rejects.toMatchObject({
      kind: 'fenced',
    })
    expect((await openerIn(on, 4)).owner.pid).toBe(lateRuntime.process.pid)
    expect(await valuesOf(await log.ensureTopic('orders'))).toContain('one')
    await Promise.all([log.close(), third.close()])
  })

  it('is left to a faster opener that goes on to write, unless asked to take over', async () => {
    for (const takeover of ['refuse', 'newest'] as const) {
      const on = machine()
      await begun(on)
      const slow = on.disk.process('slow')
      slow.pauseAt({ effect: await effectOfRename(), when: 'before' })
      const opening = openIn(on.runtime(slow.files), { takeover }).catch((error: unknown) => error)
      await slow.halted()
      const fast = await openIn(on.runtime())
      slow.resume()
      if (takeover === 'refuse') {
        expect(await opening).toMatchObject({ kind: 'conflict', code: 'WRITER_ALIVE' })
        expect(await namesIn(on, WAL)).toEqual(['epoch-1', 'epoch-2'])
        await (await fast.ensureTopic('orders')).producer({ lingerMs: 0 }).send({ value: bytesOf('two') })
      } else {
        expect(await opening).toMatchObject({ epoch: 3n })
      }
      await fast.close()
    }
  })

  it('is refused by name when a newer version wrote its open.json, and is judged by what we know of it otherwise', async () => {
    const on = machine()
    await begun(on)
    const path = `${WAL}/epoch-1/open.json`
    const text = (await fileOf(on, path))!
    const rewrite = async (changed: string): Promise<void> => {
      await on.disk.files.unlink(path)
      const handle = await on.disk.files.open(path, 'create')
      await handle.writev([bytesOf(changed)], 0)
      await handle.close()
    }
    await rewrite(text.replace('"minimumReader":1', '"minimumReader":7'))
    for (const access of ['read-write', 'read-only'] as const) {
      await expect(openIn(on.runtime(), { access })).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'FORMAT_VERSION',
        message: expect.stringContaining('epoch format 7') as string,
      })
    }
    await rewrite(text.replace('"format":1', '"format":9,"later":[{}]'))
    await (await openIn(on.runtime())).close()
  })
})

describe('the claim of an epoch', () => {
  it('says who opened it, once per epoch, and stays', async () => {
    const on = machine()
    const store = storeOf(on)
    await begun(on, store)
    const runtime = on.runtime()
    const log = await openIn(runtime, { store, tier: fakeColdTier(fakeTables()), graceMs: 0 })
    const topic = await log.ensureTopic('orders')
    const asked = store.countCalls({ key: 'log/epochs/' })
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    for (let i = 0; i < 30; i++) await producer.send({ value: bytesOf(`${i}`.padEnd(900, '.')) })
    await producer.close()
    await topic.tier()
    await log.releaseNow()
    await log.close()
    // No flush, no checkpoint and no release asks.
    expect(store.countCalls({ key: 'log/epochs/' })).toBe(asked)
    const reader = await openIn(on.runtime(), { store, access: 'read-only', tier: fakeColdTier(fakeTables()) })
    await reader.close()
    expect(store.countCalls({ key: 'log/epochs/' })).toBe(asked)

    expect(await claims(store)).toEqual(['1', '2'])
    const claim = await claimOf(store, 2)
    const { bootId, pidSpace, pid, startTime } = runtime.process
    expect(claim).toMatchObject({ format: 1, minimumReader: 1, epoch: 2, timeMs: on.clock.now() })
    expect(claim.owner).toEqual({ bootId, pidSpace, pid, startTime })
    const { epoch: _, ...opener } = claim
    expect(opener).toEqual(await openerIn(on, 2))
  })

  it('is settled by reading back when the answer is lost', async () => {
    for (const fault of ['after', 'late', 'before'] as const) {
      const on = machine()
      const store = storeOf(on)
      await begun(on, store)
      store.addRule({
        fault,
        operation: 'put',
        key: 'log/epochs/',
        ...(fault === 'before' ? { outcome: 'unknown' } : {}),
      })
      const log = await openIn(on.runtime(), { store })
      expect(log.epoch, fault).toBe(2n)
      await store.applyLate()
      expect((await claimOf(store, 2)).id, fault).toBe((await openerIn(on, 2)).id)
      expect(await claims(store), fault).toEqual(['1', '2'])
      await log.close()
    }
  })

  it('that another has moves the opener to the next number, in both places, whether or not it hears so', async () => {
    for (const fault of [undefined, 'after', 'late'] as const) {
      const on = machine()
      const store = storeOf(on)
      await begun(on, store)
      await strangersClaim(store, 2)
      // One that we cannot read is not ours either.
      await strangersClaim(store, 3, { minimumReader: 4 })
      if (fault !== undefined) store.addRule({ fault, operation: 'put', key: 'log/epochs/0000000002' })
      const log = await openIn(on.runtime(), { store })
      await store.applyLate()
      expect(log.epoch, fault).toBe(4n)
      expect(await claims(store)).toEqual(['1', '2', '3', '4'])
      expect((await claimOf(store, 2)).id).toBe('stranger')
      expect((await claimOf(store, 4)).id).toBe((await openerIn(on, 4)).id)
      for (const lost of [2, 3]) expect(await namesIn(on, `${WAL}/epoch-${lost}`)).toEqual(['opener.json'])
      expect(await valuesOf(await log.ensureTopic('orders'))).toEqual(['one'])
      await log.close()
    }
  })

  it('that was never made leaves a gap: the next opener takes the next number', async () => {
    const on = machine()
    const store = storeOf(on)
    await begun(on, store)
    const cut = on.disk.process('cut')
    const runtime = on.runtime(cut.files)
    cut.stopAt({ effect: await effectOfRename(), when: 'after' })
    void openIn(runtime)
    await cut.halted()
    runtime.exit()
    expect((await openerIn(on, 2)).owner.pid).toBe(runtime.process.pid)
    const log = await openIn(on.runtime(), { store })
    expect(log.epoch).toBe(3n)
    expect(await claims(store)).toEqual(['1', '3'])
    await log.close()
  })

  it('stands before the checkpoint is read, and behind the folder', async () => {
    const on = machine()
    const store = storeOf(on)
    await begun(on, store)
    const calls = store.calls.length
    const seen: string[] = []
    const watched: ObjectStore = {
      ...store,
      async put(key, bytes, options) {
        if (key.startsWith('log/epochs/')) seen.push(...(await namesIn(on, WAL)))
        return store.put(key, bytes, options)
      },
    }
    const log = await openIn(on.runtime(), { store: watched })
    expect(seen).toEqual(['epoch-1', 'epoch-2'])
    const keys = store.calls.slice(calls).map(({ operation, key }) => `${operation} ${key}`)
    const claimed = keys.indexOf('put log/epochs/0000000002')
    expect(keys.slice(claimed).findIndex((call) => call.startsWith('get log/checkpoints/'))).toBeGreaterThan(0)
    expect(claimed).toBeGreaterThan(0)
    await log.close()
  })

  it('that fails ends the opening, which then hides nothing', async () => {
    const on = machine()
    const store = storeOf(on)
    await begun(on, store)
    store.addRule({ fault: 'late', operation: 'put', key: 'log/epochs/', times: Infinity })
    await expect(openIn(on.runtime(), { store })).rejects.toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(await namesIn(on, `${WAL}/epoch-2`)).toEqual(['opener.json'])
    const reader = await openIn(on.runtime(), { access: 'read-only' })
    expect(await valuesOf(await reader.topic('orders'))).toEqual(['one'])
    await reader.close()
  })
})

describe('a folder that an opener prepared', () => {
  const nameOf = (digit: string): string => `opening-${digit.repeat(8)}-0000-4000-8000-000000000000`
  const [empty, half, damaged, another, foreign] = ['a', 'b', 'c', 'd', 'e'].map(nameOf) as [string, ...string[]]

  const preparedIn = async (on: Machine): Promise<string[]> =>
    (await namesIn(on, WAL)).filter((name) => name.startsWith('opening-'))

  /** A machine whose disk goes by its clock. */
  function timed(seed: number): { on: Machine; runtime: Machine['runtime'] } {
    const clock = virtualClock()
    const { processes } = machine(seed)
    const disk = simulatedDisk({ seed, clock })
    let runtimes = 0
    const runtime: Machine['runtime'] = (files = disk.files) =>
      virtualRuntime({ seed: seed * 1000 + ++runtimes, files, clock, processes })
    return { on: { disk, clock, processes, runtime }, runtime }
  }

  async function put({ disk }: Machine, path: string, text: string): Promise<void> {
    const file = await disk.files.open(path, 'create')
    await file.writev([bytesOf(text)], 0)
    await file.close()
  }

  it('goes after an hour where nobody can tell whose it is; epochs and what is no such folder stay', async () => {
    const { on, runtime } = timed(1)
    const { clock } = on
    await (await openIn(runtime())).close()
    const opener = JSON.parse((await fileOf(on, `${WAL}/epoch-1/opener.json`))!) as Stored
    for (const name of [empty, half, damaged, another, foreign]) await on.disk.files.mkdir(`${WAL}/${name!}`)
    for (const name of [half, damaged, another]) await put(on, `${WAL}/${name!}/running`, '')
    await put(on, `${WAL}/${damaged!}/opener.json`, '{"format":1,')
    const elsewhere = { ...opener, owner: { ...opener.owner, pidSpace: 'another container' } }
    await put(on, `${WAL}/${another!}/opener.json`, JSON.stringify(elsewhere))
    await put(on, `${WAL}/${foreign!}/thesis.txt`, 'mine')
    const all = [empty, half, damaged, another, foreign]

    await clock.advance(3_599_000)
    await (await openIn(runtime())).close()
    expect(await namesIn(on, WAL)).toEqual(['epoch-1', 'epoch-2', ...all])
    await clock.advance(2_000)
    await (await openIn(runtime(), { access: 'read-only' })).close()
    expect(await namesIn(on, WAL)).toEqual(['epoch-1', 'epoch-2', ...all])
    await (await openIn(runtime())).close()
    expect(await namesIn(on, WAL)).toEqual(['epoch-1', 'epoch-2', 'epoch-3', foreign])
  })

  it('goes when its opener has died at any moment: at once where it is named, else after an hour', async () => {
    const effects = await effectOfRename()
    let [named, unnamed] = [0, 0]
    for (let effect = 1; effect < effects; effect++) {
      for (const when of ['after', 'during'] as const) {
        const { on, runtime } = timed(effect)
        const store = storeOf(on)
        await begun(on, store)
        const dying = on.disk.process('dying')
        const opener = runtime(dying.files)
        dying.stopAt({ effect, when })
        openIn(opener).catch(() => undefined)
        await dying.halted()
        opener.exit()
        const prepared = await preparedIn(on)

        await (await openIn(runtime())).close()
        const left = await preparedIn(on)
        named += prepared.length - left.length
        unnamed += left.length
        await on.clock.advance(3_601_000)
        await (await openIn(runtime())).close()
        expect(await namesIn(on, WAL), `${when} effect ${effect}`).toEqual(['epoch-1', 'epoch-2', 'epoch-3'])
      }
    }
    expect(named).toBeGreaterThan(0)
    expect(unnamed).toBeGreaterThan(0)
  })
})
