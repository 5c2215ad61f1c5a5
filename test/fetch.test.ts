/** Raw batches out of log and table, and how long a fetch waits for them. */
import type { ColdTier, ColdTopic, FetchedBatches, FetchOptions, Log, Topic } from '@moulin/core'
import { schema, t } from '@moulin/core'
import { avro, batchesIn, readRecords } from '@moulin/format'
import { memoryTier, seededRandom } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { allRows, replaceRows, withNumbers } from '../packages/lake/src/foreign.test-support.ts'
import type { TestLog } from '../packages/lake/src/lake.test-support.ts'
import { batchOf, virtualLake, type VirtualLake } from './support/virtual-lake.ts'

const NOW = BigInt(Date.UTC(2026, 0, 1))

interface Found {
  readonly offset: bigint
  readonly text: string
}

function recordsOf({ batches }: FetchedBatches, from = 0n): Found[] {
  const found: Found[] = []
  for (const { position } of batchesIn(batches)) {
    for (const { offset, value } of readRecords(batches, position)) {
      if (offset >= from) found.push({ offset, text: Buffer.from(value!).toString() })
    }
  }
  return found
}

const value = (text: string, size = text.length): Uint8Array => Buffer.from(text.padEnd(size, '.'))

async function append(topic: Topic, texts: readonly string[], partition = 0): Promise<void> {
  const batches = batchOf(texts.map((text) => ({ value: value(text), timestamp: NOW })))
  await topic.append({ partition, batches })
}

async function opened(seed = 1, partitions = 1): Promise<{ lake: VirtualLake; log: Log; topic: Topic }> {
  const lake = virtualLake(seed)
  const log = await lake.open()
  const topic = (await lake.settled(log.createTopic('orders', { partitions }))) as Topic<unknown>
  return { lake, log, topic }
}

/** What became of a promise so far. */
function watched<T>(promise: Promise<T>): { readonly state: () => 'waits' | T | Error } {
  let state: 'waits' | T | Error = 'waits'
  promise.then(
    (result) => (state = result),
    (error: Error) => (state = error),
  )
  return { state: () => state }
}

