import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32c } from './crc32c.ts'
import { crc32cJoined } from './crc32c-joined.ts'

it('is the sum of both parts, wherever the cut is', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1500 }), fc.nat(1500), (bytes, cut) => {
      const [first, second] = [bytes.subarray(0, cut), bytes.subarray(cut)]
      expect(crc32cJoined(crc32c(first), crc32c(second), second.length)).toBe(crc32c(bytes))
    }),
  )
})

it('knows lengths of two, three and four bytes, one after another', () => {
  const first = Uint8Array.of(1, 2, 3)
  for (const length of [0, 1, 255, 256, 65_535, 65_536, 70_001, 2 ** 24 - 1, 2 ** 24 + 70_001, 256, 0]) {
    const second = new Uint8Array(length).fill(length)
    const whole = crc32c(second, crc32c(first))
    expect(crc32cJoined(crc32c(first), crc32c(second), length), `${length}`).toBe(whole)
  }
})
