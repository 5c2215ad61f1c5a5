import { conflict, unavailable, type ColdTier, type ColdTopic, type Limits, type Log, type Topic } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables, type FakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, machine, openIn, textOf, valuesOf, type Machine } from './machine.ts'

interface Setting {
  readonly on: Machine
  readonly tables: FakeTables
  readonly log: Log
  readonly topic: Topic<Uint8Array>
  readonly runtime: ReturnType<Machine['runtime']>
}

async function setting(
  options: { graceMs?: number; limits?: Partial<Limits>; freshnessMs?: number } = {},
): Promise<Setting> {
  const { freshnessMs, ...rest } = options
  const on = machine()
  const tables = fakeTables()
  const runtime = on.runtime()
  const log = await openIn(runtime, { tier: fakeColdTier(tables), ...rest })
  const topic = await log.ensureTopic('orders', freshnessMs === undefined ? {} : { freshnessMs })
  return { on, tables, log, topic, runtime }
}

async function send(topic: Topic<Uint8Array>, count: number, size = 400): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  for (let i = 0; i < count; i++) await producer.send({ value: bytesOf(String(i).padEnd(size, '.')) })
  await producer.close()
}

const at = (topic: Topic<Uint8Array>): string => {
  const { highWatermark, frontier, released } = topic.offsets()[0]!
  return `${released}/${frontier}/${highWatermark}`
}

