import { describe, expect, it } from 'vitest'
import { statedBounds } from './file-bounds.ts'
import type { FileNode } from './file-node.ts'
import type { Annotation } from './footer-element.ts'

function leaf(type: string, annotation: Annotation = { kind: 'none' }): FileNode {
  const element = { name: 'c', type, typeLength: undefined, repetition: 'OPTIONAL', childCount: 0, fieldId: 1 } as const
  const place = { path: ['c'], fieldId: 1, children: [], firstLeaf: 0, leafCount: 1, definition: 1, repetition: 0 }
  return { element: { ...element, annotation }, ...place }
}
const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer as ArrayBuffer)
const stated = (bytes: Uint8Array): { minValue: Uint8Array; maxValue: Uint8Array; nullCount: undefined } => ({
  minValue: bytes,
  maxValue: bytes,
  nullCount: undefined,
})

describe('stated bounds', () => {
  it('are none where an annotation stands at a type that it does not go with', () => {
    const half = stated(bytesOf(Float64Array.of(0.5)))
    const annotations: Annotation[] = [
      { kind: 'decimal', precision: 9, scale: 2 },
      { kind: 'time', unit: 'MILLIS' },
      { kind: 'timestamp', unit: 'MICROS' },
    ]
    for (const annotation of annotations) expect(statedBounds(half, leaf('DOUBLE', annotation), undefined)).toEqual({})
    expect(statedBounds(half, leaf('DOUBLE'), 'long')).toEqual({ min: 0.5, max: 0.5 })
    expect(statedBounds(stated(Uint8Array.of(1)), leaf('BOOLEAN', annotations[0]!), undefined)).toEqual({})
  })

  it('are none for a decimal of more bytes than one has, without a look at them', () => {
    const decimal = leaf('BYTE_ARRAY', { kind: 'decimal', precision: 38, scale: 0 })
    expect(statedBounds(stated(Uint8Array.of(0xff, 0x85)), decimal, undefined)).toEqual({ min: -123n, max: -123n })
    expect(statedBounds(stated(new Uint8Array(8_000_000).fill(0x55)), decimal, undefined)).toEqual({})
  })

  it('may be one without the other', () => {
    const [two, five] = [bytesOf(Int32Array.of(2)), bytesOf(Int32Array.of(5))]
    const counted = { nullCount: 3 }
    expect(statedBounds({ minValue: two, maxValue: undefined, ...counted }, leaf('INT32'), 'long')).toEqual({
      min: 2n,
      ...counted,
    })
    expect(statedBounds({ minValue: undefined, maxValue: five, ...counted }, leaf('INT32'), undefined)).toEqual({
      max: 5,
      ...counted,
    })
    const zero = { minValue: bytesOf(Float64Array.of(0)), maxValue: undefined, nullCount: undefined }
    expect(statedBounds(zero, leaf('DOUBLE'), undefined)).toEqual({ min: -0 })
  })

  it('are none where they contradict each other, or one of two is no value, and that is told', () => {
    const pairs: readonly (readonly [FileNode, Uint8Array, Uint8Array])[] = [
      [leaf('INT32'), bytesOf(Int32Array.of(5)), bytesOf(Int32Array.of(4))],
      [leaf('INT64'), bytesOf(BigInt64Array.of(1n)), bytesOf(BigInt64Array.of(-1n))],
      [leaf('BYTE_ARRAY'), Uint8Array.of(0x80), Uint8Array.of(0x7f, 1)],
      [leaf('DOUBLE'), bytesOf(Float64Array.of(1)), bytesOf(Float64Array.of(-1))],
      [leaf('DOUBLE'), bytesOf(Float64Array.of(1)), bytesOf(Float64Array.of(NaN))],
      [leaf('INT64'), bytesOf(Int32Array.of(1)), bytesOf(BigInt64Array.of(7n))],
      [leaf('BYTE_ARRAY', { kind: 'decimal', precision: 9, scale: 0 }), Uint8Array.of(1), Uint8Array.of(0xff)],
    ]
    for (const [column, minValue, maxValue] of pairs) {
      const told: string[] = []
      const stored = { minValue, maxValue, nullCount: 2 }
      expect(statedBounds(stored, column, undefined, (reason) => told.push(reason))).toEqual({ nullCount: 2 })
      expect(told).toHaveLength(1)
    }
  })

  it('take either zero for both', () => {
    const { min, max } = statedBounds(stated(bytesOf(Float32Array.of(0))), leaf('FLOAT'), undefined)
    expect([min, max]).toEqual([-0, 0])
    const negative = statedBounds(stated(bytesOf(Float64Array.of(-0))), leaf('DOUBLE'), undefined)
    expect([negative.min, negative.max]).toEqual([-0, 0])
    expect(statedBounds(stated(bytesOf(Int32Array.of(0))), leaf('INT32'), undefined)).toEqual({ min: 0, max: 0 })
  })

  it('are those of unsigned integers only where they order like signed ones', () => {
    const one = stated(bytesOf(Int32Array.of(7)))
    const unsigned = (bits: number): FileNode => leaf('INT32', { kind: 'integer', isSigned: false, bits })
    expect(statedBounds(one, unsigned(16), 'int')).toEqual({ min: 7, max: 7 })
    expect(statedBounds(one, unsigned(16), 'long')).toEqual({ min: 7n, max: 7n })
    expect(statedBounds(one, unsigned(32), 'long')).toEqual({})
  })

  it('of nanoseconds are known to the types that count them', () => {
    const nanos = leaf('INT64', { kind: 'timestamp', unit: 'NANOS' })
    const one = stated(bytesOf(BigInt64Array.of(5n)))
    expect(statedBounds(one, nanos, 'timestamptz_ns')).toEqual({ min: 5n, max: 5n })
    expect(statedBounds(one, nanos, 'timestamp')).toEqual({})
  })
})
