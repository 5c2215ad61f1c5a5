import { isKind } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readRunsInt32, readRunsUint8 } from './rle-decoder.ts'

const varint = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)])

/** Bit by bit, as the format describes it. */
function packed(values: readonly number[], width: number): number[] {
  const bytes = new Array<number>(Math.ceil((values.length * width) / 8)).fill(0)
  for (const [i, value] of values.entries()) {
    for (let bit = 0; bit < width; bit++) {
      const at = i * width + bit
      if ((value >>> bit) & 1) bytes[at >> 3]! |= 1 << (at & 7)
    }
  }
  return bytes
}

interface Run {
  readonly isPacked: boolean
  readonly values: readonly number[]
}

function encoded(runs: readonly Run[], width: number): Uint8Array {
  const bytes: number[] = []
  for (const { isPacked, values } of runs) {
    if (isPacked) bytes.push(...varint(((values.length / 8) << 1) | 1), ...packed(values, width))
    else bytes.push(...varint(values.length << 1), ...packed([values[0] ?? 0], Math.ceil(width / 8) * 8))
  }
  return Uint8Array.from(bytes)
}

const runsOf = (width: number): fc.Arbitrary<Run[]> => {
  const value = fc.integer({ min: 0, max: 2 ** width - 1 })
  const repeated = fc.tuple(value, fc.nat(300)).map(([each, count]) => ({
    isPacked: false,
    values: new Array<number>(count).fill(each),
  }))
  const group = fc.nat(12).chain((groups) => fc.array(value, { minLength: groups * 8, maxLength: groups * 8 }))
  return fc.array(
    fc.oneof(
      repeated,
      group.map((values) => ({ isPacked: true, values })),
    ),
    { maxLength: 6 },
  )
}

describe('runs and bit packing', () => {
  it('give the values of every width, wherever the caller stops', () => {
    const input = fc
      .integer({ min: 1, max: 32 })
      .chain((width) => fc.tuple(fc.constant(width), runsOf(width), fc.nat(10), fc.nat(9)))
    fc.assert(
      fc.property(input, ([width, runs, cut, before]) => {
        const all = runs.flatMap(({ values }) => values)
        const count = Math.max(0, all.length - cut)
        // Not at the beginning of their memory, and followed by nothing.
        const bytes = Uint8Array.from([...new Array<number>(before).fill(0xff), ...encoded(runs, width)])
        const out = new Int32Array(count)
        readRunsInt32(bytes, before, bytes.length, width, count, out)
        expect([...out]).toEqual(all.slice(0, count).map((value) => value | 0))
        if (width > 8) return
        const small = new Uint8Array(count + 3)
        readRunsUint8(bytes, before, bytes.length, width, count, small, 3)
        expect([...small.subarray(3)]).toEqual(all.slice(0, count))
      }),
      { numRuns: 400 },
    )
  })

  it('give what is wanted of a run that claims 2^31 values', () => {
    const out = new Int32Array(5)
    readRunsInt32(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 7), 0, 6, 3, 5, out)
    expect([...out]).toEqual([7, 7, 7, 7, 7])
    readRunsInt32(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0b10_001_000, 0b1010_0011), 0, 7, 3, 5, out)
    expect([...out]).toEqual([0, 1, 6, 1, 2])
  })

  it('take no bytes where all values are 0 bits wide', () => {
    const out = Int32Array.of(1, 2, 3)
    readRunsInt32(new Uint8Array(0), 0, 0, 0, 3, out)
    expect([...out]).toEqual([0, 0, 0])
  })

  it('are corrupt when they end early', () => {
    const cases: number[][] = [[], [0x80], [0x06], [0x03], [0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0x02, 1, 0x01]]
    for (const bytes of cases) {
      const read = (): void => readRunsInt32(Uint8Array.from(bytes), 0, bytes.length, 7, 9, new Int32Array(9))
      let error: unknown
      try {
        read()
      } catch (reason) {
        error = reason
      }
      expect(isKind(error, 'corrupt', 'PARQUET_RLE'), String(bytes)).toBe(true)
    }
  })
})
