/** Records that a Wal calls aborted: no way to read shows them, no table holds them, and the ledger counts them apart. */
import type { AuditGap, Log, OffsetRange, Topic } from '@moulin/core'
import { schema, t } from '@moulin/core'
import { batchesIn, json, readRecords } from '@moulin/format'
import { fileWal } from '@moulin/log'
import { memoryWal, seededRandom } from '@moulin/testing'
import { tableFromIPC } from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import { abortingWal, rangesOf } from './support/aborting-wal.ts'
import { batchOf, virtualLake, type VirtualLake } from './support/virtual-lake.ts'

const Order = schema({ id: t.int53 })
const codec = json(Order)
type Order = { id: number }

interface World {
  readonly lake: VirtualLake
  readonly open: (access?: 'read-only') => Promise<Log>
  /** Timestamps of all records ever sent; an id is the place among them. */
  readonly sent: bigint[]
  readonly isAborted: (offset: bigint) => boolean
}

/** Whether an offset is aborted is drawn once. */
function world(seed: number, share: number): World {
  const lake = virtualLake(seed)
  const random = seededRandom(seed + 1_000)
  const drawn: boolean[] = []
  const isAborted = (offset: bigint): boolean => {
    // Some runs of them are long, so that whole batches and sections are aborted.
    while (drawn.length <= Number(offset))
      drawn.push(drawn.length > 0 && random.chance(0.6) ? drawn.at(-1)! : random.chance(share))
    return drawn[Number(offset)]!
  }
  // One that takes offsets, or one that assigns them.
  const inner = seed % 2 === 0 ? fileWal({ dir: '/lake/log/wal', segmentBytes: 64 * 1024 }) : memoryWal({ seed })
  const wal = abortingWal(inner, (_, offset) => isAborted(offset))
  const open = (access?: 'read-only'): Promise<Log> => lake.open({ wal, ...(access && { access }) })
  return { lake, open, sent: [], isAborted }
}

const NOW = Date.UTC(2026, 0, 1)

async function fill({ sent }: World, topic: Topic<Order>, random: ReturnType<typeof seededRandom>): Promise<void> {
  for (let batch = 0; batch < 6; batch++) {
    const times = Array.from({ length: 1 + random.below(8) }, () => BigInt(NOW - random.below(100_000)))
    const records = times.map((timestamp, at) => ({ value: codec.encode({ id: sent.length + at }), timestamp }))
    await topic.append({ partition: 0, batches: batchOf(records) })
    sent.push(...times)
  }
}

const offsetsUpTo = (end: bigint): bigint[] => Array.from({ length: Number(end) }, (_, at) => BigInt(at))

/** Holds every way to read against what was sent. */
async function checkReads({ lake, sent, isAborted }: World, topic: Topic<Order>): Promise<void> {
  const all = offsetsUpTo(BigInt(sent.length))
  const there = all.filter((offset) => !isAborted(offset))
  const ids = there.map(Number)
  const read: [bigint, number | undefined][] = []
  const reading = (async () => {
    for await (const { offset, value } of topic.read({ to: 'end' })) read.push([offset, value?.id])
  })()
  await lake.settled(reading)
  expect(read).toEqual(there.map((offset) => [offset, Number(offset)]))

  const at: (bigint | undefined)[] = []
  const looking = (async () => {
    const places = all.map((offset) => ({ partition: 0, offset }))
    for await (const record of topic.readAt(places)) at.push(record?.offset)
  })()
  await lake.settled(looking)
  expect(at).toEqual(all.map((offset) => (isAborted(offset) ? undefined : offset)))

  const rows = await lake.settled(topic.scan({ columns: ['id', '_kafka_offset'] }).toArray())
  expect(rows.map((row) => row._kafka_offset).sort((a, b) => Number(a - b))).toEqual(there)
  expect(rows.map(({ id }) => id).sort((a, b) => a - b)).toEqual(ids)
  expect(await lake.settled(topic.scan().count())).toBe(there.length)
  const arrow = tableFromIPC(await lake.settled(topic.scan().toIpc()))
  expect([...arrow.getChild('id')!].map(Number).sort((a, b) => a - b)).toEqual(ids)

  for (const timestamp of new Set([...sent.filter((_, index) => index % 5 === 0), BigInt(NOW), 0n])) {
    const first = there.find((offset) => sent[Number(offset)]! >= timestamp)
    expect([timestamp, await lake.settled(topic.offsetFor(timestamp))]).toEqual([timestamp, first])
  }
}

