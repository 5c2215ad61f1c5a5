/** The first offset of a time: out of log and table, always where a read from that time begins. */
import type { ColdTier, Log, Topic } from '@moulin/core'
import { TIMESTAMP_MS_MAX } from '@moulin/core'
import { crc32c } from '@moulin/format'
import { icebergTier } from '@moulin/lake'
import { memoryTier, seededRandom } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { batchOf, virtualLake, type VirtualLake } from './support/virtual-lake.ts'

const anyTime = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 } as const
const value = Buffer.from('a value')
/** Of a batch's header. */
const MAX_TIMESTAMP_AT = 35
const CRC_AT = 17

async function opened(seed = 1, partitions = 1): Promise<{ lake: VirtualLake; log: Log; topic: Topic }> {
  const lake = virtualLake(seed)
  const log = await lake.open()
  const topic = (await lake.settled(log.createTopic('orders', { partitions, ...anyTime }))) as Topic<unknown>
  return { lake, log, topic }
}

async function append(topic: Topic, times: readonly bigint[], partition = 0): Promise<void> {
  await topic.append({ partition, batches: batchOf(times.map((timestamp) => ({ value, timestamp }))) })
}

async function firstRead(topic: Topic, partition: number, timestamp: bigint): Promise<bigint | undefined> {
  for await (const { offset } of topic.read({ partition, from: { timestamp }, to: 'end' })) return offset
  return undefined
}

describe('the offset of a time', () => {
  it('is that of the record, not of its batch', async () => {
    const { log, topic } = await opened()
    await append(topic, [50n, 10n, 40n, 20n])
    await append(topic, [30n, 60n])
    expect(await topic.offsetFor(10n)).toBe(0n)
    await append(topic, [70n, 5n, 80n])
    const found = []
    for (const timestamp of [0n, 50n, 51n, 61n, 71n, 81n]) found.push(await topic.offsetFor(timestamp))
    expect(found).toEqual([0n, 0n, 5n, 6n, 8n, undefined])
    await log.close()
  })

  it('asks for a partition where there are several, and for a time', async () => {
    const { log, topic } = await opened(1, 3)
    await append(topic, [5n], 2)
    expect(await topic.offsetFor(5n, { partition: 2 })).toBe(0n)
    expect(await topic.offsetFor(5n, { partition: 0 })).toBeUndefined()
    await expect(topic.offsetFor(5n)).rejects.toMatchObject({ kind: 'invalid', code: 'PARTITION' })
    await expect(topic.offsetFor(5n, { partition: 3 })).rejects.toMatchObject({ code: 'PARTITION' })
    for (const bad of [5, '5', new Date(5), undefined, 2n ** 63n]) {
      await expect(topic.offsetFor(bad as bigint, { partition: 0 })).rejects.toMatchObject({ code: 'TIMESTAMP' })
    }
    const signal = AbortSignal.abort()
    await expect(topic.offsetFor(5n, { partition: 0, signal })).rejects.toMatchObject({ kind: 'aborted' })
    await log.close()
    await expect(topic.offsetFor(5n, { partition: 0 })).rejects.toMatchObject({ kind: 'closed', code: 'LOG_CLOSED' })
  })

  it('is seen beside the writer, too', async () => {
    const { lake, log, topic } = await opened()
    await append(topic, [10n, 20n])
    const reader = await lake.open({ access: 'read-only' })
    const beside = await lake.settled(reader.topic('orders'))
    await append(topic, [30n])
    expect(await lake.settled(beside.offsetFor(25n))).toBe(2n)
    await lake.settled(topic.tier())
    await lake.settled(log.releaseNow())
    expect(await lake.settled(beside.offsetFor(15n))).toBe(1n)
    await reader.close()
    await log.close()
  })

  it('is found while the table is attached anew', async () => {
    const { lake, log, topic } = await opened()
    for (const time of [10n, 20n]) {
      await append(topic, [time])
      await lake.settled(topic.tier())
    }
    await lake.settled(log.releaseNow())
    const tick = async (turns: number): Promise<void> => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    }
    for (let turns = 0; turns < 50; turns++) {
      const adopted = topic.adoptTable()
      await tick(turns)
      expect(await lake.settled(topic.offsetFor(15n))).toBe(1n)
      await lake.settled(adopted)
      const search = topic.offsetFor(15n)
      await tick(turns)
      const again = topic.adoptTable()
      expect(await lake.settled(search)).toBe(1n)
      await lake.settled(again)
    }
    await log.close()
  })

  it('of a record without a timestamp is -1, hot or cold, and there are times that no Date has', async () => {
    const { lake, log, topic } = await opened()
    const far = TIMESTAMP_MS_MAX
    await append(topic, [-far, -5n, -1n, 7n, far])
    const asked = [-(2n ** 63n), -far, 1n - far, -4n, -1n, 0n, 8n, far, far + 1n, 2n ** 63n - 1n]
    const expected = [0n, 0n, 1n, 2n, 2n, 3n, 4n, 4n, undefined, undefined]
    const all = (): Promise<(bigint | undefined)[]> => Promise.all(asked.map((timestamp) => topic.offsetFor(timestamp)))
    expect(await all()).toEqual(expected)
    await lake.settled(topic.tier())
    await lake.settled(log.releaseNow())
    expect(topic.offsets()[0]!.released).toBe(5n)
    expect(await lake.settled(all())).toEqual(expected)
    await log.close()
  })

  it('is found in the table without its values, and without files that begin behind it', async () => {
    const { lake, log, topic } = await opened()
    const random = seededRandom(9)
    let times = 1_000n
    for (let file = 0; file < 6; file++) {
      const records = Array.from({ length: 40 }, () => ({ value: random.bytes(40_000), timestamp: times++ }))
      await topic.append({ partition: 0, batches: batchOf(records.slice(0, 20)) })
      await topic.append({ partition: 0, batches: batchOf(records.slice(20)) })
      await lake.settled(topic.tier())
    }
    await lake.settled(log.releaseNow())
    const reader = await lake.open({ access: 'read-only' })
    const beside = await lake.settled(reader.topic('orders'))
    const read = lake.dataReads()
    expect(await lake.settled(beside.offsetFor(1_090n))).toBe(90n)
    // Of one file of 1.6 MB: its end with the footer, and some columns of 40 numbers.
    expect(read().files).toBe(1)
    expect(read().bytes).toBeGreaterThan(0)
    expect(read().bytes).toBeLessThan(40_000)
    // Bounds alone say that there is none.
    const none = lake.dataReads()
    expect(await lake.settled(beside.offsetFor(9_000n))).toBeUndefined()
    expect(none()).toEqual({ files: 0, bytes: 0 })
    await reader.close()
    await log.close()
  })
})

