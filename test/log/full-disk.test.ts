/** A disk that is small, or full: what was acked stays, what frees room goes on, and all works again once there is some. */
import { isMoulinError, type DiskSize, type Log, type Topic } from '@moulin/core'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { recordingMeter } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables, stalledTier, type FakeTables } from './fake-cold-tier.ts'
import { bytesOf, LAKE, machine, openIn, SEGMENT_BYTES, valuesOf, WAL, type Machine } from './machine.ts'

const KiB = 1024
const long = process.env['MOULIN_LONG'] === '1'

/** With the limits that everybody has: only the disk is small. */
function openByDefault({ runtime }: Machine, tables: FakeTables, tier = fakeColdTier(tables)): Promise<Log> {
  const own = runtime()
  const store = fileSystem({ root: LAKE, files: own.files })
  return openLog({ store, wal: fileWal({ dir: WAL }), runtime: own, tier, takeover: 'newest' })
}

async function bytesIn({ disk }: Machine, folder: string): Promise<number> {
  let bytes = 0
  for (const { name, kind } of await disk.files.readdir(folder)) {
    const path = `${folder}/${name}`
    bytes += kind === 'directory' ? await bytesIn({ disk } as Machine, path) : (await disk.files.stat(path))!.size
  }
  return bytes
}

const freeOf = async ({ disk }: Machine): Promise<number> => (await disk.files.spaceOf('/')).freeBytes

describe('a disk with less room than a segment', () => {
  it('takes many times its size, with default options, keeps its reserve, and gives back at the close', async () => {
    const on = machine()
    const total = 3_000 * KiB
    on.disk.quotaBytes = total
    const tables = fakeTables()
    const log = await openByDefault(on, tables)
    const topic = await log.ensureTopic('meter')
    const producer = topic.producer({ batchBytes: 16 * KiB })
    let lowest = Infinity
    for (let sent = 0; sent < 9_000; sent += 100) {
      const acks = Array.from({ length: 100 }, () => producer.send({ value: new Uint8Array(1000) }))
      let isDone = false
      const all = Promise.all(acks).then(() => (isDone = true))
      while (!isDone) await on.clock.advance(100)
      await all
      lowest = Math.min(lowest, await freeOf(on))
    }
    expect(lowest).toBeGreaterThan(total / 32)
    expect(log.stats().walFull).toBeNull()
    await topic.tier()
    await log.releaseNow()
    await log.close()
    // What stands in the last segment, a checkpoint, and the like.
    expect(await bytesIn(on, LAKE)).toBeLessThan(total / 32 + 10 * KiB)
    const again = await openByDefault(on, tables)
    expect((await again.topic('meter')).offsets()[0]!.highWatermark).toBe(9_000n)
    await again.close()
  })

  it('holds producers back by the name of the disk while nothing frees room, and goes on when somebody does', async () => {
    const on = machine()
    on.disk.quotaBytes = 3_000 * KiB
    const tables = fakeTables()
    const log = await openByDefault(on, tables, stalledTier(fakeColdTier(tables), 'meter'))
    const topic = await log.ensureTopic('meter')
    const producer = topic.producer({ lingerMs: 0 })
    let acked = 0
    while (log.stats().walFull === null) {
      await producer.send({ value: new Uint8Array(10_000) })
      acked++
      await on.clock.advance(0)
    }
    expect(log.stats().walFull!.reason).toMatch(/the disk .* are kept for commits/)
    // The reserve is there for a commit.
    expect(await freeOf(on)).toBeGreaterThan((3_000 * KiB) / 32)
    const refused = producer.send({ value: bytesOf('refused') })
    const ends = expect(refused).rejects.toMatchObject({ code: 'WAL_FULL', outcome: 'rejected' })
    await on.clock.advance(60_000)
    await ends
    const patient = producer.send({ value: bytesOf('patient') })
    on.disk.quotaBytes = 6_000 * KiB
    await on.clock.advance(1_000)
    expect(await patient).toMatchObject({ offset: BigInt(acked) })
    expect(log.stats().walFull).toBeNull()
    await log.close()
  })
})

