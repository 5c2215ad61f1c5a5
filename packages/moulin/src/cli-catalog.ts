import type { Command } from 'commander'
import { bearer, oauth2, restCatalog } from '@moulin/catalog'
import type { RestCatalogOptions } from '@moulin/catalog'
import { folderOf, invalid } from '@moulin/core'
import type { BucketPlace, Catalog, LoadedTable, ObjectStore, TableIdentifier, TableStores } from '@moulin/core'
import { fileSystem } from '@moulin/storage'
import { tableStores } from './store-adapters.ts'

/** What the command line says of a catalog that others run. Secrets come by the environment: everybody sees a process's arguments. */
export interface CatalogFlags {
  readonly catalog?: string
  readonly warehouse?: string
  /** Folders of the tables' files, by URI. */
  readonly allow?: readonly string[]
}

/** Gives the command the options of {@link CatalogFlags}. */
export function withCatalogFlags(command: Command): Command {
  return command
    .option(
      '--catalog <uri>',
      'of a REST catalog that has the tables; its token in MOULIN_CATALOG_TOKEN, or MOULIN_CATALOG_CREDENTIAL=id:secret',
    )
    .option('--warehouse <name>', 'of that catalog')
    .option(
      '--allow <uri>',
      "folder that tables' files may lie in, s3://bucket/warehouse/; again for more; without it all but file:",
      (uri: string, earlier: readonly string[] = []) => [...earlier, uri],
    )
}

/** A catalog, and where the files of its tables are. */
export interface CatalogPlace {
  readonly catalog: Catalog
  readonly stores: TableStores
  readonly allow?: readonly string[]
}

/** @throws `invalid` code `OPTION`, which shows nothing of the environment. */
export function catalogOf(
  { catalog: uri, warehouse, allow }: CatalogFlags,
  env: NodeJS.ProcessEnv,
): CatalogPlace | undefined {
  if (uri === undefined) {
    const lone = warehouse !== undefined ? '--warehouse' : allow !== undefined ? '--allow' : undefined
    if (lone === undefined) return undefined
    throw invalid('OPTION', `${lone} is said of a catalog: give --catalog URI with it.`, { context: { option: lone } })
  }
  const inner = restCatalog({ uri, ...(warehouse === undefined ? {} : { warehouse }), ...authOf(env) })
  const found = new Map<BucketPlace['kind'], TableStores>()
  const catalog = withAdapters(inner, async ({ metadata }) => {
    const kind = kindOf(metadata.location)
    if (kind !== undefined && !found.has(kind))
      found.set(kind, await tableStores('moulin', kind, { renew: inner.renew }))
  })
  const stores: TableStores = (location, config, credentials) => {
    const kind = kindOf(location)
    const made = kind === undefined ? undefined : found.get(kind)
    return made === undefined ? folderStore(location, allow ?? []) : made(location, config, credentials)
  }
  return { catalog, stores, ...(allow === undefined ? {} : { allow }) }
}

function authOf(env: NodeJS.ProcessEnv): Pick<RestCatalogOptions, 'auth'> {
  const { MOULIN_CATALOG_TOKEN: token, MOULIN_CATALOG_CREDENTIAL: credential } = env
  if (token !== undefined && credential !== undefined) {
    const both =
      'MOULIN_CATALOG_TOKEN and MOULIN_CATALOG_CREDENTIAL are both set: which of them counts? Unset the other one.'
    throw invalid('OPTION', both)
  }
  if (token !== undefined) return { auth: bearer({ token }) }
  if (credential === undefined) return {}
  const at = credential.indexOf(':')
  if (at < 1) throw invalid('OPTION', 'MOULIN_CATALOG_CREDENTIAL must be a client id and its secret, id:secret.')
  const { MOULIN_CATALOG_SCOPE: scope, MOULIN_CATALOG_TOKEN_URI: tokenUri } = env
  return {
    auth: oauth2({
      clientId: credential.slice(0, at),
      clientSecret: credential.slice(at + 1),
      ...(scope === undefined ? {} : { scope }),
      ...(tokenUri === undefined ? {} : { tokenUri }),
    }),
  }
}

/** The catalog, which before it gives a table has what its files need. */
function withAdapters(catalog: Catalog, prepare: (table: LoadedTable) => Promise<void>): Catalog {
  const prepared = async (loading: Promise<LoadedTable>): Promise<LoadedTable> => {
    const table = await loading
    await prepare(table)
    return table
  }
  return {
    ...catalog,
    get capabilities() {
      return catalog.capabilities
    },
    loadTable: (table: TableIdentifier, call) => prepared(catalog.loadTable(table, call)),
    createTable: (table, request, call) => prepared(catalog.createTable(table, request, call)),
  }
}

function kindOf(location: string): BucketPlace['kind'] | undefined {
  if (/^s3[an]?:/.test(location)) return 's3'
  if (location.startsWith('gs:')) return 'gcs'
  return /^(abfss?|wasbs?):/.test(location) ? 'azure' : undefined
}

/** Of this machine's own files a remote catalog names none, but those that were allowed. */
function folderStore(location: string, allow: readonly string[]): ObjectStore {
  const path = location.replace(/^file:(?:\/\/)?(?=\/)/, '')
  const folders = allow.filter((uri) => /^(?:file:|\/)/.test(uri)).map((uri) => folderOf('--allow', uri))
  const root = folders.find((folder) => path.startsWith(`${folder}/`))
  if (root !== undefined) return fileSystem({ root })
  const message = `${location} is not read: what a catalog names of this machine's own files needs --allow with its folder.`
  throw invalid('OUTSIDE_STORE', message, { context: { uri: location } })
}
