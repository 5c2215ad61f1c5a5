/** A reader beside a writer keeps what the write-ahead tier holds, not what it has ever held. */
import type { Log, ObjectStore, Topic } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables, stalledTier, type FakeTables } from './fake-cold-tier.ts'
import { bytesOf, LAKE, machine, openIn, SEGMENT_BYTES, textOf, valuesOf, type Machine } from './machine.ts'

async function send(topic: Topic<Uint8Array>, from: number, to: number): Promise<void> {
  const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
  for (let at = from; at < to; at++)
    await producer.send({ value: bytesOf(String(at).padEnd(900, '.')), partition: at % 2 })
  await producer.close()
}

/** The store, and how often it was listed. */
function counted(store: ObjectStore): { readonly store: ObjectStore; readonly lists: () => number } {
  let lists = 0
  return {
    lists: () => lists,
    store: {
      ...store,
      list: (options) => {
        lists++
        return store.list(options)
      },
    },
  }
}

interface Setting {
  readonly on: Machine
  readonly tables: FakeTables
  readonly log: Log
  readonly topic: Topic<Uint8Array>
  readonly reader: Log
  readonly beside: Topic
  readonly lists: () => number
}

async function setting(): Promise<Setting> {
  const on = machine()
  const tables = fakeTables()
  const log = await openIn(on.runtime(), { tier: fakeColdTier(tables) })
  const topic = await log.createTopic('orders', { partitions: 2 })
  await send(topic, 0, 2)
  const { files } = on.disk.process('beside')
  const { store, lists } = counted(fileSystem({ root: LAKE, files }))
  const reader = await openIn(on.runtime(files), { access: 'read-only', store, tier: fakeColdTier(tables) })
  return { on, tables, log, topic, reader, beside: await reader.topic('orders'), lists }
}

const releasedOf = (topic: Topic<never> | Topic): bigint[] => topic.offsets().map(({ released }) => released)

describe('a reader beside a writer', () => {
  it('forgets what is released, round after round, and reads it from the table', async () => {
    const { on, log, topic, reader, beside } = await setting()
    const seen: string[] = []
    const stop = new AbortController()
    const following = (async () => {
      for await (const record of beside.read({ partition: 1, signal: stop.signal })) {
        seen.push(textOf(record).replaceAll('.', ''))
      }
    })().catch(() => undefined)
    for (let round = 0; round < 6; round++) {
      await send(topic, 2 + round * 60, 62 + round * 60)
      await on.clock.advance(1_500)
      expect(reader.stats().wal.liveBytes).toBeGreaterThan(50_000)
      await topic.tier()
      await log.releaseNow()
      await on.clock.advance(3_000)
      expect(releasedOf(beside)).toEqual(releasedOf(topic as never))
      expect(reader.stats().wal).toMatchObject({ liveBytes: 0, liveSegments: 0 })
      expect(reader.stats().unreleasedBytes).toBe(0)
    }
    expect(seen).toEqual(Array.from({ length: 181 }, (_, at) => String(at * 2 + 1)))
    stop.abort()
    await following
    expect((await valuesOf(beside)).length).toBe(181)
    await reader.close()
    await log.close()
  })

  it('keeps what is not released, looks ever more rarely, and not at all once it holds nothing', async () => {
    const { on, log, topic, reader, beside, lists } = await setting()
    await send(topic, 2, 12)
    await on.clock.advance(2_000)
    const { liveBytes } = reader.stats().wal
    const before = lists()
    await on.clock.advance(600_000)
    expect(reader.stats().wal.liveBytes).toBe(liveBytes)
    expect(lists() - before).toBeGreaterThan(5)
    expect(lists() - before).toBeLessThan(40)
    expect(releasedOf(beside)).toEqual([0n, 0n])
    // The quiet topic went to the table meanwhile.
    expect(topic.stats().untieredBytes).toBe(0)
    await log.releaseNow()
    await on.clock.advance(61_000)
    expect(releasedOf(beside)).toEqual([6n, 6n])
    expect(reader.stats().wal.liveBytes).toBe(0)
    const after = lists()
    await on.clock.advance(600_000)
    expect(lists()).toBe(after)
    await reader.close()
    await log.close()
  })

  it('counts right across a change of writer', async () => {
    const { on, tables, log, topic, reader, beside } = await setting()
    await send(topic, 2, 40)
    await on.clock.advance(1_500)
    await topic.tier()
    await log.releaseNow()
    await send(topic, 40, 50)
    await log.close()
    const next = await openIn(on.runtime(), { tier: fakeColdTier(tables) })
    const again = await next.topic<Uint8Array>('orders')
    await send(again, 50, 60)
    await on.clock.advance(3_000)
    expect(reader.stats().wal.liveBytes).toBe(next.stats().wal.liveBytes)
    await again.tier()
    await next.releaseNow()
    await on.clock.advance(3_000)
    expect(releasedOf(beside)).toEqual([30n, 30n])
    expect(reader.stats().wal).toMatchObject({ liveBytes: 0, liveSegments: 0 })
    await reader.close()
    await next.close()
  })
})

