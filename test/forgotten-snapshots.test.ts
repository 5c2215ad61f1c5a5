/** What a log forgets of its tables by itself, and when: its own scheduler, a catalog with limits, a clock that was wrong. */
import { objectStoreCatalog } from '@moulin/catalog'
import { keyOf } from '@moulin/core'
import type { Log, Topic } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileSystem, memory } from '@moulin/storage'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { checkFolder, cleanUpDue, HOUR } from '../packages/lake/src/forgotten/forgotten.test-support.ts'
import { checkTable, testLog, utf8 } from '../packages/lake/src/lake.test-support.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'
import { bytesOf, LAKE, machine, openIn } from './log/machine.ts'
import type { Machine } from './log/machine.ts'

const DAY = 24 * HOUR
const KiB = 1024

describe('a log that forgets snapshots', () => {
  /** Keys of the log's store, whatever disk it is on. */
  async function keysOn({ runtime }: Machine, prefix: string): Promise<string[]> {
    const store = fileSystem({ root: LAKE, files: runtime().files })
    const keys: string[] = []
    for await (const { key } of store.list({ prefix })) keys.push(key)
    return keys
  }

  function open(on: Machine): Promise<Log> {
    const own = on.runtime()
    const store = fileSystem({ root: LAKE, files: own.files })
    const tier = icebergTier({ catalog: objectStoreCatalog({ store, runtime: own }), threads: 0 })
    return openIn(own, { tier, graceMs: 0, limits: { metadataWarnBytes: 24 * KiB } })
  }

  async function commits(topic: Topic<Uint8Array>, count: number): Promise<void> {
    const producer = topic.producer({ lingerMs: 0 })
    for (let n = 0; n < count; n++) {
      await producer.send({ value: bytesOf('surge') })
      await topic.tier()
    }
    await producer.close()
  }

  const records = (on: Machine): Promise<string[]> => keysOn(on, 'log/forgotten/')
  const files = (on: Machine): Promise<string[]> => keysOn(on, 'tables/default/surges/metadata/snap-')

  it('deletes their files by itself two hours later, and rests then', async () => {
    const on = machine()
    const log = await open(on)
    const topic = await log.ensureTopic('surges', {})
    await commits(topic, 25)
    const [many, named] = [(await files(on)).length, (await records(on)).length]
    expect(named).toBeGreaterThan(1)
    await on.clock.advance(2 * HOUR - 60_000)
    expect((await records(on)).length).toBe(named)
    await on.clock.advance(60_000)
    expect(await records(on)).toEqual([])
    expect((await files(on)).length).toBeLessThan(many - 5)
    expect(topic.stats()).toMatchObject({ lastError: null, retries: 0 })
    const effects = on.disk.effects.length
    await on.clock.advance(100 * HOUR)
    expect(on.disk.effects.length).toBe(effects)
    await log.close()
  })

  it('says in stats what of them cannot be read, until it can', async () => {
    const on = machine()
    const before = await open(on)
    await commits(await before.ensureTopic('surges', {}), 20)
    await before.close()
    const { files: disk } = on.runtime()
    const store = fileSystem({ root: LAKE, files: disk })
    const [record] = await records(on)
    const { snapshots } = JSON.parse(new TextDecoder().decode((await store.get(record!)).bytes)) as {
      snapshots: { manifestList: string }[]
    }
    const key = keyOf(store, snapshots.at(-1)!.manifestList)
    const { bytes } = await store.get(key)
    await store.put(key, bytes.slice(0, 100))
    const log = await open(on)
    const topic = await log.ensureTopic('surges', {})
    await topic.tier()
    await on.clock.advance(2 * HOUR)
    expect(topic.stats().lastError).toMatchObject({ kind: 'corrupt', code: 'FORGOTTEN_FILES' })
    expect(topic.stats().lastError!.message).toContain(record)
    expect(await records(on)).toEqual([record])
    await store.put(key, bytes)
    await on.clock.advance(2 * HOUR)
    expect(topic.stats()).toMatchObject({ lastError: null, failingSinceMs: null })
    expect(await records(on)).toEqual([])
    await log.close()
  })

  it('goes on with it in the next process, and in the one after', async () => {
    const on = machine()
    const times: number[] = []
    for (let epoch = 0; epoch < 3; epoch++) {
      const log = await open(on)
      const topic = await log.ensureTopic('surges', {})
      await commits(topic, 22)
      times.push((await records(on)).length)
      await on.clock.advance(10 * 60_000)
      await log.close()
    }
    expect(times[0]).toBeGreaterThan(0)
    expect(times[2]).toBeGreaterThan(times[0]! + 1)
    const log = await open(on)
    const topic = await log.ensureTopic('surges', {})
    await commits(topic, 1)
    await on.clock.advance(HOUR)
    expect((await records(on)).length).toBeGreaterThanOrEqual(times[2]!)
    await on.clock.advance(HOUR)
    expect(await records(on)).toEqual([])
    await log.close()
    expect(on.clock.waiting).toBe(0)
  })
})

