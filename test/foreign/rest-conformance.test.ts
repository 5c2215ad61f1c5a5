/** The catalog conformance suite over our client and Apache's REST fixture. Needs Java 17 and Maven; what it does otherwise is listed by name. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { restCatalog as client } from '@moulin/catalog'
import type { Catalog, LoadedTable } from '@moulin/core'
import { afterAll, beforeAll } from 'vitest'
import { judgeDiffering } from '../support/differing-catalog.ts'
import { emptied } from '../support/emptied-catalog.ts'
import { restCatalog } from './engines.ts'
import type { RestCatalog } from './engines.ts'

const INSTALLS_MS = 900_000

let fixture: RestCatalog
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moulin-rest-'))
  fixture = await restCatalog(pathToFileURL(folder).href)
}, INSTALLS_MS)
afterAll(async () => {
  await fixture?.stop()
  await rm(folder, { recursive: true, force: true })
})

const open = async (): Promise<Catalog> => {
  const catalog = client({ uri: fixture.uri })
  await catalog.ready()
  return withoutAdded(catalog)
}

/** What the fixture adds to each table and each namespace: the suite asks for its own properties and no others. */
const added = ['write.parquet.compression-codec', 'location']

function withoutAdded(catalog: Catalog): Catalog {
  const own = <T extends { readonly properties?: Readonly<Record<string, string>> }>(of: T): T => {
    const kept = Object.entries(of.properties ?? {}).filter(([name]) => !added.includes(name))
    // As JSON of ours has it: `__proto__` is a name like any.
    return { ...of, properties: Object.assign(Object.create(null), Object.fromEntries(kept)) as object }
  }
  const ofTable = (table: LoadedTable): LoadedTable => ({ ...table, metadata: own(table.metadata) })
  return {
    ...catalog,
    createTable: async (...args) => ofTable(await catalog.createTable(...args)),
    loadTable: async (...args) => ofTable(await catalog.loadTable(...args)),
    commitTable: async (...args) => ofTable(await catalog.commitTable(...args)),
    registerTable: async (...args) => ofTable(await catalog.registerTable(...args)),
    createNamespace: async (...args) => own(await catalog.createNamespace(...args)),
    loadNamespace: async (...args) => own(await catalog.loadNamespace(...args)),
  }
}

const differences: Readonly<Record<string, string>> = {
  'refuses an update that it does not know': 'answers 500 with a page, so that the outcome is unknown',
  'refuses an update of a later format version': 'the same of enable-row-lineage, which it does not know',
  'refuses a schema that has a name twice, and creates nothing': 'answers 500',
  'puts a table where it is asked to, or says that it cannot and creates nothing':
    'answers 500 for a file system that it lacks',
  'refuses a current schema, spec or order that the table does not have': 'answers 500 for a spec',
  'makes another table of the name that a rename left': 'puts it where the renamed one lies',
  'creates a table in a transaction that commits to another': 'wants all tables to be there',
  'lets one of two transactions that cross win, and mixes nothing': 'commits to one table after the other',
  'refuses a transaction that names a table twice': 'takes it',
}

const tossed: Readonly<Record<string, string>> = {
  'lets exactly one of many racing creates of a namespace win': 'SQLite refuses a racing insert: 500',
  // What these leave behind, the fixture can neither list nor drop.
  'takes names of namespaces and tables with a dot': 'a dot divides levels',
  'takes names of namespaces and tables with a slash': 'a name with a slash can be made and not be used',
  'takes names of namespaces and tables with a percent sign': 'the same, since it stands for a slash',
  'tells a namespace of two levels from one with a dot in its name': 'a dot divides levels',
}

judgeDiffering(
  {
    name: 'restCatalog over Apache’s fixture',
    capabilities: { rename: true, transactions: true },
    create: async () => ({ catalog: await emptied(await open()), open }),
  },
  differences,
  tossed,
)
