/** A log restored from an old copy, beside a table that has gone on; its catalog answers at once, late, or never. */
import { unavailable } from '@moulin/core'
import type { ColdTier, Log, Topic } from '@moulin/core'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { simulatedDisk, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import type { FakeTables } from './fake-cold-tier.ts'

interface Opened {
  readonly log: Log
  readonly runtime: VirtualRuntime
}

/** A log of 3 records, none tiered, and a table that has 5 of the topic's offsets. */
async function older(
  attach: (tier: ColdTier, runtime: VirtualRuntime) => ColdTier['attach'],
  catalogWaitMs = 3_000,
): Promise<Opened> {
  const tables = fakeTables()
  const disk = simulatedDisk({ seed: 1 })
  const first = await open(tables, disk, 1, (tier) => tier.attach.bind(tier))
  const topic = await first.log.createTopic('rides')
  const producer = topic.producer({ lingerMs: 0 })
  for (const value of ['a', 'b', 'c']) await producer.send({ value: bytes(value) })
  await first.log.close()
  tables.tables.get(topic.id)!.frontier[0] = 5n
  return open(tables, disk, 2, attach, catalogWaitMs)
}

async function open(
  tables: FakeTables,
  disk: ReturnType<typeof simulatedDisk>,
  seed: number,
  attach: (tier: ColdTier, runtime: VirtualRuntime) => ColdTier['attach'],
  catalogWaitMs = 3_000,
  takeover: 'refuse' | 'newest' = 'refuse',
): Promise<Opened> {
  const runtime = virtualRuntime({ seed, files: disk.files })
  const tier = fakeColdTier(tables)
  const store = fileSystem({ root: '/lake', files: disk.files })
  const wal = fileWal({ dir: '/lake/log/wal', segmentBytes: 16 * 1024 })
  const log = await openLog({
    store,
    wal,
    runtime,
    tier: { ...tier, attach: attach(tier, runtime) },
    catalogWaitMs,
    takeover,
  })
  return { log, runtime }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function values(topic: Topic): Promise<string[]> {
  const found: string[] = []
  for await (const { bytes: value } of topic.read({ to: 'end' })) found.push(new TextDecoder().decode(value!))
  return found
}

/** Moves the clock on until the promise settles. */
async function within<T>(runtime: VirtualRuntime, promise: Promise<T>): Promise<T> {
  let isDone = false
  promise.then(
    () => (isDone = true),
    () => (isDone = true),
  )
  for (let turn = 0; !isDone && turn < 2_000; turn++) await runtime.clock.advance(10)
  return promise
}

const behind = { kind: 'conflict', code: 'LOG_BEHIND_TABLE', context: { ranges: 'partition 0 [3, 5)' } }

describe('a log that is older than its table', () => {
  it('is refused before any ack where the catalog answers; what it has is read', async () => {
    const { log } = await older((tier) => tier.attach.bind(tier))
    const topic = (await log.topic('rides')) as Topic
    await expect(topic.producer({ lingerMs: 0 }).send({ value: bytes('d') })).rejects.toMatchObject(behind)
    await expect(topic.tier()).rejects.toMatchObject(behind)
    expect(topic.stats().stoppedBy).toMatchObject(behind)
    expect(topic.offsets()[0]).toMatchObject({ highWatermark: 3n, released: 0n })
    expect(await values(topic)).toEqual(['a', 'b', 'c'])
    await log.close()
  })

  it('is not what a writer is told whose successor has tiered meanwhile: that one is fenced', async () => {
    const tables = fakeTables()
    const disk = simulatedDisk({ seed: 3 })
    let letGo!: () => void
    const isLetGo = new Promise<void>((resolve) => (letGo = resolve))
    const { log, runtime } = await open(tables, disk, 1, (tier) => async (info, context) => {
      await isLetGo
      return tier.attach(info, context)
    })
    const topic = await within(runtime, log.createTopic('rides'))
    const tiering = topic.tier()
    tiering.catch(() => {})
    const newer = await open(tables, disk, 2, (tier) => tier.attach.bind(tier), 3_000, 'newest')
    const same = (await within(newer.runtime, newer.log.topic('rides'))) as Topic
    const sent = same.producer({ lingerMs: 0 }).send({ value: bytes('a') })
    await within(newer.runtime, sent)
    expect(await within(newer.runtime, same.tier())).toMatchObject({ frontier: [1n] })
    letGo()
    await expect(within(runtime, tiering)).rejects.toMatchObject({ kind: 'fenced' })
    expect(topic.stats().stoppedBy).toBeNull()
    await Promise.all([log.close(), newer.log.close()])
  })

  it('waits with the first send for a catalog that answers late, and then refuses', async () => {
    const { log, runtime } = await older((tier, { timers }) => async (info, context) => {
      await timers.sleep(4_000)
      return tier.attach(info, context)
    })
    const topic = (await within(runtime, log.topic('rides'))) as Topic
    const sent = topic.producer({ lingerMs: 0 }).send({ value: bytes('d') })
    sent.catch(() => {})
    await expect(within(runtime, sent)).rejects.toMatchObject(behind)
    expect(topic.offsets()[0]!.highWatermark).toBe(3n)
    await log.close()
  })

  it('goes on without an answer, and stops by where it was recovered when the catalog comes up', async () => {
    let isUp = false
    const { log, runtime } = await older((tier) => async (info, context) => {
      if (!isUp) throw unavailable('DOWN', 'The catalog is down.')
      return tier.attach(info, context)
    })
    const topic = (await within(runtime, log.topic('rides'))) as Topic
    const producer = topic.producer({ lingerMs: 0 })
    for (const value of ['d', 'e', 'f']) await within(runtime, producer.send({ value: bytes(value) }))
    isUp = true
    await runtime.clock.advance(4_000)
    await expect(producer.send({ value: bytes('g') })).rejects.toMatchObject(behind)
    expect(topic.offsets()[0]).toMatchObject({ highWatermark: 6n, released: 0n })
    expect(await values(topic)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    await log.close()
  })

  it('looks again when the first look took longer than sends wait, and then failed', async () => {
    let looks = 0
    const { log, runtime } = await older((tier, { timers }) => async (info, context) => {
      if (++looks > 1) return tier.attach(info, context)
      await timers.sleep(20_000)
      throw unavailable('DOWN', 'The catalog is down.')
    })
    const topic = (await within(runtime, log.topic('rides'))) as Topic
    const producer = topic.producer({ lingerMs: 0 })
    await within(runtime, producer.send({ value: bytes('d') }))
    expect(looks).toBe(1)
    await runtime.clock.advance(25_000)
    expect(looks).toBe(2)
    await expect(producer.send({ value: bytes('e') })).rejects.toMatchObject(behind)
    await log.close()
  })

  it('does not ask a catalog that is down without end when sends do not wait for it at all', async () => {
    let looks = 0
    const down = async (): Promise<never> => {
      looks++
      throw unavailable('DOWN', 'The catalog is down.')
    }
    const { log, runtime } = await older(() => down, 0)
    const topic = (await within(runtime, log.topic('rides'))) as Topic
    await within(runtime, topic.producer({ lingerMs: 0 }).send({ value: bytes('d') }))
    for (let second = 0; second < 10; second++) await runtime.clock.advance(1_000)
    expect(looks).toBeGreaterThan(3)
    expect(looks).toBeLessThan(20)
    await log.close()
  })

  it('keeps the order of appends that wait for a table that never answers', async () => {
    const { log, runtime } = await older(() => () => new Promise(() => {}))
    const topic = (await within(runtime, log.topic('rides'))) as Topic
    const producer = topic.producer({ lingerMs: 0, batchBytes: 1 })
    const acks = ['d', 'e', 'f'].map((value) => producer.send({ value: bytes(value) }))
    await within(runtime, Promise.all(acks))
    expect(await values(topic)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    await within(runtime, log.close({ drainMs: 10 }))
  })
})
