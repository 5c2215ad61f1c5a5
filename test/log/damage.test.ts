import { isMoulinError, type Topic } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, LAKE, machine, openIn, valuesOf, WAL, type Machine } from './machine.ts'

/** One section per record, of about `size` bytes. */
async function send(topic: Topic<Uint8Array>, names: readonly string[], size = 500): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  for (const name of names) await producer.send({ value: bytesOf(name.padEnd(size, '.')) })
  await producer.close()
}

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
const short = (values: readonly string[]): string[] => values.map((value) => value.replaceAll('.', ''))

async function segments({ disk }: Machine, epoch = 1): Promise<string[]> {
  const entries = await disk.files.readdir(`${WAL}/epoch-${epoch}`)
  return entries.map(({ name }) => `${WAL}/epoch-${epoch}/${name}`).filter((path) => path.endsWith('.wal'))
}

async function change({ disk }: Machine, path: string, position: number, bytes: Uint8Array): Promise<void> {
  const file = await disk.files.open(path, 'write')
  await file.writev([bytes], position)
  await file.sync()
  await file.close()
}

/** Positions of the frames of a segment file. */
async function framesOf({ disk }: Machine, path: string): Promise<number[]> {
  const file = await disk.files.open(path, 'read')
  const bytes = Buffer.from(await file.read(0, await file.size()))
  await file.close()
  const positions: number[] = []
  for (let at = bytes.indexOf('MWLF'); at >= 0; at = bytes.indexOf('MWLF', at + 1)) positions.push(at)
  return positions
}

async function bytesFrom({ disk }: Machine, path: string, position: number): Promise<Uint8Array> {
  const file = await disk.files.open(path, 'read')
  const bytes = await file.read(position, await file.size())
  await file.close()
  return bytes
}

/** Where the flush of a frame began. */
async function flushOf(on: Machine, path: string, position: number): Promise<number> {
  return Number(Buffer.from(await bytesFrom(on, path, position)).readBigUInt64BE(56))
}

/** A log with `count` records whose writer was killed. */
async function killed(on: Machine, count: number): Promise<void> {
  const owner = on.runtime()
  const log = await openIn(owner)
  await send(await log.ensureTopic('orders'), names('r', count))
  on.disk.kill()
  owner.exit()
}

