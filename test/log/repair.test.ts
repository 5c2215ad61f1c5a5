import { planRepair, repairLog, type RepairLogOptions, type RepairPlan } from '@moulin/log'
import { schema, t, unavailable, type Files, type Runtime, type Topic } from '@moulin/core'
import { avro } from '@moulin/format'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, LAKE, machine, openIn, SEGMENT_BYTES, valuesOf, WAL, type Machine } from './machine.ts'

/** One section per record. */
async function send(topic: Topic<unknown>, names: readonly string[], partition: number): Promise<void> {
  const producer = (topic as Topic<Uint8Array>).producer({ lingerMs: 0, batchBytes: 1 })
  for (const name of names) await producer.send({ value: bytesOf(name.padEnd(400, '.')), partition })
  await producer.close()
}

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
const short = (values: readonly string[]): string[] => values.map((value) => value.replaceAll('.', ''))

/** A log with two partitions whose records alternate, its writer killed. Some twenty fill a segment. */
async function killed(on: Machine, count: number): Promise<void> {
  const owner = on.runtime()
  const log = await openIn(owner)
  const topic = await log.ensureTopic('orders', { partitions: 2 })
  for (let n = 0; n < count; n++) await send(topic, [`${n % 2 === 0 ? 'a' : 'b'}${n >> 1}`], n % 2)
  on.disk.kill()
  owner.exit()
}

async function bytesOfFile({ disk }: Machine, path: string): Promise<Buffer> {
  const file = await disk.files.open(path, 'read')
  try {
    return Buffer.from(await file.read(0, await file.size()))
  } finally {
    await file.close()
  }
}

async function segments({ disk }: Machine, epoch = 1): Promise<string[]> {
  const entries = await disk.files.readdir(`${WAL}/epoch-${epoch}`)
  return entries.map(({ name }) => `${WAL}/epoch-${epoch}/${name}`).filter((path) => path.endsWith('.wal'))
}

async function framesOf(on: Machine, path: string): Promise<number[]> {
  const bytes = await bytesOfFile(on, path)
  const positions: number[] = []
  for (let at = bytes.indexOf('MWLF'); at >= 0; at = bytes.indexOf('MWLF', at + 1)) positions.push(at)
  return positions
}

async function spoil({ disk }: Machine, path: string, position: number, length = 1): Promise<void> {
  const file = await disk.files.open(path, 'write')
  const was = await file.read(position, length)
  await file.writev([was.map((byte) => byte ^ 0x5a)], position)
  await file.sync()
  await file.close()
}

/** What changes something: reading syncs the folders that it lists, so that what is seen stays. */
const changes = ({ disk }: Machine): number => disk.effects.filter(({ kind }) => kind !== 'syncDirectory').length

const storeOf = ({ disk }: Machine) => fileSystem({ root: LAKE, files: disk.files })

const parts = (on: Machine, runtime: Runtime = on.runtime()): RepairLogOptions => {
  return { store: storeOf(on), walDir: WAL, runtime, limits: { segmentBytes: SEGMENT_BYTES } }
}

async function keysBelow(on: Machine, prefix: string): Promise<string[]> {
  return (await collect(storeOf(on).list({ prefix }))).map(({ key }) => key)
}

async function repaired(on: Machine, runtime = on.runtime()): Promise<RepairPlan> {
  const plan = await planRepair(parts(on, runtime))
  await repairLog(parts(on, runtime), plan)
  return plan
}

