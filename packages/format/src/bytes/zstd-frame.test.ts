import { constants, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWholeZstd } from './zstd-frame.ts'

const compressed = (bytes: Uint8Array, checksum: number): Uint8Array =>
  new Uint8Array(zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: checksum } }))

describe('isWholeZstd', () => {
  it('takes what the compressor gives, in one frame or several, and nothing that is cut or longer', () => {
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.nat(400_000).map((size) => new Uint8Array(size)),
    )
    fc.assert(
      fc.property(input, input, fc.constantFrom(0, 1), fc.nat(), (first, second, checksum, cut) => {
        const frame = compressed(first, checksum)
        expect(isWholeZstd(frame)).toBe(true)
        expect(isWholeZstd(frame.subarray(0, cut % frame.length))).toBe(false)
        expect(isWholeZstd(Uint8Array.from([...frame, 0]))).toBe(false)
        expect(isWholeZstd(Uint8Array.from([...frame, ...compressed(second, 0)]))).toBe(true)
      }),
    )
  })

  it('takes a skippable frame beside others', () => {
    const skippable = [0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7]
    const frame = compressed(Uint8Array.of(1), 0)
    expect(isWholeZstd(Uint8Array.from([...skippable, ...frame]))).toBe(true)
    expect(isWholeZstd(Uint8Array.from([...frame, ...skippable.slice(0, -1)]))).toBe(false)
  })
})