describe('what is taken ahead of need', () => {
  it('is given back at the close', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    const producer = (await log.ensureTopic('orders')).producer({ lingerMs: 0 })
    await producer.send({ value: bytesOf('a') })
    await on.clock.advance(0)
    expect(await bytesIn(on, `${WAL}/epoch-1`)).toBeGreaterThan(SEGMENT_BYTES)
    await log.close()
    expect(await bytesIn(on, `${WAL}/epoch-1`)).toBeLessThan(SEGMENT_BYTES / 2)
  })

  it('is given back at once where somebody else has filled the disk meanwhile', async () => {
    const on = machine()
    on.disk.quotaBytes = SEGMENT_BYTES
    const { files } = on.disk
    const spaceOf = async (): Promise<DiskSize> => ({ totalBytes: 1e12, freeBytes: 1e12 })
    const log = await openIn(on.runtime({ ...files, spaceOf }))
    await on.clock.advance(0)
    expect(await freeOf(on)).toBeGreaterThan(SEGMENT_BYTES / 2)
    const topic = await log.ensureTopic('orders')
    await topic.producer({ lingerMs: 0 }).send({ value: bytesOf('a') })
    expect(await valuesOf(topic)).toEqual(['a'])
    await log.close()
  })

  it('is not the reserve, however much is on its way to a disk that fills', async () => {
    const on = machine()
    const total = 3_000 * KiB
    on.disk.quotaBytes = total
    const tables = fakeTables()
    const log = await openByDefault(on, tables, stalledTier(fakeColdTier(tables), 'meter'))
    const topic = await log.ensureTopic('meter')
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    const sends = Array.from({ length: 400 }, () => producer.send({ value: new Uint8Array(10_000) }))
    const settled = Promise.allSettled(sends)
    await on.clock.advance(80_000)
    const ends = await settled
    const acked = ends.filter(({ status }) => status === 'fulfilled').length
    expect(acked).toBeLessThan(400)
    expect(acked).toBeGreaterThan(200)
    expect(await freeOf(on)).toBeGreaterThan(total / 32)
    on.disk.quotaBytes = 2 * total
    await on.clock.advance(1_000)
    const next = await topic.producer({ lingerMs: 0 }).send({ value: bytesOf('next') })
    expect(next.offset).toBe(BigInt(acked))
    await log.close()
  })
})

