/** Waits of senders that end before their records are stored, and what is stored all the same. */
import { getEventListeners } from 'node:events'
import { encodeBatch } from '@moulin/format'
import { unavailable, type BatchAck, type ColdTier, type Log, type Topic } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn, valuesOf, type Machine } from './machine.ts'

interface Setting {
  readonly on: Machine
  readonly log: Log
  readonly topic: Topic<Uint8Array>
}

async function setting(partitions = 1): Promise<Setting> {
  const on = machine()
  const log = await openIn(on.runtime(), { segmentBytes: 1024 * 1024 })
  return { on, log, topic: await log.ensureTopic('orders', { partitions }) }
}

/** Appends wait here for a table that does not answer, for ten seconds. */
async function slowSetting(): Promise<Setting> {
  const on = machine()
  const tables = fakeTables()
  const first = await openIn(on.runtime(), { tier: fakeColdTier(tables) })
  await first.ensureTopic('orders')
  await first.close()
  const tier = fakeColdTier(tables)
  const runtime = on.runtime()
  const answers = new Promise<void>((resolve) => void runtime.timers.after(60_000, resolve))
  const slow: ColdTier = { ...tier, attach: (...call) => answers.then(() => tier.attach(...call)) }
  const log = await openIn(runtime, { tier: slow, catalogWaitMs: 10_000 })
  const opening = log.topic('orders')
  await on.clock.advance(10_000)
  return { on, log, topic: (await opening) as unknown as Topic<Uint8Array> }
}

const errorOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => ({ value }),
    (error: unknown) => error,
  )

const record = (text: string): { value: Uint8Array } => ({ value: bytesOf(text) })

/** Gives some records, then nothing more, and never ends. */
function hanging(texts: readonly string[]) {
  const state = { returns: 0, asked: 0 }
  const never = new Promise<never>(() => {})
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const text = texts[state.asked++]
        return text === undefined ? await never : { done: false as const, value: record(text) }
      },
      return: () => {
        state.returns++
        return never
      },
    }),
  }
  return { source, state }
}

