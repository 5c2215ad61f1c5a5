import { describe, expect, it } from 'vitest'
import { memoryWalPlace } from './memory-wal-place.ts'
import { unclaimedOfWal } from './wal-checks.ts'
import { walChecks, walConformance, walConformanceChecks } from './wal-conformance.ts'
import type { WalConformanceConfig } from './wal-conformance.ts'
import { wrongWals } from './wrong-wals.ts'

const claims = { durability: 'memory', offsets: 'assigned', ways: ['kill', 'pause'] } as const
const inMemory: WalConformanceConfig = { create: () => memoryWalPlace({ seed: 3 }), ...claims }

for (const maxInFlight of [1, 4, 16]) {
  let seed = 10
  // Each check has flushes arrive in another order.
  const create = (): ReturnType<typeof memoryWalPlace> => memoryWalPlace({ seed: ++seed, maxInFlight })
  walConformance({ describe, it }, { ...inMemory, name: `memoryWal with ${maxInFlight} flushes in flight`, create })
}

describe('walConformance', () => {
  /** Checks that kill a wrong Wal, by its name. */
  const killers = new Map<string, readonly string[]>()
  const isAsked = (breaks: string): boolean =>
    unclaimedOfWal(
      walChecks.find(({ name }) => name === breaks)!,
      claims,
    ) === undefined
  const wrong = wrongWals.filter(({ breaks, offsets = 'assigned' }) => offsets === 'assigned' && isAsked(breaks))

  it.each(wrong)(
    'rejects a Wal that $name',
    async ({ name, breaks, wrap }) => {
      const by: string[] = []
      killers.set(name, by)
      for (const { name: check, skipped, run } of walConformanceChecks({
        ...inMemory,
        create: () => wrap(memoryWalPlace({ seed: 3 })),
      })) {
        if (skipped === undefined) await run().catch(() => by.push(check))
      }
      expect(by).toEqual([breaks])
    },
    60_000,
  )

  it('shows which check killed which', () => {
    const lines = [...killers].map(([name, by]) => `${name}: killed by ${by.join(', ')}`)
    console.log(lines.join('\n'))
    expect(lines.length).toBe(wrong.length)
  })

  it('has checks of different names, each of which can be left out by it, and a wrong Wal for each', () => {
    const names = walChecks.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const cannot = Object.fromEntries(names.map((name) => [name, 'because']))
    const left = walConformanceChecks({ ...inMemory, cannot }).filter(({ skipped }) => skipped === 'because')
    expect(left.map(({ name }) => name)).toEqual(names)
    expect(new Set(wrongWals.map(({ breaks }) => breaks))).toEqual(new Set(names))
  })

  it('ends a check that takes longer than it may', async () => {
    const hung = memoryWalPlace({ seed: 1 })
    const [, check] = walConformanceChecks({
      ...inMemory,
      create: () => ({ ...hung, pass: () => new Promise(() => {}) }),
      timeoutMs: 20,
    })
    await expect(check!.run()).rejects.toThrow('no answer within 20 ms')
  })

  it('fails a Wal that claims other things than the suite was told of', async () => {
    const [check] = walConformanceChecks({ ...inMemory, durability: 'disk' })
    await expect(check!.run()).rejects.toThrow('its claims')
  })
})
