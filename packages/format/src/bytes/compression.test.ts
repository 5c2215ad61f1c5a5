import { isKind } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compress, decompress, discard, type Compression } from './compression.ts'

const codecs: Compression[] = ['none', 'gzip', 'snappy', 'zstd']
const kindOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    for (const kind of ['corrupt', 'exhausted'] as const) if (isKind(error, kind)) return kind
    throw error
  }
  return 'none'
}

describe.each(codecs)('compression %s', (codec) => {
  it('gives back what went in, at a limit of exactly its size', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        expect(Uint8Array.from(decompress(codec, compress(codec, bytes), bytes.length))).toEqual(bytes)
      }),
    )
  })

  it('stops a bomb at the limit', () => {
    const bomb = compress(codec, new Uint8Array(32 << 20))
    expect(kindOf(() => decompress(codec, bomb, 1 << 20))).toBe('exhausted')
  })

  it('names damaged and cut input corrupt, or gives bytes within the limit', () => {
    const good = compress(codec, new TextEncoder().encode('moulin '.repeat(300)))
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bad = Uint8Array.from(good)
        bad[at]! ^= flip
        kindOf(() => expect(decompress(codec, bad, 5000).length).toBeLessThanOrEqual(5000))
      }),
    )
    if (codec === 'none') return
    for (const cut of [0, 1, 5, good.length - 1])
      expect(kindOf(() => decompress(codec, good.subarray(0, cut), 5000))).toBe('corrupt')
  })
})

describe('discard', () => {
  it('gives back what zstd made, and never what Buffers share', () => {
    const pool = Buffer.allocUnsafe(1).buffer
    for (const size of [0, 10, 3000, 4096, 100_000]) {
      const made = compress('zstd', new Uint8Array(size))
      expect(made.buffer).not.toBe(pool)
      discard('zstd', made)
      expect(made.length).toBe(0)
    }
    expect(pool.byteLength).toBe(Buffer.poolSize)
  })

  it('leaves what was not compressed: it is the caller’s', () => {
    const bytes = new Uint8Array(10_000).fill(1)
    discard('none', compress('none', bytes))
    expect(bytes).toHaveLength(10_000)
  })
})

describe('decompress', () => {
  it('refuses a snappy length that its input cannot give, before allocating', () => {
    const liar = Uint8Array.of(0xff, 0xff, 0xff, 0x3f, 0)
    expect(kindOf(() => decompress('snappy', liar, 1 << 30))).toBe('corrupt')
  })
})
