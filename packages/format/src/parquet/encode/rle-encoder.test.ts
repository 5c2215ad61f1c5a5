import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PageBuffer } from './page-buffer.ts'
import { writeRuns, writeValidity } from './rle-encoder.ts'

/** The plainest decoder of the hybrid: bit by bit. */
function decode(bytes: Uint8Array, width: number, count: number): { values: number[]; runs: number } {
  const values: number[] = []
  let at = 0
  let runs = 0
  const bits = (position: number): number => {
    let value = 0
    for (let bit = 0; bit < width; bit++) {
      const index = position * width + bit
      if ((bytes[at + (index >> 3)]! >> (index & 7)) & 1) value += 2 ** bit
    }
    return value
  }
  while (values.length < count) {
    let header = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!
      header += (byte & 0x7f) * scale
      if (byte < 0x80) break
    }
    runs++
    if (header % 2 === 1) {
      const groups = (header - 1) / 2
      for (let i = 0; i < groups * 8; i++) values.push(bits(i))
      at += groups * width
    } else {
      let value = 0
      for (let i = 0; i < Math.ceil(width / 8); i++) value += bytes[at++]! * 256 ** i
      for (let i = 0; i < header / 2; i++) values.push(value)
    }
  }
  expect(at).toBe(bytes.length)
  // Only a bit-packed run may have more than there are, at the end, and those are zero.
  expect(values.length - count).toBeLessThan(8)
  expect(values.slice(count).every((value) => value === 0)).toBe(true)
  return { values: values.slice(0, count), runs }
}

/** Dirty memory, as a recycled buffer is. */
function dirty(): PageBuffer {
  const out = new PageBuffer(64)
  out.bytes.fill(0xaa)
  return out
}

describe('The run-length encoder', () => {
  it('gives back any values of any width, in runs and without', () => {
    const runsOf = (width: number): fc.Arbitrary<number[]> =>
      fc
        .array(
          fc.tuple(
            fc.integer({ min: 0, max: 2 ** width - 1 }),
            fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 70 })),
          ),
          { minLength: 1, maxLength: 40 },
        )
        .map((runs) => runs.flatMap(([value, count]) => new Array<number>(count).fill(value)))
    const cases = fc.integer({ min: 1, max: 31 }).chain((width) => fc.tuple(fc.constant(width), runsOf(width)))
    fc.assert(
      fc.property(cases, fc.nat(5), ([width, values], skipped) => {
        const out = dirty()
        const all = Int32Array.from([...new Array<number>(skipped).fill(1), ...values, 7])
        writeRuns(out, all, skipped, skipped + values.length, width)
        expect(decode(out.written(), width, values.length).values).toEqual(values)
      }),
      { numRuns: 500 },
    )
  })

  it('writes a long run as one, also in the middle of others', () => {
    const values = [1, 2, 3, ...new Array<number>(1000).fill(5), 1, 2]
    const out = dirty()
    writeRuns(out, Int32Array.from(values), 0, values.length, 3)
    const { values: decoded, runs } = decode(out.written(), 3, values.length)
    expect(decoded).toEqual(values)
    expect(runs).toBe(3)
    expect(out.length).toBeLessThan(16)
  })

  it('takes definition levels from any place of a validity bitmap', () => {
    const bitmaps = fc
      .array(fc.tuple(fc.constantFrom(0, 0xff, 0x5a, 1, 0x80), fc.integer({ min: 1, max: 12 })), { maxLength: 12 })
      .map((parts) => Uint8Array.from([...parts.flatMap(([byte, count]) => new Array<number>(count).fill(byte)), 0x3c]))
    fc.assert(
      fc.property(bitmaps, fc.nat(), fc.nat(), (validity, a, b) => {
        const bits = validity.length * 8
        const from = a % bits
        const to = from + 1 + (b % (bits - from))
        const out = dirty()
        writeValidity(out, validity, from, to)
        const expected = Array.from(
          { length: to - from },
          (_, i) => (validity[(from + i) >> 3]! >> ((from + i) & 7)) & 1,
        )
        expect(decode(out.written(), 1, to - from).values).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('copies the bytes of a bitmap that begins at one', () => {
    const out = dirty()
    writeValidity(out, Uint8Array.of(0x12, 0x34, 0x56), 8, 24)
    expect([...out.written()]).toEqual([2 * 2 + 1, 0x34, 0x56])
  })
})
