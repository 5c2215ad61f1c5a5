/** `sendFeed`: what threads make of a feed's records, and what of it is stored, in which order. The threads run in this one. */
import { schema, t, type BatchAck, type Codec, type Feed, type ProducerRecord } from '@moulin/core'
import { avro } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { serveFeed } from '@moulin/log'
import { counting, errorOf, feeding, record } from './feeding.ts'
import { collect, valuesOf } from './machine.ts'

const Order = schema({ id: t.int53, city: t.string })
const codec = avro(Order) as Codec

/** What a thread gave, by its number. */
const ofThread = (values: readonly string[], thread: number): string[] =>
  values.filter((value) => value.startsWith(`${thread}:`))

const texts = (thread: number, count: number): string[] => Array.from({ length: count }, (_, n) => `${thread}:${n}`)

describe('sendFeed', () => {
  it('stores what each thread gives, of each thread in its order, and says how much and up to where', async () => {
    const { topic, log, threads, feeds } = await feeding({ config: { partitions: 3 } })
    const calls: unknown[][] = []
    const feed: Feed<Uint8Array> = (...call) => {
      calls.push(call)
      return counting(500, call[0] % 2)(...call)
    }
    const acks: BatchAck[] = []
    const producer = topic.producer(feeds(feed, { threads: 3, batchBytes: 300 }))
    const sent = await producer.sendFeed({ onAck: (ack) => acks.push(ack) })
    expect(sent).toEqual({ records: 1_500, next: [1_000n, 500n, 0n] })
    expect(calls.map(([thread, all, signal]) => [thread, all, signal instanceof AbortSignal])).toEqual([
      [0, 3, true],
      [1, 3, true],
      [2, 3, true],
    ])
    const values = await valuesOf(topic, 0)
    expect(values).toHaveLength(1_000)
    for (const thread of [0, 2]) expect(ofThread(values, thread)).toEqual(texts(thread, 500))
    expect(await valuesOf(topic, 1)).toEqual(texts(1, 500))
    // One for each batch that is durable.
    expect(acks.length).toBeGreaterThan(50)
    expect(acks.reduce((sum, { records }) => sum + records, 0)).toBe(1_500)
    expect(acks.findLast(({ partition }) => partition === 1)).toMatchObject({ lastOffset: 499n })
    // They are gone when it resolves.
    expect(threads.living).toBe(0)
    await log.close()
  })

  it('takes iterables, async ones, and promises of them; as many threads as there are cores', async () => {
    const { topic, log, feeds } = await feeding()
    const asynchronous: Feed<Uint8Array> = async function* (thread) {
      yield record(`async ${thread}`)
    }
    const promised: Feed<Uint8Array> = async (thread) => [record(`array ${thread}`)]
    for (const feed of [asynchronous, promised]) {
      const producer = topic.producer({ ...feeds(feed), threads: undefined as never })
      expect(await producer.sendFeed()).toMatchObject({ records: 2 })
    }
    expect((await valuesOf(topic)).sort()).toEqual(['array 0', 'array 1', 'async 0', 'async 1'])
    expect(await topic.producer(feeds(() => [])).sendFeed()).toEqual({ records: 0, next: [4n] })
    await log.close()
  })

  it('encodes, partitions and checks records in the threads, as sendAll does in its own', async () => {
    const { log, feeds, on } = await feeding()
    const config = { value: codec, key: codec, partitions: 5, timestampAfterMaxMs: 1_000 }
    const orders = await log.ensureTopic('typed', config)
    const rows = Array.from({ length: 40 }, (_, id) => ({ id, city: `city-${id % 7}` }))
    const records: ProducerRecord[] = rows.map((row) => ({
      value: row.id % 9 === 8 ? null : row,
      key: row,
      headers: { trace: `${row.id}` },
      timestamp: on.clock.now() + row.id,
    }))
    await orders.producer().sendAll(records as never)
    await orders.producer(feeds((thread: number) => (thread === 0 ? records : []))).sendFeed()
    for (let partition = 0; partition < 5; partition++) {
      const all = (await collect(orders.read({ partition, to: 'end' }))).map(({ key, bytes, timestamp, headers }) => ({
        key,
        bytes,
        timestamp,
        headers,
      }))
      expect(all.slice(all.length / 2)).toEqual(all.slice(0, all.length / 2))
    }
    await log.close()
  })

  it('moves the memory of batches over, and no value', async () => {
    const posted: { readonly moved: number; readonly message: { kind: string; batches?: Uint8Array } }[] = []
    const { topic, log, feeds } = await feeding({
      serve: (port, parts) =>
        serveFeed(
          {
            on: (event, take) => port.on(event, take),
            postMessage(message, moved = []) {
              port.postMessage(message, moved)
              posted.push({ moved: moved.length, message: message as never })
            },
          },
          parts,
        ),
    })
    await topic.producer(feeds(counting(10), { compression: 'gzip' })).sendFeed()
    const batches = posted.filter(({ message }) => message.kind === 'batch')
    expect(batches).toHaveLength(2)
    for (const { moved, message } of batches) {
      expect(moved).toBe(1)
      // It is gone from here.
      expect(message.batches!.length).toBe(0)
    }
    const kinds = new Set(posted.map(({ message }) => message.kind))
    expect(kinds).toEqual(new Set(['ready', 'batch', 'ended']))
    await log.close()
  })

  it('goes on beside send and sendAll of its producer', async () => {
    const { topic, log, feeds } = await feeding()
    const producer = topic.producer(feeds(counting(200), { lingerMs: 0, batchBytes: 100 }))
    const all = producer.sendFeed()
    const sends = Promise.all(['a', 'b'].map((text) => producer.send(record(text))))
    const more = producer.sendAll([record('c'), record('d')])
    expect(await Promise.all([all, more])).toMatchObject([{ records: 400 }, { records: 2 }])
    await sends
    const values = await valuesOf(topic)
    expect(values.filter((value) => !value.includes(':'))).toEqual(['a', 'b', 'c', 'd'])
    for (const thread of [0, 1]) expect(ofThread(values, thread)).toEqual(texts(thread, 200))
    await log.close()
  })

  it('runs once at a time per producer, and then again', async () => {
    const { topic, log, feeds } = await feeding()
    const options = feeds(counting(3))
    const producer = topic.producer(options)
    const first = producer.sendFeed()
    expect(await errorOf(producer.sendFeed())).toMatchObject({ kind: 'invalid', code: 'FEED_RUNS' })
    const other = topic.producer(options).sendFeed()
    expect(await Promise.all([first, other])).toMatchObject([{ records: 6 }, { records: 6 }])
    expect(await producer.sendFeed()).toMatchObject({ records: 6, next: [18n] })
    await log.close()
  })

  it('gives a record that is held back as its time since it was accepted', async () => {
    const { topic, log, on, feeds } = await feeding()
    const slow: Feed<Uint8Array> = async function* () {
      yield record('a')
      await new Promise<void>((resolve) => void on.runtime().timers.after(30, resolve))
      yield record('b')
    }
    const acks: BatchAck[] = []
    const call = topic.producer(feeds(slow, { threads: 1, lingerMs: 20 })).sendFeed({ onAck: (ack) => acks.push(ack) })
    await on.clock.advance(0)
    await on.clock.advance(0)
    await on.clock.advance(19)
    expect(topic.offsets()[0]!.highWatermark).toBe(0n)
    for (let ms = 0; ms < 40; ms++) await on.clock.advance(1)
    await call
    expect(acks.map(({ records }) => records)).toEqual([1, 1])
    expect(acks[0]!.ms).toBeGreaterThanOrEqual(20)
    expect(acks[1]!.ms).toBe(0)
    await log.close()
  })
})

