/** A shop's lake: the log in one bucket, its tables in a place that a catalog hands out credentials for, which are good for a few seconds. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { oauth2, restCatalog } from '@moulin/catalog'
import type { RestCatalog } from '@moulin/catalog'
import { systemRuntime } from '@moulin/core'
import type { LoadedTable, Log, TableStores } from '@moulin/core'
import { meter, retry } from '@moulin/storage'
import { s3, s3Stores } from '@moulin/storage-s3'
import type { S3Options } from '@moulin/storage-s3'
import { recordingMeter } from '@moulin/testing'
import type { RecordingMeter } from '@moulin/testing'
import { fileWal, icebergTier, openLog, openTable } from 'moulin'
import type { OpenTable } from 'moulin'
import { expect } from 'vitest'
import { checkTopic, rowsOfEngine } from '../foreign/checks.ts'
import type { Standing } from '../foreign/checks.ts'
import { topicOf } from '../foreign/operated-log.ts'
import { unchanged } from '../foreign/operations.ts'
import { codecs, OrderBook, PARTITIONS } from '../foreign/orders.ts'
import { python } from '../interop/python.ts'
import type { SeaweedFs } from './seaweedfs.ts'

const { clock, timers } = systemRuntime()
const reader = fileURLToPath(new URL('read_over_rest.py', import.meta.url))
const identifier = { namespace: ['shop', 'eu'], name: 'orders' }
const columns = ['_kafka_partition', '_kafka_offset', 'id', 'city']
/** Records of a wave, and all that the book sends with them. */
const WAVE = 20
const WAVE_ROWS = WAVE + 2 * PARTITIONS
const TABLE = [...identifier.namespace, identifier.name].join('.')

export interface ShopPlaces {
  readonly service: SeaweedFs
  /** Whose credentials for files are good for a few seconds. */
  readonly catalog: { readonly uri: string; readonly warehouse: string }
  /** `id:secret`; left out where nobody asks. */
  readonly login?: string
  /** Where tables lie. */
  readonly tables: string
}

export interface Shop {
  readonly book: OrderBook
  readonly at: Standing
  /** As it was when the first record was sent. */
  readonly first: LoadedTable
  /** To the store of tables; those that failed by this code alone. */
  readonly requests: (errorType?: string) => number
  /** How often credentials were fetched for a store that had some. */
  readonly renewals: number
}

function clientOf({ catalog, login }: ShopPlaces): RestCatalog {
  const [clientId, clientSecret] = login?.split(':') ?? []
  if (clientId === undefined || clientSecret === undefined) return restCatalog(catalog)
  return restCatalog({ ...catalog, auth: oauth2({ clientId, clientSecret }) })
}

/** The log's own objects in the bucket, its newest records in `dir`, its tables where the catalog says. */
async function opened(places: ShopPlaces, dir: string, watched: Watched, prefix = 'lake/'): Promise<Log> {
  return await openLog({
    store: retry(s3({ bucket: places.service.bucket, prefix, ...storageOf(places) })),
    wal: fileWal({ dir }),
    tier: icebergTier({ ...tablesOf(places, watched), threads: 0 }),
  })
}

/** By URL, as somebody else does. To read alone, since the trial of the store before writing takes SeaweedFS ten seconds. */
async function openedByUrl(places: ShopPlaces, dir: string, watched: Watched): Promise<Log> {
  return await openLog(`s3://${places.service.bucket}/lake`, {
    access: 'read-only',
    wal: fileWal({ dir }),
    storage: storageOf(places),
    ...tablesOf(places, watched),
    threads: 0,
  })
}

function storageOf({ service: { endpoint, region, credentials } }: ShopPlaces): Omit<S3Options, 'bucket' | 'prefix'> {
  return { endpoint, region, credentials, listOrder: 'none', deadlineMs: 60_000 }
}

/** What becomes of the credentials for tables. */
interface Watched {
  readonly meter: RecordingMeter
  renewals: number
}

function tablesOf(
  places: ShopPlaces,
  watched: Watched,
): { readonly catalog: RestCatalog; readonly stores: TableStores; readonly allow: readonly string[] } {
  const catalog = clientOf(places)
  const stores = s3Stores({
    renew(location, signal) {
      watched.renewals++
      return catalog.renew(location, signal)
    },
  })
  return {
    catalog,
    stores: (...table) => meter(stores(...table), { meter: watched.meter }),
    allow: [places.tables],
  }
}

/**
 * Sends, tiers, reads and releases until the credentials that the table came with have been refused for as long as they were good, beside somebody
 * who has opened the table once, and
 * opens the log anew, twice: everything is what was sent, all the time.
 */