describe('a repair', () => {
  it.each(['whole', 'torn'])('has nothing to do for a log that opens, its tail %s', async (tail) => {
    const on = machine()
    await killed(on, 6)
    const [segment] = await segments(on)
    const last = (await framesOf(on, segment!)).at(-1)!
    // Header and batches cut short: without the trailer it was never acked.
    if (tail === 'torn') await spoil(on, segment!, last + 300, 400)
    const before = changes(on)
    const plan = await planRepair(parts(on))
    expect(plan).toMatchObject({ damages: [], givenUp: [], isNeeded: false })
    await repairLog(parts(on), plan)
    expect(changes(on)).toBe(before)
    const log = await openIn(on.runtime())
    expect(log.recovery.torn.length).toBe(tail === 'torn' ? 1 : 0)
    await log.close()
  })

  it('names what it gives up, changes nothing before it is asked to, then keeps the damaged file and opens the log', async () => {
    const on = machine()
    await killed(on, 10)
    const [segment] = await segments(on)
    const frames = await framesOf(on, segment!)
    // The third record of partition 1: `b2`.
    await spoil(on, segment!, frames[5]! + 300)
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt' })
    const damaged = await bytesOfFile(on, segment!)
    const before = changes(on)
    const plan = await planRepair(parts(on))
    expect(changes(on)).toBe(before)
    expect(plan.damages).toMatchObject([{ place: segment, position: frames[5], remedy: 'set aside' }])
    expect(plan.givenUp).toMatchObject([{ topic: 'orders', partition: 1, from: 2n, to: 5n, stranded: 2 }])

    await repairLog(parts(on), plan)
    const log = await openIn(on.runtime())
    const topic = await log.topic('orders')
    expect(short(await valuesOf(topic, 0))).toEqual(names('a', 5))
    expect(short(await valuesOf(topic, 1))).toEqual(['b0', 'b1'])
    await send(topic, ['after'], 1)
    expect(short(await valuesOf(topic, 1))).toEqual(['b0', 'b1', 'after'])
    await log.close()
    // The opening that was refused had taken epoch 2.
    expect(await bytesOfFile(on, `${WAL}/repair/epoch-3/epoch-1-0000000001.wal`)).toEqual(damaged)
    expect(await planRepair(parts(on))).toMatchObject({ isNeeded: false })
  })

  it('works wherever the damage is: a header, the last flush, a sealed segment, its seal, the segment header', async () => {
    const places = {
      'frame header': async (on: Machine, all: string[]) =>
        spoil(on, all[1]!, (await framesOf(on, all[1]!))[3]! + 90, 4),
      'last flush': async (on: Machine, all: string[]) => {
        const last = (await segments(on)).at(-1)!
        const at = (await framesOf(on, last)).at(-1)
        if (at !== undefined) await spoil(on, last, at + 200)
        else await spoil(on, all.at(-2)!, (await framesOf(on, all.at(-2)!)).at(-1)! + 200)
      },
      'frame without a name': async (on: Machine, all: string[]) =>
        spoil(on, all[0]!, (await framesOf(on, all[0]!))[7]!, 136),
      seal: async (on: Machine, all: string[]) => spoil(on, all[0]!, (await framesOf(on, all[0]!)).at(-1)!, 60),
      'seal, before a reboot': async (on: Machine, all: string[]) => {
        await spoil(on, all[0]!, (await framesOf(on, all[0]!)).at(-1)!, 140)
        on.processes.reboot()
      },
      'file of an older epoch': async (on: Machine, all: string[]) => {
        await (await openIn(on.runtime())).close()
        await spoil(on, all[1]!, (await framesOf(on, all[1]!))[2]! + 250)
      },
      'end of a file of an older epoch': async (on: Machine, all: string[]) => {
        await (await openIn(on.runtime())).close()
        await spoil(on, all[1]!, (await framesOf(on, all[1]!)).at(-2)!, 16_000)
      },
      'segment header and first frame': async (on: Machine, all: string[]) => spoil(on, all[0]!, 0, 4500),
      'segment header': async (on: Machine, all: string[]) => spoil(on, all[0]!, 10, 30),
    }
    for (const [where, damage] of Object.entries(places)) {
      const on = machine()
      await killed(on, 71)
      await damage(on, await segments(on))
      await expect(openIn(on.runtime()), where).rejects.toMatchObject({ kind: 'corrupt' })
      const plan = await repaired(on)
      const log = await openIn(on.runtime())
      const topic = await log.topic('orders')
      const all = { 0: names('a', 36), 1: names('b', 35) }
      for (const partition of [0, 1] as const) {
        const given = plan.givenUp.find((range) => range.partition === partition)
        const kept = given === undefined ? all[partition] : all[partition].slice(0, Number(given.from))
        expect(short(await valuesOf(topic, partition)), where).toEqual(kept)
        if (given !== undefined) expect(Number(given.to), where).toBe(all[partition].length)
      }
      const isWhole = where.startsWith('seal') || where === 'segment header'
      expect(plan.givenUp.length, where).toBe(isWhole ? 0 : 1)
      await log.close()
    }
  })

  it('gives up what a missing file held', async () => {
    const on = machine()
    await killed(on, 70)
    const all = await segments(on)
    expect(all.length).toBeGreaterThan(2)
    await on.disk.files.unlink(all[1]!)
    await expect(openIn(on.runtime())).rejects.toMatchObject({ code: 'WAL_INCOMPLETE' })
    const plan = await repaired(on)
    expect(plan.givenUp).toMatchObject([{ partition: 0 }, { partition: 1 }])
    const log = await openIn(on.runtime())
    expect((await valuesOf(await log.topic('orders'), 1)).length).toBe(Number(plan.givenUp[1]!.from))
    await log.close()
  })

  it('gives up nothing that the table has, and keeps what follows it', async () => {
    const on = machine()
    const tier = fakeColdTier(fakeTables())
    const owner = on.runtime()
    const log = await openIn(owner, { tier })
    const topic = await log.createTopic('orders')
    await send(topic, names('a', 5), 0)
    await topic.tier()
    await send(topic, names('b', 3), 0)
    on.disk.kill()
    owner.exit()
    const [segment] = await segments(on)
    await spoil(on, segment!, (await framesOf(on, segment!))[3]! + 300)
    const options = { ...parts(on), tier }
    expect((await planRepair(parts(on))).givenUp).toMatchObject([{ from: 3n, to: 8n }])
    const plan = await planRepair(options)
    expect(plan).toMatchObject({ damages: [{ remedy: 'set aside' }], givenUp: [], isNeeded: true })
    await repairLog(options, plan)
    const again = await openIn(on.runtime(), { tier })
    const repairedTopic = await again.topic('orders')
    expect(short(await valuesOf(repairedTopic))).toEqual([...names('a', 5), ...names('b', 3)])
    await send(repairedTopic, ['c'], 0)
    expect(repairedTopic.offsets()[0]).toMatchObject({ highWatermark: 9n, frontier: 5n })
    await again.close()
  })

  it('finds without a checkpoint where what is not released begins', async () => {
    const on = machine()
    const tier = fakeColdTier(fakeTables())
    const owner = on.runtime()
    const log = await openIn(owner, { tier, graceMs: 0 })
    const topic = await log.createTopic('orders')
    await send(topic, names('a', 50), 0)
    await topic.tier()
    await log.releaseNow()
    const { released } = topic.offsets()[0]!
    await send(topic, names('b', 10), 0)
    on.disk.kill()
    owner.exit()
    expect(released).toBeGreaterThan(30n)
    for (const key of await keysBelow(on, 'log/checkpoints/')) await storeOf(on).put(key, bytesOf('{'))
    expect(await repaired(on)).toMatchObject({ damages: [{ remedy: 'rewrite' }, { remedy: 'rewrite' }], givenUp: [] })
    const again = await openIn(on.runtime(), { tier })
    expect(short(await valuesOf(await again.topic('orders')))).toEqual([...names('a', 50), ...names('b', 10)])
    await again.close()
  })

  it('goes on behind the table when no checkpoint is left and all has been released', async () => {
    const on = machine()
    const tier = fakeColdTier(fakeTables())
    const log = await openIn(on.runtime(), { tier, graceMs: 0 })
    const topic = await log.createTopic('orders')
    await send(topic, names('a', 60), 0)
    await topic.tier()
    await log.close()
    const last = await openIn(on.runtime(), { tier, graceMs: 0 })
    await last.close()
    for (const key of await keysBelow(on, 'log/checkpoints/')) await storeOf(on).put(key, bytesOf('{'))
    const options = { ...parts(on), tier }
    const plan = await planRepair(options)
    expect(plan.givenUp).toEqual([])
    await repairLog(options, plan)
    const again = await openIn(on.runtime(), { tier })
    const repairedTopic = await again.topic('orders')
    await send(repairedTopic, ['b'], 0)
    expect(repairedTopic.offsets()[0]).toMatchObject({ highWatermark: 61n, frontier: 60n })
    expect(short(await valuesOf(repairedTopic))).toEqual([...names('a', 60), 'b'])
    await again.close()
  })

  it.each(['a frame', 'all checkpoints'])('keeps the incarnations of a topic apart, %s damaged', async (what) => {
    const on = machine()
    const tables = fakeTables()
    const tier = fakeColdTier(tables)
    const open = async (runtime: Runtime) => {
      const log = await openIn(runtime, { tier })
      return { log, topic: await log.ensureTopic('tides', { partitions: 2 }) }
    }
    const first = await open(on.runtime())
    await send(first.topic, names('a', 3), 0)
    await first.topic.tier()
    await send(first.topic, names('b', 4), 1)
    await first.log.close()
    tables.tables.get(first.topic.id)!.frontier[0] = 11n
    const owner = on.runtime()
    const second = await open(owner)
    await second.topic.adoptTable()
    await send(second.topic, names('c', 3), 0)
    await send(second.topic, names('d', 2), 1)
    const before = second.topic.stats().earlier
    const offsets = second.topic.offsets().map(({ highWatermark }) => highWatermark)
    expect(before.length).toBe(2)
    on.disk.kill()
    owner.exit()
    if (what === 'a frame') {
      const [segment] = await segments(on, 2)
      await spoil(on, segment!, (await framesOf(on, segment!)).at(-1)! + 300)
    } else for (const key of await keysBelow(on, 'log/checkpoints/')) await storeOf(on).put(key, bytesOf('{'))

    const options = { ...parts(on), tier }
    const plan = await planRepair(options)
    const lost = { topic: 'tides', incarnation: 1, partition: 1, from: offsets[1]! - 1n, to: offsets[1], stranded: 0 }
    expect(plan.givenUp).toMatchObject(what === 'a frame' ? [lost] : [])
    await repairLog(options, plan)
    const { log, topic } = await open(on.runtime())
    expect(topic.stats().earlier).toEqual(before)
    const kept = await collect(topic.read({ incarnation: 0, partition: 1, to: 'end' }))
    expect(kept.map(({ bytes }) => Buffer.from(bytes!).toString().replaceAll('.', ''))).toEqual(names('b', 4))
    const found = topic.offsets().map(({ highWatermark }) => highWatermark)
    expect(found).toEqual(what === 'a frame' ? [offsets[0], offsets[1]! - 1n] : offsets)
    await log.close()
  })

  it('works where the write-ahead folder is a disk of its own', async () => {
    const on = machine()
    await killed(on, 9)
    const [segment] = await segments(on)
    await spoil(on, segment!, (await framesOf(on, segment!))[4]! + 300)
    const { files } = on.disk
    const isInside = (path: string): boolean => path.startsWith(`${WAL}/`)
    const within = (call: 'link' | 'rename'): Files['link'] => {
      return async (from, to) => {
        if (isInside(from) !== isInside(to)) throw unavailable('EXDEV', `${call} of ${to} failed: cross-device link`)
        return files[call](from, to)
      }
    }
    const runtime = on.runtime({ ...files, link: within('link'), rename: within('rename') })
    expect(await repaired(on, runtime)).toMatchObject({ givenUp: [{ partition: 0, from: 2n, to: 5n }] })
    const log = await openIn(on.runtime())
    expect(short(await valuesOf(await log.topic('orders'), 1))).toEqual(names('b', 4))
    await log.close()
  })

  it('refuses another plan than the one that was shown, and a log that is being written', async () => {
    const on = machine()
    await killed(on, 10)
    const [segment] = await segments(on)
    const frames = await framesOf(on, segment!)
    await spoil(on, segment!, frames[6]! + 300)
    const plan = await planRepair(parts(on))
    await spoil(on, segment!, frames[2]! + 300)
    const before = changes(on)
    await expect(repairLog(parts(on), plan)).rejects.toMatchObject({ kind: 'conflict', code: 'PLAN_CHANGED' })
    expect(changes(on)).toBe(before)
    await repaired(on)
    const log = await openIn(on.runtime())
    await expect(planRepair(parts(on))).rejects.toMatchObject({ kind: 'conflict', code: 'WRITER_ALIVE' })
    await log.close()
  })

  it('stops when another repair was faster', async () => {
    const on = machine()
    await killed(on, 10)
    const [segment] = await segments(on)
    await spoil(on, segment!, (await framesOf(on, segment!))[6]! + 300)
    const runtime = on.runtime()
    const { mkdir } = runtime.files
    let isFirst = true
    const slow: Files['mkdir'] = async (...args) => {
      if (isFirst) {
        isFirst = false
        await repaired(on)
      }
      return mkdir(...args)
    }
    const late = parts(on, { ...runtime, files: { ...runtime.files, mkdir: slow } })
    const plan = await planRepair(late)
    await expect(repairLog(late, plan)).rejects.toMatchObject({ kind: 'conflict', code: 'PLAN_CHANGED' })
    expect(isFirst).toBe(false)
    const log = await openIn(on.runtime())
    expect(short(await valuesOf(await log.topic('orders'), 0))).toEqual(names('a', 3))
    await log.close()
  })

  it('cut off at any effect can be planned and done again, and loses nothing more', { timeout: 60_000 }, async () => {
    const prepare = async (): Promise<Machine> => {
      const on = machine()
      await killed(on, 26)
      const [, second] = await segments(on)
      await spoil(on, second!, (await framesOf(on, second!))[2]! + 250)
      return on
    }
    const whole = await prepare()
    const first = whole.disk.effectCount
    const plan = await repaired(whole)
    const last = whole.disk.effectCount
    expect(last - first).toBeGreaterThan(15)
    expect(plan.givenUp).toMatchObject([{ partition: 1, from: 10n, to: 13n }])
    for (let effect = first + 1; effect <= last; effect++) {
      for (const end of ['kill', 'crash'] as const) {
        const on = await prepare()
        const owner = on.runtime()
        on.disk.stopAt({ effect, when: 'before' })
        await Promise.race([repaired(on, owner), on.disk.halted()])
        on.disk[end]()
        owner.exit()
        if (end === 'crash') on.processes.reboot()
        await repairLog(parts(on), await planRepair(parts(on)))
        const log = await openIn(on.runtime())
        const topic = await log.topic('orders')
        expect(short(await valuesOf(topic, 0)), `${end} before effect ${effect}`).toEqual(names('a', 13))
        expect(short(await valuesOf(topic, 1)), `${end} before effect ${effect}`).toEqual(names('b', 10))
        await log.close()
      }
    }
  })
})

