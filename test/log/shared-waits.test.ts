/** A signal ends the wait of its own caller: what several callers share goes on for the others. */
import { isKind, unavailable, type ColdTier } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, machine, openIn, valuesOf, type Machine } from './machine.ts'

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => (isKind(error, 'aborted') ? 'aborted' : error),
  )

async function turns({ clock }: Machine): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await clock.advance(0)
}

/** A promise that a test keeps, with its end. */
function gate(): { readonly passed: Promise<void>; open: () => void } {
  let open!: () => void
  const passed = new Promise<void>((resolve) => (open = resolve))
  return { passed, open }
}

describe('a shared commit', () => {
  it('goes on for those whose signal has not fired, also behind another commit', async () => {
    const on = machine()
    const tables = fakeTables()
    const log = await openIn(on.runtime(), { tier: fakeColdTier(tables) })
    const topic = await log.createTopic('orders')
    const producer = topic.producer({ lingerMs: 0 })
    await producer.send({ value: bytesOf('a') })
    const commit = gate()
    tables.beforeCommit = () => commit.passed
    const [first, third] = [new AbortController(), new AbortController()]
    const running = [topic.tier({ signal: first.signal }), topic.tier(), topic.tier({ signal: third.signal })]
    await turns(on)
    await producer.send({ value: bytesOf('b') })
    const [fourth, sixth] = [new AbortController(), new AbortController()]
    const behind = [topic.tier({ signal: fourth.signal }), topic.tier(), topic.tier({ signal: sixth.signal })]
    for (const stop of [first, third, fourth, sixth]) stop.abort()
    const all = [...running, ...behind].map(outcomeOf)
    // At once, although the commit does not answer.
    expect(await Promise.all([all[0], all[2], all[3], all[5]])).toEqual(['aborted', 'aborted', 'aborted', 'aborted'])
    commit.open()
    expect(await all[1]).toMatchObject({ rows: 1, frontier: [1n] })
    expect(await all[4]).toMatchObject({ rows: 1, frontier: [2n] })
    await log.close()
  })

  it('that nobody waits for any more is begun anew by the next caller', async () => {
    const on = machine()
    const tables = fakeTables()
    const log = await openIn(on.runtime(), { tier: fakeColdTier(tables) })
    const topic = await log.createTopic('orders')
    await topic.producer({ lingerMs: 0 }).send({ value: bytesOf('a') })
    const commit = gate()
    tables.beforeCommit = () => commit.passed
    const stop = new AbortController()
    const left = outcomeOf(topic.tier({ signal: stop.signal }))
    await turns(on)
    stop.abort()
    expect(await left).toBe('aborted')
    const next = topic.tier()
    commit.open()
    expect((await next).frontier).toEqual([1n])
    await log.close()
  })
})

