import { exists, type Log, type ObjectStore } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, collect, LAKE, machine, openIn, valuesOf, type Machine } from './machine.ts'

const storeOf = (on: Machine): ObjectStore => fileSystem({ root: LAKE, files: on.disk.files })
const first = (name: string): string => `log/topics/${name}/0000000001.json`
const second = (name: string): string => `log/topics/${name}/0000000002.json`

type Json = Record<string, unknown>

async function read(store: ObjectStore, key: string): Promise<Json> {
  return JSON.parse(Buffer.from((await store.get(key)).bytes).toString()) as Json
}

const write = (store: ObjectStore, key: string, json: Json): Promise<unknown> =>
  store.put(key, bytesOf(JSON.stringify(json)))

async function send(log: Log, name: string, values: readonly string[]): Promise<void> {
  const producer = (await log.topic<Uint8Array>(name)).producer({ lingerMs: 0 })
  for (const value of values) await producer.send({ value: bytesOf(value) })
  await producer.close()
}

async function newestCheckpoint(store: ObjectStore): Promise<{ key: string; json: Json; topics: Json[] }> {
  const { key } = (await collect(store.list({ prefix: 'log/checkpoints/' }))).at(-1)!
  const json = await read(store, key)
  return { key, json, topics: json['topics'] as Json[] }
}