describe('tiering', () => {
  it('moves everything at the call, then nothing, and parallel calls share a commit', async () => {
    const { topic, tables, log } = await setting()
    await send(topic, 5)
    const [a, b] = await Promise.all([topic.tier(), topic.tier()])
    expect(a).toEqual({ snapshotId: 1n, rows: 5, frontier: [5n] })
    expect(b).toEqual(a)
    expect(await topic.tier()).toEqual({ snapshotId: 1n, rows: 0, frontier: [5n] })
    expect(tables.commits).toBe(1)
    expect(topic.stats()).toEqual({
      untieredBytes: 0,
      untieredRecords: 0,
      untieredAgeMs: null,
      snapshotId: 1n,
      stoppedBy: null,
      lineage: { verdict: 'intact', evidence: null },
      earlier: [],
      lastError: null,
      failingSinceMs: null,
      retries: 0,
      missingFiles: [],
      missingFileCount: 0,
    })
    await log.close()
  })

  it('includes what was sent before the call, though a commit was running', async () => {
    const { topic, tables, log } = await setting()
    await send(topic, 2)
    let resume!: () => void
    const begun = new Promise<void>((hasBegun) => {
      tables.beforeCommit = () => {
        hasBegun()
        return new Promise((resolve) => (resume = resolve))
      }
    })
    const first = topic.tier()
    await begun
    await send(topic, 3)
    tables.beforeCommit = async () => {}
    const second = topic.tier()
    resume()
    expect((await first).frontier).toEqual([2n])
    expect((await second).frontier).toEqual([5n])
    await log.close()
  })

  it('makes one commit at a time, whenever it is called between two of them', async () => {
    const { topic, tables, log } = await setting()
    let running = 0
    let most = 0
    const gates: (() => void)[] = []
    tables.beforeCommit = async () => {
      most = Math.max(most, ++running)
      await new Promise<void>((resolve) => gates.push(resolve))
      running--
    }
    await send(topic, 1)
    const calls = [topic.tier()]
    await expect.poll(() => gates.length).toBe(1)
    await send(topic, 1)
    calls.push(topic.tier())
    gates[0]!()
    // Once in each step of what follows the end of the first.
    for (let step = 0; step < 40; step++) {
      await Promise.resolve()
      calls.push(topic.tier())
    }
    tables.beforeCommit = async () => {}
    await expect.poll(() => gates.length).toBe(2)
    gates[1]!()
    await Promise.all(calls)
    expect(most).toBe(1)
    expect(at(topic)).toBe('0/2/2')
    await log.close()
  })

  it('begins by itself when the oldest record reaches freshnessMs', async () => {
    const { topic, on, tables, log } = await setting({ freshnessMs: 5_000 })
    await send(topic, 1)
    await on.clock.advance(3_000)
    await send(topic, 1)
    await on.clock.advance(1_999)
    expect(tables.commits).toBe(0)
    await on.clock.advance(1)
    expect(at(topic)).toBe('0/2/2')
    await log.close()
    expect(on.clock.waiting).toBe(0)
  })

  it('takes 600 s when little waits, 60 s from 8 MB on, and none at commitBytes', async () => {
    const { topic, on, tables, log } = await setting({ limits: { commitBytes: 12 * 1024 * 1024 } })
    await send(topic, 1)
    await on.clock.advance(599_999)
    expect(tables.commits).toBe(0)
    await on.clock.advance(1)
    expect(tables.commits).toBe(1)
    await send(topic, 9, 1024 * 1024)
    await on.clock.advance(60_000)
    expect(tables.commits).toBe(2)
    await send(topic, 13, 1024 * 1024)
    await on.clock.advance(0)
    expect(tables.commits).toBe(3)
    await log.close()
  })

  it('asks for an earlier time only of the commit that has all', async () => {
    const tables = fakeTables()
    const asked: unknown[] = []
    const plain = fakeColdTier(tables)
    const tier: ColdTier = {
      ...plain,
      async attach(...given) {
        const cold = await plain.attach(...given)
        const heard: ColdTopic['tier'] = (request) => {
          asked.push(request.asOfMs)
          return cold.tier(request)
        }
        return { ...cold, tier: heard }
      },
    }
    const log = await openIn(machine().runtime(), { tier, limits: { commitBytes: 64 * 1024 } })
    const topic = await log.ensureTopic('orders', { freshnessMs: 3_600_000 })
    // While the scheduler's own commit runs, more is sent than the next one takes.
    let resume!: () => void
    const begun = new Promise<void>((hasBegun) => {
      tables.beforeCommit = () => {
        hasBegun()
        return new Promise((resolve) => (resume = resolve))
      }
    })
    await send(topic, 2, 50 * 1024)
    await begun
    await send(topic, 10, 50 * 1024)
    const tiering = topic.tier({ asOfMs: 7 })
    tables.beforeCommit = async () => {}
    resume()
    await tiering
    expect(asked.length).toBeGreaterThan(2)
    expect(asked.filter((asOfMs) => asOfMs !== undefined)).toEqual([7])
    expect(asked.at(-1)).toBe(7)
    await log.close()
  })

  it('tries again after an error, later each time, and says so', async () => {
    const { topic, on, tables, log, runtime } = await setting({ freshnessMs: 1_000 })
    let attempts = 0
    tables.beforeCommit = async () => {
      if (++attempts < 3) throw unavailable('DOWN', 'The catalog is down.')
    }
    await send(topic, 1)
    await on.clock.advance(1_000)
    expect(attempts).toBe(1)
    await on.clock.advance(1_000)
    expect(attempts).toBe(2)
    await on.clock.advance(1_999)
    expect(attempts).toBe(2)
    await on.clock.advance(1)
    expect(at(topic)).toBe('0/1/1')
    expect(runtime.logs.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'Tiering failed: it will be tried again',
      'Tiering failed: it will be tried again',
    ])
    await log.close()
  })

  it('waits ever longer while the lineage is broken and records still come in; the next tier() attaches anew at once', async () => {
    const { topic, on, tables, log } = await setting({ freshnessMs: 1_000 })
    tables.beforeCommit = async () => {
      throw conflict('LINEAGE_BROKEN', 'The table was replaced.')
    }
    await send(topic, 1)
    await on.clock.advance(60_000)
    await send(topic, 1)
    await on.clock.advance(60_000)
    // At 1, 2, 4, 8, 16, 32 and 60 s after another.
    expect(tables.attached).toBeLessThan(9)
    expect(topic.stats()).toMatchObject({
      stoppedBy: { code: 'LINEAGE_BROKEN' },
      lastError: { code: 'LINEAGE_BROKEN' },
    })
    expect(topic.stats().retries).toBeGreaterThan(4)
    await expect(topic.tier()).rejects.toMatchObject({ code: 'LINEAGE_BROKEN' })
    expect(topic.stats().stoppedBy).toMatchObject({ code: 'LINEAGE_BROKEN' })
    tables.beforeCommit = async () => {}
    await topic.tier()
    expect(tables.attached).toBeGreaterThan(1)
    expect(topic.stats().stoppedBy).toBeNull()
    expect(at(topic)).toBe('0/2/2')
    await log.close()
  })
})