describe('a shared attach', () => {
  /** A cold tier whose attach of some topics does not answer before the gate is open. */
  function slow(names: readonly string[]): {
    tier: ColdTier
    attach: ReturnType<typeof gate>
    tables: ReturnType<typeof fakeTables>
  } {
    const tables = fakeTables()
    const attach = gate()
    const fake = fakeColdTier(tables)
    const tier: ColdTier = {
      ...fake,
      async attach(topic, context) {
        if (names.includes(topic.name)) await attach.passed
        return fake.attach(topic, context)
      },
    }
    return { tier, attach, tables }
  }

  it('ends for one reader by his signal, and is there for the other', async () => {
    const on = machine()
    const tables = fakeTables()
    const before = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    const old = await before.createTopic('orders')
    await old.producer({ lingerMs: 0 }).send({ value: bytesOf('a') })
    await old.tier()
    await before.releaseNow()
    await before.close()
    const attach = gate()
    const fake = fakeColdTier(tables)
    const tier: ColdTier = {
      ...fake,
      attach: async (topic, context) => {
        await attach.passed
        return fake.attach(topic, context)
      },
    }
    const log = await openIn(on.runtime(), { tier, catalogWaitMs: 0 })
    const opening = log.topic('orders')
    await turns(on)
    await on.clock.advance(1)
    const topic = await opening
    expect(topic.offsets()[0]!.released).toBe(1n)
    const stop = new AbortController()
    const { signal } = stop
    const calls = [
      collect(topic.read({ to: 'end', signal })),
      collect(topic.readAt([{ partition: 0, offset: 0n }], { signal })),
      topic.scan({ signal }).count(),
      topic.audit({ signal }),
    ].map(outcomeOf)
    const other = valuesOf(topic)
    await turns(on)
    stop.abort()
    expect(await Promise.all(calls)).toEqual(['aborted', 'aborted', 'aborted', 'aborted'])
    attach.open()
    expect(await other).toEqual(['a'])
    await log.close()
  })

  it('that hangs holds up no other topic, and its own only as long as it says', async () => {
    const on = machine()
    const { tier, attach } = slow(['slow'])
    const log = await openIn(on.runtime(), { tier, catalogWaitMs: 5_000 })
    const first = log.createTopic('slow')
    await turns(on)
    const quick = await outcomeOf(Promise.race([log.ensureTopic('quick').then(({ name }) => name), hung(on)]))
    expect(quick).toBe('quick')
    await on.clock.advance(5_000)
    expect((await first).name).toBe('slow')
    // Calls for one topic wait side by side, too.
    const again = [log.topic('slow'), log.ensureTopic('slow'), log.topic('slow')]
    await turns(on)
    await on.clock.advance(5_000)
    expect((await Promise.all(again)).map(({ name }) => name)).toEqual(['slow', 'slow', 'slow'])
    attach.open()
    await log.close()
  })

  async function hung(on: Machine): Promise<string> {
    for (let turn = 0; turn < 200; turn++) await on.clock.advance(0)
    return 'hung'
  }

  it('that fails is looked for by one timer, whoever asked how often', async () => {
    const on = machine()
    const tables = fakeTables()
    const fake = fakeColdTier(tables)
    const tier: ColdTier = {
      ...fake,
      attach: () => Promise.reject(unavailable('CATALOG_DOWN', 'The catalog is down.')),
      adopt: () => Promise.resolve({ ...nothing, incarnation: 0 }),
    }
    const log = await openIn(on.runtime(), { tier, catalogWaitMs: 1_000 })
    const topic = await log.createTopic('orders')
    await topic.adoptTable()
    const { waiting } = on.clock
    for (let call = 0; call < 10; call++) await topic.adoptTable()
    expect(on.clock.waiting).toBe(waiting)
    await on.clock.advance(60_000)
    expect(on.clock.waiting).toBe(waiting)
    await log.close()
  })
})

describe('an adoption', () => {
  const steps = ['attach', 'tier', 'close', 'adopt', 'attach again'] as const

  it.each(steps)('ends for its caller by his signal, and the next one begins behind it (%s hangs)', async (hanging) => {
    const on = machine()
    const tables = fakeTables()
    const fake = fakeColdTier(tables)
    const hang = gate()
    const adopts: boolean[] = []
    let attaches = 0
    const tier: ColdTier = {
      ...fake,
      async attach(topic, context) {
        attaches++
        if (hanging === (attaches === 1 ? 'attach' : 'attach again')) await hang.passed
        const cold = await fake.attach(topic, context)
        let running: Promise<unknown> = Promise.resolve()
        return {
          ...cold,
          tier: (call) => {
            const done = cold.tier(call)
            running = done.catch(() => undefined)
            return done
          },
          async close() {
            if (hanging === 'close') await hang.passed
            await running
            await cold.close()
          },
        }
      },
      async adopt(topic, _context, options) {
        adopts.push(options.signal?.aborted ?? false)
        if (hanging === 'adopt') await hang.passed
        return { ...nothing, incarnation: topic.incarnation }
      },
    }
    const log = await openIn(on.runtime(), { tier, catalogWaitMs: 0 })
    const opening = log.createTopic('orders')
    await turns(on)
    await on.clock.advance(1)
    const topic = await opening
    const sending = topic.producer({ lingerMs: 0 }).send({ value: bytesOf('a') })
    await turns(on)
    await on.clock.advance(1)
    await sending
    if (hanging === 'tier') tables.beforeCommit = () => hang.passed
    const tiering = hanging === 'attach' ? undefined : topic.tier()
    await turns(on)
    const stop = new AbortController()
    const first = topic.adoptTable({ signal: stop.signal })
    const given = outcomeOf(first)
    const next = topic.adoptTable()
    await turns(on)
    stop.abort()
    expect(await Promise.race([given, turns(on).then(() => 'waits')])).toBe('aborted')
    const isBegun = hanging === 'adopt' || hanging === 'attach again'
    expect(adopts).toEqual(isBegun ? [false] : [])
    hang.open()
    expect(await next).toMatchObject({ outcome: 'none' })
    await tiering
    // The one that was given up has changed nothing that it had not begun.
    expect(adopts).toEqual(isBegun ? [false, false] : [false])
    expect(await valuesOf(topic)).toEqual(['a'])
    await log.close()
  })
})

const nothing = {
  outcome: 'none',
  snapshotId: null,
  frontier: [0n],
  rows: 0n,
  skippedOffsets: 0n,
  skipped: [],
} as const
