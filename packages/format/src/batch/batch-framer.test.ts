import { INT64_MAX, INT64_MIN } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BatchFramer } from './batch-framer.ts'
import { checkBatch, readRecords } from './read-batch.ts'
import { recordCrcOf, type RecordBody } from './record-body.ts'
import { encodeBatch } from './write-batch.ts'

const high = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n))
const low = (value: bigint): number => Number(BigInt.asIntN(32, value))

const bytes = fc.option(
  fc.oneof(
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 100 }) },
    fc.constantFrom(63, 64, 8191, 8192, 70_000).map((size) => new Uint8Array(size).fill(7)),
  ),
)
const time = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_100 }).map(BigInt),
  fc.constantFrom(INT64_MIN, INT64_MAX, -1n, 2n ** 32n, -(2n ** 32n) - 1n),
)
const record = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 9 }), bytes), { maxLength: 3 }),
  timestamp: time,
  step: fc.constantFrom(1n, 1n, 1n, 70n, 100_000n),
})

/** As the owner of columns would: values written in place, all else from other memory. */
function frame(framer: BatchFramer, { key, value, headers }: RecordBody, delta: number, timestamp: bigint): void {
  framer.beginRecord()
  const nullable = (content: Uint8Array | null): void =>
    content === null
      ? framer.nullable(new Uint8Array(0), -1, -1)
      : framer.nullable(Buffer.concat([Buffer.from('xx'), content]), 2, 2 + content.length)
  nullable(key)
  if (value === null) nullable(null)
  else {
    while (framer.beginValue() + value.length > framer.target.length) framer.grow()
    const start = framer.beginValue()
    framer.target.set(value, start)
    framer.endValue(start, start + value.length)
  }
  framer.headerCount(headers.length)
  for (const [name, content] of headers) {
    const text = Buffer.from(name)
    framer.headerKey(text, 0, text.length)
    nullable(content)
  }
  framer.endRecord(delta, high(timestamp), low(timestamp))
}

describe('BatchFramer', () => {
  it('writes the very bytes that encodeBatch does, batch after batch, and each record’s checksum', () => {
    const framer = new BatchFramer()
    const batches = fc.array(fc.array(record, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(batches, fc.bigInt({ min: 0n, max: 2n ** 60n }), fc.boolean(), (all, base, isAppendTime) => {
        framer.reset()
        const timestampType = isAppendTime ? 'append' : 'create'
        let offset = base
        const expected = all.map((rows) => {
          const records = rows.map(({ step, ...row }) => {
            offset += step
            return { ...row, offset, timestamp: isAppendTime ? rows[0]!.timestamp : row.timestamp }
          })
          const { offset: baseOffset, timestamp } = records[0]!
          framer.beginBatch({
            offsetHigh: high(baseOffset),
            offsetLow: low(baseOffset),
            timestampHigh: high(timestamp),
            timestampLow: low(timestamp),
            timestampType,
          })
          for (const row of records) frame(framer, row, Number(row.offset - baseOffset), row.timestamp)
          framer.endBatch()
          return encodeBatch({ baseOffset, records, timestampType })
        })
        expect(Buffer.compare(framer.bytes(), Buffer.concat(expected))).toBe(0)
        const places = all.flat().map((_row, at) => at * 7919)
        const sums = Int32Array.from(places)
        framer.recordCrcs(sums)
        expect([...sums]).toEqual(all.flat().map((row, at) => recordCrcOf(row, places[at]!)))
        expect([...sums].map((sum, at) => framer.placeCrcOf(at, sum))).toEqual(places)
      }),
      { numRuns: 300 },
    )
  })

  it('makes text of a header key that is none, so that the batch can be read', () => {
    const framer = new BatchFramer()
    framer.beginBatch({ offsetHigh: 0, offsetLow: 0, timestampHigh: 0, timestampLow: 0, timestampType: 'create' })
    framer.beginRecord()
    framer.nullable(new Uint8Array(0), -1, -1)
    framer.nullable(new Uint8Array(0), -1, -1)
    framer.headerCount(1)
    framer.headerKey(Uint8Array.of(0x61, 0xff), 0, 2)
    framer.nullable(new Uint8Array(0), 0, 0)
    framer.endRecord(0, 0, 0)
    framer.endBatch()
    const batch = framer.bytes()
    checkBatch(batch, 0)
    expect(readRecords(batch, 0)[0]!.headers).toEqual([['a\ufffd', new Uint8Array(0)]])
  })
})
