/**
 * A log whose table loses a file before the grace of its records has passed, through a close and a new opening: with a tier that cannot
 * put it back, and with one that does.
 */
import { objectStoreCatalog } from '@moulin/catalog'
import { defaultLimits, unavailable } from '@moulin/core'
import type { Log, LogRecord, Position, Topic } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { hookedStore, simulatedDisk, virtualRuntime } from '@moulin/testing'
import type { HookedStore, VirtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'
import { withoutRepair } from './support/without-repair.ts'

const MINUTE = 60_000
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Opened {
  readonly log: Log
  readonly topic: Topic<Uint8Array>
  readonly runtime: VirtualRuntime
}

async function open(
  store: HookedStore,
  disk: ReturnType<typeof simulatedDisk>,
  seed: number,
  { maxWalBytes = defaultLimits.maxWalBytes, repairs = false, afterMs = 0 } = {},
): Promise<Opened> {
  const runtime = virtualRuntime({ seed, files: disk.files })
  await runtime.clock.advance(afterMs)
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime })
  const tier = icebergTier({ catalog, threads: 0 })
  const log = await openLog({
    store,
    wal: fileWal({ dir: '/wal', segmentBytes: 16 * 1024 }),
    tier: repairs ? tier : withoutRepair(tier),
    runtime,
    takeover: 'newest',
    limits: { maxMissingFiles: 1, maxWalBytes },
  })
  return { log, runtime, topic: await log.ensureTopic('rides', { partitions: 2, table: 'city.rides' }) }
}

/** Time goes by, with all that it sets going. */
async function pass({ runtime }: Opened, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += MINUTE / 2) {
    await runtime.clock.advance(MINUTE / 2)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

async function send({ topic }: Opened, partition: number, ...texts: readonly string[]): Promise<void> {
  const producer = topic.producer({ lingerMs: 0 })
  for (const text of texts) await producer.send({ value: bytesOf(text), partition })
  await producer.close()
}

async function dataFiles(store: HookedStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix: 'tables/city/rides/data/' })) keys.push(key)
  return keys
}

const textOf = (record: Pick<LogRecord, 'partition' | 'offset' | 'bytes'> | undefined): string =>
  record === undefined ? 'none' : `${record.partition}/${record.offset} ${new TextDecoder().decode(record.bytes!)}`

async function checkReads({ topic }: Opened, expected: readonly string[]): Promise<void> {
  const read: string[] = []
  for await (const record of topic.read({ to: 'end' })) read.push(textOf(record))
  expect(read.sort()).toEqual(expected)
  const positions = expected.map((text): Position => {
    const [partition, offset] = text.split(' ')[0]!.split('/')
    return { partition: Number(partition), offset: BigInt(offset!) }
  })
  const found: string[] = []
  for await (const record of topic.readAt(positions)) found.push(textOf(record))
  expect(found).toEqual(expected)
  expect(await topic.scan({}).count()).toBe(expected.length)
  const columns = ['_kafka_partition', '_kafka_offset', '_kafka_value'] as never[]
  const rows = (await topic.scan({ columns }).toArray()) as Record<string, never>[]
  const scanned = rows.map((row) =>
    textOf({ partition: row['_kafka_partition']!, offset: row['_kafka_offset']!, bytes: row['_kafka_value']! }),
  )
  expect(scanned.sort()).toEqual(expected)
}

const released = ({ topic }: Opened): bigint[] => topic.offsets().map((offsets) => offsets.released)

it('the write-ahead copy stays, is read, and goes when the file is back, also after another opening', async () => {
  const store = hookedStore()
  const disk = simulatedDisk({ seed: 5 })
  let opened = await open(store, disk, 1)
  await send(opened, 0, 'a', 'b')
  await send(opened, 1, 'c')
  await opened.topic.tier()
  await pass(opened, 62 * MINUTE)
  expect(released(opened)).toEqual([2n, 1n])

  const gone = new Map<string, Uint8Array>()
  for (const texts of [['d', 'e'], ['f']]) {
    const before = await dataFiles(store)
    await send(opened, 1, ...texts)
    await opened.topic.tier()
    for (const key of (await dataFiles(store)).filter((name) => !before.includes(name)))
      gone.set(key, (await store.get(key)).bytes)
  }
  expect(gone.size).toBe(2)
  for (const key of gone.keys()) await store.delete(key)
  await send(opened, 0, 'g')
  const all = ['0/0 a', '0/1 b', '0/2 g', '1/0 c', '1/1 d', '1/2 e', '1/3 f']
  await pass(opened, 62 * MINUTE)
  expect(released(opened)[1]).toBe(1n)
  const { missingFiles, missingFileCount, stoppedBy } = opened.topic.stats()
  expect({ count: missingFileCount, stoppedBy }).toEqual({ count: 2, stoppedBy: null })
  expect(missingFiles).toHaveLength(1)
  expect([...gone.keys()].map((key) => store.root + key)).toContain(missingFiles[0])
  await checkReads(opened, all)

  // Looked at again, but not without end; told once for each file.
  const heads = (): number => store.calls.filter(({ op, key }) => op === 'head' && key.endsWith('.parquet')).length
  const before = heads()
  await pass(opened, 60 * MINUTE)
  const looks = (heads() - before) / 2
  expect(looks).toBeGreaterThan(10)
  expect(looks).toBeLessThan(130)
  const warnings = opened.runtime.logs.filter(({ message }) => message.includes('A file of the table cannot be read'))
  expect(warnings).toHaveLength(2)
  await opened.log.releaseNow()
  expect(released(opened)[1]).toBe(1n)
  await opened.log.close()

  opened = await open(store, disk, 2)
  await pass(opened, 70 * MINUTE)
  expect(released(opened)[1]).toBe(1n)
  expect(opened.topic.stats().missingFileCount).toBe(2)
  await checkReads(opened, all)
  for (const [key, bytes] of gone) await store.put(key, bytes)
  await pass(opened, 3 * MINUTE)
  expect(released(opened)[1]).toBe(4n)
  expect(opened.topic.stats()).toMatchObject({ missingFiles: [], missingFileCount: 0 })
  await checkReads(opened, all)
  await opened.log.close()
})

