import type { StorageCredential, StoreProperties } from '@moulin/core'
import { s3Fake, virtualRuntime } from '@moulin/testing'
import type { S3Fake, S3FakeOptions } from '@moulin/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytesOf, failed } from './s3.test-support.ts'
import { s3Stores } from './s3-stores.ts'

const pair = (name: string, expiresMs?: number) => ({
  accessKeyId: `id-${name}`,
  secretAccessKey: `secret-${name}`,
  sessionToken: `token-${name}`,
  ...(expiresMs === undefined ? {} : { expiresMs }),
})
const vended = (name: string, expiresAtMs?: number): StoreProperties => ({
  's3.access-key-id': `id-${name}`,
  's3.secret-access-key': `secret-${name}`,
  's3.session-token': `token-${name}`,
  ...(expiresAtMs === undefined ? {} : { 's3.session-token-expires-at-ms': String(expiresAtMs) }),
})

async function fakeWith(options: S3FakeOptions): Promise<S3Fake> {
  const fake = await s3Fake({ region: 'eu-west-3', buckets: ['lake'], ...options })
  onTestFinished(() => fake.close())
  return fake
}
// As a catalog in Python writes it.
const placeOf = (fake: S3Fake): StoreProperties => ({
  'client.region': 'eu-west-3',
  's3.endpoint': fake.endpoint,
  's3.path-style-access': 'True',
})

describe('s3Stores', () => {
  it('opens what the properties of a catalog say, by any of the three schemes', async () => {
    const fake = await fakeWith({ credentials: [pair('a')] })
    for (const scheme of ['s3', 's3a', 's3n']) {
      const store = s3Stores()(`${scheme}://lake/t/f.parquet`, { ...placeOf(fake), ...vended('a') }, [])
      expect([store.root, store.aliases]).toEqual(['s3://lake/', ['s3a://lake/', 's3n://lake/']])
      await store.put(`t/${scheme}`, bytesOf('x'), { mode: 'create' })
    }
    expect(fake.objects('lake').map(({ key }) => key)).toEqual(['t/s3', 't/s3a', 't/s3n'])
  })

  it.each(['s3', 's3a', 's3n'])('takes the credentials of the longest prefix, whose scheme is %s', async (scheme) => {
    const fake = await fakeWith({ credentials: [pair('long')] })
    const credentials: StorageCredential[] = [
      { prefix: 's3', config: vended('scheme') },
      { prefix: `${scheme}://lake/t/`, config: vended('long') },
      { prefix: `${scheme}://lake/`, config: vended('bucket') },
      { prefix: `${scheme}://lake/tt/`, config: vended('other') },
    ]
    const store = s3Stores()('s3a://lake/t/f', { ...placeOf(fake), ...vended('config') }, credentials)
    await store.put('t/f', bytesOf('x'))
    expect(fake.objects('lake')).toHaveLength(1)
    const refused = s3Stores()('s3://lake/u/f', placeOf(fake), credentials)
    expect(await failed(refused.head('u/f'))).toMatchObject({ code: 'CREDENTIALS' })
  })

  it('prefers s3.region to client.region, and the properties to its defaults', async () => {
    const fake = await fakeWith({ credentials: [pair('a')] })
    const defaults = { region: 'nowhere', endpoint: 'http://127.0.0.1:1', credentials: pair('b') }
    const config = { ...placeOf(fake), ...vended('a'), 'client.region': 'nowhere', 's3.region': 'eu-west-3' }
    expect(await s3Stores({ defaults })('s3://lake/f', config, []).head('f')).toBeUndefined()
    const own = { region: 'eu-west-3', endpoint: fake.endpoint, credentials: pair('a'), pathStyle: true }
    expect(await s3Stores({ defaults: own })('s3://lake/f', {}, []).head('f')).toBeUndefined()
  })

  it('asks for the encryption that the catalog wants', async () => {
    const fake = await fakeWith({ credentials: [pair('a')] })
    const config = { ...placeOf(fake), ...vended('a') }
    const kms = { ...config, 's3.sse.type': 'kms', 's3.sse.key': 'key-1' }
    await s3Stores()('s3://lake/f', kms, []).put('kms', bytesOf('x'))
    await s3Stores()('s3://lake/f', { ...config, 's3.sse.type': 's3' }, []).put('s3', bytesOf('x'))
    await s3Stores()('s3://lake/f', { ...config, 's3.sse.type': 'none' }, []).put('none', bytesOf('x'))
    const sent = fake.requests.map(({ headers }) => [
      headers['x-amz-server-side-encryption'],
      headers['x-amz-server-side-encryption-aws-kms-key-id'],
    ])
    expect(sent).toEqual([
      ['aws:kms', 'key-1'],
      ['AES256', undefined],
      [undefined, undefined],
    ])
  })

  it.each<[string, StoreProperties, object]>([
    ['gs://lake/f', {}, { kind: 'unsupported', code: 'STORE_SCHEME' }],
    ['s3://lake/f', { 's3.remote-signing-enabled': 'true' }, { kind: 'unsupported', code: 'REMOTE_SIGNING' }],
    ['s3://lake/f', { 's3.remote-signing-enabled': 'True' }, { kind: 'unsupported', code: 'REMOTE_SIGNING' }],
    ['s3://lake/f', { 's3.sse.type': 'custom' }, { kind: 'unsupported', code: 'ENCRYPTION' }],
    [
      's3://lake/f',
      { ...vended('a'), 's3.session-token-expires-at-ms': 'soon' },
      { kind: 'invalid', code: 'CREDENTIALS' },
    ],
  ])('refuses %s with %o', (location, config, told) => {
    expect(() => s3Stores()(location, config, [])).toThrow(expect.objectContaining(told) as Error)
  })

  it.each<[string, object]>([
    ['an unknown option', { endpoint: 'http://127.0.0.1/' }],
    ['an unknown default', { defaults: { endpont: 'http://127.0.0.1/' } }],
  ])('refuses %s', (_, options) => {
    expect(() => s3Stores(options as never)).toThrow(expect.objectContaining({ code: 'OPTION' }) as Error)
  })
})