describe('the bytes of a feed', () => {
  it('that are not durable yet are bounded: each thread waits for its share, and goes on when they are', async () => {
    const { topic, log, on, feeds, hold, letGo } = await feeding()
    let given = 0
    const feed: Feed<Uint8Array> = function* () {
      while (given++ < 400) yield { value: new Uint8Array(100) }
    }
    hold()
    const producer = topic.producer(feeds(feed, { lingerMs: 0, maxUnackedBytes: 4_000 }))
    const call = producer.sendFeed()
    for (let turns = 0; turns < 30; turns++) await on.clock.advance(0)
    // 2 000 bytes and one record each, of 100 bytes, in batches of their own.
    expect(given).toBeGreaterThan(20)
    expect(given).toBeLessThan(40)
    letGo()
    expect(await call).toMatchObject({ records: 400 })
    await log.close()
  })

  it('count among those of the producer and of the log: a send waits for them', async () => {
    const { topic, log, on, feeds, hold, letGo } = await feeding({ limits: { maxUnackedBytes: 1_000 } })
    hold()
    const once: Feed<Uint8Array> = () => [{ value: new Uint8Array(1_000) }]
    const call = topic.producer(feeds(once, { threads: 1 })).sendFeed()
    for (let turns = 0; turns < 10; turns++) await on.clock.advance(0)
    expect(log.stats().unackedBytes).toBeGreaterThan(1_000)
    const abort = new AbortController()
    const send = errorOf(topic.producer({ lingerMs: 0 }).send(record('behind'), { signal: abort.signal }))
    await on.clock.advance(1_000)
    abort.abort()
    expect(await send).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    letGo()
    await call
    expect(log.stats().unackedBytes).toBe(0)
    expect(topic.offsets()[0]!.highWatermark).toBe(1n)
    await log.close()
  })

  it('wait here in their order where others have taken the room', async () => {
    const { topic, log, on, feeds, hold, letGo } = await feeding({ limits: { maxUnackedBytes: 2_000 } })
    hold()
    const other = topic.producer({ lingerMs: 0 }).send({ value: new Uint8Array(3_000) })
    const call = topic.producer(feeds(counting(50), { lingerMs: 0, batchBytes: 1 })).sendFeed()
    for (let turns = 0; turns < 60; turns++) await on.clock.advance(0)
    expect(topic.offsets()[0]!.highWatermark).toBe(0n)
    letGo()
    await other
    expect(await call).toMatchObject({ records: 100, next: [101n] })
    const values = await valuesOf(topic)
    for (const thread of [0, 1]) expect(ofThread(values, thread)).toEqual(texts(thread, 50))
    await log.close()
  })
})

