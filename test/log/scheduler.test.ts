/** One scheduler for every stored topic: it neither sleeps while something is due, nor spins while nothing helps. */
import { closed, unavailable, type ColdTier, type ColdTopic, type Log, type Topic } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables, type FakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn, valuesOf, type Machine } from './machine.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND

interface Setting {
  readonly on: Machine
  readonly tables: FakeTables
  open(options?: Parameters<typeof openIn>[1]): Promise<Log>
}

function setting(): Setting {
  const on = machine()
  const tables = fakeTables()
  return {
    on,
    tables,
    open: (options = {}) => openIn(on.runtime(), { tier: fakeColdTier(tables), ...options }),
  }
}

async function send(topic: Topic<Uint8Array>, count: number, size = 400): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  for (let i = 0; i < count; i++) await producer.send({ value: bytesOf(String(i).padEnd(size, '.')) })
  await producer.close()
}

const released = (topic: Topic<Uint8Array>): bigint => topic.offsets()[0]!.released
const frontier = (topic: Topic<Uint8Array>): bigint => topic.offsets()[0]!.frontier

describe('an attempt that fails', () => {
  it('leads to the next one, whoever asked for it', async () => {
    const { on, tables, open } = setting()
    const log = await open()
    const topic = await log.ensureTopic('meter', { freshnessMs: 700 })
    let fail!: (error: Error) => void
    const begun = new Promise<void>((hasBegun) => {
      tables.beforeCommit = () => {
        hasBegun()
        return new Promise((_, reject) => (fail = reject))
      }
    })
    await send(topic, 1)
    const asked = topic.tier()
    await begun
    // The record grows old while the attempt hangs.
    await on.clock.advance(900)
    tables.beforeCommit = async () => {}
    fail(unavailable('DOWN', 'The catalog is down.'))
    await expect(asked).rejects.toMatchObject({ code: 'DOWN' })
    expect(topic.stats()).toMatchObject({
      untieredRecords: 1,
      retries: 0,
      lastError: { code: 'DOWN', kind: 'unavailable' },
    })
    await on.clock.advance(2 * SECOND)
    expect(topic.stats()).toMatchObject({ untieredRecords: 0, lastError: null, failingSinceMs: null })
    await log.close()
  })

  it('is one of a record that came while what was committed before it has its grace', async () => {
    const { on, tables, open } = setting()
    const log = await open({ graceMs: HOUR })
    const topic = await log.ensureTopic('meter', { freshnessMs: SECOND })
    await send(topic, 1)
    await topic.tier()
    await on.clock.advance(SECOND)
    tables.beforeCommit = async () => {
      throw unavailable('DOWN', 'The catalog is down.')
    }
    await send(topic, 1)
    await on.clock.advance(2 * SECOND)
    expect(topic.stats()).toMatchObject({ untieredRecords: 1, lastError: { code: 'DOWN' } })
    tables.beforeCommit = async () => {}
    await on.clock.advance(2 * SECOND)
    expect(topic.stats()).toMatchObject({ untieredRecords: 0, lastError: null })
    await log.close()
  })

  it('says since when, how often and why, in the stats of topic and log', async () => {
    const { on, tables, open } = setting()
    const log = await open()
    const topic = await log.ensureTopic('meter', { freshnessMs: SECOND })
    tables.beforeCommit = async () => {
      throw unavailable('DOWN', 'The catalog is down.')
    }
    await send(topic, 1)
    const beganMs = on.clock.now() + SECOND
    await on.clock.advance(20 * SECOND)
    // At 1, 2, 4 and 8 s after another.
    const failing = { failingSinceMs: beganMs, retries: 4, lastError: { code: 'DOWN', timeMs: beganMs + 15 * SECOND } }
    expect(topic.stats()).toMatchObject(failing)
    expect(log.stats()).toMatchObject(failing)
    expect(JSON.parse(JSON.stringify([log.stats(), topic.stats()]))).toMatchObject([
      failing,
      { snapshotId: null, ...failing },
    ])
    await log.close()
  })
})

