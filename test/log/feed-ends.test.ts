/** How a `sendFeed` ends that does not come to its end: errors of the feed and of the log, signals, closes, threads that die. */
import { getEventListeners } from 'node:events'
import { aborted, type BatchAck, corrupt, type Feed, type Thread, type ThreadOptions } from '@moulin/core'
import { serveFeed } from '@moulin/log'
import { describe, expect, it } from 'vitest'
import { counting, errorOf, feeding, record, type Feeding } from './feeding.ts'
import { valuesOf } from './machine.ts'

/** What is ready runs, in threads and here. */
async function settle({ on }: Feeding, turns = 12): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await on.clock.advance(0)
}

/** What a thread does that gives records for ever: how many, and what it heard. */
function endless() {
  const state = { given: 0, heard: [] as unknown[], cleaned: 0 }
  const feed: Feed<Uint8Array> = function* (thread, _, signal) {
    signal.addEventListener('abort', () => state.heard.push([thread, (signal.reason as Error).message]))
    try {
      for (;;) {
        yield record(`${thread}:${state.given}`)
        state.given++
      }
    } finally {
      state.cleaned++
    }
  }
  return { feed, state }
}

/** One thread fails in its own way; the other one hangs. */
const oneOf =
  (failing: Feed<never>): Feed<never> =>
  (thread, threads, signal) =>
    thread === 0 ? failing(thread, threads, signal) : (endless().feed(thread, threads, signal) as never)

