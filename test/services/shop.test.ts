/** The lake of a real shop: a log in SeaweedFS whose tables live in a REST catalog that hands out credentials for seconds; read over REST and S3 by others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { restCatalog } from '../foreign/engines.ts'
import { assumedRole } from './assumed-role.ts'
import { seaweedfs } from './seaweedfs.ts'
import { claim, openShop, rowsOf, rowsThrough, saidTo } from './shop.ts'
import type { Shop, ShopPlaces } from './shop.ts'
import { vendingProxy } from './vending-proxy.ts'

const INSTALLS_MS = 900_000
const LIFE_SECONDS = 5

interface Started {
  readonly places: ShopPlaces
  close(): Promise<void>
}

const catalogs: readonly { readonly name: string; start(): Promise<Started> }[] = [
  { name: 'SeaweedFS’s own catalog', start: ownCatalog },
  // 64 MB of Java's SDK and half a minute more: CI's time is spent.
  ...(process.env['MOULIN_CI'] === '1' ? [] : [{ name: 'Apache’s fixture', start: fixture }]),
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

/** Its own way to the files is the admin's; all others have what is handed out before it, that SeaweedFS refuses after a while. */
async function fixture(): Promise<Started> {
  const service = await seaweedfs({ vendedSeconds: LIFE_SECONDS })
  const { endpoint, region, bucket, credentials } = service
  const warehouse = `s3://${bucket}/warehouse`
  const files = { 's3.endpoint': endpoint, 'client.region': region, 's3.path-style-access': 'true' }
  const catalog = await restCatalog(warehouse, {
    ...files,
    's3.access-key-id': credentials.accessKeyId,
    's3.secret-access-key': credentials.secretAccessKey,
  })
  const proxy = await vendingProxy({ target: catalog.uri, files, vend: () => assumedRole(service) })
  return {
    places: { service, catalog: { uri: proxy.uri, warehouse }, tables: `${warehouse}/` },
    async close() {
      await proxy.close()
      await catalog.stop()
      await service.close()
    },
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
    // Had before the old ones ran out, and not because they were refused.
    expect(shop.requests('CREDENTIALS')).toBe(0)
    expect(shop.requests()).toBeGreaterThan(100)
    expect(shop.renewals).toBeGreaterThan(0)
  })

  it(
    'leaves a table to the log that has it, and to one of those that want it at once',
    { timeout: 120_000 },
    async () => {
      const taken = { code: 'TABLE_OF_ANOTHER' }
      expect(await claim(started.places, 'first', 'shop.eu.kept')).toMatchObject({ rows: 1 })
      expect(await claim(started.places, 'other', 'shop.eu.kept')).toMatchObject(taken)
      const names = ['a', 'b', 'c']
      const claims = await Promise.all(names.map((name) => claim(started.places, name, 'shop.eu.wanted')))
      const winners = claims.filter((claimed) => !(claimed instanceof Error))
      // A server that tells several that they made it may leave none with it.
      expect(winners.length).toBeLessThanOrEqual(1)
      for (const claimed of claims)
        expect(claimed).toMatchObject(
          winners.includes(claimed)
            ? { rows: 1 }
            : { code: expect.stringMatching(/^(TABLE_OF_ANOTHER|LINEAGE_BROKEN)$/) },
        )
    },
  )

  it.for(['pyiceberg', 'duckdb'] as const)('is read by %s', { timeout: INSTALLS_MS }, async (engine) => {
    expect(await rowsThrough(engine, started.places)).toEqual(rowsOf(shop!))
  })
})
