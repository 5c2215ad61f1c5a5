import { BlobServiceClient, ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { describe, expect, it } from 'vitest'
import { azure } from './azure.ts'
import type { AzureOptions } from './azure-options.ts'
import { KEY } from './azure.test-support.ts'

const base = { container: 'logs', account: 'lake' } as const
const refusedBy = (options: object): string => {
  try {
    azure(options as AzureOptions)
  } catch (error) {
    const { kind, code, message } = error as { kind: string; code: string; message: string }
    return `${kind} ${code} ${message}`
  }
  return 'taken'
}

describe('azure', () => {
  it('is named as engines name it, in each of their spellings', () => {
    const { root, aliases, name } = azure({ ...base, prefix: 'a b/' })
    expect(root).toBe('abfss://logs@lake.dfs.core.windows.net/a b/')
    expect(aliases).toEqual([
      'abfs://logs@lake.dfs.core.windows.net/a b/',
      'wasbs://logs@lake.blob.core.windows.net/a b/',
      'wasb://logs@lake.blob.core.windows.net/a b/',
    ])
    expect(name).toBe('azure(lake/logs/a b/)')
  })

  it('takes the domain of another cloud from the endpoint, or as it is told', () => {
    const china = 'core.chinacloudapi.cn'
    expect(azure({ ...base, endpoint: `https://lake.blob.${china}/` }).root).toBe(`abfss://logs@lake.dfs.${china}/`)
    expect(azure({ ...base, domain: china }).root).toBe(`abfss://logs@lake.dfs.${china}/`)
    expect(azure({ ...base, endpoint: 'http://127.0.0.1:10000/lake' }).root).toContain('@lake.dfs.core.windows.net/')
  })

  it('takes clients of a container and of an account, and a connection string', () => {
    const url = 'https://lake.blob.core.windows.net'
    const key = new StorageSharedKeyCredential('lake', KEY)
    const { root } = azure(base)
    const clients = [new BlobServiceClient(url, key), new ContainerClient(`${url}/logs`, key)]
    for (const client of clients) expect(azure({ container: 'logs', client }).root).toBe(root)
    const connectionString = `DefaultEndpointsProtocol=https;AccountName=lake;AccountKey=${KEY};EndpointSuffix=core.windows.net`
    expect(azure({ container: 'logs', credential: { connectionString } }).root).toBe(root)
  })

  it('claims a zone and no order of lists unless it is told more', () => {
    const told = azure({ ...base, durability: 'region', listOrder: 'bytes' })
    expect([azure(base).durability, azure(base).listOrder]).toEqual(['zone', 'none'])
    expect([told.durability, told.listOrder]).toEqual(['region', 'bytes'])
  })

  const url = 'https://lake.blob.core.windows.net'
  it.each<[string, object, string]>([
    ['no name of a container', { ...base, container: 'Logs' }, 'invalid BUCKET'],
    ['a path for a container', { ...base, container: 'logs/a' }, 'invalid BUCKET'],
    ['two hyphens', { ...base, container: 'lo--gs' }, 'invalid BUCKET'],
    ['no name of an account', { ...base, account: 'lake.evil/' }, 'invalid OPTION'],
    ['a URL for an account', { ...base, account: 'https://a:canary@lake' }, 'invalid OPTION azure: account is no'],
    [
      'a connection string for an account',
      { ...base, account: 'AccountKey=canary' },
      'invalid OPTION azure: account is no',
    ],
    [
      'a connection string for a client',
      { container: 'logs', client: 'AccountKey=canary' },
      'invalid OPTION azure: client',
    ],
    ['a URL for a domain', { ...base, domain: 'https://a:canary@lake' }, 'invalid OPTION azure: domain'],
    ['no account', { container: 'logs' }, 'invalid OPTION azure: account is missing;'],
    ['an endpoint that is no URL', { ...base, endpoint: 'lake' }, 'invalid OPTION'],
    ['an endpoint with a signature', { ...base, endpoint: `${url}?sig=canary` }, 'invalid OPTION'],
    ['a text for a credential', { ...base, credential: 'canary' }, 'invalid OPTION azure: credential'],
    ['a user in an endpoint', { ...base, endpoint: 'https://a:canary@lake' }, 'invalid OPTION azure: endpoint'],
    ['a key that is none', { ...base, credential: { accountKey: 'canary!' } }, 'invalid OPTION'],
    ['a credential that is none', { ...base, credential: { canary: 1 } }, 'invalid OPTION'],
    ['a signature that is none', { ...base, credential: { sasToken: 7 } }, 'invalid OPTION'],
    ['a connection string that is none', { ...base, credential: { connectionString: 'canary' } }, 'invalid OPTION'],
    ['a client that is none', { container: 'logs', client: {} }, 'invalid OPTION'],
    ['a client and a key', { ...base, client: new BlobServiceClient(url) }, 'invalid OPTION azure: account'],
    [
      'a client of another container',
      { container: 'logs', client: new ContainerClient(`${url}/other`) },
      'invalid OPTION',
    ],
    ['a misspelt option', { ...base, storageclass: 'Hot' }, 'invalid OPTION'],
    ['a tier that is not read at once', { ...base, storageClass: 'Archive' }, 'invalid OPTION'],
    ['a prefix without a slash', { ...base, prefix: 'a' }, 'invalid PREFIX'],
  ])('refuses %s', (_, options, said) => {
    expect(refusedBy(options).slice(0, said.length)).toBe(said)
    expect(refusedBy(options)).not.toContain('canary')
  })
})