/** One that has no search of its own. */
function withoutSearch(tier: ColdTier): ColdTier {
  const attach: ColdTier['attach'] = async (...call) => {
    const topic = await tier.attach(...call)
    return new Proxy(topic, {
      get(of, name) {
        if (name === 'offsetSince') return undefined
        const member: unknown = Reflect.get(of, name)
        return typeof member === 'function' ? (member.bind(of) as unknown) : member
      },
    })
  }
  return { ...tier, attach }
}

describe.each([
  ['icebergTier', (lake: VirtualLake) => icebergTier({ catalog: lake.catalog, threads: 0 })],
  ['memoryTier', () => memoryTier()],
] as const)('%s without a search by time', (_, make) => {
  it('finds what it would with one, by a scan', async () => {
    const lake = virtualLake(5)
    const log = await lake.open({ tier: withoutSearch(make(lake)) })
    const topic = (await lake.settled(log.createTopic('orders', { partitions: 2, ...anyTime }))) as Topic<unknown>
    const beyond = 8_640_000_000_000_001n
    const times = [-beyond, -2n, -1n, 4n, beyond, TIMESTAMP_MS_MAX, 3n]
    await append(topic, times, 1)
    await append(topic, [9n], 0)
    const limits = [-(2n ** 63n), 2n ** 63n - 1n, TIMESTAMP_MS_MAX + 1n, -TIMESTAMP_MS_MAX - 1n, 5n, 0n]
    const asked = [...limits, ...times, ...times.map((time) => time + 1n)]
    const expected = asked.map((timestamp) => {
      const at = times.findIndex((time) => time >= timestamp)
      return at < 0 ? undefined : BigInt(at)
    })
    const all = async (): Promise<(bigint | undefined)[]> => {
      const found = []
      for (const timestamp of asked) found.push(await lake.settled(topic.offsetFor(timestamp, { partition: 1 })))
      return found
    }
    expect(await all()).toEqual(expected)
    await lake.settled(topic.tier())
    await lake.settled(log.releaseNow())
    expect(topic.offsets()[1]!.released).toBe(7n)
    expect(await all()).toEqual(expected)
    await log.close()
  })
})

