import { describe, expect, it } from 'vitest'
import { vectorBlob } from './deletes.test-support.ts'
import { readDeletionVector } from './deletion-vector.ts'

const positions = [0, 7, 65_536, 2 ** 33]
/** Lists alone: two in the bitmap of the upper half 0, one in that of 2. */
const bitmap = Uint8Array.from([
  ...[2, 0, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0x3a, 0x30, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 24, 0, 0, 0, 28, 0, 0, 0, 0, 0, 7, 0, 0, 0],
  ...[2, 0, 0, 0, 0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0],
])
const blob = vectorBlob(bitmap)
const read = (bytes: Uint8Array, count = 4n): number => readDeletionVector(bytes, count, 'The vector').size

function changed(at: number, by: (byte: number) => number): Uint8Array {
  const bytes = blob.slice()
  bytes[at] = by(bytes[at]!)
  return bytes
}

describe('readDeletionVector', () => {
  it('reads the positions of the blob', () => {
    expect(read(blob)).toBe(4)
    const set = readDeletionVector(blob, 4n, 'The vector')
    expect(positions.map((position) => set.countIn(position, position + 1))).toEqual([1, 1, 1, 1])
  })

  it.each<[string, Uint8Array, bigint]>([
    ['nothing', new Uint8Array(0), 4n],
    ['half of it', blob.subarray(0, 30), 4n],
    ['another length', changed(3, (byte) => byte + 1), 4n],
    ['another magic', changed(4, () => 0xd0), 4n],
    ['a changed position', changed(30, (byte) => byte ^ 1), 4n],
    ['another checksum', changed(blob.length - 1, (byte) => byte ^ 1), 4n],
    ['bytes behind it', Buffer.concat([blob, new Uint8Array(1)]), 4n],
    ['another count than its manifest', blob, 5n],
  ])('refuses %s', (_, bytes, count) => {
    expect(() => read(bytes, count)).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'DELETION_VECTOR' }))
  })

  it('refuses a bitmap that is none, whatever its checksum says', () => {
    const bytes = vectorBlob(bitmap.subarray(0, 40))
    expect(() => read(bytes)).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'ROARING' }))
  })
})