export async function openShop(places: ShopPlaces): Promise<Shop> {
  const dir = await mkdtemp(join(tmpdir(), 'moulin-shop-'))
  const watched: Watched = { meter: recordingMeter(), renewals: 0 }
  try {
    const book = new OrderBook(codecs.json)
    let log = await opened(places, dir, watched)
    const unbounded = { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 }
    const config = { value: codecs.json, partitions: PARTITIONS, table: TABLE, ...unbounded }
    let topic = await log.ensureTopic('orders', config)
    const first = await clientOf(places).loadTable(identifier)
    const lifeMs = expiryOf(first) - clock.now()
    const none = [0n, 0n, 0n]
    let at: Standing = { changedBelow: none, released: none, frontier: none }
    let table: OpenTable | undefined
    for (let wave = 0; clock.now() < expiryOf(first) + lifeMs; wave++) {
      await book.send(topic, WAVE)
      const { frontier } = await topic.tier()
      at = { ...at, frontier }
      if (wave % 3 === 1) {
        await log.releaseNow()
        at = { ...at, released: frontier }
      }
      await checkTopic(topic, book, unchanged, at)
      // Its snapshot stays, and so does the way to its files.
      table ??= await openTable({ ...tablesOf(places, watched), table: TABLE })
      expect(await rowsIn(table)).toBe(WAVE_ROWS)
      await timers.sleep(lifeMs / 4)
    }
    expect(await rowsIn(table!)).toBe(WAVE_ROWS)
    await table!.close()
    await book.send(topic, WAVE)
    await log.close()
    log = await opened(places, dir, watched)
    topic = await topicOf(log)
    await checkTopic(topic, book, unchanged, at)
    const { frontier } = await topic.tier()
    await log.releaseNow()
    at = { ...at, frontier, released: frontier }
    await checkTopic(topic, book, unchanged, at)
    await log.close()
    log = await openedByUrl(places, dir, watched)
    await checkTopic(await topicOf(log), book, unchanged, at)
    await log.close()
    const requests = (errorType?: string): number =>
      watched.meter.seen('moulin.store.call.duration', errorType === undefined ? {} : { 'error.type': errorType })
        .length
    return { book, at, first, requests, renewals: watched.renewals }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function rowsIn(table: OpenTable): Promise<number> {
  return (await table.scan({ columns: ['_kafka_offset'] }).toArray()).length
}

/** What becomes of a record of another log that wants a table: the commit that holds it, or the error. */
export async function claim(places: ShopPlaces, name: string, table: string): Promise<unknown> {
  const dir = await mkdtemp(join(tmpdir(), 'moulin-claim-'))
  const log = await opened(places, dir, { meter: recordingMeter(), renewals: 0 }, `${name}/`)
  try {
    const topic = await log.ensureTopic('orders', { value: codecs.json, table })
    await topic.producer().send({ partition: 0, value: null })
    return await topic.tier()
  } catch (error) {
    return error
  } finally {
    await log.close()
    await rm(dir, { recursive: true, force: true })
  }
}

/** What the service says to the credentials of a table, whose end it is not told of: the code of its error, or `ok`. */
export async function saidTo({ config = {}, credentials = [], metadataLocation }: LoadedTable): Promise<string> {
  const endless = (properties: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(properties).filter(([name]) => name !== EXPIRY))
  const unbounded = credentials.map((each) => ({ ...each, config: endless(each.config) }))
  const store = s3Stores()(metadataLocation, endless(config), unbounded)
  try {
    await store.get(metadataLocation.slice(store.root.length))
    return 'ok'
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error)
  }
}

const EXPIRY = 's3.session-token-expires-at-ms'

function expiryOf({ credentials = [] }: LoadedTable): number {
  const [credential] = credentials
  expect(credential?.config[EXPIRY]).toBeDefined()
  return Number(credential!.config[EXPIRY])
}

/** Rows of the shop's table as an engine reads them that is told of the catalog and of nothing else. */
export async function rowsThrough(engine: 'pyiceberg' | 'duckdb', places: ShopPlaces): Promise<string[][]> {
  const { catalog, login } = places
  const args = [reader, engine, catalog.uri, catalog.warehouse, TABLE, ...columns]
  const { CATALOG_CREDENTIAL: _, ...own } = process.env
  const env = { ...own, ...(login === undefined ? {} : { CATALOG_CREDENTIAL: login }) }
  const { stdout } = await promisify(execFile)(await python(), args, { env, maxBuffer: 1 << 26 })
  return JSON.parse(stdout) as string[][]
}

export const rowsOf = ({ book, at }: Shop): string[][] => rowsOfEngine(book, unchanged, at)
