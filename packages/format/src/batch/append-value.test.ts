/** Values that are encoded where they belong in a batch give the same batch as their bytes do. */
import { schema, t } from '@moulin/core'
import type { Header } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { avro } from '../avro/avro-codec.ts'
import { errorOf } from '../codec.test-support.ts'
import { recordBatchBuilder } from './write-batch.ts'
import type { InPlaceCodec, RecordBatchBuilder } from './write-batch.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const base = 1_700_000_000_000

/** A codec of bytes; `first` runs before they are written, behind the first of them. */
const bytesWith = (first: () => void = () => {}): InPlaceCodec & { encodeInto(value: Uint8Array): number } => ({
  encodeInto(value: Uint8Array, target?: Uint8Array, position?: number) {
    if (position! < target!.length) target![position!] = value[0] ?? 0
    first()
    if (position! + value.length > target!.length) return -1
    target!.set(value, position)
    return position! + value.length
  },
})
const plain = bytesWith()

/** As a producer appends: in place, or else encoded first. */
function append(
  builder: RecordBatchBuilder,
  { value, ...record }: { key: Uint8Array | null; value: Uint8Array; headers: readonly Header[]; timestamp: number },
  codec: InPlaceCodec = plain,
): void {
  if (builder.appendValue(record, codec, value) < 0) builder.append({ ...record, value })
}

const record = (value: string | Uint8Array, timestamp = base) => ({
  key: null,
  value: typeof value === 'string' ? utf8(value) : value,
  headers: [] as readonly Header[],
  timestamp,
})

describe('a value that is encoded where it belongs', () => {
  it('gives the same batch as its bytes, whatever the sizes, keys, headers and times', () => {
    const sizes = fc.oneof(
      fc.nat(3),
      fc.integer({ min: 60, max: 66 }),
      fc.integer({ min: 8_180, max: 8_200 }),
      fc.nat(40_000),
    )
    const records = fc.array(
      fc.record({
        size: sizes,
        key: fc.option(fc.uint8Array({ maxLength: 70 })),
        headers: fc.array(
          fc.tuple(fc.string({ unit: 'grapheme', maxLength: 5 }), fc.option(fc.uint8Array({ maxLength: 5 }))),
          {
            maxLength: 2,
          },
        ),
        timestamp: fc.oneof(fc.integer({ min: base, max: base + 100 }), fc.nat(2 ** 45)),
      }),
      { minLength: 1, maxLength: 12 },
    )
    fc.assert(
      fc.property(records, fc.constantFrom('none' as const, 'zstd' as const), (all, compression) => {
        const [inPlace, encoded] = [recordBatchBuilder({ compression }), recordBatchBuilder({ compression })]
        for (const { size, ...rest } of all) {
          const whole = { ...rest, value: new Uint8Array(size).fill(size) }
          append(inPlace, whole)
          encoded.append(whole)
          expect(inPlace.sizeBytes).toBe(encoded.sizeBytes)
        }
        expect(inPlace.finish()).toEqual(encoded.finish())
      }),
      { numRuns: 200 },
    )
  })

  it('says how many bytes the body has', () => {
    const builder = recordBatchBuilder()
    const { value, ...rest } = { ...record('value'), key: utf8('k'), headers: [['h', null]] as const }
    expect(builder.appendValue(rest, plain, value)).toBe(2 + 6 + 1 + 2 + 1)
  })

  it('leaves the batch as it was where the codec throws', () => {
    const builder = recordBatchBuilder()
    append(builder, record('a'))
    const size = builder.sizeBytes
    const codec = avro(schema({ name: t.string, id: t.long }))
    const bad = { name: 'x'.repeat(100), id: 'none' }
    expect(errorOf(() => builder.appendValue(record(''), codec as InPlaceCodec, bad))?.code).toBe('VALUE')
    expect([builder.sizeBytes, builder.recordCount]).toEqual([size, 1])
    append(builder, record('b'))
    const expected = recordBatchBuilder()
    for (const text of ['a', 'b']) expected.append(record(text))
    expect(builder.finish()).toEqual(expected.finish())
  })

  it('refuses an end that is none', () => {
    for (const end of [NaN, 3, 1e9, undefined, 100n, Symbol('end'), { valueOf: () => 100 }]) {
      const builder = recordBatchBuilder()
      const codec = { encodeInto: () => end as unknown as number }
      expect(errorOf(() => builder.appendValue(record(''), codec, 1))?.code).toBe('CODEC_BYTES')
      expect(builder.recordCount).toBe(0)
    }
  })

  it('refuses a key that changes its size meanwhile', () => {
    const builder = recordBatchBuilder()
    append(builder, record('a'))
    const size = builder.sizeBytes
    for (const length of [1, 9]) {
      const memory = new ArrayBuffer(5, { maxByteLength: 16 })
      const key = new Uint8Array(memory)
      const codec = bytesWith(() => memory.resize(length))
      const refused = errorOf(() => builder.appendValue({ ...record(''), key }, codec, utf8('value')))
      expect(refused?.code).toBe('RECORD_CHANGED')
      expect([builder.sizeBytes, builder.recordCount]).toEqual([size, 1])
    }
  })

  it('gives way to what its own code does with the builder, whose bytes stay whole', () => {
    for (const size of [3, 300, 30_000]) {
      const inner = record(new Uint8Array(size).fill(7))
      const outer = record(new Uint8Array(size).fill(9))
      const twice = recordBatchBuilder()
      append(twice, record('first'))
      const codec = bytesWith(() => {
        append(twice, inner)
        append(twice, inner)
      })
      append(twice, outer, codec)
      const expected = recordBatchBuilder()
      for (const each of [record('first'), inner, inner, outer]) expected.append(each)
      expect(twice.finish()).toEqual(expected.finish())
    }
  })

  it('gives way to a batch that is finished meanwhile', () => {
    const builder = recordBatchBuilder()
    append(builder, record('first'))
    let finished: Uint8Array | undefined
    append(
      builder,
      record('second'),
      bytesWith(() => (finished = builder.finish())),
    )
    const [first, second] = [recordBatchBuilder(), recordBatchBuilder()]
    first.append(record('first'))
    second.append(record('second'))
    expect(finished).toEqual(first.finish())
    expect(builder.finish()).toEqual(second.finish())
  })

  it('hands out batches that nothing changes any more', () => {
    const builder = recordBatchBuilder()
    append(builder, record('first'))
    const batch = builder.finish()
    const copy = new Uint8Array(batch)
    append(builder, record('other'))
    expect(batch).toEqual(copy)
    // To go over to another thread.
    expect([batch.byteOffset, batch.buffer.byteLength]).toEqual([0, batch.length])
  })
})

describe('undo', () => {
  it('takes the last record back, its time included', () => {
    const builder = recordBatchBuilder()
    append(builder, record('a', base + 5))
    append(builder, record('later', base + 900))
    builder.undo()
    append(builder, record('b', base + 1))
    const expected = recordBatchBuilder()
    expected.append(record('a', base + 5))
    expected.append(record('b', base + 1))
    expect(builder.finish()).toEqual(expected.finish())
  })

  it('takes the first record back', () => {
    const builder = recordBatchBuilder()
    append(builder, record('gone', base))
    builder.undo()
    expect([builder.recordCount, builder.sizeBytes]).toEqual([0, recordBatchBuilder().sizeBytes])
    append(builder, record('b', base + 70_000))
    const expected = recordBatchBuilder()
    expected.append(record('b', base + 70_000))
    expect(builder.finish()).toEqual(expected.finish())
  })
})