describe('calls that give up before a commit is done', () => {
  it('do not keep the topic from being tiered', async () => {
    const { on, tables, open } = setting()
    const fake = fakeColdTier(tables)
    const { timers } = on.runtime()
    /** A commit takes half a second, and ends before it is made where nobody waits for it any more. */
    const tier: ColdTier = {
      ...fake,
      async attach(info, context) {
        const cold = await fake.attach(info, context)
        const slow: ColdTopic['tier'] = async (request) => {
          await timers.sleep(500, request.signal)
          return cold.tier(request)
        }
        return { ...cold, tier: slow }
      },
    }
    const log = await open({ tier })
    const topic = await log.ensureTopic('busy', { freshnessMs: 2_000 })
    for (let round = 0; round < 60; round++) {
      await send(topic, 1)
      const stop = new AbortController()
      const call = topic.tier({ signal: stop.signal }).catch(() => undefined)
      await on.clock.advance(100)
      stop.abort()
      await call
      await on.clock.advance(900)
    }
    expect(tables.commits).toBeGreaterThan(15)
    expect(topic.stats().untieredRecords).toBeLessThan(5)
    const closed = log.close()
    await on.clock.advance(1_000)
    await closed
  })
})

describe('a topic that nobody opens in this process', () => {
  it('is tiered when its records are old, and released when its grace has passed', async () => {
    const { on, tables, open } = setting()
    const first = await open({ graceMs: HOUR })
    await send(await first.ensureTopic('forgotten', { freshnessMs: 5 * SECOND }), 3)
    await first.close()
    const second = await open({ graceMs: HOUR })
    await on.clock.advance(4 * SECOND)
    expect(tables.commits).toBe(0)
    await on.clock.advance(SECOND)
    expect(tables.commits).toBe(1)
    await second.close()
    // In a process of its own, which sees the commit only by what the checkpoint says.
    const third = await open({ graceMs: HOUR })
    await on.clock.advance(HOUR - SECOND)
    expect(third.stats().wal.liveSegments).toBe(1)
    await on.clock.advance(SECOND)
    expect(third.stats().wal.liveSegments).toBe(0)
    const topic = await third.topic<Uint8Array>('forgotten')
    expect(released(topic)).toBe(3n)
    expect(await valuesOf(topic)).toHaveLength(3)
    await third.close()
  })

  it.each(['closed', 'killed'])('is released by releaseNow, in a process that follows one that was %s', async (end) => {
    const { open } = setting()
    const first = await open({ graceMs: HOUR })
    const topic = await first.ensureTopic('confirmed')
    await send(topic, 4)
    await topic.tier()
    if (end === 'closed') await first.close()
    const second = await open({ graceMs: HOUR, takeover: 'newest' })
    expect(second.stats().wal.liveSegments).toBe(1)
    await second.releaseNow()
    expect(second.stats().wal.liveSegments).toBe(0)
    expect(released(await second.topic<Uint8Array>('confirmed'))).toBe(4n)
    await second.close()
  })

  it('is left alone by a log without tables', async () => {
    const { on } = setting()
    const runtime = on.runtime()
    const log = await openIn(runtime)
    await send(await log.ensureTopic('plain'), 3)
    await on.clock.advance(HOUR)
    expect(runtime.logs.filter(({ level }) => level === 'warn')).toEqual([])
    const topic = await log.topic<Uint8Array>('plain')
    await expect(topic.tier()).rejects.toMatchObject({ code: 'NO_COLD_TIER' })
    await expect(topic.audit()).rejects.toMatchObject({ code: 'NO_COLD_TIER' })
    // That it was opened so is no failure of its.
    expect(log.stats()).toMatchObject({ lastError: null })
    expect(topic.stats()).toMatchObject({ lastError: null, stoppedBy: null })
    expect(runtime.logs.filter(({ level }) => level === 'warn')).toEqual([])
    expect(on.clock.waiting).toBe(0)
    await log.close({ tier: true })
  })

  it('costs nothing while there is nothing to do', async () => {
    const { on, tables, open } = setting()
    const first = await open({ graceMs: 0 })
    const topic = await first.ensureTopic('quiet')
    await send(topic, 3)
    await topic.tier()
    await first.releaseNow()
    await first.close()
    const attached = tables.attached
    const second = await open()
    expect(on.clock.waiting).toBe(0)
    await on.clock.advance(24 * HOUR)
    expect(tables.attached).toBe(attached)
    await second.close()
  })
})