describe('a damaged segment', () => {
  it('is cut at the last good section when the tail is torn by a power loss, and that is reported', async () => {
    const on = machine()
    await killed(on, 5)
    on.processes.reboot()
    const [segment] = await segments(on)
    const frames = await framesOf(on, segment!)
    await change(on, segment!, frames[4]! + 300, new Uint8Array(20))

    const runtime = on.runtime()
    const log = await openIn(runtime)
    const topic = await log.topic('orders')
    expect(short(await valuesOf(topic))).toEqual(['r0', 'r1', 'r2', 'r3'])
    const torn = {
      segment: 'epoch-1/0000000001.wal',
      position: frames[4],
      bytes: expect.closeTo(frames[4]! - frames[3]!, -2) as number,
      reason: 'the checksum of its batches does not match',
    }
    expect(log.recovery).toEqual({ torn: [torn] })
    expect(runtime.logs.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: torn }])
    await log.close()
    const again = await openIn(on.runtime())
    expect(again.recovery.torn).toEqual([])
    await again.close()
  })

  it('is reported as cut after a reboot also where the frame does not even say whose it is', async () => {
    for (const [at, byte] of [
      [2, 0x4d],
      [43, 0x10],
    ] as const) {
      const on = machine()
      await killed(on, 4)
      on.processes.reboot()
      const [segment] = await segments(on)
      const last = (await framesOf(on, segment!)).at(-1)!
      await change(on, segment!, last + at, new Uint8Array([byte]))
      const log = await openIn(on.runtime())
      expect(short(await valuesOf(await log.topic('orders')))).toEqual(['r0', 'r1', 'r2'])
      expect(log.recovery.torn, `at ${at}`).toMatchObject([
        { position: last, reason: expect.stringContaining('does not say') as string },
      ])
      await log.close()
    }
  })

  it('is never cut on the same boot where the whole frame had been written, wherever in it the damage is', async () => {
    // From the start of the last frame, the only one of its flush: identity, length, a field, the checksum, the batches.
    for (const [at, bytes] of [
      [0, [1]],
      [20, [1, 2, 3]],
      [7, [0x90]],
      [8, [0, 0, 1]],
      [90, [0xff, 0xff]],
      [128, [9, 9, 9, 9]],
      [134, [9]],
      [136, new Array<number>(40).fill(0)],
      [600, [0xaa]],
    ] as const) {
      const on = machine()
      await killed(on, 4)
      const [segment] = await segments(on)
      const last = (await framesOf(on, segment!)).at(-1)!
      await change(on, segment!, last + at, new Uint8Array(bytes))
      const refused = { kind: 'corrupt', code: 'SEGMENT', context: { file: segment, position: last } }
      await expect(openIn(on.runtime()), `at ${at}`).rejects.toMatchObject(refused)
      await expect(openIn(on.runtime(), { access: 'read-only' }), `at ${at}`).rejects.toMatchObject(refused)
      // Not cut by the first who tried, either.
      await expect(openIn(on.runtime()), `at ${at}`).rejects.toMatchObject(refused)
    }
  })

  it('is never cut on the same boot where a good frame of the same flush follows', async () => {
    for (const isRebooted of [false, true]) {
      const on = machine()
      const owner = on.runtime()
      const log = await openIn(owner)
      const topic = await log.ensureTopic('orders')
      await send(topic, ['first'])
      const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
      await Promise.all(names('r', 3).map((name) => producer.send({ value: bytesOf(name.padEnd(300, '.')) })))
      on.disk.kill()
      owner.exit()
      if (isRebooted) on.processes.reboot()
      const [segment] = await segments(on)
      const frames = await framesOf(on, segment!)
      const flush = await flushOf(on, segment!, frames.at(-1)!)
      expect(flush).toBeLessThan(frames.at(-1)!)
      // Its trailer too: nothing but what follows tells.
      await change(on, segment!, flush, new Uint8Array(frames[frames.indexOf(flush) + 1]! - flush))
      if (!isRebooted) {
        await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt', context: { position: flush } })
        continue
      }
      const again = await openIn(on.runtime())
      expect(again.recovery.torn).toMatchObject([
        { position: flush, reason: 'the first part of the last flush is missing' },
      ])
      await again.close()
    }
  })

  it('is cut on the same boot where the write was cut short, at any byte', async () => {
    const on = machine()
    await killed(on, 3)
    const [segment] = await segments(on)
    const last = (await framesOf(on, segment!)).at(-1)!
    const whole = await bytesFrom(on, segment!, last)
    for (const length of [1, 8, 63, 64, 130, 135, 136, 140, 400, 620]) {
      const one = machine()
      await killed(one, 3)
      await change(one, segment!, last, new Uint8Array(whole.length - last))
      await change(one, segment!, last, whole.subarray(0, length))
      const log = await openIn(one.runtime())
      expect(short(await valuesOf(await log.topic('orders'))), `cut after ${length}`).toEqual(['r0', 'r1'])
      expect(log.recovery.torn.length, `cut after ${length}`).toBe(length < 56 ? 0 : 1)
      await log.close()
    }
  })

  it('keeps the time of the append, from epoch to epoch', async () => {
    const on = machine()
    await killed(on, 1)
    const written = on.clock.now()
    await on.clock.advance(86_400_000)
    for (let opens = 0; opens < 2; opens++) await (await openIn(on.runtime())).close()
    const [segment] = await segments(on, 3)
    const [frame] = await framesOf(on, segment!)
    const bytes = Buffer.from(await bytesFrom(on, segment!, frame!))
    expect(Number(bytes.readBigInt64BE(112))).toBe(written)
    expect(written).toBeLessThan(on.clock.now())
  })

  it('is corrupt, naming file and position, when a good later section proves that it was whole', async () => {
    const on = machine()
    await killed(on, 5)
    const [segment] = await segments(on)
    const frames = await framesOf(on, segment!)
    await change(on, segment!, frames[2]! + 300, new Uint8Array(20))
    const opening = openIn(on.runtime())
    await expect(opening).rejects.toMatchObject({ kind: 'corrupt', context: { file: segment, position: frames[2] } })
    // It may be restored: nothing was changed.
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt' })
    await expect(openIn(on.runtime(), { access: 'read-only' })).rejects.toMatchObject({ kind: 'corrupt' })
  })

  it('is corrupt in a sealed segment, even at its end, and when its header is gone', async () => {
    for (const [where, bytes] of [
      ['last frame', 20],
      ['seal', 120],
      ['header', 50],
    ] as const) {
      const on = machine()
      await killed(on, 60)
      const [sealed] = await segments(on)
      const frames = await framesOf(on, sealed!)
      const position = where === 'header' ? 0 : frames.at(where === 'seal' ? -1 : -2)!
      await change(on, sealed!, position, new Uint8Array(bytes))
      const refused = expect(openIn(on.runtime()), where).rejects
      await refused.toMatchObject({ kind: 'corrupt', context: { file: sealed, position } })
    }
  })

  it('is corrupt without its header also where the first frame went with it, in the newest segment too', async () => {
    const on = machine()
    await killed(on, 9)
    const [only] = await segments(on)
    await change(on, only!, 0, new Uint8Array(8192))
    expect((await framesOf(on, only!)).length).toBeGreaterThan(0)
    const refused = { kind: 'corrupt', code: 'SEGMENT', context: { file: only, position: 0 } }
    await expect(openIn(on.runtime())).rejects.toMatchObject(refused)
    on.processes.reboot()
    await expect(openIn(on.runtime())).rejects.toMatchObject(refused)
    await expect(openIn(on.runtime(), { access: 'read-only' })).rejects.toMatchObject(refused)
  })

  it('is missed when a file is gone', async () => {
    const on = machine()
    await killed(on, 60)
    const all = await segments(on)
    expect(all.length).toBeGreaterThan(2)
    await on.disk.files.unlink(all[1]!)
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt', code: 'WAL_INCOMPLETE' })
  })

  it('is refused on read when bytes rot behind the open log', async () => {
    const on = machine()
    await killed(on, 3)
    const log = await openIn(on.runtime())
    const [segment] = await segments(on, 2)
    const frames = await framesOf(on, segment!)
    await change(on, segment!, frames[1]! + 200, new Uint8Array(9))
    const topic = await log.topic('orders')
    await expect(valuesOf(topic)).rejects.toMatchObject({ kind: 'corrupt', context: { position: frames[1] } })
    await log.close()
  })
})