interface Fetched {
  readonly offsets: bigint[]
  readonly aborted: OffsetRange[]
}

async function fetchAll(
  { lake, sent }: World,
  topic: Topic<Order>,
  isolation: 'read-committed' | 'read-uncommitted',
  maxBytes: number,
): Promise<Fetched> {
  const offsets: bigint[] = []
  const aborted: OffsetRange[] = []
  for (let from = 0n; from < BigInt(sent.length);) {
    const fetched = await lake.settled(topic.fetch({ partition: 0, from, isolation, maxBytes, maxWaitMs: 0 }))
    for (const { position } of batchesIn(fetched.batches)) {
      const records = readRecords(fetched.batches, position)
      offsets.push(...records.map(({ offset }) => offset).filter((offset) => offset >= from))
      for (const { offset, value } of records) expect(codec.decode(value!)).toEqual({ id: Number(offset) })
    }
    aborted.push(...fetched.aborted)
    expect(fetched.nextOffset).toBeGreaterThan(from)
    from = fetched.nextOffset
  }
  return { offsets, aborted }
}

const flat = (ranges: readonly OffsetRange[]): bigint[] =>
  ranges.flatMap(({ from, to }) => offsetsUpTo(to - from).map((offset) => from + offset))

describe('a fetch from inside a batch that has aborted records', () => {
  const opened = async (
    isAborted: (offset: bigint) => boolean,
  ): Promise<{ lake: VirtualLake; log: Log; topic: Topic }> => {
    const lake = virtualLake(3)
    const log = await lake.open({ wal: abortingWal(memoryWal({ seed: 3 }), (_, offset) => isAborted(offset)) })
    const topic = (await lake.settled(log.createTopic('orders'))) as Topic<unknown>
    const records = Array.from({ length: 8 }, () => ({ value: Buffer.alloc(300, 7), timestamp: BigInt(NOW) }))
    await lake.settled(topic.append({ partition: 0, batches: batchOf(records) }))
    return { lake, log, topic }
  }
  const offsetsOf = (batches: Uint8Array): bigint[] =>
    [...batchesIn(batches)].flatMap(({ position }) => readRecords(batches, position).map(({ offset }) => offset))

  it('waits where all that it is asked for is aborted', async () => {
    const { lake, log, topic } = await opened((offset) => offset >= 3n)
    let state: unknown = 'waits'
    const call = topic.fetch({ partition: 0, from: 3n, maxWaitMs: 60_000 })
    void call.then((found) => (state = found))
    await lake.runtime.clock.advance(59_999)
    expect(state).toBe('waits')
    await lake.runtime.clock.advance(1)
    const aborted = [{ from: 3n, to: 8n }]
    expect(state).toMatchObject({ baseOffset: 3n, nextOffset: 8n, batches: new Uint8Array(0), aborted })
    await log.close()
  })

  it('counts and gives nothing below it of a batch that is framed anew', async () => {
    const { lake, log, topic } = await opened((offset) => offset === 2n || offset === 6n)
    const of = async (from: bigint): Promise<bigint[]> =>
      offsetsOf((await lake.settled(topic.fetch({ partition: 0, from, maxWaitMs: 0 }))).batches)
    expect(await of(0n)).toEqual([0n, 1n, 3n, 4n, 5n, 7n])
    expect(await of(4n)).toEqual([4n, 5n, 7n])
    expect(await of(6n)).toEqual([7n])
    const fetched = await lake.settled(topic.fetch({ partition: 0, from: 7n, minBytes: 700, maxWaitMs: 10 }))
    expect(fetched.batches.length).toBeLessThan(700)
    await log.close()
  })
})