describe('a reader beside a writer that copies sections on', () => {
  /** A slow topic keeps a little of each segment, which fills with what is released at once. */
  async function copying(): Promise<{
    readonly on: Machine
    readonly tables: FakeTables
    readonly log: Log
    readonly reader: Log
    readonly sent: string[]
    readonly lists: () => number
    readonly round: () => Promise<void>
  }> {
    const on = machine()
    const tables = fakeTables()
    const limits = { maxWalBytes: 4 * SEGMENT_BYTES }
    const log = await openIn(on.runtime(), { tier: stalledTier(fakeColdTier(tables), 'slow'), graceMs: 0, limits })
    const slow = (await log.createTopic('slow')).producer({ lingerMs: 0 })
    const fast = await log.createTopic('fast', { partitions: 2 })
    const { files } = on.disk.process('beside')
    const { store, lists } = counted(fileSystem({ root: LAKE, files }))
    const reader = await openIn(on.runtime(files), { access: 'read-only', store, tier: fakeColdTier(tables) })
    const sent: string[] = []
    const round = async (): Promise<void> => {
      sent.push(`slow ${sent.length}`)
      await slow.send({ value: bytesOf(sent.at(-1)!) })
      await send(fast, 0, 16)
      await fast.tier()
      await log.releaseNow()
      await on.clock.advance(3_000)
    }
    return { on, tables, log, reader, sent, lists, round }
  }

  it('counts each at one place, sees the old segments as dead, and makes no requests once all is released', async () => {
    const { on, tables, log, reader, sent, lists, round } = await copying()
    let wasSparser = false
    for (let n = 0; n < 25; n++) {
      await round()
      const { liveBytes, liveSegments } = log.stats().wal
      wasSparser ||= liveSegments < sent.length / 2
      expect(reader.stats().wal).toMatchObject({ liveBytes, liveSegments })
    }
    expect(wasSparser).toBe(true)
    expect(await valuesOf(await reader.topic('slow'))).toEqual(sent)
    await log.close()
    // Nobody is told anew of what stays where it is.
    const next = await openIn(on.runtime(), { tier: fakeColdTier(tables), graceMs: 0 })
    await on.clock.advance(3_000)
    const { liveBytes, liveSegments } = next.stats().wal
    expect(liveBytes).toBeGreaterThan(0)
    expect(reader.stats().wal).toMatchObject({ liveBytes, liveSegments })
    await (await next.topic('slow')).tier()
    await next.releaseNow()
    await on.clock.advance(61_000)
    expect(reader.stats().wal).toMatchObject({ liveBytes: 0, heldBytes: 0, liveSegments: 0 })
    const before = lists()
    await on.clock.advance(600_000)
    expect(lists()).toBe(before)
    await reader.close()
    await next.close()
  })
})