describe('a fetch', () => {
  it('gives batches as they were appended, and says where the partition stands', async () => {
    const { log, topic } = await opened()
    await append(topic, ['a', 'b'])
    await append(topic, ['c'])
    const fetched = await topic.fetch({ partition: 0, from: 0n })
    const places = { start: 0n, highWatermark: 3n, stableOffset: 3n, aborted: [] }
    expect(fetched).toMatchObject({ partition: 0, baseOffset: 0n, nextOffset: 3n, ...places })
    expect([...batchesIn(fetched.batches)].map(({ header }) => header.baseOffset)).toEqual([0n, 2n])
    expect(recordsOf(fetched).map(({ text }) => text)).toEqual(['a', 'b', 'c'])
    // From the middle of a batch: all of it comes.
    const middle = await topic.fetch({ partition: 0, from: 1n })
    expect(middle).toMatchObject({ baseOffset: 1n, nextOffset: 3n })
    expect(recordsOf(middle)).toHaveLength(3)
    // The bytes are the caller's own.
    fetched.batches.fill(0)
    expect(recordsOf(await topic.fetch({ partition: 0, from: 0n }))).toHaveLength(3)
    await log.close()
  })

  it('names the records that do not come back, and those whose bytes are not the producer’s, as a read does', async () => {
    const lake = virtualLake(1)
    const log = await lake.open()
    const Trip = schema({ from: t.int, to: t.int })
    const codec = avro(Trip)
    const topic = await lake.settled(log.createTopic('trips', { value: codec }))
    const trips = [0, 1, 2, 3, 4, 5].map((at) => codec.encode({ from: at, to: at + 1 }))
    await topic.append({ partition: 0, batches: batchOf(trips.map((bytes) => ({ value: bytes, timestamp: NOW }))) })
    await lake.settled(topic.tier())
    await lake.settled(log.releaseNow())
    const { store, catalog, runtime } = lake
    const table = { store, catalog, runtime, info: { table: 'default.trips' } } as unknown as TestLog
    const rows = await allRows(table)
    await replaceRows(table, [withNumbers(rows, 'to', [1, 2, null, 40, 5, null])])
    await topic.append({ partition: 0, batches: batchOf([{ value: trips[0]!, timestamp: NOW }]) })

    const fidelity = new Map<bigint, string>()
    const errors: bigint[] = []
    const all = async (): Promise<void> => {
      for await (const record of topic.read({ to: 'end' })) {
        if (record.fidelity !== 'exact') fidelity.set(record.offset, record.fidelity)
        if (record.error !== undefined) errors.push(record.offset)
      }
    }
    await lake.settled(all())
    expect(errors).toEqual([2n, 5n])
    const fetched = await lake.settled(topic.fetch({ partition: 0, from: 0n }))
    expect(fetched.nextOffset).toBe(7n)
    expect([...fetched.unreadable.keys()]).toEqual(errors)
    expect(fetched.unreadable.get(2n)).toMatch(/\bto\b/)
    expect(new Map(fetched.fidelity)).toEqual(fidelity)
    expect(fetched.fidelity.get(3n)).toBe('rewritten')
    // Of what is not asked for, and of what is hot, nothing is told.
    const later = await lake.settled(topic.fetch({ partition: 0, from: 3n }))
    expect([...later.unreadable.keys()]).toEqual([5n])
    expect([...later.fidelity.keys()]).toEqual([3n, 5n])
    const hot = await lake.settled(topic.fetch({ partition: 0, from: 6n }))
    expect([hot.unreadable.size, hot.fidelity.size]).toEqual([0, 0])
    await log.close()
  })

  it('gives one batch where maxBytes is smaller, and no more than fit', async () => {
    const { log, topic } = await opened()
    for (const size of [900, 40, 40, 2_000]) await append(topic, ['x'.padEnd(size, 'x')])
    const sizes = [...batchesIn((await topic.fetch({ partition: 0, from: 0n })).batches)].map(
      ({ header }) => header.sizeBytes,
    )
    const first = await topic.fetch({ partition: 0, from: 0n, maxBytes: 1 })
    expect(first.batches).toHaveLength(sizes[0]!)
    expect(first.nextOffset).toBe(1n)
    const two = sizes[1]! + sizes[2]!
    expect(await topic.fetch({ partition: 0, from: 1n, maxBytes: two })).toMatchObject({ nextOffset: 3n })
    expect(await topic.fetch({ partition: 0, from: 1n, maxBytes: two - 1 })).toMatchObject({ nextOffset: 2n })
    expect(await topic.fetch({ partition: 0, from: 1n, maxBytes: two + 1 })).toMatchObject({ nextOffset: 3n })
    // What does not fit is there: nothing is waited for.
    const least = { minBytes: 100_000, maxWaitMs: 1e9 }
    expect(await topic.fetch({ partition: 0, from: 1n, maxBytes: two, ...least })).toMatchObject({ nextOffset: 3n })
    expect(await topic.fetch({ partition: 0, from: 3n, maxBytes: 10, ...least })).toMatchObject({ nextOffset: 4n })
    await log.close()
  })

  it('says nothing before minBytes, then at once', async () => {
    const { lake, log, topic } = await opened()
    await append(topic, ['a'])
    const one = (await topic.fetch({ partition: 0, from: 0n })).batches.length
    const call = topic.fetch({ partition: 0, from: 0n, minBytes: one * 2 + 1, maxWaitMs: 60_000 })
    const fetch = watched(call)
    await lake.runtime.clock.advance(1_000)
    expect(fetch.state()).toBe('waits')
    await append(topic, ['b'])
    await lake.runtime.clock.advance(1_000)
    expect(fetch.state()).toBe('waits')
    await append(topic, ['c'])
    await lake.runtime.clock.advance(0)
    expect(fetch.state()).toMatchObject({ nextOffset: 3n })
    expect(recordsOf(await call).map(({ text }) => text)).toEqual(['a', 'b', 'c'])
    await log.close()
  })

  it('waits maxWaitMs and no longer, and leaves no timer behind', async () => {
    const { lake, log, topic } = await opened()
    await append(topic, ['a'])
    const { clock } = lake.runtime
    const before = clock.waiting
    const some = watched(topic.fetch({ partition: 0, from: 0n, minBytes: 1_000, maxWaitMs: 300 }))
    const none = watched(topic.fetch({ partition: 0, from: 1n, maxWaitMs: 300 }))
    const usual = watched(topic.fetch({ partition: 0, from: 1n }))
    await clock.advance(299)
    expect([some.state(), none.state()]).toEqual(['waits', 'waits'])
    await clock.advance(1)
    expect(some.state()).toMatchObject({ nextOffset: 1n })
    expect(none.state()).toMatchObject({ baseOffset: 1n, nextOffset: 1n, batches: new Uint8Array(0) })
    await clock.advance(199)
    expect(usual.state()).toBe('waits')
    await clock.advance(1)
    expect(usual.state()).toMatchObject({ nextOffset: 1n })
    expect(clock.waiting).toBe(before)
    // Nothing is waited for.
    for (const least of [{ minBytes: 0 }, { maxWaitMs: 0 }]) {
      expect(await topic.fetch({ partition: 0, from: 1n, ...least })).toMatchObject({ nextOffset: 1n })
    }
    await log.close()
  })

  it('refuses offsets outside of the partition, and partitions that there are not', async () => {
    const { log, topic } = await opened()
    await append(topic, ['a'])
    const context = { start: 0n, highWatermark: 1n }
    for (const from of [-1n, 2n, 1n << 40n]) {
      const refusal = { kind: 'invalid', code: 'OFFSET_RANGE', context: { ...context, offset: from } }
      await expect(topic.fetch({ partition: 0, from })).rejects.toMatchObject(refusal)
    }
    await expect(topic.fetch({ partition: 1, from: 0n })).rejects.toMatchObject({ kind: 'invalid', code: 'PARTITION' })
    const bad = { partition: 0, from: 0n, minByte: 5 } as FetchOptions
    await expect(topic.fetch(bad)).rejects.toMatchObject({ code: 'OPTION' })
    await log.close()
  })

  it('ends with its signal, and with the log', async () => {
    const { lake, log, topic } = await opened()
    const stop = new AbortController()
    const calls = [{ signal: stop.signal }, {}].map((more) =>
      watched(topic.fetch({ partition: 0, from: 0n, maxWaitMs: 1e9, ...more })),
    )
    await lake.runtime.clock.advance(10)
    stop.abort()
    await lake.runtime.clock.advance(0)
    expect(calls.map(({ state }) => state())).toMatchObject([{ kind: 'aborted' }, 'waits'])
    await log.close()
    expect(calls[1]!.state()).toMatchObject({ kind: 'closed', code: 'LOG_CLOSED' })
    await expect(topic.fetch({ partition: 0, from: 0n })).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await expect(topic.fetch({ partition: 0, from: 0n, signal: stop.signal })).rejects.toMatchObject({
      kind: 'aborted',
    })
  })

  it('crosses rows that were deleted in the table', async () => {
    const { lake, log, topic } = await opened()
    for (let at = 0; at < 6; at++) await append(topic, [`${at}`, `${at}b`])
    await lake.settled(topic.tier())
    await lake.settled(log.releaseNow())
    await lake.deleteRows('orders', (_, offset) => offset === 0n || (offset >= 4n && offset < 9n) || offset >= 11n)
    const all = await lake.settled(topic.fetch({ partition: 0, from: 0n }))
    expect(recordsOf(all).map(({ offset }) => offset)).toEqual([1n, 2n, 3n, 9n, 10n])
    expect(all.nextOffset).toBe(12n)
    // A gap up to the end: none is there, nothing comes, and the next fetch goes on behind it.
    const gap = watched(topic.fetch({ partition: 0, from: 11n, maxWaitMs: 1_000 }))
    await lake.runtime.clock.advance(999)
    expect(gap.state()).toBe('waits')
    await lake.runtime.clock.advance(1)
    expect(gap.state()).toMatchObject({ baseOffset: 11n, nextOffset: 12n, batches: new Uint8Array(0) })
    // From the table into the write-ahead tier, over the gap between them.
    await append(topic, ['hot'])
    const both = await lake.settled(topic.fetch({ partition: 0, from: 9n }))
    expect(recordsOf(both).map(({ text }) => text)).toEqual(['4b', '5', 'hot'])
    await log.close()
  })

  it.each([
    { first: 1n, end: 3n },
    { first: 0n, end: 2n },
    { first: 4n, end: 7n },
  ])('gives of a batch that reaches over its run what the run has: [$first, $end)', async ({ first, end }) => {
    const lake = virtualLake(3)
    const inner = memoryTier()
    const parted: ColdTier = {
      ...inner,
      async attach(...call) {
        const cold = await inner.attach(...call)
        const read: ColdTopic['read'] = async function* (range) {
          for await (const run of cold.read(range)) {
            const gap = { ...run, batches: new Uint8Array(0) }
            if (first > 0n) yield { ...gap, nextOffset: first }
            // All of the batch, of which some records are still there.
            yield { ...run, baseOffset: first, nextOffset: end }
            if (end < run.nextOffset) yield { ...gap, baseOffset: end }
          }
        }
        return new Proxy(cold, {
          get(of, name) {
            const member: unknown = name === 'read' ? read : Reflect.get(of, name)
            return typeof member === 'function' ? (member.bind(of) as unknown) : member
          },
        })
      },
    }
    const log = await lake.open({ tier: parted })
    const topic = (await lake.settled(log.createTopic('orders'))) as Topic<unknown>
    await append(topic, ['0', '1', '2', '3', '4', '5', '6'])
    await lake.settled(topic.tier())
    await lake.settled(log.releaseNow())
    await append(topic, ['7'])
    const there = Array.from({ length: Number(end - first) }, (_, at) => `${Number(first) + at}`)
    for (const isolation of ['read-committed', 'read-uncommitted'] as const) {
      const all = await lake.settled(topic.fetch({ partition: 0, from: 0n, isolation, minBytes: 1e6, maxWaitMs: 0 }))
      expect(recordsOf(all).map(({ text }) => text)).toEqual([...there, '7'])
      expect(all.nextOffset).toBe(8n)
      const one = await lake.settled(topic.fetch({ partition: 0, from: 0n, isolation, maxBytes: 1 }))
      expect(recordsOf(one).map(({ text }) => text)).toEqual(there)
      expect(one.nextOffset).toBe(end)
    }
    await log.close()
  })

  it('of a log open for reading waits for offsets that it has not seen', async () => {
    const { lake, log, topic } = await opened()
    await append(topic, ['a'])
    const reader = await lake.open({ access: 'read-only' })
    const beside = await lake.settled(reader.topic('orders'))
    expect(recordsOf(await beside.fetch({ partition: 0, from: 0n })).map(({ text }) => text)).toEqual(['a'])
    const call = watched(beside.fetch({ partition: 0, from: 2n, maxWaitMs: 60_000 }))
    await lake.runtime.clock.advance(5_000)
    expect(call.state()).toBe('waits')
    await append(topic, ['b'])
    await append(topic, ['c'])
    await lake.runtime.clock.advance(5_000)
    expect(call.state()).toMatchObject({ baseOffset: 2n, nextOffset: 3n, highWatermark: 3n })
    // It is not told: the answer says how far it sees.
    const late = watched(beside.fetch({ partition: 0, from: 9n, maxWaitMs: 1_000 }))
    await lake.runtime.clock.advance(1_000)
    expect(late.state()).toMatchObject({ baseOffset: 9n, nextOffset: 9n, highWatermark: 3n })
    await expect(beside.fetch({ partition: 0, from: -1n })).rejects.toMatchObject({ code: 'OFFSET_RANGE' })
    await reader.close()
    await log.close()
  })
})