describe('a batch whose header says less than its latest record', () => {
  const appending = (topic: Topic, times: readonly bigint[], says: bigint): Promise<unknown> => {
    const batches = batchOf(times.map((timestamp) => ({ value, timestamp })))
    const view = new DataView(batches.buffer, batches.byteOffset)
    view.setBigInt64(MAX_TIMESTAMP_AT, says)
    view.setUint32(CRC_AT, crc32c(batches.subarray(CRC_AT + 4)))
    return topic.append({ partition: 0, batches })
  }

  it.each([
    { times: [100n, 300n, 200n], says: 299n },
    { times: [5n], says: -1n },
    { times: [-9n, -1n], says: -9n },
    { times: [-8n, -9n], says: -9n },
    // Numbers would round these.
    { times: [2n ** 53n + 1n], says: 2n ** 53n },
    { times: [-(2n ** 53n) - 1n], says: -(2n ** 53n) - 2n },
  ])('is refused: $times, $says', async ({ times, says }) => {
    const { log, topic } = await opened()
    const refusal = { kind: 'invalid', code: 'BATCH_MAX_TIMESTAMP', context: { topic: 'orders', maxTimestamp: says } }
    await expect(appending(topic, times, says)).rejects.toMatchObject(refusal)
    expect(topic.offsets()[0]!.highWatermark).toBe(0n)
    await log.close()
  })

  it.each([
    { times: [100n, 300n, 200n], says: 300n },
    { times: [100n, 300n, 200n], says: 900n },
    { times: [-1n, -1n], says: -1n },
    { times: [2n ** 53n + 3n], says: 2n ** 53n + 3n },
  ])('is taken where it says as much or more: $times, $says', async ({ times, says }) => {
    const { log, topic } = await opened()
    await appending(topic, times, says)
    const latest = times.reduce((most, time) => (time > most ? time : most))
    expect(await topic.offsetFor(latest)).toBe(BigInt(times.indexOf(latest)))
    expect(await topic.offsetFor(latest + 1n)).toBeUndefined()
    await log.close()
  })
})

describe.each([1, 2, 3, 4, 5, 6, 7, 8])('shuffled times, hot, cold and mixed (seed %i)', (seed) => {
  it('are found where a read from them begins', { timeout: 60_000 }, async () => {
    const { lake, log, topic } = await opened(seed, 2)
    const random = seededRandom(seed)
    const sent: bigint[][] = [[], []]
    const gone: Set<bigint>[] = [new Set(), new Set()]
    // Many files a commit, or one; days that rise, or not.
    const spread = BigInt(random.pick([30, 5_000, 86_400_000 * 4]))
    const fill = async (): Promise<void> => {
      for (let batch = 0; batch < 8; batch++) {
        const partition = random.below(2)
        const times = Array.from({ length: 1 + random.below(12) }, () =>
          random.chance(0.1) ? -1n : (random.int63() % spread) + BigInt(sent[partition]!.length) * (spread / 40n),
        )
        await append(topic, times, partition)
        sent[partition]!.push(...times)
      }
    }
    await fill()
    await lake.settled(topic.tier())
    await fill()
    await lake.settled(topic.tier())
    if (random.chance(0.8)) await lake.settled(log.releaseNow())
    if (random.chance(0.6) && topic.offsets().every(({ released }) => released > 0n)) {
      await lake.deleteRows('orders', (partition, offset) => {
        const isGone = random.chance(0.4)
        if (isGone) gone[partition]!.add(offset)
        return isGone
      })
    }
    if (random.chance(0.7)) await fill()
    for (let partition = 0; partition < 2; partition++) {
      const times = sent[partition]!
      const asked = [...times, ...times.map((time) => time + 1n), -(10n ** 17n), -2n, 10n ** 17n]
      for (const timestamp of asked.filter(() => random.chance(0.3))) {
        const isThere = (time: bigint, at: number): boolean => time >= timestamp && !gone[partition]!.has(BigInt(at))
        const at = times.findIndex(isThere)
        const found = await lake.settled(topic.offsetFor(timestamp, { partition }))
        expect([timestamp, found]).toEqual([timestamp, at < 0 ? undefined : BigInt(at)])
        expect(await lake.settled(firstRead(topic, partition, timestamp))).toBe(found)
      }
    }
    await log.close()
  })
})
