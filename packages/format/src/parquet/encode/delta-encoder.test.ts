import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { halvesOf } from '../../bytes/int64-halves.ts'
import { writeDeltaByteArray, writeDeltaLength } from './delta-bytes-encoder.ts'
import { deltaBits, writeDeltaInts, writeDeltaLongs } from './delta-encoder.ts'
import { bytesValues, type FixedValues } from './leaf-values.ts'
import { PageBuffer } from './page-buffer.ts'
import { ScratchMemory } from './scratch.ts'

/** The plainest decoder of DELTA_BINARY_PACKED, in BigInts; tells where it ended. */
function decode(bytes: Uint8Array, width: 32 | 64, start = 0): { values: bigint[]; end: number } {
  let at = start
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const zigzag = (): bigint => {
    const value = varint()
    return (value >> 1n) ^ -(value & 1n)
  }
  const blockSize = Number(varint())
  const miniblocks = Number(varint())
  const count = Number(varint())
  let last = zigzag()
  const values = count === 0 ? [] : [last]
  while (values.length < count) {
    const least = zigzag()
    const widths = bytes.subarray(at, at + miniblocks)
    at += miniblocks
    for (const bits of widths) {
      if (values.length === count) {
        expect(bits).toBe(0)
        continue
      }
      for (let i = 0; i < blockSize / miniblocks; i++) {
        let delta = 0n
        for (let bit = 0; bit < bits; bit++) {
          const index = i * bits + bit
          if ((bytes[at + (index >> 3)]! >> (index & 7)) & 1) delta |= 1n << BigInt(bit)
        }
        if (values.length === count) continue
        last = BigInt.asIntN(width, last + least + delta)
        values.push(last)
      }
      at += (bits * blockSize) / miniblocks / 8
    }
  }
  return { values, end: at }
}

function dirty(): PageBuffer {
  const out = new PageBuffer(64)
  out.bytes.fill(0xaa)
  return out
}

/** Values that step by all kinds of widths. */
function steps(least: bigint, most: bigint): fc.Arbitrary<bigint[]> {
  const bits = BigInt(most.toString(2).length + 1)
  const step = fc
    .tuple(fc.bigInt({ min: 0n, max: bits }), fc.bigInt({ min: 0n, max: most }), fc.boolean())
    .map(([width, value, negative]) => (value & ((1n << width) - 1n)) * (negative ? -1n : 1n))
  const jump = fc.constantFrom(least, most, 0n)
  const runs = fc.array(fc.tuple(fc.oneof({ weight: 8, arbitrary: step }, jump), fc.integer({ min: 1, max: 90 })), {
    maxLength: 8,
  })
  return runs.map((list) => {
    let value = 0n
    return list.flatMap(([by, count]) =>
      Array.from({ length: count }, (_, i) => (value = BigInt.asIntN(Number(bits), value + by + BigInt(i % 3)))),
    )
  })
}

const int32s = steps(-(2n ** 31n), 2n ** 31n - 1n)
const int64s = steps(-(2n ** 63n), 2n ** 63n - 1n)

