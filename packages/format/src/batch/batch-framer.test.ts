import { INT64_MAX, INT64_MIN } from '@moulin/core'
import type { Header } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { varintSize } from '../bytes/byte-sink.ts'
import { BatchFramer, headerKeySize, nullableSize } from './batch-framer.ts'
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

/** As the owner of columns would: some values written in place later, all else from other memory. */
function frame(framer: BatchFramer, { key, value, headers }: RecordBody, delta: number, timestamp: bigint): () => void {
  const sizeOf = (content: Uint8Array | null): number => nullableSize(content === null ? -1 : content.length)
  const keyBytes = ([name]: Header): number => headerKeySize(Buffer.from(name), 0, Buffer.byteLength(name))
  const headerBytes = headers.map((header) => keyBytes(header) + sizeOf(header[1])).reduce((a, b) => a + b, 0)
  const bodyBytes = sizeOf(key) + sizeOf(value) + varintSize(headers.length) + headerBytes
  framer.beginRecord(bodyBytes, delta, high(timestamp), low(timestamp))
  const nullable = (content: Uint8Array | null): void =>
    content === null ? framer.null() : framer.bytes(Buffer.concat([Buffer.from('xx'), content]), 2, 2 + content.length)
  nullable(key)
  if (value === null || value.length % 2 === 0) nullable(value)
  const place = value === null || value.length % 2 === 0 ? -1 : framer.reserve(value.length)
  framer.headerCount(headers.length)
  for (const [name, content] of headers) {
    const text = Buffer.from(name)
    framer.headerKey(text, 0, text.length)
    nullable(content)
  }
  return () => {
    if (place >= 0) framer.target.set(value!, place)
  }
}

describe('BatchFramer', () => {
  it('writes the very bytes that encodeBatch does, batch after batch, and each record’s checksum', () => {
    const framer = new BatchFramer()
    const batches = fc.array(fc.array(record, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(
        batches,
        fc.bigInt({ min: 0n, max: 2n ** 60n }),
        fc.boolean(),
        fc.nat(200_000),
        (all, base, isAppendTime, guess) => {
          const timestampType = isAppendTime ? 'append' : 'create'
          const writeAll = (): Buffer => {
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
              const later = records.map((row) => frame(framer, row, Number(row.offset - baseOffset), row.timestamp))
              for (const write of later.toReversed()) write()
              framer.endBatch()
              return encodeBatch({ baseOffset, records, timestampType })
            })
            return Buffer.concat(expected)
          }
          const expected = writeAll()
          const places = all.flat().map((_row, at) => at * 7919)
          const sums = Int32Array.from(places)
          const cut = places.length >> 1
          framer.recordCrcs(sums.subarray(0, cut), 0)
          framer.recordCrcs(sums.subarray(cut), cut)
          expect([...sums]).toEqual(all.flat().map((row, at) => recordCrcOf(row, places[at]!)))
          expect([...sums].map((sum, at) => framer.placeCrcOf(at, sum))).toEqual(places)
          const taken = framer.take()
          // What was taken stays as it is, whatever room is made and written to next.
          framer.expect(guess)
          writeAll()
          expect(Buffer.compare(taken, expected)).toBe(0)
          expect(Buffer.compare(framer.take(), expected)).toBe(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('makes text of a header key that is none, so that the batch can be read', () => {
    const framer = new BatchFramer()
    framer.beginBatch({ offsetHigh: 0, offsetLow: 0, timestampHigh: 0, timestampLow: 0, timestampType: 'create' })
    const name = Uint8Array.of(0x61, 0xff)
    framer.beginRecord(2 + 1 + headerKeySize(name, 0, 2) + 1, 0, 0, 0)
    framer.null()
    framer.null()
    framer.headerCount(1)
    framer.headerKey(name, 0, 2)
    framer.bytes(new Uint8Array(0), 0, 0)
    framer.endBatch()
    const batch = framer.take()
    checkBatch(batch, 0)
    expect(readRecords(batch, 0)[0]!.headers).toEqual([['a\ufffd', new Uint8Array(0)]])
  })
})
