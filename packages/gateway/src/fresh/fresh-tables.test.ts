import { closed, invalid, notFound, unavailable } from '@moulin/core'
import type { LoadedTable, Log, TableIdentifier, TierOptions, TierResult, Topic } from '@moulin/core'
import { recordingMeter, virtualRuntime } from '@moulin/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { FreshTables } from './fresh-tables.ts'
import type { FreshTable } from './fresh-tables.ts'

const orders: TableIdentifier = { namespace: ['shop'], name: 'orders' }
const never = new AbortController().signal
const marker = { 'moulin.marker.0190a6f0': '{}' }
const down = unavailable('DOWN', 'The store is down.')

/** A topic whose records wait as long as a test says, and whose commits end when it says. */
function fakeTopic(clock: { monotonic(): number }) {
  const asked: unknown[] = []
  const commits: { readonly end: () => void; readonly fail: (error: unknown) => void }[] = []
  let oldestMs: number | null = null
  const topic = {
    name: 'orders',
    stats: () => ({ untieredAgeMs: oldestMs === null ? null : clock.monotonic() - oldestMs, lastError: null }),
    tier: ({ asOfMs }: TierOptions) =>
      new Promise<TierResult>((resolve, reject) => {
        asked.push(asOfMs)
        const end = (): void => resolve({ snapshotId: 1n, rows: 1, frontier: [] })
        commits.push({ end, fail: reject })
      }),
  } as unknown as Topic
  return { topic, commits, asked, oldest: (ms: number | null): void => void (oldestMs = ms) }
}