describe.each([
  { seed: 1, share: 0.3 },
  { seed: 2, share: 0.5 },
  { seed: 3, share: 0.1 },
  { seed: 4, share: 0.9 },
  { seed: 5, share: 0.02 },
])('aborted records (seed $seed)', ({ seed, share }) => {
  it('are passed over hot, mixed and cold, by all who read', { timeout: 120_000 }, async () => {
    const made = world(seed, share)
    const { lake, sent, isAborted } = made
    const random = seededRandom(seed)
    const log = await made.open()
    const topic = await lake.settled(log.createTopic<Order>('orders', { value: codec, valueMode: 'columns' }))
    await fill(made, topic, random)
    const countOf = (from: number): number => sent.filter((_, at) => at >= from && !isAborted(BigInt(at))).length
    expect(topic.stats().untieredRecords).toBe(countOf(0))
    await checkReads(made, topic)
    for (const maxBytes of [1, 200, 1 << 20]) {
      const all = offsetsUpTo(BigInt(sent.length))
      const committed = await fetchAll(made, topic, 'read-committed', maxBytes)
      expect(committed.offsets).toEqual(all.filter((offset) => !isAborted(offset)))
      expect(flat(committed.aborted)).toEqual(all.filter(isAborted))
      const uncommitted = await fetchAll(made, topic, 'read-uncommitted', maxBytes)
      expect(uncommitted).toEqual({ offsets: all, aborted: committed.aborted })
    }

    const tiered = await lake.settled(topic.tier())
    expect(tiered).toMatchObject({ rows: countOf(0), frontier: [BigInt(sent.length)] })
    const end = sent.length
    await fill(made, topic, random)
    expect(topic.stats().untieredRecords).toBe(countOf(end))
    await checkReads(made, topic)
    await lake.settled(log.releaseNow())
    expect(topic.offsets()[0]!.released).toBe(BigInt(end))
    await checkReads(made, topic)
    // Below, the table has committed records alone.
    const { aborted } = await fetchAll(made, topic, 'read-uncommitted', 1 << 20)
    expect(flat(aborted)).toEqual(offsetsUpTo(BigInt(sent.length)).slice(end).filter(isAborted))
    await lake.settled(topic.tier())

    const report = await lake.settled(topic.audit())
    const gone = BigInt(sent.length - countOf(0))
    const counts = { rows: BigInt(countOf(0)), aborted: gone, skipped: 0n, control: 0n, deleted: 0n }
    expect(report).toMatchObject({ clean: true, partitions: [counts] })
    const gaps = rangesOf(0n, BigInt(sent.length - 1), isAborted)
    expect(report.gaps).toEqual(
      gaps.map((gap): AuditGap => ({ incarnation: 0, partition: 0, ...gap, reason: 'aborted' })),
    )
    await log.close()
  })

  it('are known after a restart, and beside the writer', { timeout: 120_000 }, async () => {
    const made = world(seed + 10, share)
    const { lake, sent, isAborted } = made
    const random = seededRandom(seed)
    const log = await made.open()
    const topic = await lake.settled(log.createTopic<Order>('orders', { value: codec }))
    await fill(made, topic, random)
    const reader = await made.open('read-only')
    const beside = (await lake.settled(reader.topic<Order>('orders'))) as Topic<Order>
    await fill(made, topic, random)
    await checkReads(made, beside)
    await log.close()
    const again = await made.open()
    const back = (await lake.settled(again.topic<Order>('orders'))) as Topic<Order>
    await checkReads(made, back)
    await fill(made, back, random)
    await lake.settled(back.tier())
    await lake.settled(again.releaseNow())
    await checkReads(made, back)
    await checkReads(made, beside)
    const report = await lake.settled(back.audit())
    expect(report.partitions[0]!.aborted).toBe(BigInt(sent.filter((_, at) => isAborted(BigInt(at))).length))
    await reader.close()
    await again.close()
  })
})
