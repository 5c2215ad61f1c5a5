import { describe, expect, it } from 'vitest'
import { commit, configured, errorBody, failureOf, opened, orders, scripted, table } from './rest.test-support.ts'
import type { Script } from './rest.test-support.ts'

describe('what a server says of itself', () => {
  const listed = (...endpoints: string[]) => ({ endpoints })

  it('is asked for once, and again where that failed', async () => {
    let isDown = true
    const server = await scripted(({ path }) =>
      path !== '/v1/config'
        ? { body: table }
        : isDown
          ? errorBody(403, 'ForbiddenException')
          : { body: { defaults: {}, overrides: {} } },
    )
    const { catalog } = opened(server.uri, { warehouse: 'a b' })
    expect(await failureOf(catalog.loadTable(orders))).toMatchObject({ code: 'ACCESS_DENIED' })
    isDown = false
    await Promise.all([catalog.loadTable(orders), catalog.loadTable(orders)])
    expect(server.calls().filter((call) => call === 'GET /v1/config')).toHaveLength(2)
    expect(server.told[0]!.query.get('warehouse')).toBe('a b')
  })

  it('decides what the catalog can do; without a list, the default endpoints of the specification', async () => {
    const byDefault = opened((await scripted(configured(() => ({ body: table })))).uri)
    await byDefault.catalog.ready()
    const all = { register: true, rename: true, transactions: true, views: false, namespaceProperties: true }
    expect(byDefault.catalog.capabilities).toEqual(all)
    const few = await scripted(
      configured(
        () => ({ body: table }),
        listed('GET /v1/{prefix}/namespaces/{namespace}/tables/{table}', 'POST /v1/{prefix}/namespaces'),
      ),
    )
    const { catalog } = opened(few.uri)
    expect(catalog.capabilities).toEqual(all)
    const asked: [string, Promise<unknown>][] = [
      ['rename', catalog.renameTable(orders, { ...orders, name: 'x' })],
      ['register', catalog.registerTable(orders, 's3://lake/m.json')],
      ['transactions', catalog.commitTransaction([])],
      ['namespaceProperties', catalog.setNamespaceProperties(['a'], { updates: { a: '1' } })],
      ['namespaceProperties', catalog.createNamespace(['a'], { a: '1' })],
      ['', catalog.commitTable(orders, commit)],
    ]
    for (const [capability, work] of asked) {
      const error = await failureOf(work)
      expect(error).toMatchObject({ kind: 'unsupported', code: 'CATALOG_CAPABILITY' })
      if (capability !== '') expect(error['context']).toMatchObject({ capability })
    }
    expect(few.calls()).toEqual(['GET /v1/config'])
    expect(catalog.capabilities).toEqual({
      register: false,
      rename: false,
      transactions: false,
      views: false,
      namespaceProperties: false,
    })
    await catalog.loadTable(orders)
  })

  it('may move it on its own origin, and never elsewhere', async () => {
    const server = await scripted(({ path, headers }) => {
      const host = `http://${headers.host}`
      if (path === '/v1/config') return { body: { overrides: { uri: `${host}/catalog/`, prefix: 'p' } } }
      if (path === '/far/v1/config') return { body: { overrides: { uri: 'http://elsewhere.example/x' } } }
      return { body: table }
    })
    await opened(server.uri).catalog.loadTable(orders)
    expect(server.calls().at(-1)).toBe('GET /catalog/v1/p/namespaces/shop/tables/orders')
    const far = opened(`${server.uri}/far/`)
    await far.catalog.loadTable(orders)
    expect(server.calls().at(-1)).toBe('GET /far/v1/namespaces/shop/tables/orders')
    expect(far.logs.map(({ message }) => message)).toEqual([
      'The catalog names a URI of another origin: it is not used',
    ])
  })

  it('names the separator of namespaces', async () => {
    const server = await scripted(
      configured(({ path }) => (path.endsWith('namespaces') ? { body: { namespaces: [] } } : { body: table }), {
        overrides: { 'namespace-separator': '%2E' },
      }),
    )
    const { catalog } = opened(server.uri)
    await catalog.loadTable({ namespace: ['a', 'b'], name: 't' })
    expect(server.calls().at(-1)).toBe('GET /v1/namespaces/a%2Eb/tables/t')
    for await (const _ of catalog.listNamespaces(['a', 'b'])) expect.unreachable()
    expect(server.told.at(-1)!.query.get('parent')).toBe('a.b')
  })
})

