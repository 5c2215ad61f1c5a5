import { catalogConformance, hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, it } from 'vitest'
import { memoryCatalog } from './memory-catalog.ts'
import { objectStoreCatalog } from './object-store-catalog.ts'

// One seed per client: two processes must not draw the same UUIDs.
let seed = 1
const runtime = () => virtualRuntime({ seed: seed++ })

catalogConformance(
  { describe, it },
  { name: 'memoryCatalog', create: () => ({ catalog: memoryCatalog({ store: hookedStore(), runtime: runtime() }) }) },
)

catalogConformance(
  { describe, it },
  {
    name: 'objectStoreCatalog',
    create() {
      const store = hookedStore()
      const open = async () => objectStoreCatalog({ store, runtime: runtime() })
      return { catalog: objectStoreCatalog({ store, runtime: runtime() }), open }
    },
    folders: { open: (store) => objectStoreCatalog({ store, runtime: runtime() }) },
  },
)
