import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { md5Of, stepsOf } from './md5.ts'

describe('md5Of', () => {
  it('is what Node says, also of nothing', () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(1, 2, 3)])
      expect(Buffer.from(md5Of(bytes))).toEqual(createHash('md5').update(bytes).digest())
  })

  it('takes more than Node hashes at a time, each byte once', () => {
    // Its memory is never touched.
    const steps = [...stepsOf(new Uint8Array(2 ** 32 + 5))]
    expect(steps.every(({ length }) => length < 2 ** 31)).toBe(true)
    let at = 0
    for (const { byteOffset, length } of steps) {
      expect(byteOffset).toBe(at)
      at += length
    }
    expect(at).toBe(2 ** 32 + 5)
  })
})
