import { describe, expect, it } from 'vitest'
import { halvesOf } from '../../bytes/int64-halves.ts'
import { writeByteStreamSplit } from './byte-stream-split.ts'
import { bytesValues } from './leaf-values.ts'
import { PageBuffer } from './page-buffer.ts'
import { writePlain } from './plain-encoder.ts'

function plain(parts: readonly Uint8Array[], slack: number): Uint8Array {
  const starts = new Int32Array(parts.length)
  const ends = new Int32Array(parts.length)
  let at = 0
  for (const [i, part] of parts.entries()) {
    starts[i] = at
    ends[i] = at += part.length
  }
  const data = new Uint8Array(at + slack)
  for (const [i, part] of parts.entries()) data.set(part, starts[i])
  const out = new PageBuffer(16)
  writePlain(out, bytesValues('s', data, starts, ends, parts.length), 0, parts.length)
  return out.written()
}

describe('PLAIN', () => {
  it('writes strings of every length behind it, also at the very end of their data', () => {
    const parts = Array.from({ length: 600 }, (_, i) =>
      Uint8Array.from({ length: i }, (_, k) => (i * 31 + k * 7) & 0xff),
    )
    for (const list of [parts, parts.toReversed()]) {
      for (const slack of [0, 1, 7, 8, 100]) {
        const bytes = plain(list, slack)
        let at = 0
        for (const part of list) {
          expect(new DataView(bytes.buffer, bytes.byteOffset + at).getInt32(0, true)).toBe(part.length)
          expect(bytes.slice(at + 4, at + 4 + part.length)).toEqual(part)
          at += 4 + part.length
        }
        expect(at).toBe(bytes.length)
      }
    }
  })

  // Strings are copied as doubles: V8 must not touch the bits of those that are no numbers, however hot the loop.
  it('keeps the bytes of strings that look like NaNs', () => {
    const patterns = [
      [0x7ff00000, 1],
      [0xfff7ffff, 0xfff7ffff],
      [0xffffffff, 0xffffffff],
      [0xfff00000, 1],
      [0x7ff12345, 0x12345678],
      [0x7ff80000, 0],
      [0xfff8dead, 0xabcdef],
    ]
    const words = Uint32Array.from(patterns.flatMap(([high, low]) => [low!, high!]))
    const part = new Uint8Array(words.buffer)
    const parts = Array.from({ length: 2000 }, () => part)
    for (let round = 0; round < 20; round++) {
      const bytes = plain(parts, 8)
      for (let i = 0; i < parts.length; i++) {
        const from = i * (part.length + 4) + 4
        expect(Buffer.compare(bytes.subarray(from, from + part.length), part)).toBe(0)
      }
    }
  })

  it('packs booleans, and takes other values as they lie in memory', () => {
    const out = new PageBuffer()
    writePlain(out, { kind: 'boolean', count: 11, values: Uint8Array.of(9, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1) }, 1, 11)
    expect([...out.written()]).toEqual([0b01011001, 0b10])
    out.clear()
    writePlain(out, { kind: 'double', count: 3, values: Float64Array.of(1, -0, 2.5) }, 1, 3)
    expect(out.written()).toEqual(new Uint8Array(Float64Array.of(-0, 2.5).buffer))
    out.clear()
    writePlain(out, { kind: 'int64', count: 2, halves: halvesOf(BigInt64Array.of(1n, -(2n ** 63n))) }, 0, 2)
    expect(out.written()).toEqual(new Uint8Array(BigInt64Array.of(1n, -(2n ** 63n)).buffer))
    out.clear()
    writePlain(out, { kind: 'fixed', count: 2, width: 3, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6) }, 1, 2)
    expect([...out.written()]).toEqual([4, 5, 6])
  })
})

describe('BYTE_STREAM_SPLIT', () => {
  it('writes all first bytes, then all second ones', () => {
    const out = new PageBuffer(4)
    writeByteStreamSplit(out, { kind: 'fixed', count: 3, width: 2, bytes: Uint8Array.of(0, 1, 2, 3, 4, 5) }, 1, 3)
    expect([...out.written()]).toEqual([2, 4, 3, 5])
    out.clear()
    writeByteStreamSplit(out, { kind: 'int32', count: 2, values: Int32Array.of(0x04030201, 0x14131211) }, 0, 2)
    expect([...out.written()]).toEqual([1, 0x11, 2, 0x12, 3, 0x13, 4, 0x14])
  })
})
