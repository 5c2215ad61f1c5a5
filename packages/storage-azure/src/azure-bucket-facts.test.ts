import { BlobServiceClient, ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { azureBucketFacts } from './azure-bucket-facts.ts'
import type { AzureOptions } from './azure-options.ts'
import { ACCOUNT, failed, KEY, LAST_MODIFIED, refusal, toldServer } from './azure.test-support.ts'
import type { Said, ToldServer } from './azure.test-support.ts'

let server: ToldServer
beforeAll(async () => void (server = await toldServer()))
afterAll(() => server.close())

const properties = (headers: Readonly<Record<string, string>> = {}): Said => ({
  status: 200,
  headers: { etag: '"0x1"', 'last-modified': LAST_MODIFIED, ...headers },
})
const service = (policy: string): Said => ({
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="utf-8"?><StorageServiceProperties>${policy}</StorageServiceProperties>`,
})
const soft = '<DeleteRetentionPolicy><Enabled>true</Enabled><Days>14</Days></DeleteRetentionPolicy>'
const hard = '<DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>'

let answers: { container: Said; service: Said }
beforeEach(() => {
  answers = { container: properties(), service: service(soft) }
  server.asked.length = 0
  server.answer = ({ path, query }) => {
    if (query.get('restype') === 'service' && query.get('comp') === 'properties' && path === '/') return answers.service
    return query.get('restype') === 'container' && path === '/logs' ? answers.container : refusal(400, 'InvalidUri')
  }
})

const facts = (options: Partial<AzureOptions> = {}) =>
  azureBucketFacts({
    container: 'logs',
    account: ACCOUNT,
    endpoint: `${server.url}/${ACCOUNT}`,
    credential: { accountKey: KEY },
    ...options,
  })
const open = { versioning: undefined, lifecycle: undefined, uploadsEndDays: 7 }

it('tells soft delete, which belongs to the account, and versioning where the container says it', async () => {
  expect(await facts()).toEqual({ ...open, softDeleteDays: 14 })
  answers = {
    container: properties({ 'x-ms-immutable-storage-with-versioning-enabled': 'true' }),
    service: service(hard),
  }
  expect(await facts()).toEqual({ ...open, versioning: 'on' })
  answers = { ...answers, service: service('') }
  expect(await facts()).toEqual({ ...open, versioning: 'on' })
})

it('asks with a signature, and by clients of others', async () => {
  const sasToken = 'sv=2025-01-01&sig=abc'
  expect(await facts({ credential: { sasToken } })).toEqual({ ...open, softDeleteDays: 14 })
  expect(server.asked.map(({ query }) => query.get('sig'))).toEqual(['abc', 'abc'])
  const url = `${server.url}/${ACCOUNT}`
  const pair = new StorageSharedKeyCredential(ACCOUNT, KEY)
  for (const client of [new BlobServiceClient(url, pair), new ContainerClient(`${url}/logs`, pair)]) {
    server.asked.length = 0
    expect(await azureBucketFacts({ container: 'logs', client })).toEqual({ ...open, softDeleteDays: 14 })
    expect(server.asked.map(({ headers }) => headers.authorization?.startsWith(`SharedKey ${ACCOUNT}:`))).toEqual([
      true,
      true,
    ])
  }
})

it('leaves open what it may not ask, each by itself', async () => {
  answers = { container: refusal(403, 'AuthorizationFailure'), service: service(soft) }
  expect(await facts()).toEqual({ ...open, softDeleteDays: 14 })
  answers = { container: properties(), service: refusal(403, 'AuthenticationFailed') }
  expect(await facts()).toEqual(open)
})

it('throws what is no answer, without the credential', async () => {
  answers = { ...answers, container: refusal(404, 'ContainerNotFound') }
  expect(await failed(facts())).toMatchObject({ code: 'BUCKET_MISSING' })
  answers = { container: properties(), service: refusal(503, 'ServerBusy') }
  expect(await failed(facts())).toMatchObject({ kind: 'unavailable' })
  expect(await failed(facts({ credential: 'canary' as never }))).toMatchObject({
    code: 'OPTION',
    message: expect.not.stringContaining('canary') as string,
  })
})
