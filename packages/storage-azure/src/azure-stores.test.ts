import { systemRuntime } from '@moulin/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { azureStores } from './azure-stores.ts'
import type { RenewedAccess } from '@moulin/core'
import { created, failed, KEY, refusal, toldServer } from './azure.test-support.ts'
import type { ToldServer } from './azure.test-support.ts'

const PLACE = 'abfss://logs@lake.dfs.core.windows.net/db/t/'
let server: ToldServer
let endpoint: string
beforeEach(async () => {
  server = await toldServer(() => ({ ...created, status: 200 }))
  endpoint = `${server.url}/lake`
})
afterEach(() => server.close())

/** What one request is signed with. */
async function signedWith(config: Readonly<Record<string, string>>, place = PLACE): Promise<string> {
  await azureStores({ defaults: { endpoint } })(place, config, []).head('k')
  const { query, headers } = server.asked.at(-1)!
  return query.get('sig') ?? headers.authorization?.replace(/:.*/, '') ?? 'nothing'
}

describe('azureStores', () => {
  it.each([
    'abfss://logs@lake.dfs.core.windows.net/db/t',
    'abfs://logs@lake.dfs.core.windows.net/db/t',
    'wasbs://logs@lake.blob.core.windows.net/db/t',
    'wasb://logs@lake.blob.core.windows.net/db/t',
  ])('gives the store of %s, by one root and all its names', (place) => {
    const { root, aliases } = azureStores()(place, {}, [])
    expect(root).toBe('abfss://logs@lake.dfs.core.windows.net/')
    expect([root, ...(aliases ?? [])].some((name) => place.startsWith(name))).toBe(true)
  })

  it('keeps to the cloud that the location names', () => {
    const place = 'abfss://logs@lake.dfs.core.chinacloudapi.cn/db/t'
    expect(azureStores()(place, {}, []).root).toBe('abfss://logs@lake.dfs.core.chinacloudapi.cn/')
  })

  it.each(['s3://lake/db', 'abfss://logs/db/t', '/db/t'])('refuses %s', (place) => {
    expect(() => azureStores()(place, {}, [])).toThrow(expect.objectContaining({ code: 'STORE_SCHEME' }))
  })

  it('refuses an end that is no time', () => {
    const config = { 'adls.sas-token.lake': 'sv=1&sig=a', 'adls.sas-token-expires-at-ms.lake': 'soon' }
    expect(() => azureStores()(PLACE, config, [])).toThrow(expect.objectContaining({ code: 'CREDENTIALS' }))
  })

  it('sends credentials of your own to Azure, and where you say, alone', () => {
    const credential = { sasToken: 'sv=1&sig=mine' }
    const elsewhere = expect.objectContaining({ kind: 'unsupported', code: 'CREDENTIALS_ELSEWHERE' }) as Error
    const stranger = 'abfss://logs@lake.dfs.core.example.org/db/t'
    const address = { 'adls.connection-string.lake': 'https://blobs.example.org/lake' }
    const stores = azureStores({ defaults: { credential } })
    expect(() => stores(stranger, {}, [])).toThrow(elsewhere)
    expect(() => stores(PLACE, address, [])).toThrow(elsewhere)
    expect(() => azureStores({ defaults: { credential, endpoint } })(PLACE, address, [])).toThrow(elsewhere)
    const theirs = { 'adls.sas-token.lake': 'sv=1&sig=theirs' }
    for (const domain of ['core.windows.net', 'core.usgovcloudapi.net', 'fabric.microsoft.com'])
      expect(stores(PLACE.replace('core.windows.net', domain), {}, []).root).toContain(domain)
    expect(stores(stranger, theirs, []).root).toContain('core.example.org')
    expect(stores(PLACE, { ...address, ...theirs }, []).root).toContain('lake')
    expect(azureStores({ defaults: { credential, endpoint } })(stranger, {}, []).root).toContain('core.example.org')
    const own = { credential, endpoint: address['adls.connection-string.lake'] }
    expect(azureStores({ defaults: own })(PLACE, address, []).root).toContain('lake')
  })

  it('signs by what the catalog gives, a signature of the account first', async () => {
    const key = { 'adls.auth.shared-key.account.name': 'lake', 'adls.auth.shared-key.account.key': KEY }
    expect(await signedWith({})).toBe('nothing')
    expect(await signedWith(key)).toBe('SharedKey lake')
    expect(await signedWith({ ...key, 'adls.auth.shared-key.account.name': 'other' })).toBe('nothing')
    expect(await signedWith({ ...key, 'adls.sas-token.lake.dfs.core.windows.net': 'sv=1&sig=host' })).toBe('host')
    expect(await signedWith({ ...key, 'adls.sas-token.lake': 'sv=1&sig=name' })).toBe('name')
    expect(await signedWith({ 'adls.sas-token.other': 'sv=1&sig=other' })).toBe('nothing')
  })

  it('takes a connection string, and an address in its place', async () => {
    const connection = `DefaultEndpointsProtocol=http;AccountName=lake;AccountKey=${KEY};BlobEndpoint=${endpoint};`
    expect(await signedWith({ 'adls.connection-string.lake': connection })).toBe('SharedKey lake')
    const store = azureStores()(PLACE, { 'adls.connection-string.lake.dfs.core.windows.net': endpoint }, [])
    await store.head('k')
    expect(server.asked.at(-1)!.path).toBe('/logs/k')
  })

  it('prefers the vended credentials with the longest prefix', async () => {
    const vended = (sig: string, prefix: string): { prefix: string; config: Record<string, string> } => ({
      prefix,
      config: { 'adls.sas-token.lake': `sv=1&sig=${sig}` },
    })
    const stores = azureStores({ defaults: { endpoint } })
    await stores(PLACE, {}, [
      vended('short', 'abfss://logs@lake'),
      vended('long', PLACE),
      vended('not', 'abfss://x'),
    ]).head('k')
    expect(server.asked.at(-1)!.query.get('sig')).toBe('long')
  })

  it('renews a signature before it runs out, once, and goes on with the new one', async () => {
    let now = 0
    let renewals = 0
    const given = (sig: string, ms: number): Record<string, string> => ({
      'adls.sas-token.lake': `sv=1&sig=${sig}`,
      'adls.sas-token-expires-at-ms.lake': String(ms),
    })
    const renew = (place: string): Promise<RenewedAccess> => {
      renewals++
      return Promise.resolve({ credentials: [{ prefix: place, config: given('second', 7_200_000) }] })
    }
    const runtime = { ...systemRuntime(), clock: { ...systemRuntime().clock, now: () => now } }
    const store = azureStores({ defaults: { endpoint }, renew, runtime })(PLACE, given('first', 3_600_000), [])
    await store.head('k')
    now = 3_400_000
    await Promise.all([store.head('k'), store.head('k')])
    await store.head('k')
    expect(server.asked.map(({ query }) => query.get('sig'))).toEqual(['first', 'second', 'second', 'second'])
    expect(renewals).toBe(1)
  })

  it('keeps nothing of the old access once it is renewed', async () => {
    let renewals = 0
    const renew = (): Promise<RenewedAccess> => {
      renewals++
      return Promise.resolve({ config: { 'adls.sas-token.lake': 'sv=1&sig=for-good' } })
    }
    const config = { 'adls.sas-token.lake': 'sv=1&sig=old', 'adls.sas-token-expires-at-ms.lake': '1' }
    const store = azureStores({ defaults: { endpoint }, renew })(PLACE, config, [])
    await store.head('k')
    await store.head('k')
    expect(server.asked.map(({ query }) => query.get('sig'))).toEqual(['for-good', 'for-good'])
    expect(renewals).toBe(1)
  })

  it('says that credentials have run out as one says that others may be loaded for', async () => {
    const config = { 'adls.sas-token.lake': 'sv=1&sig=old', 'adls.sas-token-expires-at-ms.lake': '1' }
    const late = azureStores({ defaults: { endpoint } })(PLACE, config, [])
    expect(await failed(late.head('k'))).toMatchObject({ kind: 'unavailable', code: 'CREDENTIALS' })
    expect(server.asked).toEqual([])
    server.answer = () => refusal(403, 'AuthenticationFailed')
    const refused = azureStores({ defaults: { endpoint } })(PLACE, { 'adls.sas-token.lake': 'sv=1&sig=old' }, [])
    expect(await failed(refused.head('k'))).toMatchObject({ kind: 'unavailable', code: 'CREDENTIALS' })
  })
})