describe('a signal', () => {
  it('ends the wait of a sendAll for its source, which is told and not waited for', async () => {
    const { on, topic, log } = await setting()
    const { source, state } = hanging(['a', 'b', 'c'])
    const abort = new AbortController()
    const acks: BatchAck[] = []
    const producer = topic.producer({ lingerMs: 20 })
    const call = errorOf(producer.sendAll(source, { signal: abort.signal, onAck: (ack) => acks.push(ack) }))
    await on.clock.advance(5)
    abort.abort(new Error('enough'))
    const error = await call
    expect(error).toMatchObject({ kind: 'aborted', outcome: 'unknown', context: { records: 0 } })
    expect(state).toEqual({ returns: 1, asked: 4 })
    // What was accepted goes on, and says so.
    await producer.flush()
    expect(acks).toMatchObject([{ records: 3, lastOffset: 2n }])
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c'])
    expect(getEventListeners(abort.signal, 'abort')).toEqual([])
    await log.close()
  })

  it.each(['signal', 'close', 'onAck'])(
    'is heard while a record waits to be let in (%s), before the source is asked again',
    async (how) => {
      const { on, topic, log } = await setting()
      const abort = new AbortController()
      const producer = topic.producer({ lingerMs: 20, maxUnackedBytes: 50 })
      const { source, state } = hanging(['x'.repeat(100), 'y'.repeat(100)])
      const onAck = (): void => {
        if (how === 'onAck') throw new Error('mine')
      }
      const call = errorOf(producer.sendAll(source, { signal: abort.signal, onAck }))
      await on.clock.advance(5)
      expect(state.asked).toBe(2)
      if (how === 'signal') abort.abort(new Error('enough'))
      if (how === 'close') void producer.close()
      await on.clock.advance(1_000)
      expect(await Promise.race([call, Promise.resolve('still waiting')])).toBeInstanceOf(Error)
      expect(state).toEqual({ returns: 1, asked: 2 })
      await log.close()
    },
  )

  it('says that nothing is stored where nothing has begun, before a source is asked, too', async () => {
    const { on, topic, log } = await setting()
    const producer = topic.producer()
    const { source, state } = hanging([])
    const abort = new AbortController()
    const call = errorOf(producer.sendAll(source, { signal: abort.signal }))
    await on.clock.advance(0)
    abort.abort()
    expect(await call).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    expect(state).toEqual({ returns: 1, asked: 1 })
    expect(await errorOf(producer.sendAll(source, { signal: abort.signal }))).toMatchObject({ outcome: 'rejected' })
    expect(state.asked).toBe(1)
    await log.close()
  })

  it('is heard by whoever waits for room before a close lets all others in, and stores nothing of it', async () => {
    const on = machine()
    const tables = fakeTables()
    tables.beforeCommit = () => Promise.reject(unavailable('DOWN', 'The catalog is down.'))
    const options = { tier: fakeColdTier(tables), limits: { maxWalBytes: 64 * 1024 } }
    const log = await openIn(on.runtime(), options)
    const topic = await log.ensureTopic('orders')
    const producer = topic.producer({ lingerMs: 0 })
    let sent = 0
    for (; log.stats().walFull === null; sent++)
      await Promise.race([producer.send({ value: new Uint8Array(1_000) }), on.clock.advance(1)])
    const abort = new AbortController()
    const { signal } = abort
    let closed: Promise<void> | undefined
    // As a server is shut down: the log's own listeners come later.
    signal.addEventListener('abort', () => void (closed = log.close()))
    const batches = encodeBatch({
      baseOffset: 0n,
      timestampType: 'create',
      records: [
        { offset: 0n, timestamp: BigInt(on.runtime().clock.now()), key: null, value: bytesOf('late'), headers: [] },
      ],
    })
    const calls = [topic.append({ partition: 0, batches, signal }), producer.send(record('late'), { signal })]
    const ends = calls.map((call) => errorOf(call))
    await on.clock.advance(0)
    abort.abort()
    for (const end of ends) expect(await end).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    await closed
    const again = await openIn(on.runtime(), options)
    const values = await valuesOf(await again.topic('orders'))
    expect(values).toHaveLength(sent)
    expect(values).not.toContain('late')
    await again.close()
  })

  it('ends the wait of send, sendAll and append for what is on its way, and nothing else', async () => {
    const { on, topic, log } = await slowSetting()
    const abort = new AbortController()
    const { signal } = abort
    const producer = topic.producer({ lingerMs: 0 })
    const batches = encodeBatch({
      baseOffset: 0n,
      timestampType: 'create',
      records: [
        { offset: 0n, timestamp: BigInt(on.runtime().clock.now()), key: null, value: bytesOf('appended'), headers: [] },
      ],
    })
    const others = [producer.send(record('other')), topic.producer({ lingerMs: 0 }).sendAll([record('others')])]
    const ended = [
      producer.send(record('sent'), { signal }),
      topic.producer({ lingerMs: 0 }).sendAll([record('all')], { signal }),
      topic.append({ partition: 0, batches, signal }),
    ].map((call) => errorOf(call))
    await on.clock.advance(5_000)
    abort.abort()
    for (const error of await Promise.all(ended)) expect(error).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(topic.offsets()[0]!.highWatermark).toBe(0n)
    await on.clock.advance(5_000)
    expect(await Promise.all(others)).toMatchObject([{ partition: 0 }, { records: 1 }])
    expect((await valuesOf(topic)).sort()).toEqual(['all', 'appended', 'other', 'others', 'sent'])
    // The producer is as good as before.
    expect(await errorOf(producer.send(record('later')))).toMatchObject({ value: { partition: 0 } })
    await on.clock.advance(60_000)
    await log.close()
  })

  it('ends a send that lingers; the record goes with its batch, and one listener does for all of it', async () => {
    const { on, topic, log } = await setting()
    const producer = topic.producer({ lingerMs: 1_000 })
    const [abort, kept] = [new AbortController(), new AbortController()]
    const sends = ['a', 'b', 'c', 'd'].map((text, at) =>
      errorOf(producer.send(record(text), { signal: (at < 3 ? abort : kept).signal })),
    )
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1)
    await on.clock.advance(500)
    abort.abort()
    for (const error of await Promise.all(sends.slice(0, 3))) expect(error).toMatchObject({ outcome: 'unknown' })
    await on.clock.advance(500)
    expect(await sends[3]).toMatchObject({ value: { offset: 3n } })
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c', 'd'])
    expect(getEventListeners(kept.signal, 'abort')).toEqual([])
    await log.close()
  })

  it('that fires while the record is read leaves nothing of it', async () => {
    const { topic, log } = await setting()
    const producer = topic.producer({ lingerMs: 0 })
    const abort = new AbortController()
    const odd = {
      get value() {
        abort.abort()
        return bytesOf('odd')
      },
    }
    expect(await errorOf(producer.send(odd, { signal: abort.signal }))).toMatchObject({ outcome: 'rejected' })
    expect(await valuesOf(topic)).toEqual([])
    await log.close()
  })
})

