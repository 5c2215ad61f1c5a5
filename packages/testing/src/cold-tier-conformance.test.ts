import { afterAll, describe, expect, it } from 'vitest'
import { errorOf } from './assertions.ts'
import { coldTierChecks, coldTierConformance, coldTierConformanceChecks } from './cold-tier-conformance.ts'
import { memoryTierConfig } from './memory-tier-subject.ts'
import { memoryTier } from './memory-tier.ts'
import { wrongTiers } from './wrong-tiers.ts'

// It passes, so what fails below fails by what was made wrong in it.
coldTierConformance({ describe, it }, memoryTierConfig())
coldTierConformance(
  { describe, it },
  { name: 'memoryTier on this machine, by itself', create: () => ({ tier: memoryTier() }) },
)

describe('coldTierConformance', () => {
  const killed: string[] = []
  afterAll(() => console.log(['which check killed which wrong tier:', ...killed].join('\n')))

  it.each(wrongTiers)('rejects $name, by one check alone: $breaks', async ({ name, breaks, wrap }) => {
    const failed = new Map<string, string>()
    for (const check of coldTierConformanceChecks(memoryTierConfig(wrap))) {
      const error = check.skipped === undefined ? await errorOf(check.run()) : undefined
      if (error !== undefined) failed.set(check.name, error.message)
    }
    killed.push(`  ${name} <- ${[...failed].map(([check, why]) => `${check} (${why})`).join('; ') || 'nothing'}`)
    expect([...failed.keys()]).toEqual([breaks])
  })

  it('has a wrong tier for every check that this tier can be asked', () => {
    const asked = coldTierConformanceChecks(memoryTierConfig()).filter(({ skipped }) => skipped === undefined)
    const broken = new Set(wrongTiers.map(({ breaks }) => breaks))
    expect(asked.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([])
    expect(new Set(wrongTiers.map(({ name }) => name)).size).toBe(wrongTiers.length)
  })

  it('ends a check that takes longer than it may', async () => {
    const never = { ...memoryTier(), attach: () => new Promise<never>(() => {}) }
    const [first] = coldTierConformanceChecks({ create: () => ({ tier: never }), timeoutMs: 20 })
    await expect(first!.run()).rejects.toThrow('no answer within 20 ms')
  })

  it('has checks of different names, each skipped by its name or for want of a way', () => {
    const names = coldTierChecks.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const create = (): { tier: ReturnType<typeof memoryTier> } => ({ tier: memoryTier() })
    const cannot = Object.fromEntries(names.map((name) => [name, 'because']))
    const left = coldTierConformanceChecks({ create, cannot })
    expect(left.every(({ skipped }) => skipped === 'because')).toBe(true)
    const wayless = coldTierConformanceChecks({ create }).filter(({ skipped }) => skipped?.startsWith('no way to'))
    expect(wayless.map(({ name }) => name)).toEqual(
      coldTierChecks.filter(({ by }) => by !== undefined).map(({ name }) => name),
    )
  })
})