describe('a write-ahead tier above maxWalBytes', () => {
  const limits = { maxWalBytes: 64 * 1024 }

  it('is not relieved again and again while a reader holds it, and at once when it lets go', async () => {
    const { on, tables, open } = setting()
    const log = await open({ limits, graceMs: HOUR, maxBlockMs: 1 })
    const topic = await log.ensureTopic('meter')
    await send(topic, 60)
    const pin = tables.hot[0]!.pin([0n])
    const producer = topic.producer({ lingerMs: 0 })
    await expect(sendUntilRefused(on, producer)).rejects.toMatchObject({ code: 'WAL_FULL', kind: 'exhausted' })
    let asked = 0
    tables.beforeRelease = async () => void asked++
    const commits = tables.commits
    await on.clock.advance(120 * SECOND)
    // Each time later: 1, 2, 4, 8, 16, 32 and 60 s after another.
    expect(asked).toBeLessThan(9)
    expect(tables.commits - commits).toBeLessThan(2)
    expect(log.stats().walFull).toMatchObject({
      reason: expect.stringContaining('a reader or a scan holds it') as string,
    })
    pin.release()
    await on.clock.advance(0)
    expect(log.stats()).toMatchObject({ walFull: null })
    expect(released(topic)).toBeGreaterThan(60n)
    await producer.send({ value: bytesOf('more') })
    await log.close()
  })

  it('holds producers back while no commit succeeds, refuses them after maxBlockMs, and loses none of them for good', async () => {
    const { on, tables, open } = setting()
    const log = await open({ limits, maxBlockMs: 30 * SECOND })
    const topic = await log.ensureTopic('meter')
    let tried = 0
    tables.beforeCommit = async () => {
      tried++
      throw unavailable('DOWN', 'The catalog is down.')
    }
    const producer = topic.producer({ lingerMs: 0 })
    let waiting: Promise<unknown> = Promise.resolve()
    let sent = 0
    for (; log.stats().walFull === null; sent++) {
      waiting = producer.send({ value: new Uint8Array(1_000) })
      await Promise.race([waiting, on.clock.advance(0)])
    }
    await waiting
    await on.clock.advance(0)
    const { highWatermark } = topic.offsets()[0]!
    expect(highWatermark).toBe(BigInt(sent))
    expect(log.stats().wal.heldBytes).toBeLessThan(limits.maxWalBytes * 1.2)
    expect(log.stats().walFull).toMatchObject({ reason: expect.stringMatching(/meter.*DOWN/) as string })

    const controller = new AbortController()
    const batches = bytesOf('') // Checked before there is any waiting.
    await expect(topic.append({ partition: 0, batches })).rejects.toMatchObject({ code: 'BATCH_EMPTY' })
    const aborted = producer.send({ value: bytesOf('a') }, { signal: controller.signal })
    const refused = producer.send({ value: bytesOf('b') })
    const all = producer.sendAll([{ value: bytesOf('c') }])
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ kind: 'aborted' })
    const ends = Promise.all([
      expect(refused).rejects.toMatchObject({ code: 'WAL_FULL', outcome: 'rejected' }),
      expect(all).rejects.toMatchObject({ code: 'WAL_FULL' }),
    ])
    await on.clock.advance(30 * SECOND)
    await ends
    // 1, 2, 4, 8, 16, 32 s after another.
    expect(tried).toBeLessThan(8)
    expect(topic.offsets()[0]!.highWatermark).toBe(highWatermark)

    const patient = producer.send({ value: bytesOf('d') })
    tables.beforeCommit = async () => {}
    await on.clock.advance(40 * SECOND)
    expect(await patient).toMatchObject({ offset: highWatermark })
    expect(log.stats().walFull).toBeNull()
    expect(frontier(topic)).toBeGreaterThanOrEqual(highWatermark)
    await log.close()
  })

  it('says of a sendAll what of it is stored when the rest is refused', async () => {
    const { on, tables, open } = setting()
    const log = await open({ limits, maxBlockMs: 7_000 })
    const topic = await log.ensureTopic('meter')
    tables.beforeCommit = () => Promise.reject(unavailable('DOWN', 'The catalog is down.'))
    const producer = topic.producer({ lingerMs: 0, batchBytes: 2_000 })
    let acked = 0
    const records = Array.from({ length: 300 }, () => ({ value: new Uint8Array(1_000) }))
    const call = producer.sendAll(records, { onAck: (ack) => void (acked += ack.records) })
    let hasEnded = false
    const refused = expect(call)
      .rejects.toMatchObject({ code: 'WAL_FULL', outcome: 'unknown', retryable: false })
      .finally(() => (hasEnded = true))
    // Some more may be let in while a commit is tried.
    while (!hasEnded) await on.clock.advance(10)
    await refused
    expect(acked).toBeGreaterThan(10)
    expect(topic.offsets()[0]!.highWatermark).toBe(BigInt(acked))
    await expect(call).rejects.toMatchObject({ context: { records: acked, next: String(acked) } })
    await log.close()
  })

  it('has flush and close wait for the sends that wait for room', async () => {
    const { on, tables, open } = setting()
    const log = await open({ limits, maxBlockMs: 50_000 })
    const topic = await log.ensureTopic('meter')
    tables.beforeCommit = () => Promise.reject(unavailable('DOWN', 'The catalog is down.'))
    const producer = topic.producer({ lingerMs: 0 })
    while (log.stats().walFull === null) {
      await Promise.race([producer.send({ value: new Uint8Array(1_000) }), on.clock.advance(0)])
    }
    const ends: string[] = []
    const named = (name: string, call: Promise<unknown>): Promise<void> =>
      call.then(
        () => void ends.push(name),
        (error: unknown) => void ends.push(`${name}: ${String((error as { code: unknown }).code)}`),
      )
    const calls = [named('refused', producer.send({ value: bytesOf('x') })), named('flush', producer.flush())]
    await on.clock.advance(49_000)
    expect(ends).toEqual([])
    await on.clock.advance(2_000)
    expect(ends).toEqual(['refused: WAL_FULL', 'flush'])
    calls.push(named('sent', producer.send({ value: bytesOf('y') })), named('close', producer.close()))
    await on.clock.advance(1)
    expect(ends).toHaveLength(2)
    tables.beforeCommit = async () => {}
    await on.clock.advance(60_000)
    await Promise.all(calls)
    expect(ends.slice(2)).toEqual(['sent', 'close'])
    await log.close()
  })

  it('asks another topic where the table of the oldest does not answer', async () => {
    const { on, tables, open } = setting()
    const log = await open({ limits, graceMs: HOUR, maxBlockMs: HOUR })
    const [older, newer] = [await log.ensureTopic('older'), await log.ensureTopic('newer')]
    for (const topic of [older, newer]) {
      await send(topic, 25)
      await topic.tier()
      await on.clock.advance(SECOND)
    }
    let asked = 0
    tables.beforeRelease = () => (++asked === 1 ? new Promise(() => {}) : Promise.resolve())
    const producer = newer.producer({ lingerMs: 0 })
    const sends: Promise<unknown>[] = []
    for (let at = 0; at < 100; at++) {
      sends.push(producer.send({ value: new Uint8Array(1_000) }).catch(() => undefined))
      await on.clock.advance(5)
    }
    await on.clock.advance(10 * SECOND)
    expect(released(older)).toBe(0n)
    expect(released(newer)).toBeGreaterThan(24n)
    await Promise.all([on.clock.advance(120 * SECOND), log.close({ drainMs: 1_000 })])
    await Promise.all(sends)
  })

  it('makes room as often as it is wanted, while every commit helps', async () => {
    const { on, tables, open } = setting()
    const log = await open({ limits, graceMs: HOUR, maxBlockMs: 5 * SECOND })
    const topic = await log.ensureTopic('meter')
    const producer = topic.producer({ lingerMs: 0 })
    // Twelve times what the write-ahead tier may hold.
    for (let at = 0; at < 800; at++) {
      const sent = producer.send({ value: new Uint8Array(1_000) })
      await Promise.all([sent, on.clock.advance(1)])
    }
    expect(tables.commits).toBeGreaterThan(9)
    expect(on.clock.monotonic()).toBeLessThan(10 * SECOND)
    await log.close()
  })
})

