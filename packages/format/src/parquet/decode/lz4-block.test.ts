import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lz4Block, lz4Hadoop } from './lz4-block.ts'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
/** `abcdef`, then 14 bytes from 6 back, then the literals `xyz12`. */
const block = Uint8Array.from([0x6a, ...ascii('abcdef'), 6, 0, 0x50, ...ascii('xyz12')])
const plain = ascii('abcdefabcdefabcdefabxyz12')

const framed = (...parts: readonly [Uint8Array, number][]): Uint8Array => {
  const bytes = parts.flatMap(([part, size]) => {
    const header = new Uint8Array(8)
    new DataView(header.buffer).setUint32(0, size)
    new DataView(header.buffer).setUint32(4, part.length)
    return [...header, ...part]
  })
  return Uint8Array.from(bytes)
}

describe('an LZ4 block', () => {
  it('gives literals and matches, overlapping ones and long ones too', () => {
    expect(lz4Block(block, plain.length)).toEqual(plain)
    // One literal, then a run of 4 + 15 + 255 + 10 of it, and an empty last sequence.
    const run = Uint8Array.of(0x1f, 0x61, 1, 0, 255, 10, 0x00)
    expect(lz4Block(run, 285)).toEqual(ascii('a'.repeat(285)))
    const literals = new Uint8Array(300).map((_, i) => i)
    expect(lz4Block(Uint8Array.from([0xf0, 255, 30, ...literals]), 300)).toEqual(literals)
    expect(lz4Block(Uint8Array.of(0), 0)).toHaveLength(0)
  })

  it('is corrupt when it is cut, gives another size or reaches before its beginning', () => {
    for (let end = 0; end < block.length; end++)
      expect(() => lz4Block(block.slice(0, end), plain.length)).toThrow('LZ4')
    for (const size of [0, plain.length - 1, plain.length + 1, 1 << 30])
      expect(() => lz4Block(block, size)).toThrow('LZ4')
    for (const [low, high] of [
      [0, 0],
      [7, 0],
      [0, 1],
    ]) {
      const far = block.slice()
      far.set([low!, high!], 7)
      expect(() => lz4Block(far, plain.length)).toThrow('out of bounds')
    }
  })

  it('ends for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(2000), (bytes, size) => {
        try {
          expect(lz4Block(bytes, size)).toHaveLength(size)
        } catch (error) {
          expect((error as Error).message).toContain('LZ4')
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('LZ4 as Hadoop frames it', () => {
  it('is one block or several, or a plain block', () => {
    expect(lz4Hadoop(framed([block, plain.length]), plain.length)).toEqual(plain)
    const twice = framed([block, plain.length], [block, plain.length])
    expect(lz4Hadoop(twice, plain.length * 2)).toEqual(Uint8Array.from([...plain, ...plain]))
    expect(lz4Hadoop(block, plain.length)).toEqual(plain)
  })

  it('is corrupt when its sizes do not add up', () => {
    const bytes = framed([block, plain.length])
    expect(() => lz4Hadoop(bytes, plain.length + 1)).toThrow('LZ4')
    expect(() => lz4Hadoop(bytes.slice(0, -1), plain.length)).toThrow('LZ4')
  })
})
