import { schema, t } from '@moulin/core'
import type { BytesColumn, Codec, ColdTopic, ColumnBatch, StoredRecord } from '@moulin/core'
import { avro, parquetWriter } from '@moulin/format'
import type { FileWriterFactory } from '@moulin/format'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allRows, columnOf, numbersOf, pick, replaceRows, withNumbers } from '../foreign.test-support.ts'
import { checkTable, LOG_ID, readAll, testLog, TOPIC_ID, utf8 } from '../lake.test-support.ts'
import type { SentRecord, TestLog, TestLogOptions } from '../lake.test-support.ts'

const Reading = schema({ at: t.int53, place: t.string.optional() })
const codec = avro(Reading) as Codec
const ROWS = 6
// A batch of append time has one timestamp.
const timeOf = (at: number): bigint => (at === 2 ? -1n : 1_600_000_000_123n + BigInt(Math.min(at, 4)))

/** Partitions 0 and 1 with six rows each; the third row has no timestamp, the last two are of append time. */
async function tieredLog(options: TestLogOptions = {}): Promise<{ log: TestLog; topic: ColdTopic }> {
  const log = testLog({ codec, ...options, info: { partitionBy: [], ...options.info } })
  const topic = await log.attach()
  for (const partition of [0, 1]) {
    const record = (at: number): SentRecord => ({
      key: utf8(`key-${at}`),
      value: codec.encode({ at: at + 10 * partition, place: 'dyke' }),
      headers: [['trace', utf8(`${at}`)] as const],
      timestamp: timeOf(at),
    })
    log.hot.send(partition, [0, 1, 2, 3].map(record))
    log.hot.send(partition, [4, 5].map(record), { timestampType: 'append' })
  }
  await topic.tier({ upTo: log.hot.committedOffsets() })
  return { log, topic }
}

const rowAt = (batch: ColumnBatch, partition: number, offset: bigint): number => {
  const offsets = numbersOf(batch, '_kafka_offset')
  return numbersOf(batch, '_kafka_partition').findIndex((each, row) => each === partition && offsets[row] === offset)
}

const changed = <V>(values: readonly V[], row: number, value: V): V[] => values.with(row, value)

const fidelities = (records: readonly StoredRecord[]): string[] =>
  records.map(({ offset, fidelity }) => `${offset} ${fidelity}`)

const allExact = (count: number): string[] => Array.from({ length: count }, (_, at) => `${at} exact`)

/** CRC32C bit by bit. */
function bitwise(bytes: Uint8Array): number {
  let register = 0xffffffff
  for (const byte of bytes) {
    register ^= byte
    for (let bit = 0; bit < 8; bit++) register = register & 1 ? (register >>> 1) ^ 0x82f63b78 : register >>> 1
  }
  return ~register
}