describe('an error of the feed', () => {
  it.each<[string, unknown, object]>([
    ['cannot be imported', undefined, { code: 'FEED_MODULE', cause: new Error('no such module') }],
    ['has no default export', null, { code: 'FEED_MODULE' }],
    ['gives what cannot be iterated', () => 5, { code: 'RECORDS' }],
    [
      'throws at the call',
      () => {
        throw new TypeError('mine')
      },
      { code: 'FEED_FAILED', cause: new TypeError('mine') },
    ],
    ['rejects', () => Promise.reject(new TypeError('mine')), { code: 'FEED_FAILED', cause: new TypeError('mine') }],

    [
      'throws',
      function* () {
        throw new TypeError('mine')
      },
      { code: 'FEED_FAILED', cause: new TypeError('mine') },
    ],

    [
      'throws later',
      async function* () {
        throw new TypeError('mine')
      },
      { code: 'FEED_FAILED' },
    ],
    ['rejects with what is no error', () => Promise.reject(undefined), { code: 'FEED_FAILED' }],
    [
      'throws one of ours',
      function* () {
        yield* []
        throw corrupt('MINE', 'It is.', { context: { at: 7n } })
      },
      { kind: 'corrupt', code: 'MINE', context: { at: 7n } },
    ],
  ])('that %s ends the call, and stops all threads', async (_, feed, expected) => {
    const at = await feeding()
    const { topic, log, threads, feeds } = at
    const options = feeds(feed)
    const module = feed === undefined ? new URL('data:text/javascript,missing') : options.feed!
    const error = await errorOf(topic.producer({ ...options, feed: module }).sendFeed())
    expect(error).toMatchObject({ kind: 'invalid', outcome: 'rejected', ...expected })
    await settle(at)
    expect(threads.living).toBe(0)
    expect(topic.offsets()[0]!.highWatermark).toBe(0n)
    await log.close()
  })

  it.each<[string, unknown]>([
    ['no record', 5],
    ['no value', {}],
    ['a value of another type', { value: 'text' }],
    ['a partition that there is not', { value: null, partition: 9 }],
    ['a time out of bounds', { value: null, timestamp: 1 }],
    ['a key without UTF-8', { value: null, key: '\ud800' }],
    ['too large a record', { value: new Uint8Array(2_000) }],
    ['a sequence', { value: null, sequence: 1n }],
  ])('that gives %s is the error that sendAll gives for it', async (_, bad) => {
    const at = await feeding({ limits: { maxRecordBytes: 1_000 } })
    const { topic, log, threads, feeds } = at
    const feed = oneOf(function* () {
      yield bad as never
    })
    const producer = topic.producer(feeds(feed))
    const { kind, code, message, context } = await errorOf(producer.sendAll([bad] as never))
    const error = await errorOf(producer.sendFeed())
    expect({ kind: error.kind, code: error.code }).toEqual({ kind, code })
    expect(error.message.startsWith(message)).toBe(true)
    expect(error.context).toMatchObject(context)
    await settle(at)
    expect(threads.living).toBe(0)
    await log.close()
  })

  it('lets what the thread gave before go out, and nothing that others have collected; only what is durable counts', async () => {
    const at = await feeding({ config: { partitions: 2 } })
    const { topic, log, threads, feeds } = at
    const heard: string[] = []
    const feed: Feed<Uint8Array> = async function* (thread, _, signal) {
      signal.addEventListener('abort', () => heard.push(`${thread}`))
      yield { ...record(`${thread}:0`), partition: thread }
      yield { ...record(`${thread}:1`), partition: thread }
      if (thread === 0) await at.on.clock.advance(0)
      if (thread === 0) throw new Error('mine')
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      // It does not listen well.
      yield { ...record(`${thread}:late`), partition: thread }
    }
    const acks: BatchAck[] = []
    const call = errorOf(topic.producer(feeds(feed)).sendFeed({ onAck: (ack) => acks.push(ack) }))
    const error = await call
    expect(error).toMatchObject({
      code: 'FEED_FAILED',
      outcome: 'unknown',
      retryable: false,
      context: { records: 2, next: '2, none' },
      cause: { code: 'FEED_FAILED', cause: new Error('mine') },
    })
    expect(error.message).toMatch(
      /^Topic orders: the feed threw in thread 0 of 2: mine .*at least 2 records are stored/,
    )
    expect(acks.map(({ records, partition }) => [records, partition])).toEqual([[2, 0]])
    await at.on.clock.advance(2_000)
    expect(heard.sort()).toEqual(['0', '1'])
    expect(threads.living).toBe(0)
    expect(await valuesOf(topic, 0)).toEqual(['0:0', '0:1'])
    expect(await valuesOf(topic, 1)).toEqual([])
    await log.close()
  })

  it('is the first one, whoever comes later', async () => {
    const at = await feeding()
    const { topic, log, feeds } = at
    const feed: Feed<Uint8Array> = async function* (thread) {
      yield record(`${thread}`)
      for (let turn = 0; turn < thread * 5; turn++) await at.on.runtime().timers.turn()
      throw new Error(`mine ${thread}`)
    }
    const error = await errorOf(topic.producer(feeds(feed, { threads: 3 })).sendFeed())
    expect(error.message).toContain('mine 0')
    await settle(at)
    await log.close()
  })

  it.each<[string, () => Error]>([
    ['cause', () => Object.assign(new Error('mine', { cause: () => {} }))],
    ['context', () => corrupt('MINE', 'mine', { context: { odd: (() => {}) as never } })],
  ])('whose %s cannot be cloned crosses without it', async (_, made) => {
    const at = await feeding()
    const feed = oneOf(() => {
      throw made()
    })
    expect((await errorOf(at.topic.producer(at.feeds(feed)).sendFeed())).message).toContain('mine')
    await settle(at)
    expect(at.threads.living).toBe(0)
    await at.log.close()
  })
})

