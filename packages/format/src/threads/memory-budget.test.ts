import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryBudget, type MemoryGrant } from './memory-budget.ts'

/** Whether each promise has settled, once all that can has. */
async function settled(promises: readonly Promise<unknown>[]): Promise<boolean[]> {
  const done = promises.map(() => false)
  promises.forEach((promise, at) => void promise.catch(() => {}).finally(() => (done[at] = true)))
  for (let turns = 0; turns < 20; turns++) await Promise.resolve()
  return done
}

describe('MemoryBudget', () => {
  it('serves in the order of the calls, small ones behind large ones too', async () => {
    const budget = new MemoryBudget(100)
    const first = await budget.acquire(80)
    const waiting = [budget.acquire(50), budget.acquire(10), budget.acquire(90)]
    expect(await settled(waiting)).toEqual([false, false, false])
    expect(budget.stats).toEqual({ totalBytes: 100, usedBytes: 80, waiting: 3 })
    first.release()
    first.release()
    expect(await settled(waiting)).toEqual([true, true, false])
    expect(budget.stats).toEqual({ totalBytes: 100, usedBytes: 60, waiting: 1 })
    for (const grant of await Promise.all(waiting.slice(0, 2))) grant.release()
    ;(await waiting[2]!).release()
    expect(budget.stats).toEqual({ totalBytes: 100, usedBytes: 0, waiting: 0 })
  })

  it('runs what is larger than all of it alone', async () => {
    const budget = new MemoryBudget(100)
    const small = await budget.acquire(1)
    const [large, next] = [budget.acquire(1_000), budget.acquire(1)]
    expect(await settled([large, next])).toEqual([false, false])
    small.release()
    expect(await settled([large, next])).toEqual([true, false])
    ;(await large).release()
    ;(await next).release()
  })

  it('counts results at once, and lets others wait for them', async () => {
    const budget = new MemoryBudget(100)
    const result = budget.take(150)
    expect(budget.stats.usedBytes).toBe(150)
    const waiting = budget.acquire(1)
    expect(await settled([waiting])).toEqual([false])
    result.release()
    ;(await waiting).release()
  })

  it('stops waiting at the signal, and serves who stood behind', async () => {
    const budget = new MemoryBudget(100)
    const held = await budget.acquire(60)
    const stop = new AbortController()
    const large = budget.acquire(100, { signal: stop.signal })
    const small = budget.acquire(40)
    expect(await settled([large, small])).toEqual([false, false])
    stop.abort()
    await expect(large).rejects.toMatchObject({ kind: 'aborted' })
    ;(await small).release()
    held.release()
    await expect(budget.acquire(1, { signal: stop.signal })).rejects.toMatchObject({ kind: 'aborted' })
    expect(budget.stats).toEqual({ totalBytes: 100, usedBytes: 0, waiting: 0 })
  })

  it('fails who waits when it is closed', async () => {
    const budget = new MemoryBudget(1)
    const held = await budget.acquire(1)
    const waiting = budget.acquire(1)
    budget.close()
    await expect(waiting).rejects.toMatchObject({ kind: 'closed' })
    await expect(budget.acquire(1)).rejects.toMatchObject({ kind: 'closed' })
    held.release()
    expect(budget.stats.usedBytes).toBe(0)
  })

  it('refuses odd totals', () => {
    for (const bytes of [0, -1, 1.5, NaN]) expect(() => new MemoryBudget(bytes)).toThrow('memoryBytes')
  })

  it('never exceeds its total with more than one grant, and ends empty', async () => {
    const step = fc.record({ bytes: fc.integer({ min: 0, max: 150 }), drop: fc.nat(3), aborts: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const budget = new MemoryBudget(100)
        const held: MemoryGrant[] = []
        const order: number[] = []
        const asked: Promise<unknown>[] = []
        for (const [at, { bytes, drop, aborts }] of steps.entries()) {
          const stop = new AbortController()
          asked.push(
            budget.acquire(bytes, { signal: stop.signal }).then(
              (grant) => {
                held.push(grant)
                order.push(at)
              },
              () => {},
            ),
          )
          await settled([])
          if (aborts) stop.abort()
          for (let i = 0; i < drop; i++) held.shift()?.release()
          await settled([])
          const used = held.reduce((sum, grant) => sum + grant.bytes, 0)
          expect(budget.stats.usedBytes).toBe(used)
          if (used > 100) expect(held.filter((grant) => grant.bytes > 0)).toHaveLength(1)
        }
        while (held.length > 0 || budget.stats.waiting > 0) {
          held.shift()?.release()
          await settled([])
        }
        await Promise.all(asked)
        expect(order).toEqual([...order].sort((a, b) => a - b))
        expect(budget.stats).toMatchObject({ usedBytes: 0, waiting: 0 })
      }),
    )
  })
})
