/** The catalog conformance suite over our client and Apache's REST fixture. Needs Java 17 and Maven; what it does otherwise is listed by name. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { restCatalog as client } from '@moulin/catalog'
import { isKind } from '@moulin/core'
import type { Catalog, LoadedTable, Namespace } from '@moulin/core'
import { afterAll, beforeAll } from 'vitest'
import { judgeDiffering } from '../support/differing-catalog.ts'
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

/** One fixture for all checks: what an earlier one has left goes first. */
async function emptied(catalog: Catalog): Promise<Catalog> {
  for await (const table of catalog.listTables()) await catalog.dropTable(table)
  const drop = async (namespace: Namespace): Promise<void> => {
    for await (const child of catalog.listNamespaces(namespace)) await drop(child)
    if (namespace.length > 0) await catalog.dropNamespace(namespace).catch(unlessMissing)
  }
  await drop([])
  return catalog
}

/** Those that are there because a table is go with it. */
function unlessMissing(error: unknown): void {
  if (!isKind(error, 'not-found')) throw error
}

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
  'refuses a snapshot id or sequence number that was there before': 'takes a snapshot again that it has',
  'refuses names that are no namespaces': 'names of a foreign catalog are what that takes, a dot among them',
}

const tossed: Readonly<Record<string, string>> = {
  'lets exactly one of many racing creates of a namespace win': 'SQLite refuses a racing insert: 500',
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