describe('the options of a feed', () => {
  it('are refused with what to do instead', async () => {
    const { topic, log, feeds } = await feeding()
    const refused = (options: object): unknown => {
      try {
        return topic.producer(options)
      } catch (error) {
        return error
      }
    }
    const next = expect.stringContaining(`such as new URL('./feed.ts', import.meta.url)`) as string
    expect(refused({ feed: './feed.ts' })).toMatchObject({ code: 'OPTION', message: next })
    expect(refused({ feed: new URL('https://example.com/feed.js') })).toMatchObject({ code: 'OPTION', message: next })
    const alone = expect.stringContaining('threads is given without a feed') as string
    expect(refused({ threads: 2 })).toMatchObject({ kind: 'invalid', code: 'OPTION', message: alone })
    expect(refused(feeds(counting(1), { threads: 0 }))).toMatchObject({ context: { option: 'threads' } })
    expect(await errorOf(topic.producer().sendFeed())).toMatchObject({
      code: 'NO_FEED',
      message: expect.stringContaining('producer({ feed: new URL(') as string,
    })
    await log.close()
  })

  it.each<[string, (own: Codec) => Codec]>([
    ['is not built in', (own) => ({ ...own, format: 'mine/1' })],
    [
      'a registry named',
      (own) => ({ ...own, registry: { wire: 'mine', id: '7', subject: null, version: null, references: [] } }),
    ],
  ])('do not go with a codec that %s, for code does not cross', async (_, made) => {
    const { log, feeds } = await feeding()
    const orders = await log.ensureTopic('odd', { value: made(codec) })
    expect(() => orders.producer(feeds(counting(1)))).toThrow(
      expect.objectContaining({ kind: 'unsupported', code: 'FEED_CODEC', message: expect.stringContaining('sendAll') }),
    )
    await orders.producer({ lingerMs: 0 }).send({ value: { id: 1, city: 'ams' } as never })
    await log.close()
  })
})
