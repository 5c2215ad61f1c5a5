/** Each limit that a user's data can reach, one below it, at it and one beyond, from `send` and from `append` to a cold read. */
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { isMoulinError, type Header, type Limits, type ProducerRecord } from '@moulin/core'
import { encodeBatch, patchBatch, crc32c } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { contentOf, throughTheTable } from './lake-trial.ts'
import type { Put } from './lake-trial.ts'

interface Sent {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
}

interface Edge {
  readonly limit: keyof Limits
  readonly at: number
  /** Whatever else must be lower or higher, so that this limit is the one that is met. */
  readonly beside?: Partial<Limits>
  /** What is `size` by the limit's own measure. */
  readonly records: (size: number) => readonly Sent[]
  /** Codes of the refusal; undefined where a producer makes another batch instead. */
  readonly send: string | undefined
  readonly append: string
}

const bytesOf = (length: number): Uint8Array => new Uint8Array(length).fill(0x61)
const plain = (length: number): Sent => ({ key: null, value: bytesOf(length), headers: [] })
const times = <T>(count: number, of: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => of(at))

const edges: readonly Edge[] = [
  {
    limit: 'maxRecordBytes',
    at: 1000,
    // Key length and key, value length (2 bytes), count of headers, a header of three letters with both lengths.
    records: (size) => [{ key: bytesOf(4), value: bytesOf(size - 5 - 2 - 1 - 5), headers: [['ab', bytesOf(1)]] }],
    send: 'RECORD_TOO_LARGE',
    append: 'RECORD_TOO_LARGE',
  },
  {
    limit: 'maxBatchBytes',
    at: 900,
    beside: { maxRecordBytes: 800 },
    // A header of 61, and twice nine bytes: length (2), attributes, two deltas, key, value's length (2), count of headers.
    records: (size) => [plain(300), plain(size - 61 - 2 * 9 - 300)],
    send: undefined,
    append: 'BATCH_TOO_LARGE',
  },
  {
    limit: 'maxRecordsPerBatch',
    at: 20,
    records: (size) => times(size, (at) => plain(at)),
    send: undefined,
    append: 'BATCH_TOO_LARGE',
  },
  {
    limit: 'maxHeadersPerRecord',
    at: 12,
    records: (size) => [{ ...plain(3), headers: times(size, (at) => [`h${at}`, at % 3 === 0 ? null : bytesOf(at)]) }],
    send: 'HEADERS',
    append: 'TOO_MANY_HEADERS',
  },
]

const batchOf = (records: readonly Sent[]): Uint8Array =>
  encodeBatch({
    baseOffset: 0n,
    records: records.map((record, at) => ({ ...record, offset: BigInt(at), timestamp: 1_700_000_000_000n })),
    timestampType: 'create',
  })

const sent =
  (records: readonly Sent[]): Put =>
  async (topic) => {
    const producer = topic.producer({ lingerMs: 60_000, batchBytes: 900 })
    const acks: Promise<unknown>[] = []
    for (const { key, value, headers } of records)
      acks.push(
        producer.send({ key, value, headers: [...headers], timestamp: 1_700_000_000_000 } as ProducerRecord<never>),
      )
    await Promise.all([...acks, producer.close()])
  }

const appended =
  (records: readonly Sent[]): Put =>
  (topic) =>
    topic.append({ partition: 0, batches: batchOf(records) })

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
  } catch (error) {
    if (isMoulinError(error) && error.outcome === 'rejected') return error.code
    throw error
  }
  return 'accepted'
}

const config = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }

describe.each(edges)('$limit', ({ limit, at, beside, records, send, append }) => {
  const limits = { ...beside, [limit]: at }
  const contents = (list: readonly Sent[]): unknown[] =>
    list.map(({ key, value, headers }) => contentOf({ key, bytes: value, headers }))

  for (const size of [at - 1, at]) {
    for (const [how, put] of [
      ['send', sent],
      ['append', appended],
    ] as const) {
      it(`${size}: what ${how} takes is read again, hot and cold, in one batch`, async () => {
        const { hot, cold, sections } = await throughTheTable({ limits, config, put: put(records(size)) })
        expect(cold.map(contentOf)).toEqual(contents(records(size)))
        expect(hot.map(contentOf)).toEqual(contents(records(size)))
        expect(sections).toEqual([batchOf(records(size)).length])
        // The longest that the limit lets through: the table is read with the default, whatever it was.
        if (limit === 'maxBatchBytes') expect(sections[0]).toBe(size)
      })
    }
  }

  it(`${at + 1}: append refuses it`, async () => {
    const refused = throughTheTable({ limits, config, put: appended(records(at + 1)) })
    expect(await codeOf(refused)).toBe(append)
  })

  it(`${at + 1}: send ${send === undefined ? 'makes two batches of it' : 'refuses it'}`, async () => {
    const trial = throughTheTable({ limits, config, put: sent(records(at + 1)) })
    if (send !== undefined) return expect(await codeOf(trial)).toBe(send)
    const { cold, sections } = await trial
    expect(cold.map(contentOf)).toEqual(contents(records(at + 1)))
    expect(sections).toHaveLength(2)
  })
})