describe('a load of a table of a log', () => {
  let runtime: ReturnType<typeof virtualRuntime>
  let fake: ReturnType<typeof fakeTopic>
  let asked: number
  let fresh: FreshTables
  let loads: number
  const meter = recordingMeter()

  const table = (properties: Record<string, string> = marker): LoadedTable =>
    ({ identifier: orders, metadata: { properties } }) as unknown as LoadedTable
  const load = async (): Promise<LoadedTable> => {
    loads++
    return table()
  }
  const freshOver = (...finders: Log['topicOfTable'][]): FreshTables =>
    new FreshTables({
      logs: finders.map((topicOfTable) => ({ name: 'log', topicOfTable }) as Log),
      maxStalenessMs: 5000,
      maxWaitMs: 10_000,
      runtime: { ...runtime, meter },
    })
  /** Lets what can go on do so; virtual time stands still. */
  const turns = (): Promise<void> => runtime.clock.advance(0)
  /** Something was sent, so long ago. */
  const waits = async (ms: number): Promise<void> => {
    fake.oldest(runtime.clock.monotonic())
    await runtime.clock.advance(ms)
  }
  /** Begun, and as far as it comes by itself. In a box: it is not to be waited for. */
  const begun = async (signal = never): Promise<{ readonly answer: Promise<FreshTable> }> => {
    const answer = fresh.load(orders, load, signal)
    answer.catch(() => {})
    await turns()
    return { answer }
  }
  const stale = async (): Promise<number | undefined> => (await fresh.load(orders, load, never)).staleMs
  /** The newest commit has taken all. */
  const ends = (): void => {
    fake.oldest(null)
    fake.commits.at(-1)!.end()
  }

  beforeEach(() => {
    runtime = virtualRuntime({ seed: 1 })
    fake = fakeTopic(runtime.clock)
    asked = 0
    loads = 0
    fresh = freshOver(async () => {
      asked++
      return fake.topic as never
    })
  })

  it('tiers nothing where nothing waits, or not for long', async () => {
    expect(await stale()).toBeUndefined()
    await waits(5000)
    expect(await stale()).toBeUndefined()
    expect([fake.commits.length, fresh.commits]).toEqual([0, 0])
  })

  it('waits for a commit where something waits for longer, and loads what that has made', async () => {
    await waits(5001)
    const { answer } = await begun()
    expect([fake.commits.length, loads]).toEqual([1, 0])
    // As old as it may be, for who shows nothing that is younger than his question.
    expect(fake.asked).toEqual([runtime.clock.now() - 5000])
    ends()
    expect((await answer).staleMs).toBeUndefined()
    expect(loads).toBe(1)
  })

  it('shares the commit of others, however many they are', async () => {
    await waits(5001)
    const loading = Array.from({ length: 50 }, () => stale())
    await turns()
    expect(fake.commits).toHaveLength(1)
    ends()
    expect(await Promise.all(loading)).toEqual(Array(50).fill(undefined))
    expect([fresh.commits, fake.commits.length]).toEqual([1, 1])
  })

  it('wants another commit where the one that runs began too early to have all', async () => {
    await waits(5001)
    const first = await begun()
    // Durable after the commit has begun, and too old at the second load.
    const sentMs = runtime.clock.monotonic()
    await runtime.clock.advance(5001)
    const second = await begun()
    const third = await begun()
    expect(fake.commits).toHaveLength(1)
    fake.oldest(sentMs)
    fake.commits[0]!.end()
    await first.answer
    await turns()
    expect([fake.commits.length, loads]).toEqual([2, 1])
    ends()
    expect([(await second.answer).staleMs, (await third.answer).staleMs]).toEqual([undefined, undefined])
    expect(fake.commits).toHaveLength(2)
  })

  it('does not wait for what no commit can take', async () => {
    await waits(5001)
    const { answer } = await begun()
    // Of a transaction that has not ended: it is as old afterwards.
    fake.commits[0]!.end()
    expect((await answer).staleMs).toBeUndefined()
    expect(fake.commits).toHaveLength(1)
  })

  it('is answered as the table is, with how old that is, when the commit takes too long', async () => {
    await waits(6000)
    const { answer } = await begun()
    await runtime.clock.advance(9999)
    expect(loads).toBe(0)
    await runtime.clock.advance(1)
    expect(await answer).toMatchObject({ staleMs: 16_000 })
    expect(fresh.stale).toBe(1)
    expect(meter.seen('moulin.gateway.stale').at(-1)).toEqual({
      value: 1,
      attributes: { 'messaging.destination.name': 'orders' },
    })
  })

  it('leaves nothing behind when the commit hangs, however often it is tried', async () => {
    await waits(6000)
    for (let turn = 0; turn < 20; turn++) {
      const { answer } = await begun()
      await runtime.clock.advance(10_000)
      expect((await answer).staleMs).toBeGreaterThan(10_000)
    }
    expect(fake.commits).toHaveLength(1)
  })

  it('is answered so at once when the commit fails, and the next one is made after a pause', async () => {
    await waits(6000)
    for (const pauseMs of [1000, 2000, 4000, 8000, 15_000, 15_000]) {
      const { answer } = await begun()
      const tried = fake.commits.length
      fake.commits.at(-1)!.fail(down)
      expect((await answer).staleMs).toBeGreaterThanOrEqual(6000)
      await runtime.clock.advance(pauseMs - 1)
      // No storm on a store that fails: the answer is the same.
      for (let turn = 0; turn < 10; turn++) expect(await stale()).toBeGreaterThan(6000)
      expect(fake.commits).toHaveLength(tried)
      await runtime.clock.advance(1)
    }
    const { answer } = await begun()
    ends()
    expect((await answer).staleMs).toBeUndefined()
    await waits(6000)
    await begun()
    expect(fake.commits).toHaveLength(8)
  })

  it('ends with its signal, and the commit does not', async () => {
    await waits(6000)
    const controller = new AbortController()
    const { answer } = await begun(controller.signal)
    controller.abort()
    await expect(answer).rejects.toMatchObject({ kind: 'aborted' })
    const other = await begun()
    expect(fake.commits).toHaveLength(1)
    ends()
    expect((await other.answer).staleMs).toBeUndefined()
  })

  it('throws what the catalog throws', async () => {
    const missing = notFound('TABLE_MISSING', 'There is no table shop.orders.')
    await expect(fresh.load(orders, () => Promise.reject(missing), never)).rejects.toBe(missing)
  })

  describe('of which a log knows nothing', () => {
    it('is not held up where the topic cannot be found', async () => {
      fresh = freshOver(() => Promise.reject(down))
      expect(await stale()).toBeNaN()
      expect(await stale()).toBeNaN()
    })

    it('is held up for its time where that hangs, and by one search for all loads', async () => {
      let searches = 0
      fresh = freshOver(() => new Promise(() => void searches++))
      for (let turn = 0; turn < 3; turn++) {
        const { answer } = await begun()
        await runtime.clock.advance(9999)
        expect(loads).toBe(turn)
        await runtime.clock.advance(1)
        expect((await answer).staleMs).toBeNaN()
      }
      expect(searches).toBe(1)
    })

    it("is not called fresh once the log was closed, or is another writer's", async () => {
      let isClosed = false
      fresh = freshOver(async () => {
        if (isClosed) throw closed('LOG_CLOSED', 'The log was closed.')
        return fake.topic as never
      })
      expect(await stale()).toBeUndefined()
      isClosed = true
      expect(await stale()).toBeNaN()
      isClosed = false
      Object.assign(fake.topic, {
        stats: () => ({
          untieredAgeMs: null,
          lastError: { code: 'FENCED', message: 'A newer writer has taken over.' },
        }),
      })
      expect(await stale()).toBeNaN()
    })

    it('is no error whatever the topic throws', async () => {
      Object.assign(fake.topic, {
        stats: () => {
          throw new Error('a bug')
        },
      })
      expect(await stale()).toBeNaN()
    })

    it('is that of the next log', async () => {
      fresh = freshOver(
        () => Promise.reject(down),
        async () => fake.topic as never,
      )
      expect(await stale()).toBeUndefined()
    })
  })

  describe('that is of no topic', () => {
    let isThere: boolean
    beforeEach(() => {
      isThere = false
      fresh = freshOver(async (identifier) => {
        asked++
        if (identifier.name === 'two words') throw invalid('TABLE_NAME', 'That is no name.')
        return (isThere ? fake.topic : undefined) as never
      })
    })

    it('asks the log once', async () => {
      for (let turn = 0; turn < 5; turn++) await fresh.load(orders, async () => table({}), never)
      expect(asked).toBe(1)
      const odd = { namespace: ['shop'], name: 'two words' }
      expect((await fresh.load(odd, async () => table({}), never)).staleMs).toBeUndefined()
    })

    it('is another than that of as many dots', async () => {
      await fresh.load({ namespace: ['shop.eu'], name: 'orders' }, async () => table({}), never)
      await fresh.load({ namespace: ['shop', 'eu'], name: 'orders' }, async () => table({}), never)
      expect(asked).toBe(2)
    })

    it('asks again for one that has become one', async () => {
      await fresh.load(orders, async () => table({}), never)
      isThere = true
      await waits(6000)
      const { answer } = await begun()
      ends()
      expect((await answer).staleMs).toBeUndefined()
      // Once to see that it has a marker, once as it is by then.
      expect([loads, fresh.commits]).toEqual([2, 1])
    })

    it('does not take one for a stranger that is made while it is asked', async () => {
      await fresh.load(orders, load, never)
      isThere = true
      await waits(6000)
      const { answer } = await begun()
      expect(fake.commits).toHaveLength(1)
      ends()
      await answer
      // One load each: it did not have to be found out.
      expect(loads).toBe(2)
    })
  })
})