describe('what a server cannot mean', () => {
  it.each(['', '/', '?', '%', '%zz', '%FF', '\\\\'])('is the separator %j', async (separator) => {
    const server = await scripted(
      configured(() => ({ body: table }), { overrides: { 'namespace-separator': separator } }),
    )
    expect(await failureOf(opened(server.uri).catalog.loadTable(orders))).toMatchObject({ code: 'SEPARATOR' })
    expect(server.told).toHaveLength(1)
  })

  it('is one name by two namespaces', async () => {
    const server = await scripted(configured(() => ({ body: table }), { overrides: { 'namespace-separator': '.' } }))
    const { catalog } = opened(server.uri)
    await catalog.loadTable({ namespace: ['a', 'b'], name: 't' })
    const torn = await failureOf(catalog.loadTable({ namespace: ['a.b'], name: 't' }))
    expect(torn).toMatchObject({ kind: 'invalid', code: 'NAMESPACE_NAME' })
    expect(server.told).toHaveLength(2)
  })
})

describe('headers of ours', () => {
  it('are said once, however they are spelled', async () => {
    const server = await scripted(configured(() => ({ body: table })))
    const headers = { Accept: 'x/y', 'X-Iceberg-Access-Delegation': 'remote-signing' }
    await opened(server.uri, { headers }).catalog.loadTable(orders)
    expect(server.told.at(-1)!.headers).toMatchObject({
      accept: 'x/y',
      'x-iceberg-access-delegation': 'vended-credentials',
    })
  })
})

describe('lists', () => {
  const all = async <T>(list: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = []
    for await (const each of list) found.push(each)
    return found
  }

  it('come page by page', async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const script: Script = ({ query }) => {
      const size = Number(query.get('pageSize') ?? 2)
      const from = Number(query.get('pageToken') ?? '0')
      const next = from + size < names.length ? { 'next-page-token': String(from + size) } : { 'next-page-token': null }
      return {
        body: { identifiers: names.slice(from, from + size).map((name) => ({ namespace: ['shop'], name })), ...next },
      }
    }
    const server = await scripted(configured(script))
    const namespace = ['shop']
    const tables = names.map((name) => ({ namespace, name }))
    expect(await all(opened(server.uri).catalog.listTables({ namespace }))).toEqual(tables)
    expect(await all(opened(server.uri, { pageSize: 4 }).catalog.listTables({ namespace }))).toEqual(tables)
    expect(server.told.slice(-2).map(({ query }) => query.toString())).toEqual([
      'pageSize=4&pageToken=',
      'pageSize=4&pageToken=4',
    ])
  })

  it.each([
    ['name a page again', () => ({ identifiers: [{ namespace: ['shop'], name: 'a' }], 'next-page-token': 'x' })],
    ['go on without items', (n: number) => ({ identifiers: [], 'next-page-token': `x${n}` })],
  ] as const)('that %s are refused', async (_, page) => {
    let n = 0
    const server = await scripted(configured(() => ({ body: page(n++) })))
    const error = await failureOf(all(opened(server.uri).catalog.listTables({ namespace: ['shop'] })))
    expect(error).toMatchObject({ kind: 'unavailable', code: 'CATALOG_ANSWER' })
    expect(n).toBeLessThan(110)
  })

  it('of all tables go through all namespaces; each namespace is listed once, and only right below', async () => {
    const script: Script = ({ path, query }) => {
      if (path.endsWith('/tables')) {
        const [namespace] = path.split('/').slice(-2)
        if (namespace === 'gone') return errorBody(404, 'NoSuchNamespaceException')
        const identifiers = [{ namespace: namespace!.split('%1F'), name: 't' }]
        return { body: { identifiers } }
      }
      const parent = query.get('parent')
      if (parent === null) return { body: { namespaces: [['a'], ['gone'], ['a'], ['a', 'b']] } }
      return { body: { namespaces: parent === 'a' ? [['a', 'b'], ['c', 'd'], ['a']] : [] } }
    }
    const server = await scripted(configured(script))
    const { catalog } = opened(server.uri)
    expect(await all(catalog.listNamespaces([]))).toEqual([['a'], ['gone']])
    expect((await all(catalog.listTables())).map(({ namespace }) => namespace)).toEqual([['a'], ['a', 'b']])
  })
})

