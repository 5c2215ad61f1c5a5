import { describe, expect, it } from 'vitest'
import { BufferPool } from './buffer-pool.ts'

const KiB = 1024

describe('BufferPool', () => {
  it('gives the same memory again, for fewer bytes too', () => {
    const pool = new BufferPool(1024 * KiB)
    const first = pool.take(100 * KiB)
    expect(first.length).toBe(100 * KiB)
    expect(first.buffer.byteLength).toBe(128 * KiB)
    pool.give(first.buffer)
    expect(pool.keptBytes).toBe(128 * KiB)
    const again = pool.take(65 * KiB)
    expect(again.buffer).toBe(first.buffer)
    expect(again.length).toBe(65 * KiB)
    expect(pool.keptBytes).toBe(0)
    expect(pool.take(128 * KiB).buffer).not.toBe(first.buffer)
  })

  it('keeps no more than its bytes, nothing small, nothing foreign and nothing that went away', () => {
    const pool = new BufferPool(300 * KiB)
    pool.give(pool.take(10).buffer)
    pool.give(new ArrayBuffer(100 * KiB))
    const moved = pool.take(64 * KiB).buffer
    structuredClone(moved, { transfer: [moved] })
    pool.give(moved)
    expect(pool.keptBytes).toBe(0)
    for (const buffer of [1, 2, 3].map(() => pool.take(128 * KiB).buffer)) pool.give(buffer)
    expect(pool.keptBytes).toBe(256 * KiB)
    pool.clear()
    expect(pool.keptBytes).toBe(0)
  })
})
