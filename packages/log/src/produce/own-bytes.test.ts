import { expect, it } from 'vitest'
import { ownBytes } from './own-bytes.ts'

it('gives each copy a place of its own, whatever came before', () => {
  const copies = Array.from({ length: 600 }, (_, at) => {
    const given = new Uint8Array((at * 97) % 9_000).fill(at)
    const own = ownBytes(given, given.length)
    given.fill(0xee)
    return own
  })
  for (const [at, own] of copies.entries()) {
    expect(Object.getPrototypeOf(own)).toBe(Uint8Array.prototype)
    expect(own).toEqual(new Uint8Array((at * 97) % 9_000).fill(at))
  }
})
