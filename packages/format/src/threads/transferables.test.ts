import { describe, expect, it } from 'vitest'
import { transferablesOf } from './transferables.ts'

describe('transferablesOf', () => {
  it('finds each buffer once, wherever it is', () => {
    const shared = new ArrayBuffer(64)
    const other = new Float64Array(2)
    const third = new Uint8Array(1)
    const value = {
      columns: [
        { starts: new Int32Array(shared, 0, 4), ends: new Int32Array(shared, 4, 4), length: 4 },
        { validity: undefined, element: { fields: [{ name: 'x', values: other }] }, none: null },
      ],
      map: new Map([[1n, third]]),
      plain: shared,
    }
    expect(transferablesOf(value)).toEqual([shared, other.buffer, third.buffer])
    const gone = structuredClone(value, { transfer: transferablesOf(value) })
    expect(gone.columns[0]!.starts!.buffer).toBe(gone.columns[0]!.ends!.buffer)
    expect(shared.byteLength).toBe(0)
  })

  it('leaves shared memory and the pool of Node where they are', () => {
    expect(transferablesOf({ a: new Uint8Array(new SharedArrayBuffer(8)), b: Buffer.from('pooled') })).toEqual([])
  })
})
