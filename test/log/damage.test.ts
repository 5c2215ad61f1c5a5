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

/** A log with `count` records whose writer was killed. */
async function killed(on: Machine, count: number): Promise<void> {
  const owner = on.runtime()
  const log = await openIn(owner)
  await send(await log.ensureTopic('orders'), names('r', count))
  on.disk.kill()
  owner.exit()
}

describe('a damaged segment', () => {
  it('is cut at the last good section when the tail is torn, and that is reported', async () => {
    const on = machine()
    await killed(on, 5)
    const [segment] = await segments(on)
    const frames = await framesOf(on, segment!)
    await change(on, segment!, frames[4]! + 300, new Uint8Array(20))

    const runtime = on.runtime()
    const log = await openIn(runtime)
    const topic = await log.topic('orders')
    expect(short(await valuesOf(topic))).toEqual(['r0', 'r1', 'r2', 'r3'])
    expect(runtime.logs.filter(({ level }) => level === 'warn')).toMatchObject([
      {
        fields: {
          segment: 'epoch-1/0000000001.wal',
          position: frames[4],
          reason: 'the checksum of its batches does not match',
        },
      },
    ])
    await log.close()
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
})

describe('a failing disk', () => {
  it('is final after a failed fdatasync: nothing is acked on top, nothing acked is lost', async () => {
    const on = machine()
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
      const calls = whole.disk.effects.filter(({ kind }) => kind === call).length
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