describe('a damaged checkpoint', () => {
  it('is passed over for the one before it', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    await send(await log.ensureTopic('orders'), names('r', 3))
    await log.close()
    const store = fileSystem({ root: LAKE, files: on.disk.files })
    const keys = (await collect(store.list({ prefix: 'log/checkpoints/' }))).map(({ key }) => key)
    expect(keys).toHaveLength(2)
    await store.put(keys[1]!, bytesOf('{"minimumReader":1'))
    const again = await openIn(on.runtime())
    expect(short(await valuesOf(await again.topic('orders')))).toEqual(['r0', 'r1', 'r2'])
    await again.close()
    await store.put(keys[0]!, bytesOf('?'))
  })
})

describe('a recycled segment', () => {
  it('gives no stale section back, and the tier keeps what left', async () => {
    const on = machine()
    const tables = fakeTables()
    const owner = on.runtime()
    const log = await openIn(owner, { tier: fakeColdTier(tables), graceMs: 0 })
    const topic = await log.ensureTopic('orders')
    const all: string[] = []
    for (let round = 0; round < 6; round++) {
      await send(topic, names(`${round}-`, 30))
      all.push(...names(`${round}-`, 30))
      await topic.tier()
      await log.releaseNow()
    }
    await send(topic, ['last'])
    const generations = on.disk.effects.filter(({ kind, path }) => kind === 'create' && path.endsWith('.wal')).length
    expect(generations).toBeLessThan(6)
    expect(short(await valuesOf(topic))).toEqual([...all, 'last'])
    expect(log.stats().wal.liveSegments).toBeLessThanOrEqual(2)
    on.disk.kill()
    owner.exit()

    const again = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    expect(short(await valuesOf(await again.topic('orders')))).toEqual([...all, 'last'])
    await again.close()
  })

  it('takes nothing that records left there for a frame of ours, whatever numbers they hold', async () => {
    // Eleven sections fill a segment, and of three files each is used again three segments later: integers of four bytes that are the number of that use.
    for (const shift of [0, 1, 2, 3]) {
      for (let count = 80; count < 90; count++) {
        const on = machine()
        const owner = on.runtime()
        const log = await openIn(owner, { tier: fakeColdTier(fakeTables()), graceMs: 0 })
        const topic = await log.ensureTopic('orders')
        const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
        for (let n = 0; n < count; n++) {
          const next = Math.floor(n / 11) + 4
          const value = new Uint8Array(860 + ((n * 37) % 120)).map((_, at) => (at % 4 === shift ? next : 0))
          await producer.send({ value })
          if (n % 11 !== 10) continue
          await topic.tier()
          await log.releaseNow()
        }
        on.disk.kill()
        owner.exit()
        const again = await openIn(on.runtime())
        expect(again.recovery.torn, `${count} records`).toEqual([])
        await again.close()
      }
    }
  })
})