describe('namespaces', () => {
  it('are created, described, changed and dropped', async () => {
    const script: Script = ({ method, path }) => {
      if (method === 'DELETE') return { status: 204 }
      if (path.endsWith('/properties')) return { body: { updated: ['b'], removed: ['a'] } }
      return { body: { namespace: ['shop'], properties: { by: 'server' } } }
    }
    const server = await scripted(configured(script))
    const { catalog } = opened(server.uri)
    const shop = { namespace: ['shop'], properties: { by: 'server' } }
    expect(await catalog.createNamespace(['shop'], { a: '1' })).toEqual(shop)
    expect(await catalog.loadNamespace(['shop'])).toEqual(shop)
    const change = { updates: { b: '2' }, removals: ['a', 'c', 'a'] }
    // Servers need not say what was missing.
    expect(await catalog.setNamespaceProperties(['shop'], change)).toEqual({
      updated: ['b'],
      removed: ['a'],
      missing: ['c'],
    })
    expect(server.told.at(-1)!.body).toEqual({ updates: { b: '2' }, removals: ['a', 'c'] })
    await catalog.dropNamespace(['shop'])
    expect(server.calls().slice(1)).toEqual([
      'POST /v1/namespaces',
      'GET /v1/namespaces/shop',
      'POST /v1/namespaces/shop/properties',
      'DELETE /v1/namespaces/shop',
    ])
  })
})

describe('options', () => {
  it.each([
    [{ uri: 'not a url' }, 'URI'],
    [{ uri: 'ftp://host' }, 'URI'],
    [{ uri: 'http://user:canary@host' }, 'URI'],
    [{ uri: 'http://host?x=canary' }, 'URI'],
    [{ uri: 'http://host', headers: { 'x-key': 'can\nary' } }, 'HEADER'],
    [{ uri: 'http://host', requestTimeoutMs: 0 }, 'OPTION'],
    [{ uri: 'http://host', auth: 'canary' }, 'OPTION'],
    [{ uri: 'http://host', wharehouse: 'x' }, 'OPTION'],
  ])('are held against what there is: %j', (options, code) => {
    const make = (): unknown => opened('http://host', options as never)
    expect(make).toThrow(expect.objectContaining({ kind: 'invalid', code }))
    expect(make).not.toThrow(/canary/)
  })

  it('know that S3 Tables takes no more than 5 MB of metadata', () => {
    const warn = (uri: string, more = {}) => opened(uri, more).catalog.metadataWarnBytes
    expect(warn('https://s3tables.eu-west-1.amazonaws.com/iceberg')).toBe(4_000_000)
    expect(warn('https://s3tables.eu-west-1.amazonaws.com/iceberg', { metadataWarnBytes: 9 })).toBe(9)
    expect(warn('https://host')).toBeUndefined()
  })

  it('of a catalog that is closed are of no use', async () => {
    const { catalog } = opened('http://host')
    await catalog.close!()
    expect(await failureOf(catalog.loadTable(orders))).toMatchObject({ kind: 'closed' })
  })
})