describe.each([1, 2, 3, 4, 5, 6])('fetches of everything, whatever the sizes (seed %i)', (seed) => {
  it('give each record that is there once, in order, and always go on', { timeout: 60_000 }, async () => {
    const { lake, log, topic } = await opened(seed, 2)
    const random = seededRandom(seed)
    const sent: string[][] = [[], []]
    const gone: Set<bigint>[] = [new Set(), new Set()]
    const sizes = [1, 1, 7, 100, 3_000, 40_000]
    const fill = async (): Promise<void> => {
      for (let batch = 0; batch < 12; batch++) {
        const partition = random.below(2)
        const texts = Array.from({ length: 1 + random.below(9) }, () =>
          `${random.below(1e6)}`.padEnd(random.pick(sizes), '-'),
        )
        await append(topic, texts, partition)
        sent[partition]!.push(...texts)
      }
    }
    // Some in the table alone, some in both, some only hot.
    await fill()
    await lake.settled(topic.tier())
    if (random.chance(0.7)) await lake.settled(log.releaseNow())
    if (random.chance(0.7) && topic.offsets()[0]!.released > 0n) {
      await lake.deleteRows('orders', (partition, offset) => {
        const isGone = random.chance(0.3) || (offset > 4n && offset < 12n)
        if (isGone) gone[partition]!.add(offset)
        return isGone
      })
    }
    await fill()
    if (random.chance(0.5)) await lake.settled(topic.tier())
    await fill()
    for (let partition = 0; partition < 2; partition++) {
      const texts = sent[partition]!
      const end = BigInt(texts.length)
      const there = texts.flatMap((text, at) =>
        gone[partition]!.has(BigInt(at)) ? [] : [{ offset: BigInt(at), text }],
      )
      for (let walk = 0; walk < 4; walk++) {
        const start = walk === 0 ? 0n : BigInt(random.below(texts.length))
        const maxBytes = random.pick([1, 150, 5_000, 60_000, 1 << 20])
        const found: Found[] = []
        let from = start
        while (from < end) {
          const minBytes = random.pick([0, 1, 300, 1 << 22])
          const options = { partition, from, maxBytes, minBytes, maxWaitMs: 0 }
          const fetched = await lake.settled(topic.fetch(options))
          expect(fetched).toMatchObject({ baseOffset: from, highWatermark: end, stableOffset: end, aborted: [] })
          expect(fetched.nextOffset).toBeGreaterThan(from)
          const { length } = [...batchesIn(fetched.batches)]
          if (fetched.batches.length > maxBytes) expect(length).toBe(1)
          const records = recordsOf(fetched, from)
          expect(records.every(({ offset }) => offset < fetched.nextOffset)).toBe(true)
          found.push(...records)
          from = fetched.nextOffset
        }
        expect(from).toBe(end)
        expect(found).toEqual(there.filter(({ offset }) => offset >= start))
      }
    }
    await log.close()
  })
})