describe('an error of an append', () => {
  it('is final: all threads stop, and what waits behind it fails', async () => {
    const at = await feeding()
    const { topic, log, on, threads, feeds } = at
    const { feed, state } = endless()
    const producer = topic.producer(feeds(feed, { batchBytes: 500 }))
    let acked = 0
    const fails = { fault: 'EIO', call: 'datasync', path: /\.wal$/ } as const
    const onAck = ({ records }: BatchAck): void => {
      if (acked === 0) on.disk.fail({ ...fails, times: Infinity })
      acked += records
    }
    const error = await errorOf(producer.sendFeed({ onAck }))
    expect(error).toMatchObject({ kind: 'unavailable', outcome: 'unknown', context: { records: acked } })
    expect(await errorOf(producer.sendFeed())).toMatchObject({ kind: 'closed', code: 'PRODUCER_FAILED' })
    expect(await errorOf(producer.send(record('late')))).toMatchObject({ code: 'PRODUCER_FAILED' })
    await settle(at)
    expect(threads.living).toBe(0)
    expect(state.cleaned).toBe(2)
    await log.close()
  })

  it('of a send of the same producer ends its feed', async () => {
    const at = await feeding()
    const { topic, log, on, threads, feeds } = at
    const idle: Feed<Uint8Array> = (_, __, signal) => ({
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve({ done: true, value: undefined }))),
      }),
    })
    const producer = topic.producer(feeds(idle, { lingerMs: 0 }))
    const call = errorOf(producer.sendFeed())
    await settle(at)
    on.disk.fail({ fault: 'EIO', call: 'datasync', path: /\.wal$/ })
    expect(await errorOf(producer.send(record('a')))).toMatchObject({ kind: 'unavailable' })
    expect(await call).toMatchObject({ code: 'PRODUCER_FAILED', outcome: 'rejected' })
    await settle(at)
    expect(threads.living).toBe(0)
    await log.close()
  })

  it('for want of room on the disk is lived through: nothing of it is stored, and the producer goes on', async () => {
    // Where write and sync are one, a write that fails is final.
    const at = await feeding({ syncedWrites: false })
    const { topic, log, on, threads, feeds } = at
    const { feed } = endless()
    const producer = topic.producer(feeds(feed, { threads: 1, batchBytes: 2_000, lingerMs: 0 }))
    const acks: BatchAck[] = []
    let full: { remove(): void } | undefined
    const onAck = (ack: BatchAck): void => {
      acks.push(ack)
      // Where room is made: a synced write that finds none is final.
      full ??= on.disk.fail({ fault: 'NO_SPACE', call: 'preallocate', path: /\.wal$/, times: Infinity })
    }
    const error = await errorOf(producer.sendFeed({ onAck }))
    full!.remove()
    const stored = acks.reduce((sum, { records }) => sum + records, 0)
    expect(error).toMatchObject({ kind: 'exhausted', code: 'NO_SPACE', outcome: 'unknown' })
    expect(error).toMatchObject({ context: { records: stored } })
    await settle(at, 40)
    expect(threads.living).toBe(0)
    expect(await producer.send(record('after'))).toMatchObject({ offset: BigInt(stored) })
    // What was acked, in its order, and not one batch of what was rejected.
    expect(await valuesOf(topic)).toEqual([...Array.from({ length: stored }, (_, n) => `0:${n}`), 'after'])
    await log.close()
  })
})

describe('a signal', () => {
  it('ends the call at once; threads hear it and clean up; what was handed over is stored, and onAck says so', async () => {
    const at = await feeding()
    const { topic, log, threads, feeds, hold, letGo } = at
    const { feed, state } = endless()
    const abort = new AbortController()
    const acks: BatchAck[] = []
    const producer = topic.producer(feeds(feed, { batchBytes: 500 }))
    hold()
    const call = errorOf(producer.sendFeed({ signal: abort.signal, onAck: (ack) => acks.push(ack) }))
    await settle(at)
    abort.abort(new Error('enough'))
    expect(await call).toMatchObject({ kind: 'aborted', outcome: 'unknown', context: { records: 0 } })
    expect(getEventListeners(abort.signal, 'abort')).toEqual([])
    const given = state.given
    await settle(at)
    expect(threads.living).toBe(0)
    expect(state.given - given).toBeLessThan(1_000)
    expect(state.heard).toEqual([0, 1].map((thread) => [thread, expect.stringContaining('nothing more is taken')]))
    expect(state.cleaned).toBe(2)
    letGo()
    await producer.flush()
    const stored = acks.reduce((sum, { records }) => sum + records, 0)
    expect(stored).toBeGreaterThan(0)
    expect(topic.offsets()[0]!.highWatermark).toBe(BigInt(stored))
    // It is as good as before.
    expect(await producer.sendAll([record('after')])).toMatchObject({ records: 1 })
    await log.close()
  })

  it('leaves nothing where no batch was handed over, or before the call', async () => {
    const at = await feeding()
    const { topic, log, threads, feeds } = at
    const abort = new AbortController()
    const { signal } = abort
    const producer = topic.producer(feeds(counting(3)))
    const call = errorOf(producer.sendFeed({ signal }))
    abort.abort()
    expect(await call).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    await settle(at)
    expect(threads.living).toBe(0)
    expect(await errorOf(producer.sendFeed({ signal }))).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    expect(threads.living).toBe(0)
    expect(await valuesOf(topic)).toEqual([])
    await log.close()
  })

  it('ends batches that wait to be let in: nothing of them is stored', async () => {
    const at = await feeding({ limits: { maxUnackedBytes: 1_000 } })
    const { topic, log, on, feeds, hold, letGo } = at
    hold()
    const first = topic.producer({ lingerMs: 0 }).send({ value: new Uint8Array(2_000) })
    await settle(at)
    const abort = new AbortController()
    const call = errorOf(topic.producer(feeds(counting(5))).sendFeed({ signal: abort.signal }))
    await settle(at)
    abort.abort()
    expect(await call).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    letGo()
    await first
    await on.clock.advance(2_000)
    expect(topic.offsets()[0]!.highWatermark).toBe(1n)
    await log.close()
  })

  it('that a feed does not heed ends its thread after a second', async () => {
    const at = await feeding()
    const { topic, log, on, threads, feeds } = at
    const deaf: Feed<Uint8Array> = async function* () {
      yield record('a')
      await new Promise(() => {})
    }
    const abort = new AbortController()
    const call = errorOf(topic.producer(feeds(deaf)).sendFeed({ signal: abort.signal }))
    await settle(at)
    abort.abort()
    expect(await call).toMatchObject({ kind: 'aborted' })
    await on.clock.advance(999)
    await settle(at)
    expect(threads.living).toBe(2)
    await on.clock.advance(1)
    expect(threads.living).toBe(0)
    await log.close()
  })
})