describe('a sendAll whose source hangs', () => {
  it('ends when its producer is closed, and what it gave is stored', async () => {
    const { on, topic, log } = await setting()
    const producer = topic.producer()
    const { source, state } = hanging(['a', 'b'])
    const call = errorOf(producer.sendAll(source))
    await on.clock.advance(0)
    // One that only waits for its acks is left alone.
    const whole = producer.sendAll([record('c')])
    await producer.close()
    expect(await call).toMatchObject({ code: 'PRODUCER_CLOSED', outcome: 'unknown', context: { records: 2 } })
    expect(await whole).toMatchObject({ records: 1 })
    expect(state.returns).toBe(1)
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c'])
    await log.close()
  })

  it('ends when its producer fails, and when its onAck throws', async () => {
    const { on, topic, log } = await setting()
    const producer = topic.producer({ lingerMs: 0 })
    const thrown = new Error('no ack wanted')
    const picky = errorOf(
      producer.sendAll(hanging(['a']).source, {
        onAck: () => {
          throw thrown
        },
      }),
    )
    const idle = errorOf(producer.sendAll(hanging([]).source))
    expect(await picky).toBe(thrown)
    on.disk.fail({ fault: 'EIO', call: 'datasync', path: /\.wal$/ })
    const begun = errorOf(producer.sendAll(hanging(['b']).source))
    expect(await begun).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(await idle).toMatchObject({ code: 'PRODUCER_FAILED', outcome: 'rejected' })
    await log.close()
  })

  it('gives the error of its source as it is, and does not tell a source that failed to end', async () => {
    const { topic, log } = await setting()
    const own = new Error('mine')
    let returns = 0
    let asked = 0
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          if (++asked > 2) throw own
          return { done: false as const, value: record(String(asked)) }
        },
        return: async () => ({ done: true as const, value: ++returns }),
      }),
    }
    const acks: BatchAck[] = []
    const producer = topic.producer()
    expect(await errorOf(producer.sendAll(source, { onAck: (ack) => acks.push(ack) }))).toBe(own)
    expect(acks).toMatchObject([{ records: 2, lastOffset: 1n }])
    expect(returns).toBe(0)
    await log.close()
  })
})

describe('what waits behind a flush that failed', () => {
  it('was not stored, and is no end that is lived through, whatever the disk says of trying again', async () => {
    const { on, log, topic } = await setting(2)
    // The look for a newer writer: by itself it may be tried again.
    on.disk.fail({ fault: 'EIO', call: 'stat', path: '/lake/log/wal/epoch-2', times: Infinity })
    const [first, second] = [topic.producer({ lingerMs: 0 }), topic.producer({ lingerMs: 0 })]
    const flushing = errorOf(first.send({ ...record('a'), partition: 0 }))
    await on.clock.advance(1_000)
    const behind = errorOf(second.send({ ...record('b'), partition: 1 }))
    await on.clock.advance(15_000)
    expect(await flushing).toMatchObject({ kind: 'unavailable', outcome: 'unknown', retryable: false })
    expect(await behind).toMatchObject({ kind: 'unavailable', outcome: 'rejected', retryable: false })
    expect(await errorOf(second.send(record('c')))).toMatchObject({ code: 'PRODUCER_FAILED' })
    await log.close()
  })
})

describe('a producer that is closed by a record', () => {
  it('refuses that record', async () => {
    const { topic, log } = await setting()
    const producer = topic.producer({ lingerMs: 0 })
    let closing: Promise<void> | undefined
    const odd = {
      get value() {
        closing = producer.close()
        return bytesOf('odd')
      },
    }
    expect(await errorOf(producer.send(odd))).toMatchObject({ code: 'PRODUCER_CLOSED', outcome: 'rejected' })
    await closing
    expect(await valuesOf(topic)).toEqual([])
    await log.close()
  })
})

