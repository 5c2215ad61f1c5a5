import { describe, expect, it } from 'vitest'
import { faultyStore } from './faulty-store.ts'
import { hookedStore } from './hooked-store.ts'
import { objectStoreChecks, objectStoreConformance, objectStoreConformanceChecks } from './object-store-conformance.ts'
import { partedStore } from './parted-store.ts'

// Long enough for many pages and parts; long objects of these stores are no other code.
const sizes = { largeBytes: 3_000_000, manyKeys: 1_100, durability: 'memory' } as const
const parted = (): ReturnType<typeof partedStore> => partedStore({ seed: 7 })

objectStoreConformance({ describe, it }, { name: 'hookedStore', create: () => hookedStore(), ...sizes })
objectStoreConformance(
  { describe, it },
  {
    name: 'hookedStore without swaps',
    create: () => hookedStore({ compareAndSwap: false }),
    capabilities: { compareAndSwap: false },
    ...sizes,
  },
)
objectStoreConformance(
  { describe, it },
  { name: 'faultyStore without rules', create: () => faultyStore(hookedStore()), ...sizes },
)
objectStoreConformance(
  { describe, it },
  {
    name: 'partedStore',
    create: parted,
    capabilities: { compareAndSwap: false, multipart: true },
    listOrder: 'none',
    ...sizes,
  },
)

describe('objectStoreConformanceChecks', () => {
  it('ends a check that takes longer than it may', async () => {
    const [, second] = objectStoreConformanceChecks({
      create: () => ({ ...hookedStore(), put: () => new Promise(() => {}) }),
      timeoutMs: 20,
      cannot: { [objectStoreChecks[0]!.name]: 'it calls nothing' },
    }).filter(({ skipped }) => skipped === undefined)
    await expect(second!.run()).rejects.toThrow('no answer within 20 ms')
  })

  it('has checks of different names, each of which can be left out by it', () => {
    const names = objectStoreChecks.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const cannot = Object.fromEntries(names.map((name) => [name, 'because']))
    const left = objectStoreConformanceChecks({ create: parted, cannot }).filter(({ skipped }) => skipped === 'because')
    expect(left.map(({ name }) => name)).toEqual(
      objectStoreChecks.filter(({ without }) => without === undefined).map(({ name }) => name),
    )
  })
})