describe('a disk that is full for a while', () => {
  it.each(['preallocate', 'write', 'create'] as const)(
    'at a %s rejects all that is on its way, and the same log goes on with dense offsets',
    async (call) => {
      // Where write and sync are one, a write that fails is final: see below.
      const on = machine(1, { syncedWrites: call !== 'write' })
      const log = await openIn(on.runtime())
      const topics = [await log.ensureTopic('one'), await log.ensureTopic('two')]
      const sendTo = async (topic: Topic<Uint8Array>, count: number): Promise<unknown[]> => {
        const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
        const sends = Array.from({ length: count }, (_, n) =>
          producer.send({ value: bytesOf(`${n}`.padEnd(1500, '.')) }),
        )
        const ends = await Promise.allSettled(sends)
        await producer.close()
        return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
      }
      expect(await sendTo(topics[0]!, 2)).toEqual([])
      for (let round = 0; round < 3; round++) {
        const full = on.disk.fail({ fault: 'NO_SPACE', call, path: /\.wal$/, times: Infinity })
        const errors = (await Promise.all(topics.map((topic) => sendTo(topic, 12)))).flat()
        expect(errors.length).toBeGreaterThan(0)
        for (const error of errors) {
          expect(error).toMatchObject({ outcome: 'rejected' })
          expect(['NO_SPACE', 'PRODUCER_FAILED']).toContain((error as { code: string }).code)
        }
        full.remove()
        for (const topic of topics) expect(await sendTo(topic, 3)).toEqual([])
      }
      const ends = topics.map((topic) => Number(topic.offsets()[0]!.highWatermark))
      for (const [index, topic] of topics.entries()) expect(await valuesOf(topic)).toHaveLength(ends[index]!)
      await log.close()
      const again = await openIn(on.runtime())
      for (const [index, name] of ['one', 'two'].entries())
        expect(await valuesOf(await again.topic(name))).toHaveLength(ends[index]!)
      await again.close()
    },
  )

  it.each(['preallocate', 'write'] as const)('at %s is told to the meter, as a flush that failed', async (call) => {
    const on = machine(1, { syncedWrites: call !== 'write' })
    const meter = recordingMeter()
    const log = await openIn({ ...on.runtime(), meter })
    const topic = await log.ensureTopic('one')
    const duration = 'moulin.wal.flush.duration'
    const full = on.disk.fail({ fault: 'NO_SPACE', call, path: /\.wal$/, times: Infinity })
    const producer = topic.producer({ lingerMs: 0 })
    let acked = 0
    let error: unknown
    // What is prepared takes some of them.
    while (error === undefined) {
      await producer.send({ value: new Uint8Array(12_000) }).then(
        () => acked++,
        (failure: unknown) => (error = failure),
      )
    }
    expect(error).toMatchObject({ code: 'NO_SPACE', outcome: 'rejected' })
    expect(meter.seen(duration, { 'error.type': 'NO_SPACE' })).toHaveLength(1)
    expect(meter.seen(duration)).toHaveLength(acked + 1)
    full.remove()
    await log.close()
  })

  it.each([true, false])(
    'at a sync ends the writer: nobody knows what the disk holds (O_DSYNC %s)',
    async (syncedWrites) => {
      const on = machine(1, { syncedWrites })
      const log = await openIn(on.runtime())
      const topic = await log.ensureTopic('one')
      on.disk.fail({ fault: 'NO_SPACE', call: 'datasync', path: /\.wal$/ })
      const producer = topic.producer({ lingerMs: 0 })
      await expect(producer.send({ value: bytesOf('a') })).rejects.toMatchObject({
        code: 'NO_SPACE',
        outcome: 'unknown',
      })
      await expect(topic.producer({ lingerMs: 0 }).send({ value: bytesOf('b') })).rejects.toMatchObject({
        kind: 'closed',
      })
      await log.close()
    },
  )
})

describe('a takeover', () => {
  it('removes what no longer lives before it takes room of its own, and gives that back when it fails', async () => {
    const on = machine()
    const tables = fakeTables()
    const writer = on.runtime(on.disk.process('writer').files)
    const log = await openIn(writer, { tier: fakeColdTier(tables), graceMs: 0 })
    const topic = await log.ensureTopic('orders')
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    for (let n = 0; n < 40; n++) await producer.send({ value: bytesOf(`${n}`.padEnd(1000, '.')) })
    await topic.tier()
    await log.releaseNow()
    writer.exit()
    const before = await bytesIn(on, `${WAL}/epoch-1`)
    const seen = on.disk.effects.length
    // The link of open.json fails: the epoch is no source, and keeps nothing but who took it.
    const full = on.disk.fail({ fault: 'NO_SPACE', call: 'link', path: `${WAL}/epoch-2` })
    const open = (): Promise<Log> =>
      openIn(on.runtime(on.disk.process().files), { tier: fakeColdTier(tables), takeover: 'newest' })
    await expect(open()).rejects.toMatchObject({ code: 'NO_SPACE' })
    full.remove()
    const effects = on.disk.effects.slice(seen).map(({ kind, path }) => `${kind} ${path.slice(WAL.length)}`)
    const removed = effects.findIndex((effect) => effect.startsWith('unlink /epoch-1/0'))
    expect(removed).toBeGreaterThan(0)
    expect(removed).toBeLessThan(effects.indexOf('create /epoch-2/0000000001.wal'))
    expect(await bytesIn(on, `${WAL}/epoch-1`)).toBeLessThan(before / 2)
    expect(await bytesIn(on, `${WAL}/epoch-2`)).toBeLessThan(1000)
    const third = await open()
    expect(await valuesOf(await third.topic('orders'))).toHaveLength(40)
    await third.close()
  })
})

