import type { Catalog, CatalogCallOptions, RenewedAccess } from '@moulin/core'
import { checkOptions } from '@moulin/core'
import { callTable } from '../next-metadata.ts'
import { RestClient } from './rest-client.ts'
import { RestNamespaces } from './rest-namespaces.ts'
import type { RestCatalogOptions } from './rest-options.ts'
import { RestTables } from './rest-tables.ts'

/** A {@link Catalog} behind the REST protocol. */
export interface RestCatalog extends Catalog {
  /**
   * Asks the server for its configuration, if that was not done yet: `capabilities` are the server's from then on. Before, they are all
   * that the protocol has, and what the server lacks is refused when it is called.
   */
  ready(options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * Fetches credentials for files below the location of a table that was loaded: `renew` of `s3Stores`, `gcsStores` and `azureStores`.
   * @throws `unavailable` code `CREDENTIALS` where no table that was loaded lies there.
   */
  renew(location: string, signal?: AbortSignal): Promise<RenewedAccess>
}

/** What Amazon S3 Tables takes at most is 5 MB. */
const S3_TABLES_WARN_BYTES = 4_000_000

/**
 * The tables of an Iceberg REST catalog: Polaris, Nessie, Lakekeeper, Unity, Amazon S3 Tables, BigLake, Glue, and
 * all that speak the protocol (docs/rest.md says what each is known to do otherwise).
 *
 * Each call ends within `requestTimeoutMs`. A commit is sent once; what its answer does not settle has the outcome `unknown`, and whoever
 * asked reads the table. Loads are asked for with the ETag of what is kept. No error, and nothing that is shown, holds a secret.
 *
 * @throws `invalid` for a bad option.
 *
 * @example
 * const catalog = restCatalog({ uri: 'https://polaris.example/api/catalog', warehouse: 'main', auth: oauth2({ clientId, clientSecret }) })
 * const log = await openLog('./lake', { catalog, stores: s3Stores({ renew: catalog.renew }) })
 */
export function restCatalog(options: RestCatalogOptions): RestCatalog {
  const client = new RestClient(options)
  const tables = new RestTables(client, options.keptTableBytes)
  const namespaces = new RestNamespaces(client, options.pageSize)
  const check = (what: string, call: CatalogCallOptions = {}): CatalogCallOptions => {
    checkOptions(`restCatalog.${what}`, call, callTable)
    return call
  }
  const warnBytes = options.metadataWarnBytes ?? (isS3Tables(options.uri) ? S3_TABLES_WARN_BYTES : undefined)

  return {
    name: client.name,
    ...(warnBytes === undefined ? {} : { metadataWarnBytes: warnBytes }),
    get capabilities() {
      return client.capabilities
    },
    ready: async (call) => await client.run('its configuration', check('ready', call), () => Promise.resolve()),
    renew: (location, signal) => tables.renew(location, signal),

    createTable: async (table, request, call) => await tables.create(table, request, check('createTable', call)),
    stageTable: async (table, request, call) => await tables.stage(table, request, check('stageTable', call)),
    loadTable: async (table, call) => await tables.load(table, check('loadTable', call)),
    commitTable: async (table, commit, call) => await tables.commit(table, commit, check('commitTable', call)),
    dropTable: async (table, call) => await tables.drop(table, check('dropTable', call)),
    registerTable: async (table, location, call) =>
      await tables.register(table, location, check('registerTable', call)),
    renameTable: async (from, to, call) => await tables.rename(from, to, check('renameTable', call)),
    commitTransaction: async (commits, call) => await tables.commitAll(commits, check('commitTransaction', call)),
    async *listTables({ namespace, ...call } = {}) {
      check('listTables', call)
      yield* namespace === undefined ? namespaces.allTables(call) : namespaces.tables(namespace, call)
    },

    createNamespace: async (namespace, properties, call) =>
      await namespaces.create(namespace, properties, check('createNamespace', call)),
    async *listNamespaces(parent, call) {
      yield* namespaces.list(parent, check('listNamespaces', call))
    },
    loadNamespace: async (namespace, call) => await namespaces.load(namespace, check('loadNamespace', call)),
    setNamespaceProperties: async (namespace, change, call) =>
      await namespaces.set(namespace, change, check('setNamespaceProperties', call)),
    dropNamespace: async (namespace, call) => await namespaces.drop(namespace, check('dropNamespace', call)),
    close() {
      client.close()
      return Promise.resolve()
    },
  }
}

function isS3Tables(uri: string | URL): boolean {
  return /^s3tables\.[^.]+\.amazonaws\.com/.test(new URL(String(uri)).hostname)
}
