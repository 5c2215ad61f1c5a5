import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RowWriter } from './row-writer.ts'

const written = (room: number, write: (writer: RowWriter) => void): { text: string; end: number } => {
  const target = new Uint8Array(room).fill(0x2e)
  const writer = new RowWriter()
  writer.open(target, 3)
  write(writer)
  return { text: Buffer.from(target).toString('latin1'), end: writer.position }
}

describe('RowWriter', () => {
  it('writes safe integers as String does', () => {
    const edges = fc
      .tuple(fc.nat(15), fc.constantFrom(-1, 0, 1), fc.constantFrom(-1, 1))
      .map(([power, step, sign]) => (10 ** power + step) * sign)
    const integer = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -99, max: 99 }), edges)
    fc.assert(
      fc.property(integer, (value) => {
        const { text, end } = written(24, (writer) => writer.integer(value))
        // Of a negative zero no sign is kept either.
        expect(text).toBe(`...${String(value)}`.padEnd(24, '.'))
        expect(end).toBe(3 + String(value).length)
      }),
      { numRuns: 2000 },
    )
  })

  it('pads with zeros, cuts to the last digits, and past the end only counts', () => {
    expect(written(10, (writer) => writer.digits(7, 3))).toEqual({ text: '...007....', end: 6 })
    expect(written(10, (writer) => writer.digits(12_345, 3))).toEqual({ text: '...345....', end: 6 })
    expect(written(16, (writer) => writer.digits(1_000_000_001, 12)).text).toBe('...001000000001.')
    expect(written(5, (writer) => writer.digits(123_456, 6))).toEqual({ text: '...12', end: 9 })
  })
})
