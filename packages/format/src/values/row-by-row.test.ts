import { conflict, invalid } from '@moulin/core'
import type { ColumnarCodec, PrimitiveColumn } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../codec.test-support.ts'
import { rowsEncoderOf } from './row-by-row.ts'

type Ints = PrimitiveColumn & { values: Int32Array }

const ints = (...values: number[]): Ints => {
  return { storage: 'int32', length: values.length, validity: undefined, values: Int32Array.from(values) }
}

/** Encodes a number as so many bytes of it; counts how often; a negative number has no encoding. */
function counting(): { codec: ColumnarCodec; calls: () => number } {
  let calls = 0
  const codec: ColumnarCodec = {
    builders: () => [],
    decodeRow: () => 'unreadable',
    encodeRow([column], row, target, position) {
      calls++
      const count = (column as Ints).values[row]!
      if (count === -2) throw conflict('TEST', 'Nothing that a value is to blame for.')
      if (count < 0) throw invalid('TEST', 'A negative number has no bytes.')
      if (position + count > target.length) return -1
      target.fill(count, position, position + count)
      return position + count
    },
  }
  return { codec, calls: () => calls }
}

describe('a codec that encodes a row at a time', () => {
  it('is asked for each row once where sizes come first and bytes then', () => {
    const { codec, calls } = counting()
    const { sizes, encodeRows } = rowsEncoderOf(codec)
    const column = ints(3, -1, 0, 5)
    const found = new Int32Array(4)
    sizes([column], Int32Array.of(0, 1, 2, 3), found)
    expect([...found]).toEqual([3, -1, 0, 5])
    const target = new Uint8Array(10)
    const columns = [column]
    sizes(columns, Int32Array.of(0, 1, 2, 3), found)
    const before = calls()
    // In two parts, as where a batch ends between.
    const places = Int32Array.of(1, 4)
    encodeRows(columns, Int32Array.of(0, 2), target, places)
    expect([...places]).toEqual([4, 4])
    encodeRows(columns, Int32Array.of(3), target, Int32Array.of(5))
    expect([...target]).toEqual([0, 3, 3, 3, 0, 5, 5, 5, 5, 5])
    expect(calls()).toBe(before)
  })

  it('gives the bytes of whatever is asked for: other rows, another order, other columns, larger than it keeps', () => {
    const count = fc.oneof(fc.nat(9), fc.constantFrom(254, 300), fc.constant(600_000))
    const asked = fc.array(fc.nat(3), { maxLength: 6 })
    fc.assert(
      fc.property(
        fc.array(count, { minLength: 4, maxLength: 4 }),
        asked,
        asked,
        fc.boolean(),
        (counts, of, then, isOther) => {
          const { codec } = counting()
          const { sizes, encodeRows } = rowsEncoderOf(codec)
          const columns = [ints(...counts)]
          const found = new Int32Array(of.length).fill(-7)
          sizes(columns, Int32Array.from(of), found)
          expect([...found]).toEqual(of.map((row) => counts[row]))
          const used = isOther ? counts.map((each) => (each + 1) % 200) : counts
          const expected = then.map((row) => Buffer.alloc(used[row]!, used[row]))
          let end = 0
          const places = Int32Array.from(then, (row) => (end += used[row]!) - used[row]!)
          const target = new Uint8Array(end)
          encodeRows(isOther ? [ints(...used)] : columns, Int32Array.from(then), target, places)
          expect(Buffer.compare(target, Buffer.concat(expected))).toBe(0)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('is also one that has only half of the other way', () => {
    const { codec } = counting()
    const half = { ...codec, sizes: () => expect.unreachable() }
    const found = new Int32Array(1)
    rowsEncoderOf(half).sizes([ints(4)], Int32Array.of(0), found)
    expect(found[0]).toBe(4)
  })

  it('passes on what is no fault of a row', () => {
    const { codec } = counting()
    const sizes = () => rowsEncoderOf(codec).sizes([ints(1, -2)], Int32Array.of(0, 1), new Int32Array(2))
    expect(errorOf(sizes)).toMatchObject({ kind: 'conflict' })
  })
})