describe('a close', () => {
  it.each(['producer', 'log'] as const)(
    'of the %s ends the feed, waits for what was handed over, and leaves no thread',
    async (who) => {
      const at = await feeding()
      const { topic, log, threads, feeds } = at
      const { feed, state } = endless()
      const producer = topic.producer(feeds(feed, { batchBytes: 500 }))
      let acked = 0
      const call = errorOf(producer.sendFeed({ onAck: ({ records }) => void (acked += records) }))
      await settle(at, 20)
      await (who === 'producer' ? producer : log).close()
      expect(threads.living).toBe(0)
      expect(state.cleaned).toBe(2)
      expect(await call).toMatchObject({ code: 'PRODUCER_CLOSED', outcome: 'unknown', context: { records: acked } })
      expect(topic.offsets()[0]!.highWatermark).toBe(BigInt(acked))
      expect(acked).toBeGreaterThan(0)
      expect(await errorOf(producer.sendFeed())).toMatchObject({ code: 'PRODUCER_CLOSED' })
      await log.close()
    },
  )
})

describe('a flush', () => {
  it('waits for the batches that were handed over, and for no thread', async () => {
    const at = await feeding()
    const { topic, log, on, feeds, hold, letGo } = at
    const slow: Feed<Uint8Array> = async function* (_, __, signal) {
      yield record('a')
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    const producer = topic.producer(feeds(slow, { threads: 1, lingerMs: 10 }))
    hold()
    const abort = new AbortController()
    const call = errorOf(producer.sendFeed({ signal: abort.signal }))
    await settle(at)
    // The record lingers in its thread.
    await producer.flush()
    await on.clock.advance(10)
    await settle(at)
    let isFlushed = false
    const flushing = producer.flush().then(() => (isFlushed = true))
    await settle(at)
    expect(isFlushed).toBe(false)
    letGo()
    await flushing
    expect(await valuesOf(topic)).toEqual(['a'])
    abort.abort()
    await call
    await log.close()
  })
})

describe('an error of onAck', () => {
  it('is given as it is, and stops the threads', async () => {
    const at = await feeding()
    const thrown = new Error('no ack wanted')
    const producer = at.topic.producer(at.feeds(endless().feed, { batchBytes: 500 }))
    const onAck = (): void => {
      throw thrown
    }
    expect(await errorOf(producer.sendFeed({ onAck }))).toBe(thrown)
    await settle(at)
    expect(at.threads.living).toBe(0)
    await at.log.close()
  })
})

describe('a thread', () => {
  it('that dies is an error of unknown outcome; the others stop, and what it handed over counts', async () => {
    const at = await feeding()
    const { topic, log, threads, feeds } = at
    const { feed } = endless()
    const acks: BatchAck[] = []
    const call = errorOf(topic.producer(feeds(feed, { batchBytes: 500 })).sendFeed({ onAck: (ack) => acks.push(ack) }))
    await settle(at, 20)
    threads.kill()
    const error = await call
    const stored = acks.reduce((sum, { records }) => sum + records, 0)
    expect(error).toMatchObject({ kind: 'unavailable', code: 'WORKER_DIED', outcome: 'unknown', retryable: false })
    expect(error.context).toMatchObject({ records: stored })
    expect(error.message).toMatch(/thread \d of the 2 of a feed died \(The virtual thread was killed/)
    await settle(at)
    expect(topic.offsets()[0]!.highWatermark).toBe(BigInt(stored))
    await log.close()
  })

  it('that died before it gave anything is of unknown outcome, too', async () => {
    const at = await feeding()
    const hangs: Feed<Uint8Array> = () => new Promise(() => {})
    const call = errorOf(at.topic.producer(at.feeds(hangs)).sendFeed())
    await settle(at)
    at.threads.kill()
    expect(await call).toMatchObject({ code: 'WORKER_DIED', outcome: 'unknown' })
    await at.log.close()
  })

  it('that does not start is said with what to do, and stores nothing', async () => {
    const at = await feeding({
      serve: () => {
        throw new Error('no such module')
      },
    })
    const error = await errorOf(at.topic.producer(at.feeds(counting(1))).sendFeed())
    expect(error).toMatchObject({ kind: 'invalid', code: 'WORKER_START', outcome: 'rejected' })
    expect(error.message).toContain('no such module')
    expect(error.message).toContain('feedWorker')
    await settle(at)
    expect(at.threads.living).toBe(0)
    await at.log.close()
  })

  it('too many for the system stops those that are there', async () => {
    let started = 0
    const ends: string[] = []
    const start = (_: URL, { ended }: ThreadOptions): Thread => {
      if (started++ === 1) throw new Error('no thread left')
      return {
        post: (value) => ends.push((value as { kind: string }).kind),
        ref() {},
        unref() {},
        async terminate() {
          ends.push('gone')
          ended({ why: 'exit', code: 1 })
        },
      }
    }
    const at = await feeding({ start })
    const error = await errorOf(at.topic.producer(at.feeds(counting(1))).sendFeed())
    expect(error).toMatchObject({ code: 'WORKER_START', outcome: 'rejected' })
    expect(error.message).toContain('of the 2 threads of a feed 1 started: no thread left')
    await at.on.clock.advance(1_000)
    expect(ends).toEqual(['begin', 'stop', 'gone'])
    await at.log.close()
  })

  it('may post what it likes: only what its feed gave is heard', async () => {
    const words = [
      1,
      null,
      'batch',
      { kind: 'batch' },
      { kind: 'batch', partition: 5, batches: new Uint8Array(9) },
      { kind: 'batch', partition: 0, batches: [1], recordCount: 1, bytes: 1, ageMs: 1 },
      { kind: 'batch', partition: 0, batches: new Uint8Array(100), recordCount: 1, bytes: 1, ageMs: 1 },
      { kind: 'failed' },
      { kind: 'failed', error: {} },
      { kind: 'ended' },
      { kind: 'odd' },
    ]
    const at = await feeding({
      serve(port, parts) {
        for (const word of words) port.postMessage(word)
        serveFeed(port, parts)
        for (const word of [...words, { kind: 'ready', calls: ['mine'] }]) port.postMessage(word)
      },
    })
    expect(await at.topic.producer(at.feeds(counting(2))).sendFeed()).toEqual({ records: 4, next: [4n] })
    await at.log.close()
  })
})

it('tells an aborted feed from one that is at its end', async () => {
  const at = await feeding()
  const mine: Feed<Uint8Array> = () => {
    throw aborted('MINE', 'The feed gave up by itself.')
  }
  expect(await errorOf(at.topic.producer(at.feeds(mine)).sendFeed())).toMatchObject({ kind: 'aborted', code: 'MINE' })
  await settle(at)
  await at.log.close()
})
