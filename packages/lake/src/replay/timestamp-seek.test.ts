/** Seeks by time over tables that strangers have rewritten, copied into and lost files of. */
import { keyOf, tableFiles } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { FileScanTask } from '@moulin/iceberg'
import { seededRandom } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import {
  allRows,
  commitFiles,
  foreignFile,
  numbersOf,
  pick,
  replaceRows,
  tableOf,
  withNumbers,
} from '../foreign.test-support.ts'
import { settled, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

const send = (log: TestLog, partition: number, times: readonly bigint[]): void =>
  log.hot.send(
    partition,
    times.map((timestamp) => ({ value: utf8('a value'), timestamp })),
  )

async function tiered(log: TestLog): Promise<Awaited<ReturnType<TestLog['attach']>>> {
  const topic = await settled(log.runtime, log.attach())
  await settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
  return topic
}

const micros = (times: readonly (bigint | null)[]): (bigint | null)[] => times.map((time) => time && time * 1000n)

describe('a seek by time', () => {
  it('takes rows as they stand now, in whatever order', async () => {
    const log = testLog({ info: { partitionBy: [] } })
    send(log, 0, [10n, 20n, 30n, 40n])
    send(log, 1, [90n, 95n])
    const topic = await tiered(log)
    const seek = (timestamp: bigint, to = 100n): Promise<bigint | undefined> =>
      topic.offsetSince!({ partition: 0, timestamp, to })
    expect([await seek(15n), await seek(41n), await seek(35n, 3n)]).toEqual([1n, undefined, undefined])
    const rows = await allRows(log)
    // Somebody gives other times to offsets 3, 1, 0, 2, and leaves one without.
    const places = numbersOf(rows, '_kafka_offset').map((offset, at) => [at, offset] as const)
    const mine = numbersOf(rows, '_kafka_partition')
    const order = [3n, 1n, 0n, 2n].map((offset) => places.find(([at, found]) => mine[at] === 0 && found === offset)![0])
    const some = withNumbers(pick(rows, order), '_kafka_timestamp', micros([5n, 50n, null, 60n]))
    const others = pick(
      rows,
      [...mine.keys()].filter((at) => mine[at] === 1),
    )
    await replaceRows(log, [some, others])
    await topic.refresh()
    expect([await seek(6n), await seek(51n), await seek(-1n), await seek(61n)]).toEqual([1n, 2n, 0n, undefined])
  })

  it('passes over a copy that does not count at its place', async () => {
    const log = testLog({ info: { partitionBy: [] } })
    send(log, 0, [10n, 20n, 30n])
    const topic = await tiered(log)
    // A copy of the first row, with a time of its own: the checksum does not bind it there.
    const copy = withNumbers(pick(await allRows(log), [0]), '_kafka_timestamp', micros([99n]))
    const table = await tableOf(log)
    const id = log.runtime.random.uuid()
    await commitFiles(log, table, [await foreignFile(log, table, copy, id)], id)
    await topic.refresh()
    const seek = (timestamp: bigint): Promise<bigint | undefined> =>
      topic.offsetSince!({ partition: 0, timestamp, to: 3n })
    expect([await seek(25n), await seek(50n)]).toEqual([2n, undefined])
  })

  it('goes on in the write-ahead tier where a file is missing', async () => {
    const log = testLog({ info: { partitionBy: [] } })
    send(log, 0, [10n, 50n])
    const topic = await tiered(log)
    send(log, 0, [60n, 20n])
    await settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
    const { metadata } = await tableOf(log)
    const tasks: FileScanTask[] = []
    for await (const task of planScan({ tableFiles: tableFiles(log.store), metadata })) tasks.push(task)
    const [first] = tasks.sort((a, b) => Number(a.sequenceNumber - b.sequenceNumber))
    await log.store.delete(keyOf(log.store, first!.file.filePath))
    const seek = (timestamp: bigint): Promise<bigint | undefined> =>
      settled(log.runtime, topic.offsetSince!({ partition: 0, timestamp, to: 4n }))
    expect([await seek(5n), await seek(20n), await seek(55n), await seek(61n)]).toEqual([0n, 1n, 2n, undefined])
    log.hot.release([4n, 0n])
    await expect(seek(5n)).rejects.toMatchObject({ code: 'FILE_MISSING' })
  })

  it('passes over aborted records where it goes on in the write-ahead tier', async () => {
    const log = testLog({ info: { partitionBy: [] } })
    const records = [10n, 20n, 90n, 80n, 30n, 40n].map((timestamp) => ({ value: utf8('a value'), timestamp }))
    log.hot.send(0, records, { aborted: [{ from: 2n, to: 4n }] })
    const topic = await tiered(log)
    const { metadata } = await tableOf(log)
    expect(await topic.scan({}).count()).toBe(4)
    for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata })) {
      await log.store.delete(keyOf(log.store, file.filePath))
    }
    const reopened = log.reopen()
    const again = await settled(log.runtime, reopened.attach())
    const found: unknown[] = []
    const reading = (async () => {
      for await (const { baseOffset, nextOffset, aborted } of again.read({ partition: 0, from: 1n, to: 6n }))
        found.push({ baseOffset, nextOffset, aborted })
    })()
    await settled(log.runtime, reading)
    expect(found).toEqual([{ baseOffset: 1n, nextOffset: 6n, aborted: [{ from: 2n, to: 4n }] }])
    const seek = (timestamp: bigint): Promise<bigint | undefined> =>
      settled(log.runtime, again.offsetSince!({ partition: 0, timestamp, to: 6n }))
    expect([await seek(20n), await seek(25n), await seek(50n)]).toEqual([1n, 4n, undefined])
    expect(await settled(log.runtime, again.scan({}).count())).toBe(4)
    expect((await settled(log.runtime, again.scan({ columns: ['_kafka_offset'] }).toArray())).length).toBe(4)
  })

  it.each([1, 2, 3, 4])(
    'finds what a look at every row finds, over files of many row groups (seed %i)',
    async (seed) => {
      const random = seededRandom(seed)
      const limits = { rowGroupBytes: 16_384, sharedRowGroupBytes: 4_096, pageBytes: 1_024 }
      const log = testLog({ info: { partitionBy: [] }, limits, tier: { targetFileBytes: 20_000 } })
      const times: bigint[] = []
      for (let batch = 0; batch < 40; batch++) {
        const some = Array.from({ length: 50 }, () => BigInt(batch * 100 + random.below(2_500)))
        times.push(...some)
        log.hot.send(
          0,
          some.map((timestamp) => ({ value: random.bytes(60), timestamp })),
        )
        if (random.chance(0.2))
          log.hot.send(1, [{ value: random.bytes(9_000), timestamp: BigInt(random.below(9_000)) }])
      }
      const topic = await tiered(log)
      for (let ask = 0; ask < 60; ask++) {
        const timestamp = BigInt(random.below(7_000))
        const to = BigInt(random.below(2_100))
        const at = times.findIndex((time) => time >= timestamp)
        const expected = at < 0 || BigInt(at) >= to ? undefined : BigInt(at)
        expect(await topic.offsetSince!({ partition: 0, timestamp, to })).toBe(expected)
      }
    },
  )
})