describe('a clock that was far ahead', () => {
  async function commit(log: TestLog, topic: Awaited<ReturnType<TestLog['attach']>>, stepMs: number): Promise<void> {
    log.hot.send(0, [{ value: utf8('spring tide') }])
    await log.runtime.clock.advance(stepMs)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    await cleanUpDue(log, topic)
  }

  it('does not end expiry: snapshots are kept by number, and metadata stays below what its catalog warns of', async () => {
    const runtime = virtualRuntime({ seed: 19 })
    const store = memory({ clock: runtime.clock })
    const limits = { metadataWarnBytes: 200 * KiB, metadataStopBytes: 220 * KiB }
    const catalog = objectStoreCatalog({ store, runtime, limits })
    const log = testLog({ store, runtime, catalog, info: { partitions: 1 } })
    runtime.clock.jump(90 * DAY)
    let topic = await log.attach()
    for (let n = 0; n < 3; n++) await commit(log, topic, 1_000)
    runtime.clock.jump(-90 * DAY)
    topic = await log.reopen().attach()
    // Two commits an hour: never many within two hours, and a month of them is still ahead of the clock.
    for (let n = 0; n < 160; n++) await commit(log, topic, HOUR / 2)
    const { metadata } = await catalog.loadTable({ namespace: ['shop'], name: 'orders' })
    expect(Number(metadata['last-updated-ms'])).toBeGreaterThan(runtime.clock.now() + 80 * DAY)
    expect(metadata.snapshots!.length).toBeLessThan(100 + 17)
    expect(metadata.snapshots!.length).toBeGreaterThanOrEqual(100)
    await runtime.clock.advance(2 * HOUR)
    await cleanUpDue(log, topic)
    expect(await checkFolder(log)).toEqual({ unreached: [], unnamed: [], missing: [], records: [] })
    await checkTable(topic, log)
  })

  it('does not stop tiering where there is room for few snapshots only', async () => {
    const runtime = virtualRuntime({ seed: 20 })
    const store = memory({ clock: runtime.clock })
    const limits = { metadataWarnBytes: 48 * KiB, metadataStopBytes: 56 * KiB }
    const catalog = objectStoreCatalog({ store, runtime, limits })
    const log = testLog({ store, runtime, catalog, info: { partitions: 1 } })
    const topic = await log.attach()
    runtime.clock.jump(500 * DAY)
    for (let n = 0; n < 90; n++) {
      if (n === 20) runtime.clock.jump(-500 * DAY)
      await commit(log, topic, 1_000)
    }
    const sizes: number[] = []
    for await (const { key, size } of store.list({ prefix: 'tables/shop/orders/metadata/v' })) {
      if (key.endsWith('.json')) sizes.push(size)
    }
    expect(sizes.length).toBe(91)
    expect(Math.max(...sizes)).toBeLessThan(48 * KiB)
    await checkTable(topic, log)
  })
})
