import type { Codec, Column } from '@moulin/core'
import { Arena, schema, t } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesOf, throughColumns } from '../codec.test-support.ts'
import { avro } from './avro-codec.ts'

describe('avro', () => {
  it('writes one NaN, and takes every other for bytes that columns do not give back', () => {
    const Numbers = schema({
      f: t.float,
      d: t.double,
      list: t.list(t.double),
      in: t.struct({ f: t.float.optional(), map: t.map(t.string, t.float) }).optional(),
    })
    const codec = avro(Numbers) as Codec
    const of = (f: number, d: number): object => ({ f, d, list: [d, 1, d], in: { f, map: new Map([['k', f]]) } })
    const usual = codec.encode(of(NaN, NaN))
    expect(throughColumns(codec, [usual])).toEqual([{ fidelity: 'canonical', bytes: usual }])
    // Where the NaNs stand: the halves of doubles that are at their end, and floats.
    const hex = Buffer.from(usual).toString('hex')
    expect(hex.match(/0000c07f/g)).toHaveLength(3)
    expect(hex.match(/000000000000f87f/g)).toHaveLength(3)
    for (let round = 0; round < 2_000; round++) {
      const float32 = new Float32Array(
        Uint32Array.of([0x7fc00001, 0x7f800001, 0xffc00000, 0xffffffff][round % 4]!).buffer,
      )
      const float64 = new Float64Array(
        BigUint64Array.of([0x7ff8000000000001n, 0x7ff0000000000001n, 0xfff8000000000000n, 2n ** 64n - 1n][round % 4]!)
          .buffer,
      )
      // A value has no payload, whatever made it.
      expect(codec.encode(of(float32[0]!, float64[0]!))).toEqual(usual)
      const [float, double] = [float32, float64].map(({ buffer }) => Buffer.from(buffer).toString('hex'))
      const places = [...hex.matchAll(/0000c07f|000000000000f87f/g)].map(({ index }) => index)
      const at = places[round % places.length]!
      const payload = hex.startsWith('0000c07f', at) ? float! : double!
      const odd = bytesOf(hex.slice(0, at) + payload + hex.slice(at + payload.length))
      expect(throughColumns(codec, [odd])).toEqual([{ fidelity: 'readable', bytes: usual }])
      expect(codec.encode(codec.decode(odd))).toEqual(usual)
    }
    // The columns themselves have it, too, whatever was read.
    const arena = new Arena()
    const start = arena.append(bytesOf('010080ff 010000000000f0ff 00 00'))
    const builders = codec.columnar!.builders(arena)
    expect(codec.columnar!.decodeRow(arena, start, arena.length, builders)).toBe('readable')
    const [f, d] = builders.map((builder) => builder.finish() as Extract<Column, { storage: 'float32' }>)
    expect(new Uint32Array(f!.values.buffer, f!.values.byteOffset, 1)[0]).toBe(0x7fc00000)
    expect(new BigUint64Array(d!.values.buffer, d!.values.byteOffset, 1)[0]).toBe(0x7ff8000000000000n)
  })
})