describe('a tier that somebody else has closed', () => {
  it('is asked later each time, and the error is seen', async () => {
    const { on, tables, open } = setting()
    const log = await open()
    const topic = await log.ensureTopic('meter', { freshnessMs: SECOND })
    let asked = 0
    tables.beforeCommit = async () => {
      // A spin would never let the test end.
      if (++asked > 50) return
      throw closed('CLOSED', 'The cold tier is closed.')
    }
    await send(topic, 1)
    await on.clock.advance(30 * SECOND)
    expect(asked).toBeLessThan(7)
    expect(topic.stats()).toMatchObject({ lastError: { code: 'CLOSED' } })
    await log.close()
  })
})

async function sendUntilRefused(on: Machine, producer: ReturnType<Topic<Uint8Array>['producer']>): Promise<void> {
  for (let at = 0; at < 500; at++) {
    const sent = producer.send({ value: bytesOf(String(at).padEnd(400, '.')) })
    const settled = sent.catch(() => undefined)
    await Promise.race([settled, on.clock.advance(5)])
    await sent
  }
}

describe('close({ tier: true })', () => {
  it('commits what waits, once for each topic that has something', async () => {
    const { tables, open } = setting()
    const log = await open()
    await send(await log.ensureTopic('one'), 2)
    await send(await log.ensureTopic('two'), 1)
    await log.ensureTopic('none')
    await log.close({ tier: true })
    expect(tables.commits).toBe(2)
  })
})