it('does not make the write-ahead tier spin above what it may hold', async () => {
  const store = hookedStore()
  const opened = await open(store, simulatedDisk({ seed: 6 }), 1, { maxWalBytes: 8 * 1024 })
  await send(opened, 0, 'x'.repeat(1024))
  await opened.topic.tier()
  for (const key of await dataFiles(store)) await store.delete(key)
  const before = store.calls.length
  // Until producers wait: nothing can be let go.
  const producer = opened.topic.producer({ lingerMs: 0 })
  while (opened.log.stats().walFull === null) {
    producer.send({ value: bytesOf('y'.repeat(1024)), partition: 1 }).catch(() => undefined)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  await pass(opened, 3 * MINUTE)
  expect(store.calls.length - before).toBeLessThan(3_000)
  expect(released(opened)[0]).toBe(0n)
  expect(opened.topic.stats().missingFileCount).toBe(1)
  await opened.log.close()
})

it('is put back by the log itself: seen in its stats, and the records keep their write-ahead copy for a grace anew', async () => {
  const store = hookedStore()
  const disk = simulatedDisk({ seed: 7 })
  let opened = await open(store, disk, 1, { repairs: true })
  await send(opened, 0, 'a', 'b')
  await opened.topic.tier()
  await pass(opened, 30 * MINUTE)
  await send(opened, 1, 'c', 'd')
  await opened.topic.tier()
  const gone = await dataFiles(store)
  expect(gone).toHaveLength(2)
  for (const key of gone) await store.delete(key)
  const all = ['0/0 a', '0/1 b', '1/0 c', '1/1 d']
  // Until the first look, nobody knows. Then the store is down for files while they are to be put back.
  store.hooks.before = ({ op, key }) => {
    if (op === 'put' && key.includes('/data/')) throw unavailable('DOWN', 'The store is down.')
  }
  await pass(opened, 31 * MINUTE)
  // Looked at was what the grace of the first commit had ended for; a read looks at all.
  expect(opened.topic.stats()).toMatchObject({ missingFileCount: 1, lastError: { code: 'DOWN' } })
  expect(released(opened)).toEqual([0n, 0n])
  await checkReads(opened, all)
  expect(opened.topic.stats()).toMatchObject({ missingFileCount: 2 })

  delete store.hooks.before
  await pass(opened, 2 * MINUTE)
  expect(opened.topic.stats()).toMatchObject({ missingFileCount: 0, lastError: null, stoppedBy: null })
  expect((await dataFiles(store)).filter((key) => !gone.includes(key))).toHaveLength(2)
  await checkReads(opened, all)
  // The files are younger than the commits that waited; a new process knows it, too.
  await opened.log.close()
  opened = await open(store, disk, 2, { repairs: true })
  await opened.topic.tier()
  await pass(opened, 50 * MINUTE)
  expect(released(opened)).toEqual([0n, 0n])
  await pass(opened, 15 * MINUTE)
  expect(released(opened)).toEqual([2n, 2n])
  await checkReads(opened, all)
  expect(await opened.topic.audit({ deep: true })).toMatchObject({ clean: true, gaps: [] })
  await opened.log.close()
})

/** Two commits lose their files; of what is put in their place only the first is stored. Ends once that file is in the table. */
async function halfRepaired(store: HookedStore, disk: ReturnType<typeof simulatedDisk>): Promise<Opened> {
  const opened = await open(store, disk, 1, { repairs: true })
  await send(opened, 0, 'a', 'b')
  await opened.topic.tier()
  await send(opened, 1, 'c', 'd')
  await opened.topic.tier()
  for (const key of await dataFiles(store)) await store.delete(key)
  let puts = -1_000
  store.hooks.before = ({ op, key }) => {
    if (op === 'put' && key.includes('/data/') && puts++ !== 0) throw unavailable('DOWN', 'The store is down.')
  }
  await pass(opened, 62 * MINUTE)
  expect(opened.topic.stats().missingFileCount).toBe(2)
  puts = 0
  for (let turn = 0; turn < 20 && opened.topic.stats().missingFileCount > 1; turn++) await pass(opened, MINUTE / 2)
  expect(opened.topic.stats().missingFileCount).toBe(1)
  return opened
}

it('has its grace once it is put back, though another one is not', async () => {
  const store = hookedStore()
  const opened = await halfRepaired(store, simulatedDisk({ seed: 7 }))
  await pass(opened, 50 * MINUTE)
  expect(released(opened)).toEqual([0n, 0n])
  await pass(opened, 15 * MINUTE)
  expect(released(opened).reduce((sum, offset) => sum + offset)).toBe(2n)
  await opened.log.close()
})

it('has its grace in the next process, too, where the one that put it back was killed', async () => {
  const store = hookedStore()
  const disk = simulatedDisk({ seed: 7 })
  const killed = await halfRepaired(store, disk)
  disk.crash()
  store.hooks.before = ({ op, key }) => {
    if (op === 'put' && key.includes('/data/')) throw unavailable('DOWN', 'The store is down.')
  }
  const afterMs = killed.runtime.clock.now() - virtualRuntime({ seed: 2 }).clock.now()
  const opened = await open(store, disk, 2, { repairs: true, afterMs })
  await opened.topic.tier()
  await pass(opened, 50 * MINUTE)
  expect(released(opened)).toEqual([0n, 0n])
  await pass(opened, 15 * MINUTE)
  expect(released(opened).reduce((sum, offset) => sum + offset)).toBe(2n)
  await opened.log.close()
})

it('is put back by a commit that is found out about late: tiering goes on though no checkpoint can be written, which is made up for', async () => {
  const store = hookedStore()
  const opened = await open(store, simulatedDisk({ seed: 7 }), 1, { repairs: true })
  await send(opened, 0, 'a', 'b')
  await opened.topic.tier()
  const [key] = await dataFiles(store)
  await store.delete(key!)
  // The answer to the repair is lost, and the catalog is out of reach from then on.
  const away = (): never => {
    throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
  }
  store.hooks.after = ({ op, key: name }) => {
    if (op !== 'put' || !name.endsWith('.metadata.json')) return
    store.hooks.before = ({ key: any }) => (any.startsWith('tables/') ? away() : undefined)
    away()
  }
  await pass(opened, 64 * MINUTE)
  expect(opened.topic.stats()).toMatchObject({ missingFileCount: 1, lastError: { kind: 'unavailable' } })
  delete store.hooks.after
  store.hooks.before = ({ op, key: name }) => {
    if (op === 'put' && name.startsWith('log/checkpoints/')) throw unavailable('FULL', 'The disk is full.')
  }
  await send(opened, 1, 'c')
  const beganMs = opened.runtime.clock.now()
  expect(await opened.topic.tier()).toMatchObject({ rows: 1 })
  expect(opened.log.stats().lastError).toMatchObject({ code: 'FULL' })
  await pass(opened, MINUTE)
  expect(opened.log.stats()).toMatchObject({ lastError: { code: 'FULL' } })
  expect(opened.topic.stats()).toMatchObject({ missingFileCount: 0, lastError: null })
  delete store.hooks.before
  await pass(opened, 2 * MINUTE)
  expect(opened.log.stats()).toMatchObject({ lastError: null, retries: 0 })
  // Whoever opens the log next knows since when the grace counts.
  const keys: string[] = []
  for await (const object of store.list({ prefix: 'log/checkpoints/' })) keys.push(object.key)
  const { bytes } = await store.get(keys.sort().at(-1)!)
  const { topics } = JSON.parse(new TextDecoder().decode(bytes)) as { topics: { confirmed: { sinceMs: number } }[] }
  expect(topics[0]!.confirmed.sinceMs).toBeGreaterThanOrEqual(beganMs)
  await checkReads(opened, ['0/0 a', '0/1 b', '1/0 c'])
  await opened.log.close()
})

it('is nothing that fails any more once it is back by another hand', async () => {
  const store = hookedStore()
  const opened = await open(store, simulatedDisk({ seed: 7 }), 1, { repairs: true })
  await send(opened, 0, 'a', 'b')
  await opened.topic.tier()
  const [key] = await dataFiles(store)
  const { bytes } = await store.get(key!)
  await store.delete(key!)
  store.hooks.before = ({ op, key: name }) => {
    if (op === 'put' && name.includes('/data/')) throw unavailable('DOWN', 'The store is down.')
  }
  await pass(opened, 62 * MINUTE)
  expect(opened.topic.stats()).toMatchObject({ missingFileCount: 1, lastError: { code: 'DOWN' } })
  delete store.hooks.before
  await store.put(key!, bytes)
  await checkReads(opened, ['0/0 a', '0/1 b'])
  await opened.log.releaseNow()
  expect(opened.topic.stats()).toMatchObject({ missingFileCount: 0, lastError: null, failingSinceMs: null, retries: 0 })
  expect(opened.log.stats()).toMatchObject({ lastError: null })
  await opened.log.close()
})
