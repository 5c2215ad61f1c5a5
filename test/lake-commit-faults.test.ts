/** The tier over the object-store catalog: all that a commit does is calls of one store, and any of them may fail. */
import { memoryCatalog, objectStoreCatalog } from '@moulin/catalog'
import { memory } from '@moulin/storage'
import { faultyCatalog, faultyStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { failEveryCall, faults } from '../packages/lake/src/commit/commit-faults.test-support.ts'
import type { World } from '../packages/lake/src/commit/commit-faults.test-support.ts'
import { testLog } from '../packages/lake/src/lake.test-support.ts'

/** Every store call counts, also those of the catalog, which is nothing but objects here. */
function storeWorld(): World {
  const runtime = virtualRuntime({ seed: 3 })
  const store = faultyStore(memory())
  return { log: testLog({ store, runtime, catalog: objectStoreCatalog({ store, runtime }) }), faulty: store }
}

function catalogWorld(): World {
  const runtime = virtualRuntime({ seed: 3 })
  const store = memory()
  const catalog = faultyCatalog(memoryCatalog({ store, runtime }))
  return { log: testLog({ store, runtime, catalog }), faulty: catalog }
}

describe.each([
  { name: 'store', makeWorld: storeWorld },
  { name: 'catalog', makeWorld: catalogWorld },
])('a fault at any $name call of a commit', ({ makeWorld }) => {
  it.each(faults)('loses and doubles nothing when it strikes %s the effect, and the process goes on', async (fault) => {
    expect(await failEveryCall(makeWorld, fault, false)).toBeGreaterThan(2)
  })

  it.each(faults)(
    'loses and doubles nothing when it strikes %s the effect, and another process goes on',
    async (fault) => {
      expect(await failEveryCall(makeWorld, fault, true)).toBeGreaterThan(2)
    },
  )
})
