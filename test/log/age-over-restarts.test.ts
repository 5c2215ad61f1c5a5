import { conflict, unavailable, type ColdTier, type Log, type Topic } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn } from './machine.ts'

const HOUR = 3_600_000

/** One machine, and processes on it that live shortly, one after the other. */
function shortRuns(options: { graceMs?: number; freshnessMs?: number; partitions?: number }) {
  const on = machine()
  const tables = fakeTables()
  const { graceMs = HOUR, ...config } = options
  return {
    on,
    tables,
    table: () => [...tables.tables.values()][0]!,
    /** Opens the log, does `work`, lets `ms` pass, closes. Gives released/frontier/high watermark of partition 0. */
    async run(ms: number, work: (topic: Topic<Uint8Array>) => Promise<unknown> = async () => {}): Promise<string> {
      const log = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs })
      const topic = await log.ensureTopic('tides', config)
      await work(topic)
      await on.clock.advance(ms)
      const { released, frontier, highWatermark } = topic.offsets()[0]!
      await log.close()
      expect(on.clock.waiting).toBe(0)
      return `${released}/${frontier}/${highWatermark}`
    },
  }
}

const send =
  (partition = 0) =>
  (topic: Topic<Uint8Array>): Promise<unknown> =>
    topic.producer({ lingerMs: 0 }).send({ value: bytesOf('ebb'), partition })

const sendAndTier = async (topic: Topic<Uint8Array>): Promise<unknown> => {
  await send()(topic)
  return topic.tier()
}

describe('freshness over restarts', () => {
  it('counts from the append, though no process lives as long', async () => {
    const { run, tables, on } = shortRuns({ freshnessMs: 9_000 })
    const began = on.clock.now()
    let runs = 0
    while (tables.commits === 0 && runs < 30) {
      await run(700, send())
      await on.clock.advance(runs++ % 2 === 0 ? 0 : 1_000)
    }
    const tookMs = on.clock.now() - began
    expect(tookMs).toBeGreaterThanOrEqual(9_000)
    expect(tookMs).toBeLessThan(9_000 + 2_400)
    // The oldest record decides, not the newest of each run.
    expect(runs).toBeGreaterThan(5)
  })

  it('is over at once after a long stop, in whichever partition the oldest record is', async () => {
    const { run, on } = shortRuns({ freshnessMs: 60_000, partitions: 3 })
    await run(10, send(2))
    await run(10, send(0))
    await on.clock.advance(59_900)
    expect(await run(10)).toBe('0/0/1')
    await on.clock.advance(50)
    expect(await run(30)).toBe('0/1/1')
  })

  it('begins anew, and ends, when the wall clock has fallen behind the append', async () => {
    const { run, on, tables } = shortRuns({ freshnessMs: 20_000 })
    await run(5_000, send())
    on.clock.jump(-7 * HOUR)
    expect(await run(19_999)).toBe('0/0/1')
    expect(tables.commits).toBe(0)
    expect(await run(20_001)).toBe('0/1/1')
  })

  it('does not wait for a clock that was far ahead at one append', async () => {
    const { run, on } = shortRuns({ freshnessMs: 20_000 })
    on.clock.jump(1_000 * HOUR)
    await run(1, send())
    on.clock.jump(-1_000 * HOUR)
    expect(await run(3_000, send())).toBe('0/0/2')
    for (let passed = 3_000; passed < 18_000; passed += 3_000) expect(await run(3_000)).toBe('0/0/2')
    expect(await run(3_000)).toBe('0/2/2')
  })

  it('does not look at the wall clock for what this process appended', async () => {
    const { run, on } = shortRuns({ freshnessMs: 20_000 })
    const jumping = async (topic: Topic<Uint8Array>): Promise<void> => {
      for (const ms of [50 * HOUR, -90 * HOUR, 60 * HOUR]) {
        await send()(topic)
        on.clock.jump(ms)
        await on.clock.advance(5_000)
      }
    }
    expect(await run(4_999, jumping)).toBe('0/0/3')
  })
})

describe('grace of records that the table lost and was given again', () => {
  const graceMs = 50_000

  /** A tier whose table proves set back, to nothing, when `setBack` was called; the log may mend that. */
  function setting() {
    const on = machine()
    const tables = fakeTables()
    const fake = fakeColdTier(tables)
    let isBroken = false
    const check = (): void => {
      if (isBroken) throw conflict('LINEAGE_BROKEN', 'The table was rolled back.')
    }
    const tier: ColdTier = {
      ...fake,
      async attach(info, context) {
        check()
        const cold = await fake.attach(info, context)
        const checked = async <T>(work: () => Promise<T>): Promise<T> => (check(), work())
        return {
          ...cold,
          tier: (request) => checked(() => cold.tier(request)),
          releasable: (request) => checked(() => cold.releasable(request)),
        }
      },
      async adopt(info, context, request) {
        isBroken = false
        return fake.adopt(info, context, request)
      },
    }
    const setBack = (): void => {
      isBroken = true
      const [table] = tables.tables.values()
      table!.frontier.fill(0n)
      for (const records of table!.partitions) records.length = 0
    }
    const open = (): Promise<Log> => openIn(on.runtime(), { tier, graceMs, onBroken: 'restore', takeover: 'newest' })
    return { on, open, setBack }
  }

  it('begins with the commit that holds them now', async () => {
    const { on, open, setBack } = setting()
    const log = await open()
    const topic = await log.ensureTopic('tides')
    await sendAndTier(topic)
    await on.clock.advance(45_000)
    setBack()
    await topic.tier()
    expect(topic.offsets()[0]!.frontier).toBe(1n)
    await on.clock.advance(49_000)
    expect(topic.offsets()[0]!.released).toBe(0n)
    await on.clock.advance(1_000)
    expect(topic.offsets()[0]!.released).toBe(1n)
    await log.close()
  })

  it('begins with it though the process is another one by then', async () => {
    const { on, open, setBack } = setting()
    const first = await open()
    await sendAndTier(await first.ensureTopic('tides'))
    await first.close()
    await on.clock.advance(45_000)
    setBack()
    const second = await open()
    await (await second.ensureTopic('tides')).tier()
    await second.close()
    const third = await open()
    const topic = await third.ensureTopic('tides')
    await on.clock.advance(48_000)
    expect(topic.offsets()[0]!.released).toBe(0n)
    await on.clock.advance(2_000)
    expect(topic.offsets()[0]!.released).toBe(1n)
    await third.close()
  })
})

