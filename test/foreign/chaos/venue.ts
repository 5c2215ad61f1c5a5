import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serveCatalog } from '@moulin/gateway'
import { fileSystem } from '@moulin/storage'
import { objectStoreCatalog, systemRuntime } from 'moulin'
import type { Log } from 'moulin'
import { lakeOf } from '../engines.ts'
import { icebergWriter } from '../iceberg-writer.ts'
import type { IcebergWriter } from '../iceberg-writer.ts'
import { newestVersion, registerTable } from '../registered-table.ts'
import type { ChaosEngines } from './stranger.ts'

/** Where strangers meet the table. */
export interface Venue {
  /** What SQL calls the catalog, and the table in it. */
  readonly lake: string
  readonly name: string
  /** Of the REST catalog that PyIceberg works with. */
  readonly uri: string
  readonly iceberg: IcebergWriter
  /** From now on {@link news} tells. */
  arrive(): Promise<void>
  /** The metadata as JSON that the table has had since, one after the other: each is one commit, whoever's, or all of one statement. */
  news(): Promise<readonly string[]>
  /** The log is open, and is about to be closed; then returns how many commits loads have asked it for. */
  meet(log: Log): Promise<void>
  leave(): Promise<number>
  stop(): Promise<void>
}

/** A catalog of the strangers' own, and what they have done is copied back: the log meets it when a statement is done. */
export function byHand({ catalog, iceberg }: ChaosEngines, folder: string): Venue {
  let table: Awaited<ReturnType<typeof registerTable>> | undefined
  return {
    lake: 'lake',
    get name() {
      return table!.name
    },
    uri: catalog.uri,
    iceberg,
    async arrive() {
      table = await registerTable(catalog, folder)
    },
    async news() {
      const text = await table!.publish()
      return text === undefined ? [] : [text]
    },
    meet: () => Promise.resolve(),
    leave: () => Promise.resolve(0),
    stop: () => Promise.resolve(),
  }
}

/** How old what Spark does not ask for may be where DuckDB and PyIceberg load: more, and the load has it tiered. */
const STALE_MS = 2000
let attached = 0

/**
 * Our server over the folder: what strangers do is there at once, beside what the log does. DuckDB and PyIceberg load through a server that has
 * the log at hand, and each load is a commit of the log then; Spark and Iceberg's library through another, that knows of no log.
 */
export async function throughServer({ spark, duckdb }: ChaosEngines, dir: string, folder: string): Promise<Venue> {
  const store = fileSystem({ root: dir })
  const catalog = objectStoreCatalog({ store, runtime: systemRuntime() })
  const listen = '127.0.0.1:0'
  const plain = await serveCatalog({ catalog, stores: store, listen })
  const iceberg = await icebergWriter({ uri: plain.url, stop: () => Promise.resolve() })
  let fresh: Awaited<ReturnType<typeof serveCatalog>> | undefined
  let [lake, version] = ['', 0]
  const metadata = join(folder, 'metadata')
  return {
    get lake() {
      return lake
    },
    name: 'shop.orders',
    get uri() {
      return fresh!.url
    },
    iceberg,
    async meet(log) {
      fresh = await serveCatalog({ catalog, stores: store, listen, logs: [log], maxStalenessMs: STALE_MS })
      lake = `live_${++attached}`
      await duckdb.sql(`ATTACH '' AS ${lake} (TYPE iceberg, ENDPOINT '${fresh.url}', AUTHORIZATION_TYPE 'none')`)
      for (const [name, value] of Object.entries(lakeOf(plain.url, lake))) await spark.sql(`SET \`${name}\`=${value}`)
    },
    async arrive() {
      version = await newestVersion(metadata)
    },
    async news() {
      const newest = await newestVersion(metadata)
      const texts: string[] = []
      while (version < newest) texts.push(await readFile(join(metadata, `v${++version}.metadata.json`), 'utf8'))
      return texts
    },
    async leave() {
      await duckdb.sql(`DETACH ${lake}`)
      const { tieredLoads } = await fresh!.stats()
      await fresh!.close()
      fresh = undefined
      return tieredLoads
    },
    async stop() {
      await iceberg.stop()
      await fresh?.close()
      await plain.close()
    },
  }
}