describe('a topic that needs a newer reader', () => {
  it('is listed, refuses only itself, and keeps its data and its place in checkpoints over writers that cannot read it', async () => {
    const on = machine()
    const store = storeOf(on)
    const tier = fakeColdTier(fakeTables())
    const log = await openIn(on.runtime(), { tier })
    for (const name of ['tides', 'winds']) await log.ensureTopic(name)
    await send(log, 'tides', ['low', 'high'])
    await (await log.topic('tides')).tier()
    await log.releaseNow()
    await send(log, 'tides', ['spring'])
    await log.close()

    const kept = await read(store, first('tides'))
    await write(store, second('tides'), { ...kept, format: 3, minimumReader: 2, version: 2, config: 'of a later kind' })
    const { key, json, topics } = await newestCheckpoint(store)
    const entry = { ...topics.find(({ name }) => name === 'tides'), leases: { held: [7] } }
    await write(store, key, { ...json, topics: [...topics.filter(({ name }) => name !== 'tides'), entry] })

    for (const takeover of ['refuse', 'newest'] as const) {
      const older = await openIn(on.runtime(), { tier, takeover })
      expect(await older.topics()).toEqual(['tides', 'winds'])
      for (const refused of [older.topic('tides'), older.ensureTopic('tides'), older.createTopic('tides')]) {
        await expect(refused).rejects.toMatchObject({ kind: 'unsupported', code: 'FORMAT_VERSION' })
      }
      await send(older, 'winds', ['north', 'east'])
      await (await older.topic('winds')).tier()
      await older.releaseNow()
      await older.close()
      expect((await newestCheckpoint(store)).topics.find(({ name }) => name === 'tides')).toEqual(entry)
    }

    // The reader that it needs.
    await store.delete(second('tides'))
    const newer = await openIn(on.runtime(), { tier })
    expect(await valuesOf(await newer.topic('tides'))).toEqual(['low', 'high', 'spring'])
    expect(await valuesOf(await newer.topic('winds'))).toEqual(['north', 'east', 'north', 'east'])
    await newer.close()
  })

  it('is named, with its bytes, where it holds what producers wait for', async () => {
    const on = machine()
    const store = storeOf(on)
    const tier = fakeColdTier(fakeTables())
    const log = await openIn(on.runtime(), { tier })
    for (const name of ['tides', 'winds']) await log.ensureTopic(name)
    await send(
      log,
      'tides',
      Array.from({ length: 60 }, () => 'x'.repeat(1_000)),
    )
    await log.close()
    const kept = await read(store, first('tides'))
    await write(store, second('tides'), { ...kept, minimumReader: 2, version: 2 })
    const older = await openIn(on.runtime(), { tier, graceMs: 0, maxBlockMs: 1_000, limits: { maxWalBytes: 40_000 } })
    const producer = (await older.topic<Uint8Array>('winds')).producer({ lingerMs: 0 })
    const sends = Array.from({ length: 30 }, () => producer.send({ value: new Uint8Array(1_000) }))
    const ends = Promise.allSettled(sends)
    await on.clock.advance(60_000)
    await ends
    await on.clock.advance(60_000)
    expect(older.stats().walFull?.reason).toMatch(/; topic tides 72600 bytes \(it needs a newer version/)
    await older.close()
  })

  it('keeps what no checkpoint knew of', async () => {
    const on = machine()
    const store = storeOf(on)
    const log = await openIn(on.runtime())
    await log.ensureTopic('tides')
    await send(log, 'tides', ['neap'])
    // Never closed: the next one takes its tail over.
    const kept = await read(store, first('tides'))
    await write(store, first('tides'), { ...kept, minimumReader: 9 })
    for (let run = 0; run < 2; run++) {
      const older = await openIn(on.runtime(), { takeover: 'newest' })
      await older.ensureTopic('winds')
      await older.close()
    }
    await write(store, first('tides'), kept)
    const newer = await openIn(on.runtime())
    expect(await valuesOf(await newer.topic('tides'))).toEqual(['neap'])
    await newer.close()
  })
})

describe('versions of a topic', () => {
  it('reads what a later format added without raising the reader', async () => {
    const on = machine()
    const store = storeOf(on)
    await (await openIn(on.runtime())).close()
    const log = await openIn(on.runtime())
    await log.ensureTopic('tides')
    await log.close()
    const kept = await read(store, first('tides'))
    await write(store, first('tides'), { ...kept, format: 5, harbour: ['north'] })
    const { key, json, topics } = await newestCheckpoint(store)
    const entry = { ...topics[0], next: [0n, 0n].map(Number), released: [0, 0], recovered: [0, 0], harbour: 1 }
    await write(store, key, { ...json, format: 2, topics: [entry], producers: 'log/producers/1' })
    const again = await openIn(on.runtime())
    await send(again, 'tides', ['ebb'])
    expect(await valuesOf(await again.topic('tides'))).toEqual(['ebb'])
    await again.close()
  })

  it('gives a topic that was taken back to the next of its name: another id, the next incarnation', async () => {
    const on = machine()
    const store = storeOf(on)
    const tables = fakeTables()
    const tier = fakeColdTier(tables)
    const log = await openIn(on.runtime(), {
      tier: {
        ...tier,
        attach: (topic, context) =>
          topic.table === 'default.taken'
            ? Promise.reject(exists('TABLE_OF_ANOTHER', 'It is another’s.'))
            : tier.attach(topic, context),
      },
    })
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(log.createTopic('tides', { table: 'default.taken' })).rejects.toMatchObject({ kind: 'exists' })
      expect(await log.topics()).toEqual([])
      await expect(log.topic('tides')).rejects.toMatchObject({ code: 'NO_TOPIC' })
    }
    await log.createTopic('tides')
    await expect(log.createTopic('tides')).rejects.toMatchObject({ code: 'TOPIC_EXISTS' })
    await send(log, 'tides', ['flood'])
    await log.close()

    const versions = await Promise.all(
      [1, 2, 3, 4, 5].map((version) => read(store, `log/topics/tides/000000000${version}.json`)),
    )
    expect(versions.map(({ version, state, incarnation }) => [version, state, incarnation])).toEqual([
      [1, 'live', 0],
      [2, 'deleted', 0],
      [3, 'live', 1],
      [4, 'deleted', 1],
      [5, 'live', 2],
    ])
    expect(new Set(versions.map(({ id }) => id)).size).toBe(3)
    const again = await openIn(on.runtime(), { tier })
    expect(await again.topics()).toEqual(['tides'])
    expect(await valuesOf(await again.topic('tides'))).toEqual(['flood'])
    await again.close()
    expect((await newestCheckpoint(store)).topics).toMatchObject([{ name: 'tides', incarnation: 2, recovered: [1] }])
  })

  it('goes back to the version before a damaged one, and refuses only when all are damaged', async () => {
    const on = machine()
    const store = storeOf(on)
    const log = await openIn(on.runtime())
    await log.ensureTopic('tides')
    await send(log, 'tides', ['slack'])
    await log.close()
    await store.put(second('tides'), bytesOf('{"format": 1, "minimumR'))
    const again = await openIn(on.runtime())
    expect(await again.topics()).toEqual(['tides'])
    expect(await valuesOf(await again.topic('tides'))).toEqual(['slack'])
    await again.close()
    await store.put(first('tides'), bytesOf('slack'))
    await expect(openIn(on.runtime())).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

describe('a checkpoint', () => {
  it('has a place for log start, stable offset, leader epoch, producers and transactions', async () => {
    const on = machine()
    const log = await openIn(on.runtime())
    await log.ensureTopic('tides', { partitions: 2 })
    await send(log, 'tides', ['a', 'b', 'c'])
    await log.close()
    const again = await openIn(on.runtime())
    await again.close()
    const { json, topics } = await newestCheckpoint(storeOf(on))
    expect(json).toMatchObject({ format: 1, minimumReader: 1, producers: null, transactions: null })
    const empty = { logStart: [], stable: [], leaderEpoch: [] }
    expect(topics).toEqual([expect.objectContaining({ ...empty, released: [0, 0], incarnation: 0 })])
    const [{ next, recovered } = {}] = topics
    expect(recovered).toEqual(next)
    expect((next as number[]).reduce((a, b) => a + b)).toBe(3)
  })

  it('that needs a newer reader is never passed over for the one before it', async () => {
    const on = machine()
    const store = storeOf(on)
    await (await openIn(on.runtime())).close()
    const { key, json } = await newestCheckpoint(store)
    await write(store, key, { ...json, minimumReader: 4, topics: 'elsewhere' })
    expect((await collect(store.list({ prefix: 'log/checkpoints/' }))).length).toBeGreaterThan(1)
    for (const access of ['read-write', 'read-only'] as const) {
      await expect(openIn(on.runtime(), { access })).rejects.toMatchObject({ code: 'FORMAT_VERSION' })
    }
  })
})