describe('grace over restarts', () => {
  it('counts from the commit, though no process lives as long', async () => {
    const { run, on } = shortRuns({ graceMs: 50_000 })
    expect(await run(2_000, sendAndTier)).toBe('0/1/1')
    for (let passed = 2_000; passed < 48_000; passed += 4_000) {
      expect(await run(3_000)).toBe('0/1/1')
      await on.clock.advance(1_000)
    }
    expect(await run(3_000)).toBe('1/1/1')
  })

  it('counts from an earlier commit, though every process makes a new one', async () => {
    const { run } = shortRuns({ graceMs: 50_000 })
    const released: number[] = []
    for (let passed = 0; passed < 160_000; passed += 4_000) {
      const [upTo] = (await run(4_000, sendAndTier)).split('/')
      if (Number(upTo) > (released.at(-1) ?? 0)) released.push(Number(upTo))
    }
    // The thirteenth lets the first one's go, and remembers what it found in the table; and so on.
    expect(released).toEqual([1, 12, 23])
  })

  it('does so, too, when every process is killed', async () => {
    const { on, tables } = shortRuns({})
    const released: bigint[] = []
    for (let runs = 0; runs < 30; runs++) {
      const runtime = on.runtime()
      const log = await openIn(runtime, { tier: fakeColdTier(tables), graceMs: 50_000 })
      const topic = await log.ensureTopic('tides')
      await sendAndTier(topic)
      await on.clock.advance(4_000)
      const [offsets] = topic.offsets()
      if (offsets!.released > (released.at(-1) ?? 0n)) released.push(offsets!.released)
      runtime.exit()
    }
    expect(released).toEqual([1n, 12n])
  })

  it('goes on for a topic that a process in between does not touch', async () => {
    const { run, on, tables } = shortRuns({ graceMs: 50_000 })
    await run(1_000, sendAndTier)
    await on.clock.advance(30_000)
    const other = await openIn(on.runtime(), { tier: fakeColdTier(tables) })
    await other.close()
    await on.clock.advance(15_000)
    expect(await run(3_000, sendAndTier)).toBe('0/2/2')
    expect(await run(1_000, sendAndTier)).toBe('1/3/3')
  })

  it('begins anew, and ends, when the wall clock has fallen behind the commit', async () => {
    const { run, on } = shortRuns({ graceMs: 50_000 })
    await run(40_000, sendAndTier)
    on.clock.jump(-HOUR)
    expect(await run(49_999)).toBe('0/1/1')
    expect(await run(50_001)).toBe('1/1/1')
  })

  it('goes on from the checkpoint when the table does not say when it was', async () => {
    const { run, table } = shortRuns({ graceMs: 50_000 })
    await run(40_000, sendAndTier)
    table().committedAtMs = undefined
    expect(await run(9_999)).toBe('0/1/1')
    expect(await run(1)).toBe('1/1/1')
  })

  it('goes on from the table after a process that was killed, and begins anew when it does not say either', async () => {
    for (const says of [true, false]) {
      const { on, tables, table } = shortRuns({})
      const options = { tier: fakeColdTier(tables), graceMs: 50_000 }
      const killed = on.runtime()
      await sendAndTier(await (await openIn(killed, options)).ensureTopic('tides'))
      await on.clock.advance(40_000)
      killed.exit()
      if (!says) table().committedAtMs = undefined
      const log = await openIn(on.runtime(), options)
      const topic = await log.topic('tides')
      await on.clock.advance(says ? 9_999 : 49_999)
      expect(topic.offsets()[0]!.released).toBe(0n)
      await on.clock.advance(1)
      expect(topic.offsets()[0]!.released).toBe(1n)
      await log.close()
    }
  })

  it('is never older than the youngest record below the frontier', async () => {
    const { run, on, tables, table } = shortRuns({ graceMs: 50_000 })
    await run(0, send())
    await on.clock.advance(20_000)
    // Killed before a checkpoint could say when.
    const killed = on.runtime()
    const log = await openIn(killed, { tier: fakeColdTier(tables) })
    await sendAndTier(await log.topic('tides'))
    killed.exit()
    // A clock that was wrong at the commit.
    table().committedAtMs = 1
    expect(await run(49_999)).toBe('0/2/2')
    expect(await run(1)).toBe('2/2/2')
  })

  it('cut short by a clock far ahead, still looks at the table before anything goes', async () => {
    const { run, on, tables } = shortRuns({ graceMs: 50_000 })
    await run(1_000, sendAndTier)
    on.clock.jump(1_000 * HOUR)
    let asked = 0
    tables.beforeRelease = async () => {
      asked++
      throw unavailable('DOWN', 'The catalog is down.')
    }
    expect(await run(10)).toBe('0/1/1')
    expect(asked).toBe(1)
    tables.beforeRelease = async () => {}
    expect(await run(10)).toBe('1/1/1')
  })
})
