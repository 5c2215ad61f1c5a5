/** The lake of a real shop: a log in SeaweedFS whose tables live in a REST catalog that hands out credentials for seconds; read over REST and S3 by others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seaweedfs } from './seaweedfs.ts'
import { openShop, rowsOf, rowsThrough, saidTo } from './shop.ts'
import type { Shop, ShopPlaces } from './shop.ts'

const INSTALLS_MS = 900_000
const LIFE_SECONDS = 4

interface Started {
  readonly places: ShopPlaces
  close(): Promise<void>
}

const catalogs: readonly { readonly name: string; start(): Promise<Started> }[] = [
  { name: 'SeaweedFS’s own catalog', start: ownCatalog },
]

async function ownCatalog(): Promise<Started> {
  const service = await seaweedfs({ vendedSeconds: LIFE_SECONDS })
  const { accessKeyId, secretAccessKey } = service.credentials
  const login = `${accessKeyId}:${secretAccessKey}`
  return {
    places: { service, catalog: service.catalog, login, tables: 's3://tables/' },
    close: () => service.close(),
  }
}

describe.each(catalogs)('A shop in $name', ({ start }) => {
  let started: Started
  let shop: Shop | undefined
  beforeAll(async () => {
    started = await start()
  }, INSTALLS_MS)
  afterAll(() => started?.close())

  it('has all that was sent, whichever credentials run out', { timeout: 300_000 }, async () => {
    shop = await openShop(started.places)
    expect(await saidTo(shop.first)).toBe('CREDENTIALS')
  })

  it.for(['pyiceberg', 'duckdb'] as const)('is read by %s', { timeout: INSTALLS_MS }, async (engine) => {
    expect(await rowsThrough(engine, started.places)).toEqual(rowsOf(shop!))
  })
})
