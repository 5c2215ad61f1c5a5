import { describe, expect, it } from 'vitest'
import { parsePrimitive } from './primitive-type.ts'

describe('primitive types', () => {
  it('are taken apart, with the bytes that a value takes', () => {
    expect(parsePrimitive('decimal(10,  2)')).toEqual({ kind: 'decimal', precision: 10, scale: 2, width: 5 })
    expect(parsePrimitive('decimal(38, 38)')).toEqual({ kind: 'decimal', precision: 38, scale: 38, width: 16 })
    expect(parsePrimitive('fixed[ 7 ]')).toEqual({ kind: 'fixed', precision: 0, scale: 0, width: 7 })
    expect(parsePrimitive('uuid')).toEqual({ kind: 'uuid', precision: 0, scale: 0, width: 16 })
    expect(parsePrimitive('timestamptz_ns')).toEqual({ kind: 'timestamptz_ns', precision: 0, scale: 0, width: 0 })
  })

  it('keep the numbers of their text, and work out no width that nothing has', () => {
    expect(parsePrimitive('decimal(999999999, 1)')).toMatchObject({ precision: 999_999_999, width: 0 })
    expect(parsePrimitive('decimal(2, 9)')).toMatchObject({ precision: 2, scale: 9 })
  })

  it('are nothing else', () => {
    for (const text of ['', 'Int', ' int', 'variant', 'decimal(9)', 'fixed[-1]', 'fixed[1234567890]', 'toString'])
      expect(parsePrimitive(text), text).toBeUndefined()
  })
})
