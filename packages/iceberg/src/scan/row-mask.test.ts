import { describe, expect, it } from 'vitest'
import { rowMask } from './row-mask.ts'

describe('rowMask', () => {
  it('is none without rows', () => {
    expect(rowMask('a', [])).toBeUndefined()
  })

  it('has each row once, whatever their order', () => {
    const mask = rowMask('a', [9, 2, 9, 3, 100_000_000_000])!
    expect(mask.size).toBe(4)
    expect(mask.countIn(2, 4)).toBe(2)
    expect(mask.countIn(4, 9)).toBe(0)
    expect(mask.countIn(0, 2 ** 40)).toBe(4)
    expect(mask.leftIn(0, 5)).toEqual(Int32Array.of(0, 1, 4))
    expect(mask.leftIn(2, 4)).toEqual(Int32Array.of())
    expect(mask.leftIn(4, 9)).toBeUndefined()
    expect(mask.leftIn(99_999_999_999, 100_000_000_002)).toEqual(Int32Array.of(0, 2))
  })
})