describe('release', () => {
  it('waits for the grace after the commit, then frees segments; reads go to the table', async () => {
    const { topic, on, log } = await setting({ graceMs: 3_600_000 })
    await send(topic, 100)
    await topic.tier()
    expect(log.stats()).toMatchObject({ untieredBytes: 0 })
    expect(log.stats().unreleasedBytes).toBeGreaterThan(40_000)
    await on.clock.advance(3_599_999)
    expect(at(topic)).toBe('0/100/100')
    await on.clock.advance(1)
    expect(at(topic)).toBe('100/100/100')
    expect(log.stats()).toMatchObject({ unreleasedBytes: 0, wal: { liveBytes: 0, liveSegments: 0 } })
    expect(await valuesOf(topic)).toHaveLength(100)
    await log.close()
  })

  it('ends the grace early on request', async () => {
    const { topic, log } = await setting()
    await send(topic, 10)
    await log.releaseNow()
    expect(at(topic)).toBe('0/0/10')
    await topic.tier()
    await log.releaseNow()
    expect(at(topic)).toBe('10/10/10')
    await log.close()
  })

  it('ends the grace early above maxWalBytes, confirmed data first', async () => {
    const { topic, on, tables, log } = await setting({ limits: { maxWalBytes: 60_000 } })
    await send(topic, 60)
    await topic.tier()
    await send(topic, 60)
    await on.clock.advance(0)
    expect(topic.offsets()[0]!.released).toBe(60n)
    expect(tables.commits).toBe(1)
    await send(topic, 80)
    await on.clock.advance(0)
    expect(tables.commits).toBe(2)
    expect(log.stats().wal.heldBytes).toBeLessThan(60_000)
    expect(await valuesOf(topic)).toHaveLength(200)
    await log.close()
  })

  it('keeps what a pin holds until it is let go', async () => {
    const { topic, on, tables, log } = await setting({ graceMs: 0 })
    await send(topic, 5)
    const pin = tables.hot[0]!.pin([2n])
    await topic.tier()
    await on.clock.advance(5_000)
    expect(at(topic)).toBe('2/5/5')
    pin.release()
    await on.clock.advance(5_000)
    expect(at(topic)).toBe('5/5/5')
    await log.close()
  })

  it('is tried again when the table cannot be asked', async () => {
    const { topic, on, tables, log } = await setting({ graceMs: 1_000 })
    await send(topic, 5)
    await topic.tier()
    let asked = 0
    tables.beforeRelease = async () => {
      if (++asked === 1) throw unavailable('DOWN', 'The catalog is down.')
    }
    await on.clock.advance(1_000)
    expect([asked, at(topic)]).toEqual([1, '0/5/5'])
    await on.clock.advance(10_000)
    expect([asked, at(topic)]).toEqual([2, '5/5/5'])
    await log.close()
  })
})