describe('maxDecompressedBatchBytes', () => {
  // A batch that says gzip, of a section of that many bytes.
  const compressed = (sectionBytes: number): Uint8Array => {
    const whole = batchOf([plain(20_000), plain(sectionBytes - 20_000 - 2 * 11)])
    const section = whole.subarray(61)
    expect(section).toHaveLength(sectionBytes)
    const packed = Buffer.concat([whole.subarray(0, 61), gzipSync(section)])
    packed.writeInt32BE(packed.length - 12, 8)
    packed.writeInt16BE(1, 21)
    packed.writeUInt32BE(crc32c(packed.subarray(21)), 17)
    patchBatch(packed, 0, { baseOffset: 0n })
    return packed
  }
  const at = 40_000
  const limits = { maxRecordBytes: 30_000, maxBatchBytes: 40_000, maxDecompressedBatchBytes: at }
  const put =
    (size: number): Put =>
    (topic) =>
      topic.append({ partition: 0, batches: compressed(size) })

  it.each([at - 1, at])('%i bytes come out of an appended batch', async (size) => {
    const { cold } = await throughTheTable({ limits, config, put: put(size) })
    expect(cold.map(({ bytes }) => bytes?.length)).toEqual([20_000, size - 20_022])
  })

  it('one more is refused', async () => {
    expect(await codeOf(throughTheTable({ limits, config, put: put(at + 1) }))).toBe('DECOMPRESSED_TOO_LARGE')
  })

  it('is never met by a producer: what does not shrink goes as it is', async () => {
    for (const compression of ['gzip', 'zstd'] as const) {
      // The batch is as large as may be, and no codec makes random bytes shorter.
      const values = [randomBytes(20_000), randomBytes(40_000 - 61 - 2 * 11 - 20_000)]
      const put: Put = async (topic) => {
        const producer = topic.producer({ lingerMs: 60_000, compression })
        const acks = values.map((value) => producer.send({ value } as unknown as ProducerRecord<never>))
        await Promise.all([...acks, producer.close()])
      }
      const { cold, sections } = await throughTheTable({ limits, put })
      expect(sections).toEqual([40_000])
      expect(Buffer.compare(Buffer.concat(cold.map(({ bytes }) => bytes!)), Buffer.concat(values))).toBe(0)
    }
  })
})

describe('a batch near maxBatchBytes', () => {
  it('never passes it, whatever is sent, and keeps the order of each partition', async () => {
    const limits = { maxRecordBytes: 2_000, maxBatchBytes: 2_500 }
    const sizes = times(300, (at) => (at * 7919) % 1_990)
    const put: Put = async (topic) => {
      const producer = topic.producer({ lingerMs: 60_000, batchBytes: 2_500 })
      const acks = sizes.map((size, at) => {
        const value = new Uint8Array(size)
        if (size >= 4) new DataView(value.buffer).setUint32(0, at)
        // Far apart in time, so that the deltas are long.
        const timestamp = at % 2 === 0 ? -(2 ** 43) : 2 ** 43
        return producer.send({
          value,
          timestamp,
          ...(at % 3 === 0 && { key: `k${at % 5}` }),
        } as unknown as ProducerRecord<never>)
      })
      await Promise.all([...acks, producer.close()])
    }
    const { cold, sections } = await throughTheTable({ limits, config: { ...config, partitions: 3 }, put })
    expect(Math.max(...sections)).toBeLessThanOrEqual(2_500)
    expect(Math.max(...sections)).toBeGreaterThan(2_300)
    expect(cold.map(({ bytes }) => bytes!.length).sort((a, b) => a - b)).toEqual([...sizes].sort((a, b) => a - b))
    for (let partition = 0; partition < 3; partition++) {
      const order = cold
        .filter((record) => record.partition === partition && record.bytes!.length >= 4)
        .map(({ bytes }) => Buffer.from(bytes!).readUInt32BE(0))
      expect(order).toEqual([...order].sort((a, b) => a - b))
    }
  })
})

describe('what was written under other limits', () => {
  const records = [
    { key: bytesOf(300), value: bytesOf(5_000), headers: times(30, (at): Header => [`h${at}`, bytesOf(9)]) },
    ...times(50, (at) => plain(at)),
  ]
  const small: Partial<Limits> = {
    maxRecordBytes: 100,
    maxBatchBytes: 200,
    maxDecompressedBatchBytes: 200,
    maxRecordsPerBatch: 2,
    maxHeadersPerRecord: 1,
    maxPartitions: 1,
    markerBytes: 1024,
    pageBytes: 100,
    rowGroupBytes: 100,
    sharedRowGroupBytes: 10,
  }

  it.each([
    ['smaller ones', undefined, small],
    [
      'the same small ones, by a log that has larger ones',
      {
        ...small,
        maxRecordBytes: 6_000,
        maxBatchBytes: 8_000,
        maxDecompressedBatchBytes: 8_000,
        maxRecordsPerBatch: 60,
        maxHeadersPerRecord: 30,
        maxPartitions: 3,
      },
      undefined,
    ],
  ])('is read under %s', async (_, limits, readLimits) => {
    const { hot, cold } = await throughTheTable({
      ...(limits && { limits }),
      ...(readLimits && { readLimits }),
      config: { ...config, partitions: 3 },
      put: appended(records),
    })
    for (const read of [hot, cold])
      expect(read.map(contentOf)).toEqual(records.map(({ value, ...rest }) => contentOf({ ...rest, bytes: value })))
  })

  it('is read where a marker is longer than the default lets one be', async () => {
    const limits = { markerBytes: 256 * 1024 }
    const config = { partitions: 1_000 }
    const put: Put = (topic) => topic.append({ partition: 999, batches: batchOf([plain(3)]) })
    // Its ledger is in the marker, 40 KiB of it.
    const { cold } = await throughTheTable({ limits, config: { ...config, timestampBeforeMaxMs: -1 }, put })
    expect(cold.map(({ partition, bytes }) => [partition, bytes?.length])).toEqual([[999, 3]])
  })
})
