import type { Catalog, ObjectStore } from '@moulin/core'
import { catalogConformance, faultyCatalog, hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, it } from 'vitest'
import { memoryCatalog } from './memory-catalog.ts'
import { objectStoreCatalog } from './object-store-catalog.ts'

// One seed per client: two processes must not draw the same UUIDs.
let seed = 1
const runtime = () => virtualRuntime({ seed: seed++ })
const inMemory = (): Catalog => memoryCatalog({ store: hookedStore(), runtime: runtime() })
const ofObjects = (store: ObjectStore): Catalog => objectStoreCatalog({ store, runtime: runtime() })
const ofTwoClients = (store: ObjectStore, open: (store: ObjectStore) => Catalog) => ({
  catalog: open(store),
  open: async () => open(store),
})

// What an object-store catalog cannot have.
const capabilities = { rename: true, transactions: true }
const why = 'a name is a folder of a-z A-Z 0-9 _ -'
const names = { dot: why, slash: why, blank: why, percent: why, quotes: why, url: why, unicode: why }

catalogConformance({ describe, it }, { name: 'memoryCatalog', create: () => ({ catalog: inMemory() }), capabilities })

catalogConformance(
  { describe, it },
  {
    name: 'objectStoreCatalog',
    create: () => ofTwoClients(hookedStore(), ofObjects),
    names,
    folders: { open: ofObjects },
  },
)

catalogConformance(
  { describe, it },
  {
    name: 'objectStoreCatalog on a store without compare-and-swap',
    create: () => ofTwoClients(hookedStore({ compareAndSwap: false }), ofObjects),
    names,
  },
)

// A wrapper keeps what it wraps promises, as long as nothing is to fail.
catalogConformance(
  { describe, it },
  { name: 'faultyCatalog over memoryCatalog', create: () => ({ catalog: faultyCatalog(inMemory()) }), capabilities },
)

catalogConformance(
  { describe, it },
  {
    name: 'faultyCatalog over objectStoreCatalog',
    create: () => ofTwoClients(hookedStore(), (store) => faultyCatalog(ofObjects(store))),
    names,
    folders: { open: (store) => faultyCatalog(ofObjects(store)) },
  },
)

// Its users make their namespaces, as those of many a catalog must.
catalogConformance(
  { describe, it },
  {
    name: 'memoryCatalog with created namespaces',
    create: () => ({ catalog: inMemory() }),
    capabilities,
    namespaces: 'created',
  },
)