describe('The delta encoder', () => {
  it('gives back any 32-bit integers', () => {
    fc.assert(
      fc.property(int32s, fc.nat(3), (values, from) => {
        const out = dirty()
        const all = [...new Array<number>(from).fill(9), ...values.map(Number)]
        writeDeltaInts(out, Int32Array.from(all), from, all.length)
        expect(decode(out.written(), 32)).toEqual({ values, end: out.length })
      }),
      { numRuns: 300 },
    )
  })

  it('gives back any 64-bit integers', () => {
    fc.assert(
      fc.property(int64s, fc.nat(3), (values, from) => {
        const out = dirty()
        const all = [...new Array<bigint>(from).fill(-9n), ...values]
        writeDeltaLongs(out, halvesOf(BigInt64Array.from(all)), from, all.length)
        expect(decode(out.written(), 64)).toEqual({ values, end: out.length })
      }),
      { numRuns: 300 },
    )
  })

  it('gives back differences of every width, wrapping around', () => {
    for (let width = 0n; width <= 64n; width++) {
      const values = Array.from({ length: 70 }, (_, i) => BigInt.asIntN(64, i % 2 === 0 ? 0n : (1n << width) - 1n))
      const out = dirty()
      writeDeltaLongs(out, halvesOf(BigInt64Array.from(values)), 0, values.length)
      expect(decode(out.written(), 64).values).toEqual(values)
    }
  })

  it('takes a byte or so a value for what steps little, and knows it before', () => {
    const values = BigInt64Array.from(
      { length: 10_000 },
      (_, i) => 5_000_000_000n + BigInt(i) * 100n + BigInt((i * 7) % 50),
    )
    const out = new PageBuffer()
    writeDeltaLongs(out, halvesOf(values), 0, values.length)
    const guess = deltaBits(halvesOf(values), 0, 2048, 2)
    expect((out.length * 8) / values.length / guess).toBeCloseTo(1, 1)
  })
})

const strings = fc.array(
  fc
    .tuple(fc.constantFrom('', 'user_', 'user_0001_', 'x'.repeat(80)), fc.string({ maxLength: 6 }))
    .map(([a, b]) => a + b),
  { maxLength: 200 },
)

function columnOf(texts: readonly string[], gap: number) {
  const parts = texts.map((text) => new TextEncoder().encode(text))
  const starts = new Int32Array(parts.length)
  const ends = new Int32Array(parts.length)
  let at = 3
  for (const [i, part] of parts.entries()) {
    starts[i] = at
    ends[i] = at + part.length
    at += part.length + gap
  }
  const data = new Uint8Array(at).fill(0x3f)
  for (const [i, part] of parts.entries()) data.set(part, starts[i])
  return { values: bytesValues('s', data, starts, ends, parts.length), parts }
}

function cut(bytes: Uint8Array, at: number, lengths: readonly bigint[]): Uint8Array[] {
  let start = at
  const parts = lengths.map((length) => bytes.slice(start, (start += Number(length))))
  expect(start).toBe(bytes.length)
  return parts
}

describe('The delta encoders of bytes', () => {
  it('write lengths, then bytes, back to back or not', () => {
    fc.assert(
      fc.property(strings, fc.nat(2), (texts, gap) => {
        const { values, parts } = columnOf(texts, gap)
        const out = dirty()
        writeDeltaLength(out, values, 0, parts.length, new ScratchMemory())
        const { values: lengths, end } = decode(out.written(), 32)
        expect(cut(out.written(), end, lengths)).toEqual(parts)
      }),
      { numRuns: 100 },
    )
  })

  it('write what a value shares with the one before only once', () => {
    const decoded = (bytes: Uint8Array): Uint8Array[] => {
      const prefixes = decode(bytes, 32)
      const suffixes = decode(bytes, 32, prefixes.end)
      const rests = cut(bytes, suffixes.end, suffixes.values)
      let last: number[] = []
      return rests.map((rest, i) => Uint8Array.from((last = [...last.slice(0, Number(prefixes.values[i])), ...rest])))
    }
    fc.assert(
      fc.property(strings, fc.nat(2), (texts, gap) => {
        const { values, parts } = columnOf(texts, gap)
        const out = dirty()
        writeDeltaByteArray(out, values, 0, parts.length, new ScratchMemory())
        expect(decoded(out.written())).toEqual(parts)
      }),
      { numRuns: 100 },
    )
    const bytes = Uint8Array.of(9, 9, 1, 2, 1, 3, 1, 3)
    const fixed: FixedValues = { kind: 'fixed', width: 2, count: 4, bytes }
    const out = dirty()
    writeDeltaByteArray(out, fixed, 1, 4, new ScratchMemory())
    expect(decoded(out.written())).toEqual([Uint8Array.of(1, 2), Uint8Array.of(1, 3), Uint8Array.of(1, 3)])
    expect(out.length).toBeLessThan(2 * 14 + 3 + 1)
  })
})
