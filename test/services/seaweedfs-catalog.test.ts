/** The catalog conformance suite over our client and SeaweedFS's catalog; what it does otherwise is listed by name. */
import { oauth2, restCatalog } from '@moulin/catalog'
import type { RestCatalog } from '@moulin/catalog'
import { afterAll, beforeAll } from 'vitest'
import { judgeDiffering } from '../support/differing-catalog.ts'
import { emptied } from '../support/emptied-catalog.ts'
import { seaweedfs } from './seaweedfs.ts'
import type { SeaweedFs } from './seaweedfs.ts'

let service: SeaweedFs
beforeAll(async () => {
  service = await seaweedfs()
}, 900_000)
afterAll(() => service?.close())

const open = async (): Promise<RestCatalog> => {
  const { accessKeyId, secretAccessKey } = service.credentials
  const auth = oauth2({ clientId: accessKeyId, clientSecret: secretAccessKey })
  const catalog = restCatalog({ ...service.catalog, auth })
  await catalog.ready()
  return catalog
}

const lowercase = 'names are of a-z 0-9 _ -, a letter or digit at both ends'
const names = {
  blank: lowercase,
  percent: lowercase,
  quotes: lowercase,
  url: lowercase,
  unicode: lowercase,
  case: lowercase,
}

const dot = 'a dot divides levels in namespaces, and tables cannot have one'
const purged = 'dropping deletes the files, whatever purgeRequested says'
const noParents = 'a namespace has no parents: shop.eu is there without shop'

const differences: Readonly<Record<string, string>> = {
  'refuses a table that exists and leaves it as it was': 'answers 200 with the old table',
  'lets exactly one of many racing creates win': 'the same: all are told that they made it',
  'does not stage a table that exists': 'the same',
  'refuses an update of a later format version': 'takes remove-encryption-key and does nothing',
  'keeps nested types, required columns, documentation and identifier fields of a schema':
    'numbers members right after their column (the marker has the numbers)',
  'refuses a partition spec of a column that is not there, and creates nothing': 'answers 500',
  'creates nothing by a commit that makes no whole table': 'makes one without a schema',
  'does not create a table by a commit that does not ask for it': 'creates what assert-create does not ask for',
  'makes no version of a commit without updates, but checks what it requires': 'makes a version',
  'fails a replace whose columns were numbered on an older table': 'refuses to remove a reference that is not there',
  'says not-found for the tables of a namespace that is not there': 'lists none',
  'takes names of namespaces and tables with a dot': dot,
  'tells a namespace of two levels from one with a dot in its name': dot,
  'takes names of namespaces and tables with a slash': 'refuses to make them, and knows no table of such a name',
  'takes words that mean something elsewhere for names': lowercase,
  'registers a table that was dropped: its UUID, its history, and commits go on': purged,
  'drops a table that was registered, and registers it once more': purged,
  'says not-found for metadata that is not there, and registers nothing': 'answers 400',
  'makes another table of the name that a rename left': 'answers the drop of the renamed one with 500',
  'creates a table in a transaction that commits to another': 'wants all tables to be there',
  'refuses a transaction that names a table twice': 'answers 409',
  'creates a namespace and loads it again, without a table': noParents,
  'says not-found for a namespace that is not there': 'lists none below it',
  'knows a namespace in which a table lies, created or not': noParents,
  'does not drop a namespace that holds a table or a namespace': noParents,
}

const tossed: Readonly<Record<string, string>> = {
  'drops a table once, of many who try': 'a second drop is answered with 204',
  'lets exactly one of many racing commits create the table': 'several are told so',
  'lets exactly one of many racing renames win': 'several win, and the table has several names',
  'lets one of two transactions that cross win, and mixes nothing': 'often none of them wins',
  'lets exactly one of many racing creates of a namespace win': 'several are told so',
  'loses no acknowledged property of many that are set at once': 'the last write wins',
  'sets and removes properties of a namespace, and leaves the others': 'names them in any order',
}

judgeDiffering(
  {
    name: 'restCatalog over SeaweedFS’s catalog',
    capabilities: { rename: true, transactions: true },
    names,
    create: async () => ({ catalog: await emptied(await open()), open }),
  },
  differences,
  tossed,
)
