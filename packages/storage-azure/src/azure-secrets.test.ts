/** Canaries in every credential, while every call is made to fail once by each of the ways in which it can. */
import { inspect } from 'node:util'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { ObjectStore } from '@moulin/core'
import { faultProxy } from '@moulin/testing'
import type { FaultProxy, ProxyRule } from '@moulin/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AzureOptions } from './azure-options.ts'
import { ACCOUNT, bytesOf, failed, KEY, opened, toldServer } from './azure.test-support.ts'
import type { ToldServer } from './azure.test-support.ts'

let server: ToldServer
let proxy: FaultProxy
beforeAll(async () => {
  server = await toldServer()
  proxy = await faultProxy({ target: server.url })
})
afterAll(async () => {
  await proxy.close()
  await server.close()
})

const CANARY = 'canary-in-a-credential'
const sasToken = `sv=2025-01-01&sig=${CANARY}&se=2100-01-01`

const credentials: Readonly<Record<string, () => Partial<AzureOptions>>> = {
  key: () => ({}),
  signature: () => ({ credential: { sasToken } }),
  'signature of a function': () => ({ credential: { sasToken: () => Promise.resolve(sasToken) } }),
  'function that throws': () => ({ credential: { sasToken: () => Promise.reject(new Error(CANARY)) } }),
  'connection string': () => ({
    account: undefined as never,
    endpoint: undefined as never,
    credential: {
      connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${proxy.endpoint}/${ACCOUNT};`,
    },
  }),
  client: () => ({
    account: undefined as never,
    endpoint: undefined as never,
    credential: undefined as never,
    client: new BlobServiceClient(`${proxy.endpoint}/${ACCOUNT}`, new StorageSharedKeyCredential(ACCOUNT, KEY), {
      retryOptions: { maxTries: 1 },
    }),
  }),
}

const faults: Readonly<Record<string, Pick<ProxyRule, 'answer'>>> = {
  forbidden: { answer: 'forbidden' },
  'wrong region': { answer: 'wrong-region' },
  expired: { answer: 'expired' },
  reset: { answer: 'reset' },
  silence: { answer: 'silence' },
  html: { answer: 'html' },
  'html of 200': { answer: { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>welcome</html>' } },
}

const calls: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  get: (store) => store.get('k'),
  suffix: (store) => store.get('k', { range: { suffix: 3 } }),
  getRanges: (store) => store.getRanges('k', [{ start: 1, end: 3 }]),
  head: (store) => store.head('k'),
  create: (store) => store.put('k', bytesOf('v'), { mode: 'create' }),
  swap: (store) => store.put('k', bytesOf('v'), { mode: { ifMatch: '"0x1"' } }),
  put: (store) => store.put('k', bytesOf('v')),
  stream: (store) => store.putStream('k', [new Uint8Array(300)], { partBytes: 100 }),
  delete: (store) => store.delete('k'),
  async deleteMany(store) {
    const [first] = (await store.deleteMany(['a', 'b'])).failed
    throw first!.error
  },
  async list(store) {
    for await (const _ of store.list()) break
  },
}

for (const [credential, options] of Object.entries(credentials)) {
  it(`shows nothing of a ${credential} in an error, and gives each its kind`, async () => {
    // Node's own trace of a store is what an uncaught error prints.
    const store = opened(proxy.endpoint, { deadlineMs: 40, ...options() })
    expect(shown(store)).not.toMatch(/canary/i)
    for (const [fault, { answer }] of Object.entries(faults)) {
      const rule = proxy.addRule({ fault: 'before', times: Infinity, answer: answer! })
      for (const [name, call] of Object.entries(calls)) {
        const error = await failed(call(store))
        const label = `${name}, ${fault}`
        expect(shown(error), label).not.toMatch(/canary/i)
        expect(shown(error), label).not.toContain(KEY)
        expect(error.kind, label).toMatch(/^(unavailable|invalid|unsupported)$/)
        expect(error.outcome, label).toMatch(/^(rejected|unknown)$/)
      }
      rule.remove()
    }
  })
}

function shown(value: unknown): string {
  const { message = '', stack = '' } = value as { message?: string; stack?: string }
  const cause = (value as { cause?: unknown }).cause
  return [
    message,
    stack,
    inspect(value, { depth: 12, showHidden: true }),
    cause === undefined ? '' : shown(cause),
  ].join()
}
