import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isUtf8Range } from './utf8.ts'

describe('isUtf8Range', () => {
  it('agrees with node for any bytes, at any place, however the memory is aligned', () => {
    const ascii = fc.uint8Array({ max: 0x7f, maxLength: 90 })
    const text = fc.string({ unit: 'grapheme', maxLength: 30 }).map((value) => new TextEncoder().encode(value))
    const bytes = fc.oneof(ascii, text, fc.uint8Array({ maxLength: 20 }))
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 4 }), fc.nat(7), fc.nat(90), fc.nat(90), (parts, shift, a, b) => {
        const all = Buffer.concat([new Uint8Array(shift), ...parts])
        const memory = new Uint8Array(all).subarray(shift)
        const start = Math.min(a, b, memory.length)
        const end = Math.min(Math.max(a, b), memory.length)
        expect(isUtf8Range(memory, start, end)).toBe(isUtf8(memory.subarray(start, end)))
        expect(isUtf8Range(memory, 0, memory.length)).toBe(isUtf8(memory))
      }),
      { numRuns: 2000 },
    )
  })

  it('sees a bad byte wherever it is', () => {
    for (let size = 1; size < 40; size++) {
      for (let at = 0; at < size; at++) {
        const bytes = new Uint8Array(size).fill(0x61)
        bytes[at] = 0xff
        expect(isUtf8Range(bytes, 0, size)).toBe(false)
      }
    }
  })
})
