import { describe, expect, it, onTestFinished } from 'vitest'
import { gcsFake, virtualRuntime } from '@moulin/testing'
import { gcsStores } from './gcs-stores.ts'
import { bytesOf, failed } from './gcs.test-support.ts'

describe('gcsStores', () => {
  it('opens a location by the properties of a catalog, those of the longest prefix', async () => {
    const fake = await gcsFake({ buckets: ['lake'], requesterPays: ['lake'], anonymous: false })
    onTestFinished(() => fake.close())
    const config = {
      'gcs.service.host': fake.endpoint,
      'gcs.project-id': 'orders',
      'gcs.user-project': 'payer',
      'gcs.oauth2.token': 'of the config',
    }
    const credentials = [
      { prefix: 'gs://lake/', config: { 'gcs.oauth2.token': 'short' } },
      { prefix: 'gs://lake/orders/', config: { 'gcs.oauth2.token': fake.token } },
    ]
    const store = gcsStores()('gs://lake/orders/data/x.parquet', config, credentials)
    expect(store.root).toBe('gs://lake/')
    await store.put('orders/data/x.parquet', bytesOf('x'))
    expect(fake.requests[0]!.target).toContain('userProject=payer')
    const other = gcsStores()('gs://lake/other/x.parquet', config, credentials)
    expect(await failed(other.head('x'))).toMatchObject({ code: 'CREDENTIALS', retryable: false })
  })

  it('gets a new token before the old one runs out, once for all who wait', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const fake = await gcsFake({ buckets: ['lake'], anonymous: false, clock: runtime.clock, tokens: [] })
    onTestFinished(() => fake.close())
    let given = 0
    const next = (): Readonly<Record<string, string>> => {
      const expiresMs = runtime.clock.now() + 3_600_000
      fake.addToken({ token: `t${++given}`, expiresMs })
      return { 'gcs.oauth2.token': `t${given}`, 'gcs.oauth2.token-expires-at': String(expiresMs) }
    }
    const asked: string[] = []
    const stores = gcsStores({
      runtime,
      defaults: { apiEndpoint: fake.endpoint },
      renew(location) {
        asked.push(location)
        return Promise.resolve({ credentials: [{ prefix: 'gs://lake/', config: next() }] })
      },
    })
    const store = stores('gs://lake/t/x', next(), [])
    await store.put('a', bytesOf('x'))
    await runtime.clock.advance(3_599_000)
    await Promise.all([store.head('a'), store.get('a'), store.put('b', bytesOf('y'))])
    expect(asked).toEqual(['gs://lake/t/x'])
    const used = fake.requests.map(({ headers, status }) => [headers['authorization'], status])
    expect(used).toEqual([['Bearer t1', 200], ...Array.from({ length: 3 }, () => ['Bearer t2', 200])])
  })

  it('keeps nothing of the old access once it is renewed', async () => {
    const fake = await gcsFake({ buckets: ['lake'], anonymous: false })
    onTestFinished(() => fake.close())
    let renewals = 0
    const stores = gcsStores({
      renew: () => Promise.resolve({ config: ++renewals < 9 ? { 'gcs.oauth2.token': fake.token } : {} }),
    })
    const old = { 'gcs.oauth2.token': 'old', 'gcs.oauth2.token-expires-at': '1', 'gcs.service.host': fake.endpoint }
    const store = stores('gs://lake/x', old, [])
    await store.put('a', bytesOf('x'))
    await store.head('a')
    // The end of the old one says nothing of the new, which has none.
    expect(renewals).toBe(1)
    renewals = 9
    expect(await failed(stores('gs://lake/x', old, []).head('a'))).toMatchObject({
      code: 'CREDENTIALS',
      message: expect.stringContaining('renew gave no credentials') as string,
    })
  })

  it('says that a token has run out where nobody renews it, and that it was refused', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const fake = await gcsFake({ buckets: ['lake'], anonymous: false })
    onTestFinished(() => fake.close())
    const properties = { 'gcs.oauth2.token': fake.token, 'gcs.service.host': fake.endpoint }
    const expires = { 'gcs.oauth2.token-expires-at': String(runtime.clock.now() + 1_000) }
    const store = gcsStores({ runtime })('gs://lake/x', { ...properties, ...expires }, [])
    await store.put('a', bytesOf('x'))
    await runtime.clock.advance(1_001)
    const sent = fake.requests.length
    for (const call of [() => store.head('a'), () => store.put('a', bytesOf('y'), { mode: 'create' })])
      expect(await failed(call())).toMatchObject({ code: 'CREDENTIALS', retryable: false, outcome: 'rejected' })
    expect(fake.requests).toHaveLength(sent)
    const lasting = gcsStores()('gs://lake/x', properties, [])
    fake.expireTokens()
    expect(await failed(lasting.put('a', bytesOf('z')))).toMatchObject({
      code: 'CREDENTIALS',
      outcome: 'rejected',
      context: { status: 401 },
    })
  })

  it('sends a token of your own to Google, and where you say, alone', () => {
    const token = (): Promise<{ token: string }> => Promise.resolve({ token: 'mine' })
    const stranger = { 'gcs.service.host': 'https://storage.example.org' }
    const elsewhere = expect.objectContaining({ kind: 'unsupported', code: 'CREDENTIALS_ELSEWHERE' }) as Error
    for (const own of [{ token }, { credentials: { client_email: 'a', private_key: 'b' } }])
      expect(() => gcsStores({ defaults: own })('gs://lake/x', stranger, [])).toThrow(elsewhere)
    const open = (defaults: object, config: Readonly<Record<string, string>>): string =>
      gcsStores({ defaults })('gs://lake/x', config, []).root
    for (const [defaults, config] of [
      [{ token, apiEndpoint: 'https://storage.example.org' }, stranger],
      [{ token }, { 'gcs.service.host': 'https://storage.me-central2.rep.googleapis.com' }],
      [{ token }, { ...stranger, 'gcs.oauth2.token': 'theirs' }],
      [{}, stranger],
    ] as const)
      expect(open(defaults, config)).toBe('gs://lake/')
  })

  it('refuses other schemes, keys of the customer, and a time that is none', () => {
    const stores = gcsStores()
    expect(() => stores('s3://lake/x', {}, [])).toThrow(/gs: locations, not s3:/)
    expect(() => stores('gs://lake/x', { 'gcs.encryption-key': 'secret' }, [])).toThrow(/gcs\.encryption-key: keys/)
    const never = { 'gcs.oauth2.token': 't', 'gcs.oauth2.token-expires-at': 'soon' }
    expect(() => stores('gs://lake/x', never, [])).toThrow(/token-expires-at is no number/)
    expect(() => gcsStores({ region: 'eu' } as never)).toThrow(/region/)
  })
})