describe('a failing disk', () => {
  const modes = [true, false]
  it.each(modes)(
    'is final after a failed sync: nothing acked on top, nothing acked lost (O_DSYNC %s)',
    async (syncedWrites) => {
      const on = machine(1, { syncedWrites })
      const owner = on.runtime()
      const log = await openIn(owner)
      const topic = await log.ensureTopic('orders')
      await send(topic, ['a'])
      on.disk.fail({ fault: 'EIO', call: 'datasync', path: /\.wal$/ })
      const producer = topic.producer({ lingerMs: 0 })
      await expect(producer.send({ value: bytesOf('b') })).rejects.toMatchObject({
        kind: 'unavailable',
        outcome: 'unknown',
      })
      await expect(producer.send({ value: bytesOf('c') })).rejects.toMatchObject({ kind: 'closed' })
      const another = topic.producer({ lingerMs: 0 })
      await expect(another.send({ value: bytesOf('d') })).rejects.toMatchObject({ kind: 'closed' })
      await log.close()
      on.disk.crash()
      on.processes.reboot()

      const again = await openIn(on.runtime())
      const values = short(await valuesOf(await again.topic('orders')))
      expect(values[0]).toBe('a')
      expect(values).not.toContain('c')
      await again.close()
    },
  )

  it('is final, too, after a failed sync of what was taken ahead of need: the system tells an error once', async () => {
    const on = machine()
    // The header of the first segment, then what is taken ahead, in steps.
    on.disk.fail({ fault: 'EIO', call: 'sync', path: /epoch-1\/.*\.wal$/, nth: 2 })
    const log = await openIn(on.runtime(), { segmentBytes: 64 * 1024 })
    const topic = await log.ensureTopic('orders')
    await expect(send(topic, ['a'])).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(send(topic, ['b'])).rejects.toMatchObject({ kind: 'closed' })
    await log.close()
    on.disk.crash()
    on.processes.reboot()
    const again = await openIn(on.runtime())
    expect(short(await valuesOf(await again.topic('orders')))).not.toContain('b')
    await again.close()
  })

  it('says that it is full at any write, and loses nothing acked', { timeout: 60_000 }, async () => {
    const whole = machine()
    const count = async (on: Machine, acked: string[]): Promise<void> => {
      const log = await openIn(on.runtime(), { tier: fakeColdTier(fakeTables()), graceMs: 3_600_000 })
      try {
        const topic = await log.ensureTopic('orders')
        const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
        for (const name of names('r', 45)) {
          await producer.send({ value: bytesOf(name.padEnd(500, '.')) })
          acked.push(name)
        }
      } finally {
        await log.close()
      }
    }
    await count(whole, [])
    for (const call of ['create', 'write', 'preallocate', 'mkdir', 'link'] as const) {
      const calls = whole.disk.effects.filter(
        ({ kind }) => kind === call || (call === 'write' && kind === 'syncedWrite'),
      ).length
      expect(calls, call).toBeGreaterThan(2)
      for (let nth = 1; nth <= calls; nth++) {
        const where = `${call} ${nth}`
        const on = machine(nth)
        const acked: string[] = []
        const rule = on.disk.fail({ fault: 'NO_SPACE', call, nth, times: Infinity })
        const error = await count(on, acked).catch((failure: unknown) => failure)
        rule.remove()
        if (error !== undefined) {
          const seen = isMoulinError(error) ? [error.kind, error.code] : error
          expect(seen, `${where}: ${String(error)}`).toEqual(['exhausted', 'NO_SPACE'])
        }
        const log = await openIn(on.runtime(), { takeover: 'newest' })
        const topic = await log.ensureTopic('orders')
        expect(short(await valuesOf(topic)).slice(0, acked.length), where).toEqual(acked)
        await log.close()
      }
    }
  })

  it('is unavailable when the folder is read-only, and readable all the same', async () => {
    const on = machine()
    on.disk.readOnly = true
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'unavailable', code: 'READ_ONLY' })
    on.disk.readOnly = false
    const log = await openIn(on.runtime())
    await send(await log.ensureTopic('orders'), ['a'])
    await log.close()
    on.disk.readOnly = true
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'unavailable', code: 'READ_ONLY' })
    const before = on.disk.effects.length
    const reader = await openIn(on.runtime(), { access: 'read-only' })
    expect(short(await valuesOf(await reader.topic('orders')))).toEqual(['a'])
    await reader.close()
    expect(on.disk.effects.slice(before).filter(({ kind }) => kind !== 'datasync' && kind !== 'syncDirectory')).toEqual(
      [],
    )
  })
})
