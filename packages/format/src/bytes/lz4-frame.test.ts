import { describe, expect, it } from 'vitest'
import { lz4Frame } from './lz4-frame.ts'

interface Block {
  readonly bytes: readonly number[]
  readonly isPlain?: boolean
}

/** With checksums that are not looked at where the flags say so. */
function frame(size: number, blocks: readonly Block[], flags = 0x68): Uint8Array {
  const head = Buffer.alloc(15)
  head.writeUInt32LE(0x184d2204)
  head[4] = flags
  head[5] = 0x40
  head.writeBigUInt64LE(BigInt(size), 6)
  const parts = blocks.map(({ bytes, isPlain = false }) => {
    const length = Buffer.alloc(4)
    length.writeUInt32LE((bytes.length | (isPlain ? 0x80000000 : 0)) >>> 0)
    return Buffer.concat([length, Buffer.from(bytes), Buffer.alloc((flags & 16) === 0 ? 0 : 4)])
  })
  return new Uint8Array(Buffer.concat([head, ...parts, Buffer.alloc((flags & 4) === 0 ? 4 : 8)]))
}

/** 'abcd', then 8 bytes from 4 back; no literals at the end. */
const repeating = [0x44, 97, 98, 99, 100, 4, 0, 0x10, 33]
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

describe('lz4Frame', () => {
  it('joins its blocks, compressed or not', () => {
    expect(text(lz4Frame(frame(13, [{ bytes: repeating }]), 100))).toBe('abcdabcdabcd!')
    const two = [{ bytes: [120, 121], isPlain: true }, { bytes: repeating }]
    expect(text(lz4Frame(frame(15, two), 100))).toBe('xyabcdabcdabcd!')
    expect(lz4Frame(frame(0, []), 100)).toHaveLength(0)
  })

  it('lets a block repeat what an earlier one gave', () => {
    const linked = [{ bytes: [97, 98, 99, 100], isPlain: true }, { bytes: [0x00, 4, 0, 0x10, 33] }]
    expect(text(lz4Frame(frame(9, linked, 0x48), 100))).toBe('abcdabcd!')
  })

  it('steps over checksums', () => {
    expect(text(lz4Frame(frame(13, [{ bytes: repeating }], 0x7c), 100))).toBe('abcdabcdabcd!')
  })

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['another magic', frame(13, [{ bytes: repeating }]).map((byte, at) => (at === 0 ? 5 : byte))],
    ['no size', frame(13, [{ bytes: repeating }], 0x60)],
    ['another size', frame(14, [{ bytes: repeating }])],
    ['less than its size', frame(12, [{ bytes: repeating }])],
    ['a size that its bytes cannot give', frame(100_000, [{ bytes: repeating }])],
    ['a cut block', frame(13, [{ bytes: repeating }]).subarray(0, 22)],
    ['a match before the beginning', frame(13, [{ bytes: [0x44, 97, 98, 99, 100, 5, 0, 0x10, 33] }])],
    ['bytes behind it', Buffer.concat([frame(13, [{ bytes: repeating }]), Buffer.alloc(1)])],
  ])('refuses %s', (_, bytes) => {
    expect(() => lz4Frame(bytes, 1_000_000)).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'DECOMPRESS' }))
  })

  it('takes no more than it may', () => {
    expect(() => lz4Frame(frame(13, [{ bytes: repeating }]), 12)).toThrow(
      expect.objectContaining({ kind: 'exhausted', code: 'DECOMPRESSED_TOO_LARGE' }),
    )
  })
})
