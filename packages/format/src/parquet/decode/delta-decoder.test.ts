import { INT64_MAX, INT64_MIN } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readDeltaInt32, readDeltaInt64 } from './delta-decoder.ts'

const varint = (value: bigint): number[] =>
  value < 0x80n ? [Number(value)] : [Number(value & 0x7fn) | 0x80, ...varint(value >> 7n)]
const zigzag = (value: bigint): number[] => varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))

/** With BigInts, as the format describes it; miniblocks of 32 values. `bits` is what sums wrap to. */
function encoded(values: readonly bigint[], bits: number, miniblocks: number): Uint8Array {
  const bytes = [...varint(BigInt(32 * miniblocks)), ...varint(BigInt(miniblocks)), ...varint(BigInt(values.length))]
  bytes.push(...zigzag(values[0] ?? 0n))
  const deltas = values.slice(1).map((value, i) => BigInt.asIntN(bits, value - values[i]!))
  for (let start = 0; start < deltas.length; start += 32 * miniblocks) {
    const block = deltas.slice(start, start + 32 * miniblocks)
    const least = block.reduce((a, b) => (a < b ? a : b))
    bytes.push(...zigzag(least))
    const parts = Array.from({ length: miniblocks }, (_, i) => block.slice(i * 32, i * 32 + 32))
    const above = parts.map((part) => part.map((delta) => BigInt.asUintN(64, delta - least)))
    const widths = above.map((part) => Math.max(0, ...part.map((each) => each.toString(2).length * Number(each > 0n))))
    bytes.push(...widths)
    for (const [i, part] of above.entries()) {
      if (part.length === 0) continue
      let packed = part.reduce((sum, each, k) => sum | (each << BigInt(k * widths[i]!)), 0n)
      for (let k = 0; k < widths[i]! * 4; k++, packed >>= 8n) bytes.push(Number(packed & 0xffn))
    }
  }
  return Uint8Array.from(bytes)
}

const steps = (bits: number): fc.Arbitrary<bigint[]> => {
  const [min, max] = [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
  const value = fc.oneof(fc.bigInt({ min, max }), fc.bigInt({ min: -100n, max: 100n }), fc.constantFrom(min, max, 0n))
  const walk = fc
    .tuple(value, fc.array(fc.bigInt({ min: -5n, max: 1000n }), { maxLength: 300 }))
    .map(([first, all]) => {
      let last = first
      return all.map((step) => (last = BigInt.asIntN(bits, last + step)))
    })
  return fc.oneof(fc.array(value, { maxLength: 200 }), walk)
}

describe('DELTA_BINARY_PACKED', () => {
  it('gives 32-bit values', () => {
    fc.assert(
      fc.property(steps(32), fc.integer({ min: 1, max: 4 }), (values, miniblocks) => {
        const bytes = encoded(values, 32, miniblocks)
        const out = new Int32Array(values.length)
        expect(readDeltaInt32(bytes, 0, values.length, out, 0)).toBe(bytes.length)
        expect([...out]).toEqual(values.map(Number))
      }),
      { numRuns: 300 },
    )
  })

  it('gives 32-bit values whose differences were taken as 64 bits', () => {
    const values = [0n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 31n - 1n, 5n, -(2n ** 31n)]
    const out = new Int32Array(values.length)
    readDeltaInt32(encoded(values, 64, 4), 0, values.length, out, 0)
    expect([...out]).toEqual(values.map(Number))
  })

  it('gives 64-bit values', () => {
    fc.assert(
      fc.property(steps(64), fc.integer({ min: 1, max: 4 }), (values, miniblocks) => {
        const bytes = encoded(values, 64, miniblocks)
        const out = new BigInt64Array(values.length + 2)
        const end = readDeltaInt64(bytes, 0, values.length, new Int32Array(out.buffer), 2)
        expect(end).toBe(bytes.length)
        expect([...out.subarray(2)]).toEqual(values)
      }),
      { numRuns: 300, examples: [[[INT64_MIN, INT64_MAX, INT64_MIN, -1n, 0n], 4]] },
    )
  })

  it('is corrupt when cut anywhere, or when it states other sizes', () => {
    const values = Array.from({ length: 100 }, (_, i) => BigInt(i * i * 1_000_003))
    const bytes = encoded(values, 64, 4)
    const read = (given: Uint8Array, count = 100): number =>
      readDeltaInt64(given, 0, count, new Int32Array(2 * count), 0)
    for (let end = 0; end < bytes.length - 200; end++) expect(() => read(bytes.slice(0, end))).toThrow('delta-encoded')
    expect(() => read(bytes, 99)).toThrow('100 values')
    // No miniblocks; miniblocks of 0 and of 12 values; one size beyond 31 bits.
    for (const header of [
      [128, 1, 0],
      [0, 1],
      [48, 4],
      [0x80, 0x80, 0x80, 0x80, 0x10, 1],
    ])
      expect(() => read(Uint8Array.from([...header, 100, 0]))).toThrow('delta-encoded')
  })

  it('makes nothing of the size of a miniblock that it only states', () => {
    const bytes = Uint8Array.of(0xf8, 0xff, 0xff, 0xff, 0x07, 1, 3, 2, 2, 1, 0b11)
    const out = new Int32Array(3)
    readDeltaInt32(bytes, 0, 3, out, 0)
    expect([...out]).toEqual([1, 3, 5])
  })
})
