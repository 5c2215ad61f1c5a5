import { hookedStore, faultyCatalog, faultyStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { failEveryCall, faults } from './commit-faults.test-support.ts'
import type { World } from './commit-faults.test-support.ts'
import { testLog } from '../lake.test-support.ts'

/** Every store call counts, also those of the catalog, which is nothing but objects here. `test/` has the real one. */
function storeWorld(): World {
  const runtime = virtualRuntime({ seed: 3 })
  const store = faultyStore(hookedStore())
  return { log: testLog({ store, runtime, catalog: plainCatalog(store, runtime) }), faulty: store }
}

/** The same with a ledger that is an object. */
function wideWorld(): World {
  const runtime = virtualRuntime({ seed: 3 })
  const store = faultyStore(hookedStore())
  const wide = { info: { partitions: 24 }, limits: { markerBytes: 1200 } }
  return { log: testLog({ ...wide, store, runtime, catalog: plainCatalog(store, runtime) }), faulty: store }
}

function catalogWorld(): World {
  const runtime = virtualRuntime({ seed: 3 })
  const store = hookedStore()
  const catalog = faultyCatalog(plainCatalog(store, runtime))
  return { log: testLog({ store, runtime, catalog }), faulty: catalog }
}

describe.each([
  { name: 'store', makeWorld: storeWorld },
  { name: 'store (wide ledger)', makeWorld: wideWorld },
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
