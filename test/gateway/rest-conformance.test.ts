/** The catalog conformance suite over our client and our server, above each of our catalogs. */
import { memoryCatalog, objectStoreCatalog, restCatalog } from '@moulin/catalog'
import type { Catalog, ObjectStore } from '@moulin/core'
import { serveCatalog } from '@moulin/gateway'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import type { CatalogUnderTest, VirtualRuntime } from '@moulin/testing'
import { judgeDiffering } from '../support/differing-catalog.ts'

let seed = 1
const runtime = (): VirtualRuntime => virtualRuntime({ seed: seed++ })

async function served(catalog: Catalog): Promise<CatalogUnderTest> {
  const gateway = await serveCatalog({ catalog, listen: '127.0.0.1:0', implicitNamespaces: true })
  const open = async (): Promise<Catalog> => {
    const client = restCatalog({ uri: gateway.url })
    await client.ready()
    return client
  }
  return { catalog: await open(), open, close: () => gateway.close() }
}

const inMemory = (store: ObjectStore): Catalog => memoryCatalog({ store, runtime: runtime() })
const ofObjects = (store: ObjectStore): Catalog => objectStoreCatalog({ store, runtime: runtime() })

const why = 'a name is a folder of a-z A-Z 0-9 _ -'
const folderNames = { dot: why, slash: why, blank: why, percent: why, quotes: why, url: why, unicode: why }

for (const [name, over, capabilities, names] of [
  ['memoryCatalog', inMemory, { rename: true, transactions: true }, {}],
  ['objectStoreCatalog', ofObjects, {}, folderNames],
] as const) {
  judgeDiffering(
    {
      name: `restCatalog over serveCatalog over ${name}`,
      capabilities,
      names,
      create: () => served(over(hookedStore())),
    },
    {},
  )
}