describe('_kafka_crc', () => {
  it.each([1, 7])(
    'is the sum of place, time and content, of incarnation %d, in the table and in a scan',
    async (life) => {
      const { log, topic } = await tieredLog({ info: { incarnation: life } })
      const rows = await allRows(log)
      const [crcs, offsets, partitions] = ['_kafka_crc', '_kafka_offset', '_kafka_partition'].map((name) =>
        numbersOf(rows, name),
      )
      const keys = columnOf(rows, '_kafka_key') as BytesColumn
      for (let row = 0; row < rows.length; row++) {
        const at = Number(offsets![row])
        const prefix = Buffer.alloc(25)
        prefix.writeInt32BE(life, 0)
        prefix.writeInt32BE(partitions![row] as number, 4)
        prefix.writeBigInt64BE(BigInt(at), 8)
        prefix.writeBigInt64BE(timeOf(at), 16)
        prefix.writeInt8(at >= 4 ? 1 : 0, 24)
        const key = keys.data.subarray(keys.starts[row], keys.ends[row])
        const value = codec.encode({ at: at + 10 * (partitions![row] as number), place: 'dyke' })
        const body = [[key.length * 2], key, [value.length * 2], value, [2, 10], utf8('trace'), [2], utf8(`${at}`)]
        expect(crcs![row]).toBe(bitwise(Buffer.concat([prefix, ...body.map((part) => Uint8Array.from(part))])))
      }
      log.hot.send(0, [{ value: codec.encode({ at: 1, place: null }), timestamp: 9n }])
      const columns = ['_kafka_partition', '_kafka_offset', '_kafka_crc']
      const hot = (await topic.scan({ columns }).toArray()).find((row) => row['_kafka_offset'] === BigInt(ROWS))
      await topic.tier({ upTo: log.hot.committedOffsets() })
      const cold = (await topic.scan({ columns }).toArray()).find((row) => row['_kafka_offset'] === BigInt(ROWS))
      expect(hot).toEqual(cold)
    },
  )

  it('makes a row rewritten whose timestamp or type SQL changed, by however little', async () => {
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    const other = fc.oneof(
      fc.record({
        name: fc.constant('_kafka_timestamp'),
        value: fc.oneof(
          fc.constantFrom(null, -1000n, -1n, 0n, 1n, 1_600_000_000_123_001n, 1_600_000_000_124_000n),
          fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
        ),
      }),
      fc.record({ name: fc.constant('_kafka_timestamp_type'), value: fc.constantFrom(null, 0, 1, 2, 256, -1) }),
    )
    await fc.assert(
      fc.asyncProperty(other, fc.nat(ROWS - 1), async ({ name, value }, offset) => {
        const row = rowAt(rows, 1, BigInt(offset))
        const before = numbersOf(rows, name)
        await replaceRows(log, [withNumbers(rows, name, changed(before, row, value))])
        const expected = before[row] === value ? 'exact' : 'rewritten'
        expect(fidelities(await readAll(topic, 1))).toEqual(allExact(ROWS).with(offset, `${offset} ${expected}`))
        expect(fidelities(await readAll(topic, 0))).toEqual(allExact(ROWS))
      }),
      { numRuns: 40 },
    )
  })

  it('makes a row rewritten that SQL moved to another offset or partition', async () => {
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    const without = (partition: number, offset: bigint): ColumnBatch => {
      const gone = rowAt(rows, partition, offset)
      return pick(
        rows,
        Array.from({ length: rows.length }, (_, at) => at).filter((at) => at !== gone),
      )
    }
    const rest = without(1, 3n)
    const row = rowAt(rest, 1, 1n)
    await replaceRows(log, [withNumbers(rest, '_kafka_offset', changed(numbersOf(rest, '_kafka_offset'), row, 3n))])
    expect(fidelities(await readAll(topic, 1))).toEqual(allExact(ROWS).with(3, '3 rewritten').toSpliced(1, 1))

    const there = rowAt(rest, 0, 3n)
    const partitions = changed(numbersOf(rest, '_kafka_partition'), there, 1)
    await replaceRows(log, [withNumbers(rest, '_kafka_partition', partitions)])
    expect(fidelities(await readAll(topic, 1))).toEqual(allExact(ROWS).with(3, '3 rewritten'))
    expect(fidelities(await readAll(topic, 0))).toEqual(allExact(ROWS).toSpliced(3, 1))
  })

  it('judges nothing in a topic without checksums', async () => {
    const { log, topic } = await tieredLog({ info: { rowCrc: false } })
    const rows = await allRows(log)
    const times = numbersOf(rows, '_kafka_timestamp').map((time) => time as bigint | null)
    await replaceRows(log, [withNumbers(rows, '_kafka_timestamp', times.with(0, 5_000n))])
    expect(fidelities(await readAll(topic, 0))).toEqual(allExact(ROWS))
    expect(fidelities(await readAll(topic, 1))).toEqual(allExact(ROWS))
  })

  it('takes no rewrite for a file of the log, though it kept the footer’s keys', async () => {
    const commit = '77777777-7777-4777-8777-777777777777'
    const keyValue = { 'moulin.log': LOG_ID, 'moulin.topic': TOPIC_ID, 'moulin.commit': commit }
    const keeping: FileWriterFactory = {
      name: 'keeping',
      create: (options) => parquetWriter.create({ ...options, keyValue }),
    }
    const { log, topic } = await tieredLog()
    const rows = await allRows(log)
    const row = rowAt(rows, 1, 2n)
    const ofOne = (partition: number, order: readonly number[]): ColumnBatch =>
      pick(
        rows,
        order.map((offset) => rowAt(rows, partition, BigInt(offset))),
      )
    // One partition and no gap in a file, but in another order.
    await replaceRows(log, [ofOne(0, [5, 4, 3, 2, 1, 0]), ofOne(1, [3, 4, 5, 0, 1, 2])], keeping)
    await checkTable(topic, log)
    const changedRows = withNumbers(rows, 'at', changed(numbersOf(rows, 'at'), row, -1n))
    await replaceRows(log, [changedRows], keeping)
    expect(fidelities(await readAll(topic, 1))).toEqual(allExact(ROWS).with(2, '2 rewritten'))
    const report = await topic.audit({ deep: true })
    expect(report).toMatchObject({
      clean: false,
      deep: { mismatched: 1n, altered: [{ partition: 1, from: 2n, to: 3n }] },
    })
  })
})
