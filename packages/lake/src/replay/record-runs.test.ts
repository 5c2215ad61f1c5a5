import { schema, t } from '@moulin/core'
import type { BatchRun, Codec, ColumnarCodec, StoredRecord } from '@moulin/core'
import { avro, batchesIn, bodySize, encodeBatch, json, nullableSize, varintSize } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { readAll, testLog } from '../lake.test-support.ts'

const Value = schema({
  id: t.int53,
  note: t.string.optional(),
  marks: t.list(t.int.optional()),
  at: t.timestamptz,
})

/** A codec of somebody who wrote no more than he had to. */
function withoutColumnwise(codec: Codec): Codec {
  const { builders, decodeRow, encodeRow } = codec.columnar!
  return { ...codec, columnar: { builders, decodeRow, encodeRow } satisfies ColumnarCodec }
}

const codecs: readonly (readonly [name: string, codec: Codec])[] = [
  ['avro', avro(Value) as unknown as Codec],
  ['json', json(Value) as unknown as Codec],
  ['one that encodes a row at a time', withoutColumnwise(avro(Value) as unknown as Codec)],
]

const BATCH_RECORDS = 10_000
const BATCH_BYTES = 1024 * 1024

/** What a cold read gives back: a batch takes records until it has so many, or so many bytes. */
function framed(stored: readonly StoredRecord[]): Buffer {
  const records = stored.map((record) => ({ ...record, value: record.bytes }))
  const batches: Uint8Array[] = []
  for (let start = 0; start < records.length;) {
    const { offset: baseOffset, timestamp } = records[start]!
    let bytes = 61
    let end = start
    for (; end < records.length && end - start < BATCH_RECORDS && bytes < BATCH_BYTES; end++) {
      const record = records[end]!
      const delta = Number(record.timestamp - timestamp)
      const frame = varintSize(delta < 0 ? ~delta : delta) + varintSize(end - start)
      bytes += nullableSize(1 + frame + bodySize(record))
    }
    batches.push(encodeBatch({ baseOffset, records: records.slice(start, end), timestampType: 'create' }))
    start = end
  }
  return Buffer.concat(batches)
}

describe('runs of cold records', () => {
  it.each(codecs)('have the bytes and the borders of batches made record by record: %s', async (name, codec) => {
    const log = testLog({ codec, info: { partitions: 1, partitionBy: [] }, tier: { coldReadBytes: 1 << 26 } })
    const count = 24_000
    for (let start = 0; start < count; start += 1000) {
      const some = Array.from({ length: 1000 }, (_, index) => {
        const id = start + index
        // Some thousands of larger ones fill batches before they are of ten thousand records.
        const note = id % 3 === 0 ? null : 'n'.repeat(id > 5_000 && id < 8_000 ? 701 : id % 13)
        const value = { id, note, marks: [id, null].slice(id % 3), at: new Date(1e12 + id) }
        const isTombstone = id % 97 === 0
        return {
          key: id % 11 === 0 ? null : Buffer.from(`key ${id}`),
          value: isTombstone ? null : id % 89 === 0 ? Buffer.from('no value of the schema') : codec.encode(value),
          headers: id % 701 === 0 ? [['h', Buffer.from('v')] as const] : [],
          timestamp: 1_700_000_000_000n + BigInt((id * 7) % 1000),
        }
      })
      log.hot.send(0, some as never)
    }
    const topic = await log.attach()
    while (topic.frontier()[0]! < BigInt(count)) await topic.tier({ upTo: [BigInt(count)] })
    const sent = log.hot.records(0)
    const runs: BatchRun[] = []
    for await (const run of topic.read({ partition: 0, from: 0n, to: BigInt(count) })) runs.push(run)
    let next = 0
    const counts: number[] = []
    for (const run of runs) {
      expect(run.fidelity).toBeUndefined()
      const own = sent.slice(next, (next += Number(run.nextOffset - run.baseOffset)))
      expect(Buffer.compare(run.batches, framed(own))).toBe(0)
      for (const { header } of batchesIn(run.batches)) counts.push(header.recordCount)
    }
    expect(next).toBe(count)
    // In JSON no ten thousand fit into the bytes of a batch.
    expect(counts.includes(BATCH_RECORDS)).toBe(name !== 'json')
    expect(counts.length).toBeGreaterThan(runs.length + 1)
  })

  it('are refused, the codec named, when its sizes are not those of its bytes', async () => {
    const honest = codecs[0]![1]
    const { sizes, ...rest } = honest.columnar!
    const lying: ColumnarCodec = {
      ...rest,
      sizes(columns, rows, into) {
        sizes!(columns, rows, into)
        into[1]! += 2
      },
    }
    const log = testLog({ codec: { ...honest, columnar: lying }, info: { partitions: 1, partitionBy: [] } })
    const value = honest.encode({ id: 7, note: 'n', marks: [], at: new Date(0) })
    log.hot.send(0, [{ value }, { value }, { value }])
    const topic = await log.attach()
    await topic.tier({ upTo: [3n] })
    await expect(readAll(topic, 0)).rejects.toMatchObject({ kind: 'invalid', code: 'CODEC_SIZES' })
  })
})
