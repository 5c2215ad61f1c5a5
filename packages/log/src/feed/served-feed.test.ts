import { defaultLimits, type Feed, type ThreadPort } from '@moulin/core'
import { readRecords } from '@moulin/format'
import { virtualRuntime, type VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import type { BatchMessage, FeedSetup, FromFeed, ToFeed } from './feed-messages.ts'
import { serveFeed } from './serve-feed.ts'

interface Served {
  readonly runtime: VirtualRuntime
  /** All that it has posted. */
  readonly posted: FromFeed[]
  readonly batches: () => BatchMessage[]
  tell(message: ToFeed): void
  settle(): Promise<void>
}

const setup: FeedSetup = {
  ...{ token: 'mine', module: 'data:,feed', thread: 0, threads: 1, topic: 'orders', partitions: 2 },
  ...{ timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1, limits: defaultLimits, value: undefined, key: undefined },
  ...{ batchBytes: 65_536, lingerMs: 5, compression: 'none', unackedBytes: 1_000_000 },
}

/** The thread's side alone; what the other one says, the test says. */
function served(feed: Feed<Uint8Array>, options: Partial<FeedSetup> = {}): Served {
  const runtime = virtualRuntime({ seed: 1 })
  const posted: FromFeed[] = []
  let take!: (value: unknown) => void
  const port: ThreadPort = {
    on: (_, heard) => (take = heard),
    postMessage(value, moved = []) {
      const { token, ...message } = structuredClone(value, { transfer: [...moved] }) as FromFeed & { token?: string }
      if (message.kind !== ('ready' as string)) expect(token).toBe('mine')
      posted.push(message as FromFeed)
    },
  }
  serveFeed(port, { runtime, importFeed: async () => ({ default: feed }) })
  expect(posted.splice(0)).toEqual([{ kind: 'ready', calls: ['feed'] }])
  take({ kind: 'begin', setup: { ...setup, ...options } } satisfies ToFeed)
  return {
    runtime,
    posted,
    batches: () => posted.filter((message) => message.kind === 'batch'),
    tell: (message) => take(message),
    async settle() {
      for (let turns = 0; turns < 10; turns++) await runtime.timers.turn()
    },
  }
}

const bytes = (length: number): { value: Uint8Array } => ({ value: new Uint8Array(length) })
const recordsOf = ({ batches }: BatchMessage): number => [...readRecords(batches, 0, defaultLimits)].length

describe('the thread of a feed', () => {
  it('holds no more than its share of bytes that are not known to be durable, and one record', async () => {
    const { posted, batches, tell, settle } = served(
      function* () {
        for (let n = 0; n < 100; n++) yield bytes(100)
      },
      { lingerMs: 0, unackedBytes: 2_000 },
    )
    const held = (): number => batches().reduce((sum, batch) => sum + batch.bytes, 0)
    await settle()
    const first = held()
    expect(first).toBeGreaterThanOrEqual(2_000)
    expect(first).toBeLessThan(2_300)
    // Room for some, then for all.
    tell({ kind: 'durable', bytes: 1_000 })
    await settle()
    expect(held() - first).toBeGreaterThanOrEqual(900)
    expect(held() - first).toBeLessThan(1_300)
    expect(posted.some(({ kind }) => kind === 'ended')).toBe(false)
    tell({ kind: 'durable', bytes: 1e9 })
    await settle()
    expect(posted.at(-1)).toEqual({ kind: 'ended' })
    expect(batches().reduce((sum, batch) => sum + recordsOf(batch), 0)).toBe(100)
  })

  it('hears what it is told though its feed never waits', async () => {
    const many = 20_000
    let given = 0
    const feed: Feed<Uint8Array> = function* () {
      for (; given < many; given++) yield bytes(1_000)
    }
    const { posted, tell, settle } = served(feed, { unackedBytes: 1e12 })
    await settle()
    expect(given).toBeGreaterThan(100)
    tell({ kind: 'stop' })
    await settle()
    const then = given
    await settle()
    expect(given).toBe(then)
    expect(given).toBeLessThan(many)
    expect(posted.at(-1)).toEqual({ kind: 'ended' })
  })

  it('hands nothing over once it is told to stop, neither what it has collected nor what lingers', async () => {
    const { posted, runtime, tell, settle } = served(async function* (_, __, signal) {
      yield bytes(10)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      yield bytes(10)
    })
    await settle()
    tell({ kind: 'stop' })
    await settle()
    await runtime.clock.advance(100)
    expect(posted).toEqual([{ kind: 'ended' }])
    expect(runtime.clock.waiting).toBe(0)
  })

  it('lets a batch go when it is full and when it has lingered, with its age', async () => {
    const at = served(
      async function* (_, __, signal) {
        for (const size of [50, 60]) yield { ...bytes(size), partition: 1 }
        yield { ...bytes(10), partition: 0 }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
      { batchBytes: 150, lingerMs: 20 },
    )
    await at.settle()
    expect(at.batches()).toMatchObject([{ partition: 1, recordCount: 2, ageMs: 0 }])
    await at.runtime.clock.advance(20)
    expect(at.batches()).toMatchObject([{ partition: 1 }, { partition: 0, recordCount: 1, ageMs: 20 }])
    for (const batch of at.batches()) {
      expect(recordsOf(batch)).toBe(batch.recordCount)
      // Whole memory of its own goes over.
      expect(batch.batches.buffer.byteLength).toBe(batch.batches.length)
    }
    at.tell({ kind: 'stop' })
  })

  it('says that it has ended when its feed has cleaned up, and its error before', async () => {
    let cleaned!: () => void
    const cleaning = new Promise<void>((resolve) => (cleaned = resolve))
    const source: AsyncIterable<{ value: Uint8Array }> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: 7 as never }),
        return: async () => {
          await cleaning
          return { done: true, value: undefined }
        },
      }),
    }
    const { posted, settle } = served(() => source)
    await settle()
    expect(posted).toMatchObject([{ kind: 'failed', error: { kind: 'invalid', code: 'RECORD' } }])
    cleaned()
    await settle()
    expect(posted.map(({ kind }) => kind)).toEqual(['failed', 'ended'])
  })

  it('tells no source that is at its end to end, as `for await` does not', async () => {
    let left = 0
    const next = [
      { done: false, value: bytes(1) },
      { done: true, value: undefined },
    ] as IteratorResult<never>[]
    const source: AsyncIterable<never> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => next.shift()!,
        return() {
          left++
          return new Promise(() => {})
        },
      }),
    }
    const { posted, settle } = served(() => source)
    await settle()
    expect(posted.map(({ kind }) => kind)).toEqual(['batch', 'ended'])
    expect(left).toBe(0)
  })

  it('of another version than its topic’s codec says so', async () => {
    const value = { format: 'avro/9', definition: '"string"' }
    const { posted, settle } = served(() => [], { value })
    await settle()
    expect(posted).toMatchObject([{ kind: 'failed', error: { code: 'WORKER_VERSION' } }, { kind: 'ended' }])
  })
})