describe('s3Stores with credentials that run out', () => {
  const start = 1_800_000_000_000
  const hour = 3_600_000

  async function bench(isRenewed: boolean) {
    const runtime = virtualRuntime({ seed: 1, startMs: start })
    const at = runtime.clock.now()
    const fake = await fakeWith({ credentials: [pair('a')] })
    const asked: string[] = []
    const renew = (location: string): Promise<{ credentials: StorageCredential[] }> => {
      asked.push(location)
      const name = `renewed-${asked.length}`
      fake.addCredentials(pair(name))
      return Promise.resolve({
        credentials: [{ prefix: 's3://lake/', config: vended(name, runtime.clock.now() + hour) }],
      })
    }
    const stores = s3Stores({ runtime, ...(isRenewed ? { renew } : {}) })
    const store = stores('s3a://lake/t/f', { ...placeOf(fake), ...vended('a', at + hour) }, [])
    return { fake, store, asked, runtime }
  }

  it('has new ones ahead of time, one fetch for all that wait, and signs with them at once', async () => {
    const { fake, store, asked, runtime } = await bench(true)
    await store.put('1', bytesOf('x'))
    expect(asked).toEqual([])
    await runtime.clock.advance(hour - 299_000)
    fake.expireCredentials()
    await Promise.all([store.put('2', bytesOf('x')), store.put('3', bytesOf('x')), store.head('1')])
    expect(asked).toEqual(['s3a://lake/t/f'])
    await runtime.clock.advance(hour)
    fake.expireCredentials()
    await store.put('4', bytesOf('x'))
    expect(asked).toHaveLength(2)
    expect(fake.objects('lake').map(({ key }) => key)).toEqual(['1', '2', '3', '4'])
    const tokens = fake.requests.map(({ headers }) => headers['x-amz-security-token'])
    expect(tokens[0]).toBe('token-a')
    expect(new Set(tokens.slice(1, 4))).toEqual(new Set(['token-renewed-1']))
    expect(tokens.at(-1)).toBe('token-renewed-2')
  })

  it('says so, and sends nothing, where nobody renews them', async () => {
    const { fake, store, runtime } = await bench(false)
    await store.put('1', bytesOf('x'))
    await runtime.clock.advance(hour)
    const told = { kind: 'unavailable', code: 'CREDENTIALS', outcome: 'rejected', retryable: false }
    expect(await failed(store.put('2', bytesOf('x'), { mode: 'create' }))).toMatchObject(told)
    expect(await failed(store.head('1'))).toMatchObject(told)
    expect(fake.requests).toHaveLength(1)
    expect(fake.objects('lake').map(({ key }) => key)).toEqual(['1'])
  })

  it('takes no answer of renew that has none for the place', async () => {
    const fake = await fakeWith({ credentials: [pair('a')] })
    const runtime = virtualRuntime({ seed: 1 })
    const store = s3Stores({
      runtime,
      renew: () => Promise.resolve({ credentials: [{ prefix: 's3://other/', config: vended('b') }] }),
    })('s3://lake/f', { ...placeOf(fake), ...vended('a', runtime.clock.now()) }, [])
    expect(await failed(store.head('f'))).toMatchObject({ kind: 'unavailable', code: 'CREDENTIALS' })
    expect(fake.requests).toEqual([])
  })
})
