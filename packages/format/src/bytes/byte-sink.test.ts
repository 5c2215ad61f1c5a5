import { INT64_MAX, INT64_MIN } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AvroReader } from '../avro/avro-reader.ts'
import { ByteSink, varintSize } from './byte-sink.ts'

const written = (write: (sink: ByteSink) => void): Uint8Array => {
  const sink = new ByteSink(1)
  write(sink)
  return sink.finish()
}

describe('ByteSink', () => {
  it('writes the zigzag varints of the specifications', () => {
    const cases: [number, number[]][] = [
      [0, [0]],
      [-1, [1]],
      [1, [2]],
      [-64, [0x7f]],
      [64, [0x80, 1]],
      [2 ** 31 - 1, [0xfe, 0xff, 0xff, 0xff, 0x0f]],
      [-(2 ** 31), [0xff, 0xff, 0xff, 0xff, 0x0f]],
    ]
    for (const [value, bytes] of cases) expect([...written((sink) => sink.varint(value))]).toEqual(bytes)
    expect([...written((sink) => sink.varlong(INT64_MIN))]).toEqual([...Array<number>(9).fill(0xff), 1])
    expect([...written((sink) => sink.varlong(INT64_MAX))]).toEqual([0xfe, ...Array<number>(8).fill(0xff), 1])
  })

  it('writes any integer in a form that reads back, the same as number and bigint', () => {
    const any = fc.oneof(
      fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
      fc.maxSafeInteger().map(BigInt),
      fc.integer().map(BigInt),
    )
    fc.assert(
      fc.property(any, (value) => {
        const bytes = written((sink) => sink.varlong(value))
        expect(new AvroReader(bytes, 0, bytes.length, 'test').long()).toBe(value)
        const isSafe = BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
        if (isSafe) expect(written((sink) => sink.varint(Number(value)))).toEqual(bytes)
        if (value >= 0 && value < 2n ** 31n) expect(varintSize(Number(value))).toBe(bytes.length)
      }),
    )
  })

  it('writes text of any length and script behind the length of its UTF-8', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('é', '漢', '😀', 'a').chain((c) => fc.nat(9000).map((n) => c.repeat(n))),
    )
    fc.assert(
      fc.property(text, (value) => {
        const bytes = written((sink) => sink.string(value))
        expect(bytes).toEqual(written((sink) => sink.bytes(new TextEncoder().encode(value))))
      }),
    )
  })
})
