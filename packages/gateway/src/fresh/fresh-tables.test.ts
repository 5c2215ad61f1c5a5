import { invalid, notFound, unavailable } from '@moulin/core'
import type { LoadedTable, Log, TableIdentifier, TierOptions, TierResult, Topic } from '@moulin/core'
import { recordingMeter, virtualRuntime } from '@moulin/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { FreshTables } from './fresh-tables.ts'

const orders: TableIdentifier = { namespace: ['shop'], name: 'orders' }
const never = new AbortController().signal
const marker = { 'moulin.marker.0190a6f0': '{}' }

/** A topic whose records wait as long as a test says, and whose commits end when it says. */
function fakeTopic(clock: { monotonic(): number }) {
  const asked: unknown[] = []
  const commits: { readonly end: () => void; readonly fail: (error: unknown) => void }[] = []
  let oldestMs: number | null = null
  const topic = {
    name: 'orders',
    stats: () => ({ untieredAgeMs: oldestMs === null ? null : clock.monotonic() - oldestMs }),
    tier: ({ asOfMs }: TierOptions) =>
      new Promise<TierResult>((resolve, reject) => {
        asked.push(asOfMs)
        const end = (): void => {
          oldestMs = null
          resolve({ snapshotId: 1n, rows: 1, frontier: [] })
        }
        commits.push({ end, fail: reject })
      }),
  } as unknown as Topic
  return { topic, commits, asked, sent: (): void => void (oldestMs ??= clock.monotonic()) }
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
  const freshOver = (topicOfTable: Log['topicOfTable']): FreshTables =>
    new FreshTables({
      logs: [{ name: 'log', topicOfTable } as Log],
      maxStalenessMs: 5000,
      maxWaitMs: 10_000,
      runtime: { ...runtime, meter },
    })
  /** Lets what can go on do so; virtual time stands still. */
  const turns = (): Promise<void> => runtime.clock.advance(0)

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
    expect((await fresh.load(orders, load, never)).staleMs).toBeUndefined()
    fake.sent()
    await runtime.clock.advance(5000)
    expect((await fresh.load(orders, load, never)).staleMs).toBeUndefined()
    expect([fake.commits.length, fresh.commits, asked]).toEqual([0, 0, 1])
  })

  it('waits for a commit where something waits for longer, and loads what that has made', async () => {
    fake.sent()
    await runtime.clock.advance(5001)
    const loading = fresh.load(orders, load, never)
    await turns()
    expect([fake.commits.length, loads]).toEqual([1, 0])
    // As old as it may be, for who shows nothing that is younger than his question.
    expect(fake.asked).toEqual([runtime.clock.now() - 5000])
    fake.commits[0]!.end()
    expect((await loading).staleMs).toBeUndefined()
    expect(loads).toBe(1)
  })

  it('shares the commit of others, however many they are', async () => {
    fake.sent()
    await runtime.clock.advance(5001)
    const loading = Array.from({ length: 50 }, () => fresh.load(orders, load, never))
    await turns()
    expect(fake.commits).toHaveLength(1)
    fake.commits[0]!.end()
    expect((await Promise.all(loading)).map(({ staleMs }) => staleMs)).toEqual(Array(50).fill(undefined))
    expect([fresh.commits, fake.commits.length]).toEqual([1, 1])
  })

  it('wants another commit where the one that runs began too early to have all', async () => {
    fake.sent()
    await runtime.clock.advance(5001)
    const first = fresh.load(orders, load, never)
    await turns()
    // Durable after the commit has begun, and too old at the second load.
    await runtime.clock.advance(5001)
    const second = fresh.load(orders, load, never)
    await turns()
    expect(fake.commits).toHaveLength(2)
    fake.commits[0]!.end()
    await first
    let isDone = false
    void second.then(() => (isDone = true))
    await turns()
    expect(isDone).toBe(false)
    fake.commits[1]!.end()
    expect((await second).staleMs).toBeUndefined()
  })

  it('is answered as the table is, with how old that is, when the commit takes too long', async () => {
    fake.sent()
    await runtime.clock.advance(6000)
    const loading = fresh.load(orders, load, never)
    await turns()
    await runtime.clock.advance(9999)
    expect(loads).toBe(0)
    await runtime.clock.advance(1)
    expect(await loading).toMatchObject({ staleMs: 16_000 })
    expect(fresh.stale).toBe(1)
    expect(meter.seen('moulin.gateway.stale').at(-1)).toEqual({
      value: 1,
      attributes: { 'messaging.destination.name': 'orders' },
    })
  })

  it('is answered so at once when the commit fails, and tries again the next time', async () => {
    fake.sent()
    await runtime.clock.advance(6000)
    const loading = fresh.load(orders, load, never)
    await turns()
    fake.commits[0]!.fail(unavailable('DOWN', 'The store is down.'))
    expect(await loading).toMatchObject({ staleMs: 6000 })
    const next = fresh.load(orders, load, never)
    await turns()
    expect(fake.commits).toHaveLength(2)
    fake.commits[1]!.end()
    expect((await next).staleMs).toBeUndefined()
  })

  it('ends with its signal, and the commit does not', async () => {
    fake.sent()
    await runtime.clock.advance(6000)
    const controller = new AbortController()
    const loading = fresh.load(orders, load, controller.signal)
    await turns()
    controller.abort()
    await expect(loading).rejects.toMatchObject({ kind: 'aborted' })
    const other = fresh.load(orders, load, never)
    await turns()
    expect(fake.commits).toHaveLength(1)
    fake.commits[0]!.end()
    expect((await other).staleMs).toBeUndefined()
  })

  it('is not held up by a topic that nobody can find', async () => {
    fresh = freshOver(() => Promise.reject(unavailable('DOWN', 'The store is down.')))
    expect((await fresh.load(orders, load, never)).staleMs).toBeNaN()
  })

  it('throws what the catalog throws', async () => {
    const missing = notFound('TABLE_MISSING', 'There is no table shop.orders.')
    await expect(fresh.load(orders, () => Promise.reject(missing), never)).rejects.toBe(missing)
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

    it('asks again for one that has become one', async () => {
      await fresh.load(orders, async () => table({}), never)
      isThere = true
      fake.sent()
      await runtime.clock.advance(6000)
      const loading = fresh.load(orders, load, never)
      await turns()
      fake.commits[0]!.end()
      expect((await loading).staleMs).toBeUndefined()
      // Once to see that it has a marker, once as it is by then.
      expect([loads, fresh.commits]).toEqual([2, 1])
    })

    it('does not take one for a stranger that is made while it is asked', async () => {
      await fresh.load(orders, load, never)
      isThere = true
      fake.sent()
      await runtime.clock.advance(6000)
      const loading = fresh.load(orders, load, never)
      await turns()
      expect(fake.commits).toHaveLength(1)
      fake.commits[0]!.end()
      await loading
      // One load each: it did not have to be found out.
      expect(loads).toBe(2)
    })
  })
})
