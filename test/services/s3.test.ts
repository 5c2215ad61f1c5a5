/** The S3 adapter on real servers: the suite, and checks of what they answer, printed as a table. */
import { S3Client } from '@aws-sdk/client-s3'
import type { ObjectStore } from '@moulin/core'
import { isKind, listInOrder } from '@moulin/core'
import { retry } from '@moulin/storage'
import { s3 } from '@moulin/storage-s3'
import type { S3Options } from '@moulin/storage-s3'
import { faultProxy, objectStoreConformance, s3Fake } from '@moulin/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { checkTieredLog, unnamedIn } from '../support/tiered-log.ts'
import { seaweedfs } from './seaweedfs.ts'
import type { S3Service } from './seaweedfs.ts'

const MIB = 1024 * 1024

interface Server {
  readonly name: string
  /** How the adapter is to be told of it. */
  readonly options: Partial<S3Options>
  /** Checks of the suite that it does not pass, and why. */
  readonly cannot?: Readonly<Record<string, string>>
  start(): Promise<S3Service>
}

const servers: readonly Server[] = [
  { name: 'fake', options: {}, start: fakeService },
  {
    name: 'SeaweedFS',
    options: { listOrder: 'none', deadlineMs: 60_000 },
    cannot: { 'keeps odd keys as they are': 'it takes a backslash for a slash' },
    start: seaweedfs,
  },
]

async function fakeService(): Promise<S3Service> {
  const { endpoint, credentials, close } = await s3Fake()
  return { name: 's3Fake', endpoint, bucket: 'moulin', credentials, close }
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const codeOf = async (call: Promise<unknown>): Promise<string> => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown as { readonly code?: string; readonly context?: { readonly status?: number } },
  )
  return error === undefined ? 'ok' : `${error.context?.status ?? ''} ${error.code ?? 'no error of ours'}`.trim()
}

/** What a server does, in a word. Where they differ, docs/stores.md says who is right. */
const checks: Readonly<Record<string, (store: ObjectStore) => Promise<string>>> = {
  'create, there': async (store) => {
    await store.put('c', bytesOf('x'))
    return codeOf(store.put('c', bytesOf('y'), { mode: 'create' }))
  },
  'swap, stale': async (store) => {
    await store.put('s', bytesOf('x'))
    return codeOf(store.put('s', bytesOf('y'), { mode: { ifMatch: '"0"' } }))
  },
  'swap, missing': (store) => codeOf(store.put('none', bytesOf('y'), { mode: { ifMatch: '"0"' } })),
  'swap of parts, stale': (store) =>
    codeOf(store.putStream('s', [new Uint8Array(6 * MIB)], { mode: { ifMatch: '"0"' }, partBytes: 5 * MIB })),
  'range past the end': (store) => codeOf(store.get('s', { range: { start: 100 } })),
  'race of eight creates': async (store) => {
    const said = await Promise.all(
      Array.from({ length: 8 }, (_, i) => codeOf(store.put('race', bytesOf(`${i}`), { mode: 'create' }))),
    )
    return `${said.filter((code) => code === 'ok').length} of ${said.length}`
  },
  'order of a/b, a-b': async (store) => {
    for (const key of ['o/a/b', 'o/a-b']) await store.put(key, bytesOf('x'))
    const keys: string[] = []
    for await (const { key } of store.list({ prefix: 'o/' })) keys.push(key)
    return keys.join(' ')
  },
  'odd keys': async (store) => {
    const odd = ['a+b', 'a%2Bb', 'a b', 'a&b', 'ü', '😀', "a'b", 'a=b?c#d', '<a>']
    for (const key of odd) await store.put(`odd/${key}`, bytesOf(key))
    const keys = new Set<string>()
    for await (const { key } of store.list({ prefix: 'odd/' })) keys.add(key.slice('odd/'.length))
    const { failed } = await store.deleteMany(odd.map((key) => `odd/${key}`))
    const lost = odd.filter((key) => !keys.has(key))
    return lost.length + failed.length === 0 && keys.size === odd.length ? 'kept' : `lost ${lost.join(' ')}`
  },
  'a backslash': async (store) => {
    const said = await codeOf(store.put('back\\slash', bytesOf('x')))
    const keys: string[] = []
    for await (const { key } of store.list({ prefix: 'back' })) keys.push(key)
    return said === 'ok' ? keys.join(' ') : said
  },
  'delete, missing': (store) => codeOf(store.delete('none')),
  'equal bytes, equal tag': async (store) => {
    const tags = [await store.put('e', bytesOf('x')), await store.put('e', bytesOf('x'))].map(({ etag }) => etag)
    return tags[0] === tags[1] ? 'yes' : 'no'
  },
}