describe('what waits behind a batch that fails', () => {
  it('fails at once with the producer: what lingers, and what waits to be let in', async () => {
    const { on, topic, log } = await setting(2)
    const producer = topic.producer({ lingerMs: 30_000, maxUnackedBytes: 100 })
    const first = errorOf(producer.send({ ...record('first'), partition: 0 }))
    await on.clock.advance(20_000)
    const lingers = errorOf(producer.send({ value: new Uint8Array(100), partition: 1 }))
    const abort = new AbortController()
    const waiting = [
      errorOf(producer.send(record('waits'))),
      errorOf(producer.send(record('waits, too'), { signal: abort.signal })),
    ]
    on.disk.fail({ fault: 'EIO', call: 'datasync', path: /\.wal$/ })
    await on.clock.advance(10_000)
    expect(await first).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    for (const error of await Promise.all([lingers, ...waiting])) {
      expect(error).toMatchObject({ code: 'PRODUCER_FAILED', outcome: 'rejected' })
    }
    expect(await errorOf(producer.flush())).toMatchObject({ code: 'PRODUCER_FAILED' })
    expect(getEventListeners(abort.signal, 'abort')).toEqual([])
    await log.close()
    expect(on.clock.waiting).toBe(0)
  })

  it.each(['write', 'preallocate'] as const)(
    'is rejected with it by a full disk (%s), and the producer goes on with the next offset',
    async (call) => {
      // Where write and sync are one, a write that fails is final.
      const on = machine(1, { syncedWrites: call !== 'write' })
      const log = await openIn(on.runtime())
      const topic = await log.ensureTopic('orders', { partitions: 2 })
      const producer = topic.producer({ lingerMs: 1_000, batchBytes: 2_000, maxUnackedBytes: 6_000 })
      const big = (partition: number): { value: Uint8Array; partition: number } => ({
        value: new Uint8Array(2_000),
        partition,
      })
      const all = async (calls: Promise<unknown>[]): Promise<unknown[]> => Promise.all(calls.map(errorOf))
      expect(await all([producer.send(big(0)), producer.send(big(1))])).toMatchObject([
        { value: { offset: 0n } },
        { value: { offset: 0n } },
      ])
      for (let round = 0n; round < 3n; round++) {
        const full = on.disk.fail({ fault: 'NO_SPACE', call, path: /\.wal$/, times: Infinity })
        // Fills what is left of the segment.
        const acks: BatchAck[] = []
        const filler = topic.producer({ lingerMs: 0 })
        const many = Array.from({ length: 20 }, () => big(1))
        await errorOf(filler.sendAll(many, { onAck: (ack) => acks.push(ack) }))
        const behind = [
          producer.send(big(0)),
          producer.send(big(0)),
          producer.send({ ...record('lingers'), partition: 1 }),
          producer.send(big(0)),
          producer.send(big(0)),
          producer.send(record('waits')),
        ]
        const ends = all(behind)
        await on.clock.advance(0)
        for (const error of await ends) expect(error).toMatchObject({ code: 'NO_SPACE', outcome: 'rejected' })
        full.remove()
        const { highWatermark } = topic.offsets()[0]!
        expect(highWatermark).toBe(round * 2n + 1n)
        const retried = all([producer.send(big(0)), producer.send(big(0))])
        expect(await retried).toMatchObject([
          { value: { offset: highWatermark } },
          { value: { offset: highWatermark + 1n } },
        ])
      }
      await producer.flush()
      expect(await valuesOf(topic)).toHaveLength(7)
      await log.close()
      expect(on.clock.waiting).toBe(0)
    },
  )

  it('leaves alone what is sent after the answer, though others that were on their way are answered later', async () => {
    const on = machine(1, { syncedWrites: false })
    const log = await openIn(on.runtime())
    const topic = await log.ensureTopic('orders', { partitions: 3 })
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    const full = on.disk.fail({ fault: 'NO_SPACE', call: 'write', path: /\.wal$/ })
    const sends = [0, 1, 2].map((partition) => errorOf(producer.send({ ...record('first'), partition })))
    const again = sends[0]!.then(() => producer.send({ ...record('again'), partition: 0 }))
    expect(await Promise.all(sends)).toMatchObject([1, 2, 3].map(() => ({ code: 'NO_SPACE', outcome: 'rejected' })))
    expect(await again).toMatchObject({ offset: 0n })
    full.remove()
    await log.close()
  })
})
