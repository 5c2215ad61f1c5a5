/** The adapter of Azure Blob Storage, by the vendor's SDK, on Microsoft's emulator, with and without a network that fails by order. */
import {
  BlobServiceClient,
  ContainerClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import type { ObjectStore } from '@moulin/core'
import { listInOrder } from '@moulin/core'
import { azure } from '@moulin/storage-azure'
import type { AzureOptions } from '@moulin/storage-azure'
import { faultProxy, objectStoreConformance } from '@moulin/testing'
import type { FaultProxy, ObjectStoreConformanceConfig } from '@moulin/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { azurite } from './azurite.ts'
import type { Azurite } from './azurite.ts'

const PREFIX = 'my lake/50%25/'
let server: Azurite
let containers = 0

type Suite = Partial<ObjectStoreConformanceConfig> & {
  options?(service: BlobServiceClient, container: string): Promise<Partial<AzureOptions>> | Partial<AzureOptions>
}

function runSuite(name: string, { options, ...rest }: Suite): void {
  let container: ContainerClient
  let opened: () => ObjectStore
  objectStoreConformance(
    { describe, it },
    {
      name,
      capabilities: { multipart: true, attemptIds: true },
      durability: 'zone',
      listOrder: 'none',
      largeBytes: 6 * 1024 * 1024,
      manyKeys: 50,
      maxKeyBytes: 1_024 - PREFIX.length,
      cannot: { 'keeps odd keys as they are': 'Azure takes a backslash for a slash and drops dots at the end' },
      async create() {
        const { account, accountKey } = server
        const endpoint = `${server.url}/${account}`
        const name = `moulin-${++containers}-${process.pid}`
        const key = new StorageSharedKeyCredential(account, accountKey)
        container = new ContainerClient(`${endpoint}/${name}`, key)
        await container.create()
        const service = new BlobServiceClient(endpoint, key, { retryOptions: { maxTries: 4 } })
        const own = (await options?.(service, name)) ?? { account, endpoint, credential: { accountKey } }
        opened = () => azure({ container: name, prefix: PREFIX, ...own })
        return opened()
      },
      reopen: () => opened(),
      close: async () => void (await container.delete()),
      async at(location) {
        const root = `abfss://${container.containerName}@${server.account}.dfs.core.windows.net/`
        try {
          return new Uint8Array(await container.getBlobClient(location.slice(root.length)).downloadToBuffer())
        } catch (error) {
          if ((error as { statusCode?: unknown }).statusCode === 404) return undefined
          throw error
        }
      },
      ...rest,
    },
  )
}

describe('azure on Azurite', () => {
  beforeAll(async () => {
    server = await azurite()
  }, 300_000)
  afterAll(async () => {
    await server.close()
  })

  runSuite('azure', { manyKeys: 1_100, largeBytes: 12 * 1024 * 1024 })
  runSuite('azure with a client that retries', { options: (client) => ({ client }) })

  describe('azure through a network that fails', () => {
    let proxy: FaultProxy
    let container: ContainerClient
    let store: ObjectStore
    const opened = (options: Partial<AzureOptions> = {}): ObjectStore =>
      azure({
        container: container.containerName,
        account: server.account,
        endpoint: `${proxy.endpoint}/${server.account}`,
        credential: { accountKey: server.accountKey },
        partBytes: 64 * 1024,
        ...options,
      })
    const sent = (operation: ProxyOperation): number => proxy.countCalls({ operation })

    beforeEach(async () => {
      proxy = await faultProxy({ target: server.url })
      const key = new StorageSharedKeyCredential(server.account, server.accountKey)
      const name = `moulin-${++containers}-${process.pid}`
      container = new ContainerClient(`${server.url}/${server.account}/${name}`, key)
      await container.create()
      store = opened()
    }, 120_000)
    afterEach(async () => {
      await proxy.close()
      await container.delete()
    }, 120_000)

    it('settles creates, swaps and streams whose answers are lost by what the head tells', async () => {
      for (const [key, send] of [
        ['put', (mode: Mode) => store.put('put', bytesOf('v'), { mode })],
        ['stream', (mode: Mode) => store.putStream('stream', [new Uint8Array(200_000)], { mode })],
      ] as const) {
        const operation = key === 'put' ? 'put' : 'upload-complete'
        proxy.addRule({ fault: 'after', operation })
        const { etag } = await send('create')
        expect((await store.head(key))?.etag).toBe(etag)
        proxy.addRule({ fault: 'after', operation, answer: 'error' })
        const { etag: next } = await send({ ifMatch: etag })
        expect((await store.head(key))?.etag).toBe(next)
        expect(next).not.toBe(etag)
        expect(await kindOf(send('create'))).toBe('exists rejected')
        expect(await kindOf(send({ ifMatch: etag }))).toBe('conflict rejected')
      }
      expect(sent('put')).toBe(4)
    })

    it('leaves a write unknown that may still land, and knows it once it has', async () => {
      proxy.addRule({ fault: 'late', operation: 'put' })
      const attemptId = 'attempt-1'
      const put = { mode: 'create', attemptId } as const
      expect(await kindOf(store.put('k', bytesOf('late'), put))).toBe('unavailable unknown')
      await proxy.applyLate()
      const { etag } = await store.put('k', bytesOf('late'), put)
      expect((await store.head('k'))?.etag).toBe(etag)
      expect(await kindOf(store.put('k', bytesOf('other'), { mode: 'create' }))).toBe('exists rejected')
    })

    it('tells by its own id what a client that sends again has done, and leaves open what another has overtaken', async () => {
      const key = new StorageSharedKeyCredential(server.account, server.accountKey)
      const retryOptions = { maxTries: 4, retryDelayInMs: 1 }
      const client = new BlobServiceClient(`${proxy.endpoint}/${server.account}`, key, { retryOptions })
      const patient = azure({ container: container.containerName, client })
      proxy.addRule({ fault: 'after', operation: 'put' })
      const { etag } = await patient.put('k', bytesOf('v'), { mode: 'create' })
      expect(sent('put')).toBe(2)
      expect((await store.head('k'))?.etag).toBe(etag)
      expect(await kindOf(patient.put('k', bytesOf('w'), { mode: 'create' }))).toBe('exists unknown')
    })

    it('is not fooled by a body that is cut, either way', async () => {
      proxy.addRule({ fault: 'torn-request', operation: 'put' })
      expect(await kindOf(store.put('k', new Uint8Array(50_000)))).toBe('unavailable unknown')
      expect(await store.head('k')).toBeUndefined()
      await store.put('k', new Uint8Array(50_000))
      proxy.addRule({ fault: 'torn-answer', operation: 'get', bytes: 300 })
      expect(await kindOf(store.get('k'))).toBe('unavailable rejected')
    })

    it('lets two writers stream to one key at once, each whole, and the later one stands', async () => {
      const send = (value: number): Promise<string> =>
        store.putStream('k', [new Uint8Array(300_000).fill(value)]).then(
          () => 'stored',
          (error: unknown) => kindOf(Promise.reject(error as Error)),
        )
      const said = await Promise.all([send(1), send(2)])
      // The first commit drops the blocks of the other, which is told so, and may try again.
      expect(said.filter((word) => word === 'stored').length).toBeGreaterThan(0)
      expect(said.every((word) => word === 'stored' || word === 'unavailable rejected')).toBe(true)
      const { bytes } = await store.get('k')
      expect(new Set(bytes).size).toBe(1)
      expect(bytes.length).toBe(300_000)
    })

    it('deletes many by one request, by key and by signature, and one by one where batches are refused', async () => {
      const keys = Array.from({ length: 20 }, (_, at) => `many/${at} %+`)
      const token = generateBlobSASQueryParameters(
        {
          containerName: container.containerName,
          permissions: ContainerSASPermissions.parse('racwdl'),
          protocol: SASProtocol.HttpsAndHttp,
          expiresOn: new Date(Date.UTC(2100, 0)),
        },
        new StorageSharedKeyCredential(server.account, server.accountKey),
      ).toString()
      for (const each of [store, opened({ credential: { sasToken: () => Promise.resolve(token) } })]) {
        for (const key of keys) await each.put(key, bytesOf(key))
        const before = sent('delete-many')
        expect(await each.deleteMany([...keys, 'missing'])).toEqual({ failed: [] })
        expect(sent('delete-many')).toBe(before + 1)
        expect(await keysOf(each)).toEqual([])
      }
      expect(sent('delete')).toBe(0)
      proxy.addRule({ fault: 'before', operation: 'delete-many', answer: 'forbidden', times: Infinity })
      for (const key of keys) await store.put(key, bytesOf(key))
      expect(await store.deleteMany(keys)).toEqual({ failed: [] })
      expect(await keysOf(store)).toEqual([])
      expect(sent('delete')).toBe(20)
      const asked = sent('delete-many')
      await store.deleteMany(['a', 'b'])
      expect(sent('delete-many')).toBe(asked)
    })

    it('keeps odd keys as they are, and refuses those that Azure would store as others', async () => {
      const names = [' ', 'a b', '%', '%2F', '%2e%2e', '..%2fx', '+', '&=?#', '\'"`', '~', '*:<>|', '{}[]$!', '.hidden']
      names.push('a..b', '..a', 'é', 'e\u0301', '\u{1f600}', '\ufffd', '\u00a0', 'null', '007', '1e3', '&amp;', '&#65;')
      for (const name of names) await store.put(`odd/${name}/x`, bytesOf(name))
      expect(await keysOf(store)).toEqual([...names].map((name) => `odd/${name}/x`).sort(byBytes))
      for (const name of names) expect((await store.get(`odd/${name}/x`)).bytes).toEqual(bytesOf(name))
      for (const name of ['\\', 'a\\b', 'a.', 'a./b', '...'])
        expect(await kindOf(store.put(name, bytesOf(name))), name).toBe('invalid rejected')
      const { failed } = await store.deleteMany(['a.', `odd/${names[0]}/x`])
      expect(failed.map(({ key }) => key)).toEqual(['a.'])
    })

    it('takes a container that is missing for no missing key', async () => {
      const nowhere = opened({ container: 'nowhere' })
      expect(await codeOf(nowhere.get('k'))).toBe('BUCKET_MISSING')
      expect(await codeOf(nowhere.head('k'))).toBe('BUCKET_MISSING')
      expect(await codeOf(nowhere.put('k', bytesOf('v')))).toBe('BUCKET_MISSING')
      expect(await codeOf(nowhere.delete('k'))).toBe('BUCKET_MISSING')
      expect(await codeOf(keysOf(nowhere))).toBe('BUCKET_MISSING')
    })
  })
})

type Mode = 'create' | { readonly ifMatch: string }
type ProxyOperation = FaultProxy['calls'][number]['operation']

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

async function keysOf(store: ObjectStore): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of listInOrder(store)) keys.push(key)
  return keys
}

const errorOf = (work: Promise<unknown>): Promise<{ kind?: string; outcome?: string; code?: string }> =>
  work.then(
    () => ({}),
    (error: unknown) => error as { kind?: string; outcome?: string; code?: string },
  )
const kindOf = async (work: Promise<unknown>): Promise<string> => {
  const { kind, outcome } = await errorOf(work)
  return `${kind} ${outcome}`
}
const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => (await errorOf(work)).code