/** What the application was told. */
interface Told {
  readonly acked: Map<bigint, string>
  readonly errors: unknown[]
  sent: number
}

async function send(topic: Topic<Uint8Array>, told: Told, count: number): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  const acks = Array.from({ length: count }, async () => {
    const text = `record ${told.sent++} `.padEnd(900, '.')
    try {
      const { offset } = await producer.send({ value: bytesOf(text) })
      told.acked.set(offset, text)
    } catch (error) {
      told.errors.push(error)
    }
  })
  await Promise.all(acks)
  await producer.close()
}

/** Produce, roll, tier, release, close, reopen; each goes on with what the disk has let it do so far. */
async function life(on: Machine, tables: FakeTables, told: Told): Promise<void> {
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      told.errors.push(error)
    }
  }
  for (let epoch = 1; epoch <= 2; epoch++) {
    await attempt(async () => {
      const log = await openIn(on.runtime(on.disk.process().files), {
        tier: fakeColdTier(tables),
        graceMs: 0,
        takeover: 'newest',
      })
      await attempt(async () => {
        const topic = await log.ensureTopic('orders')
        await send(topic, told, 20)
        await attempt(() => topic.tier())
        await attempt(() => log.releaseNow())
        await send(topic, told, 10)
      })
      await log.close()
    })
  }
}

describe('a disk that is full at any one effect', () => {
  it(
    'loses nothing that was acked, gives no offset twice, and works again',
    { timeout: long ? 1_200_000 : 120_000 },
    async () => {
      const whole = machine()
      await life(whole, fakeTables(), { acked: new Map(), errors: [], sent: 0 })
      const effects = whole.disk.effects.map(({ kind, path }) => ({ kind, path }))
      expect(effects.length).toBeGreaterThan(60)
      let livedThrough = 0
      for (const [index, { kind, path }] of effects.entries()) {
        // A full disk for one call, and for three.
        for (const times of long ? [1, 3, 10] : [1 + (index % 3)]) {
          const one = machine(index + 1)
          const tables = fakeTables()
          const told: Told = { acked: new Map(), errors: [], sent: 0 }
          const full = one.disk.fail({ fault: 'NO_SPACE', nth: index + 1, times })
          const where = `${times} from effect ${index + 1} (${kind} ${path})`
          await life(one, tables, told)
          full.remove()
          for (const error of told.errors) expect(isMoulinError(error), `${where}: ${String(error)}`).toBe(true)
          const rejected = told.errors.filter((error) => isMoulinError(error) && error.code === 'NO_SPACE')
          if (rejected.length > 0) livedThrough++
          const log = await openIn(one.runtime(one.disk.process().files), {
            tier: fakeColdTier(tables),
            graceMs: 0,
            takeover: 'newest',
          })
          const topic = await log.ensureTopic('orders')
          const more: Told = { acked: new Map(), errors: [], sent: 1_000 }
          await send(topic, more, 3)
          expect(more.errors, where).toEqual([])
          const found = await valuesOf(topic)
          for (const [offset, text] of [...told.acked, ...more.acked]) {
            expect(found[Number(offset)], `${where}: acked ${offset}`).toBe(text)
          }
          expect(new Set(found).size, `${where}: nothing twice`).toBe(found.length)
          await log.close()
        }
      }
      expect(livedThrough).toBeGreaterThan(10)
    },
  )
})