describe('closing a log', () => {
  it('waits for a commit already begun and starts none', async () => {
    const { topic, on, tables, log } = await setting({ freshnessMs: 1_000 })
    await send(topic, 3)
    let resume!: () => void
    tables.beforeCommit = () => new Promise((resolve) => (resume = resolve))
    await on.clock.advance(1_000)
    let isClosed = false
    const closing = log.close().then(() => (isClosed = true))
    await on.clock.advance(1_000)
    expect(isClosed).toBe(false)
    resume()
    await closing
    expect(tables.commits).toBe(1)
    expect(tables.closed).toBe(1)
    await expect(topic.tier()).rejects.toMatchObject({ kind: 'closed' })
    expect(on.clock.waiting).toBe(0)
  })

  it('waits no longer than drainMs', async () => {
    const { topic, on, tables, log, runtime } = await setting({ freshnessMs: 1_000 })
    await send(topic, 3)
    tables.beforeCommit = () => new Promise(() => {})
    await on.clock.advance(1_000)
    const closing = log.close({ drainMs: 5_000 })
    await on.clock.advance(5_000)
    await closing
    expect(runtime.logs.at(-1)!.message).toMatch(/did not end in time/)
  })

  it('ends readers: a following one quietly, one that has not come to its end with closed', async () => {
    const { topic, on, log } = await setting()
    await send(topic, 3)
    const following = collect(topic.read())
    const bounded = collect(topic.read({ partition: 0, to: 10n }))
    bounded.catch(() => undefined)
    await on.clock.advance(0)
    await log.close()
    expect((await following).map((record) => textOf(record)[0])).toEqual(['0', '1', '2'])
    await expect(bounded).rejects.toMatchObject({ kind: 'closed' })
    await expect(log.topic('orders')).rejects.toMatchObject({ kind: 'closed' })
    expect(on.clock.waiting).toBe(0)
  })
})

describe('a topic that comes back', () => {
  it('reads from table and write-ahead tier as one, by offset, position and time', async () => {
    const { topic, on, tables, log } = await setting()
    await on.clock.advance(1_000)
    await send(topic, 20)
    await topic.tier()
    await log.releaseNow()
    await on.clock.advance(1_000)
    await send(topic, 20)
    await log.close()
    const again = await openIn(on.runtime(), { tier: fakeColdTier(tables) })
    const found = await again.topic<Uint8Array>('orders')
    expect(at(found)).toBe('20/20/40')
    const offsets = async (options: Parameters<typeof found.read>[0]): Promise<number[]> =>
      (await collect(found.read(options))).map(({ offset }) => Number(offset))
    const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
    expect(await offsets({ partition: 0, to: 'end' })).toEqual(range(0, 40))
    expect(await offsets({ partition: 0, from: 15n, to: 25n })).toEqual(range(15, 25))
    expect(await offsets({ partition: 0, from: 40n, to: 'end' })).toEqual([])
    expect(await offsets({ partition: 0, from: 'latest', to: 'end' })).toEqual([])
    await expect(offsets({ partition: 0, from: 41n, to: 'end' })).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    await expect(offsets({ partition: 0, from: -1n, to: 'end' })).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    await expect(offsets({ partition: 1, to: 'end' })).rejects.toMatchObject({ code: 'PARTITION' })
    const [first] = await collect(found.read({ partition: 0, from: 20n, to: 21n }))
    expect(await offsets({ partition: 0, from: { timestamp: first!.timestamp }, to: 'end' })).toEqual(range(20, 40))
    expect(await offsets({ partition: 0, from: { timestamp: first!.timestamp - 1n }, to: 'end' })).toEqual(
      range(20, 40),
    )
    expect(await offsets({ partition: 0, from: { timestamp: 0n }, to: 'end' })).toEqual(range(0, 40))
    expect(await offsets({ partition: 0, from: { timestamp: first!.timestamp + 1n }, to: 'end' })).toEqual([])
    const positions = [39, 0, 19, 20, 99].map((offset) => ({ partition: 0, offset: BigInt(offset) }))
    const records = await collect(found.readAt(positions))
    expect(records.map((record) => record?.offset)).toEqual([39n, 0n, 19n, 20n, undefined])
    await again.close()
  })

  it('is refused when its table holds more than the log ever had', async () => {
    const { topic, on, tables, log } = await setting()
    await send(topic, 5)
    await topic.tier()
    await log.close()
    tables.tables.get(topic.id)!.frontier[0] = 9n
    const again = await openIn(on.runtime(), { tier: fakeColdTier(tables) })
    const found = await again.topic<Uint8Array>('orders')
    await expect(found.producer({ lingerMs: 0 }).send({ value: new Uint8Array(1) })).rejects.toMatchObject({
      code: 'LOG_BEHIND_TABLE',
    })
    await again.close()
  })
})
