import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordCrcOf } from './record-body.ts'
import { RecordPlace, type RecordTime } from './record-place.ts'

/** CRC32C bit by bit, of nothing but RFC 3720. */
function bitwise(bytes: Uint8Array): number {
  let register = 0xffffffff
  for (const byte of bytes) {
    register ^= byte
    for (let bit = 0; bit < 8; bit++) register = register & 1 ? (register >>> 1) ^ 0x82f63b78 : register >>> 1
  }
  return ~register
}

const high = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n))
const low = (value: bigint): number => Number(BigInt.asIntN(32, value))
const timeOf = (timestamp: bigint, timestampType: RecordTime['timestampType']): RecordTime => ({
  timestampHigh: high(timestamp),
  timestampLow: low(timestamp),
  timestampType,
})

const int32 = fc.nat(2 ** 31 - 1)
const int64 = fc.oneof(fc.bigInt({ min: 0n, max: 70_000n }), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))
const timestamps = fc.oneof(fc.constant(-1n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
const types = fc.constantFrom('create' as const, 'append' as const)

describe('RecordPlace', () => {
  it('binds a record to its place and time, byte by byte as the format says', () => {
    // Incarnation 3, partition 258, offset 2^32 + 5, no timestamp, set at append; then key "k", value "vw", header h: null.
    const written = '00000003 00000102 0000000100000005 ffffffffffffffff 01' + ' 02 6b 04 76 77 02 02 68 01'
    const bytes = Buffer.from(written.replaceAll(' ', ''), 'hex')
    const place = new RecordPlace(3, 258).crc(1, 5, timeOf(-1n, 'append'))
    const body = { key: Buffer.from('k'), value: Buffer.from('vw'), headers: [['h', null] as const] }
    expect(bytes).toHaveLength(25 + 9)
    expect(recordCrcOf(body, place)).toBe(bitwise(bytes))
  })

  it('gives another sum for any other incarnation, partition, offset, timestamp or type', () => {
    const place = fc.tuple(int32, int32, int64, timestamps, types)
    fc.assert(
      fc.property(place, place, fc.nat(4), (here, there, changed) => {
        const moved = here.map((member, at) => (at === changed ? there[at] : member)) as typeof here
        const sums = [here, moved].map(([incarnation, partition, offset, timestamp, type]) =>
          new RecordPlace(incarnation, partition).crc(high(offset), low(offset), timeOf(timestamp, type)),
        )
        expect(sums[0] === sums[1]).toBe(here[changed] === moved[changed])
      }),
      { numRuns: 500 },
    )
  })

  it('finds the offset again whose sum it is', () => {
    fc.assert(
      fc.property(int32, int32, int64, timestamps, types, (incarnation, partition, offset, timestamp, type) => {
        const place = new RecordPlace(incarnation, partition)
        const time = timeOf(timestamp, type)
        const crc = place.crc(high(offset), low(offset), time)
        expect(place.lowOffsetOf(crc, high(offset), time)).toBe(low(offset))
      }),
    )
  })
})