describe('a repair of what the log stores of itself', () => {
  const put = async (on: Machine, key: string): Promise<void> => {
    await storeOf(on).put(key, bytesOf('{"format":1,'))
  }

  it('makes a checkpoint from the segments when none can be read, and writes moulin.json anew', async () => {
    const on = machine()
    await killed(on, 31)
    const keys = await keysBelow(on, 'log/checkpoints/')
    expect(keys.length).toBeGreaterThan(0)
    for (const key of [...keys, 'moulin.json']) await put(on, key)
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt' })
    const plan = await repaired(on)
    expect(plan.damages.map(({ place, remedy }) => [place, remedy])).toEqual([
      ['moulin.json', 'rewrite'],
      ...keys.toReversed().map((key) => [key, 'rewrite']),
    ])
    expect(plan.givenUp).toEqual([])
    const log = await openIn(on.runtime())
    expect(log.id).toBe(plan.logId)
    expect(short(await valuesOf(await log.topic('orders'), 0))).toEqual(names('a', 16))
    await log.close()
    const kept = await keysBelow(on, 'log/repair/')
    expect(kept).toContain('log/repair/moulin.json.0')
    expect(kept.length).toBeGreaterThan(keys.length)
  })

  it('passes over a damaged checkpoint while another one can be read', async () => {
    const on = machine()
    await killed(on, 5)
    const log = await openIn(on.runtime())
    await log.close()
    const keys = await keysBelow(on, 'log/checkpoints/')
    expect(keys.length).toBe(2)
    await put(on, keys[1]!)
    const plan = await planRepair(parts(on))
    expect(plan).toMatchObject({ damages: [{ place: keys[1], remedy: 'pass over' }], givenUp: [], isNeeded: false })
    const again = await openIn(on.runtime())
    expect(short(await valuesOf(await again.topic('orders'), 0))).toEqual(['a0', 'a1', 'a2'])
    await again.close()
  })

  it.each(['with a table', 'without one'])(
    'makes up for a damaged checkpoint that had released what is recycled, %s',
    async (how) => {
      const on = machine()
      const tier = fakeColdTier(fakeTables())
      const owner = on.runtime()
      const log = await openIn(owner, { tier, graceMs: 0 })
      const topic = await log.ensureTopic('orders')
      for (let round = 0; round < 5; round++) {
        await send(topic, names(`${round}-`, 60), 0)
        await topic.tier()
        await log.releaseNow()
      }
      await send(topic, ['last'], 0)
      on.disk.kill()
      owner.exit()
      const keys = await keysBelow(on, 'log/checkpoints/')
      await put(on, keys.at(-1)!)
      await expect(openIn(on.runtime(), { tier })).rejects.toMatchObject({ kind: 'corrupt', message: /moulin repair/ })
      const options = how === 'with a table' ? { ...parts(on), tier } : parts(on)
      const plan = await planRepair(options)
      expect(plan).toMatchObject({ damages: [{ place: keys.at(-1), remedy: 'rewrite' }], givenUp: [], isNeeded: true })
      await repairLog(options, plan)
      const again = await openIn(on.runtime(), { tier })
      const found = await valuesOf(await again.topic('orders'), 0)
      expect(short(found)).toEqual([...[0, 1, 2, 3, 4].flatMap((round) => names(`${round}-`, 60)), 'last'])
      await again.close()
    },
  )

  it('refuses to guess when all checkpoints and a segment are damaged; a checkpoint from a backup is enough', async () => {
    const on = machine()
    await killed(on, 8)
    const keys = await keysBelow(on, 'log/checkpoints/')
    const backup = await storeOf(on).get(keys.at(-1)!)
    for (const key of keys) await put(on, key)
    const [segment] = await segments(on)
    await spoil(on, segment!, (await framesOf(on, segment!))[4]! + 300)
    await expect(planRepair(parts(on))).rejects.toMatchObject({ kind: 'corrupt', code: 'NO_CHECKPOINT' })
    await storeOf(on).put(keys.at(-1)!, backup.bytes)
    expect(await repaired(on)).toMatchObject({ givenUp: [{ topic: 'orders', partition: 0, from: 2n, to: 4n }] })
  })

  it.each([
    ['topic', 'log/topics/'],
    ['schema', 'log/schemas/'],
  ])('names a damaged %s, which a copy from any backup brings back', async (_, prefix) => {
    const on = machine()
    const log = await openIn(on.runtime())
    const topic = await log.ensureTopic('rides', { value: avro(schema({ id: t.int })) })
    await topic.producer({ lingerMs: 0 }).send({ value: { id: 7 } })
    await log.close()
    const [key] = await keysBelow(on, prefix)
    const { bytes } = await storeOf(on).get(key!)
    await put(on, key!)
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt' })
    const before = changes(on)
    const plan = await planRepair(parts(on))
    expect(plan).toMatchObject({ damages: [{ place: key, remedy: 'restore' }], givenUp: [], isNeeded: false })
    await expect(repairLog(parts(on), plan)).rejects.toMatchObject({ kind: 'conflict', code: 'RESTORE_FIRST' })
    expect(changes(on)).toBe(before)
    await storeOf(on).put(key!, bytes)
    expect(await planRepair(parts(on))).toMatchObject({ damages: [] })
    const again = await openIn(on.runtime())
    expect(await valuesOf(await again.topic('rides'))).toEqual(['\x0e'])
    await again.close()
  })

  it('names the newest open.json when it is damaged, which never changes, and does nothing before it is back', async () => {
    const on = machine()
    await killed(on, 4)
    await (await openIn(on.runtime())).close()
    const path = `${WAL}/epoch-2/open.json`
    const whole = await bytesOfFile(on, path)
    await spoil(on, path, 1, 30)
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt' })
    const plan = await planRepair(parts(on))
    expect(plan).toMatchObject({ damages: [{ place: path, remedy: 'restore' }], givenUp: [], isNeeded: false })
    const before = changes(on)
    await expect(repairLog(parts(on), plan)).rejects.toMatchObject({ kind: 'conflict', code: 'RESTORE_FIRST' })
    expect(changes(on)).toBe(before)
    const file = await on.disk.files.open(path, 'write')
    await file.writev([whole], 0)
    await file.close()
    const log = await openIn(on.runtime())
    expect(short(await valuesOf(await log.topic('orders'), 0))).toEqual(['a0', 'a1'])
    await log.close()
  })

  it('takes nothing that needs a newer reader for damage', async () => {
    const on = machine()
    await killed(on, 2)
    await storeOf(on).put('moulin.json', bytesOf('{"format":9,"minimumReader":9}'))
    await expect(planRepair(parts(on))).rejects.toMatchObject({ kind: 'unsupported', code: 'FORMAT_VERSION' })
  })
})