describe.runIf(process.env['MOULIN_SERVICES'] === '1')('S3 servers', () => {
  const table = new Map<string, Map<string, string>>()
  afterAll(() => {
    const names = [...table.keys()]
    const rows = Object.keys(checks).map((check) => [check, ...names.map((name) => table.get(name)?.get(check) ?? '')])
    console.table(
      rows.map(([check, ...told]) => ({ check, ...Object.fromEntries(told.map((each, i) => [names[i], each])) })),
    )
  })

  describe.each(servers)('$name', ({ name, options, cannot = {}, start }) => {
    let service: S3Service
    let prefixes = 0
    const opened = (more: Partial<S3Options>): ObjectStore =>
      s3({
        bucket: service.bucket,
        ...(more.client === undefined ? { endpoint: service.endpoint, credentials: service.credentials } : {}),
        ...options,
        ...more,
      })
    beforeAll(async () => {
      service = await start()
    }, 300_000)
    afterAll(async () => {
      await service.close()
    })

    it('answers the checks', { timeout: 120_000 }, async () => {
      const store = opened({ prefix: 'checks/' })
      const told = new Map<string, string>()
      for (const [check, ask] of Object.entries(checks)) told.set(check, await ask(store))
      table.set(service.name, told)
      expect(told.get('race of eight creates')).toBe('1 of 8')
      expect(told.get('create, there')).toBe('412 KEY_EXISTS')
      expect(told.get('swap, missing')).toContain('TAG_MISMATCH')
    })

    it('has created what an SDK with retries finds there', { timeout: 60_000 }, async () => {
      const proxy = await faultProxy({
        target: service.endpoint,
        rules: [{ fault: 'after', operation: 'put', nth: 2, times: 2 }],
      })
      const client = new S3Client({
        endpoint: proxy.endpoint,
        credentials: service.credentials,
        region: 'us-east-1',
        forcePathStyle: true,
        maxAttempts: 4,
      })
      onTestFinished(async () => {
        client.destroy()
        await proxy.close()
      })
      const store = opened({ prefix: 'faults/', client })
      for (const key of ['a', 'b', 'c']) {
        const { etag } = await store.put(key, bytesOf(key), { mode: 'create' })
        expect((await opened({ prefix: 'faults/' }).head(key))?.etag).toBe(etag)
      }
      const again = await retry(store)
        .put('a', bytesOf('x'), { mode: 'create' })
        .catch((error: unknown) => error)
      expect(isKind(again, 'exists')).toBe(true)
      const keys: string[] = []
      for await (const { key } of listInOrder(store)) keys.push(key)
      expect(keys).toEqual(['a', 'b', 'c'])
    })

    it('holds a log and its table', { timeout: 120_000 }, async () => {
      const store = (): ObjectStore => retry(opened({ prefix: 'lake/' }))
      await checkTieredLog(store, store(), 3)
      expect(await unnamedIn(store())).toEqual([])
    })

    let prefix = ''
    objectStoreConformance(
      { describe, it },
      {
        name,
        capabilities: { multipart: true, attemptIds: true },
        durability: 'region',
        listOrder: options.listOrder ?? 'bytes',
        largeBytes: 6 * MIB,
        manyKeys: 1_100,
        // Names between two slashes have 255 bytes at most where folders are real ones.
        maxKeyBytes: 255,
        cannot,
        create: () => {
          prefix = `suite-${++prefixes}/`
          return Promise.resolve(opened({ prefix }))
        },
        reopen: () => opened({ prefix }),
        close: () => Promise.resolve(),
        async at(location) {
          const whole = opened({})
          const key = location.slice(whole.root.length)
          return await whole.get(key).then(
            ({ bytes }) => bytes,
            (error: unknown) => {
              if (isKind(error, 'not-found')) return undefined
              throw error
            },
          )
        },
      },
    )
  })
})
