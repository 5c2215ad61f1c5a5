import { stringifyJson } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import {
  commit,
  configured,
  errorBody,
  failureOf,
  metadata,
  opened,
  orders,
  passing,
  request,
  scripted,
  table,
} from './rest.test-support.ts'
import type { Answer, Script } from './rest.test-support.ts'

const tablePath = '/v1/namespaces/shop/tables/orders'

/** A table that is only sent to whoever does not have it. */
function tagged(more: () => object = () => ({})): { readonly script: Script; readonly state: { version: number } } {
  const state = { version: 1 }
  const script: Script = ({ method, headers }) => {
    const etag = `W/"${state.version}"`
    if (method === 'POST') return { body: table }
    if (headers['if-none-match'] === etag) return { status: 304, headers: { etag } }
    const body = { ...table, 'metadata-location': `s3://lake/v${state.version}`, ...more() }
    return { headers: { etag }, body }
  }
  return { script, state }
}

describe('a load', () => {
  it('asks whether what is kept is the present one, and gives it where it is', async () => {
    const { script, state } = tagged()
    const server = await scripted(configured(script))
    const { catalog } = opened(server.uri)
    const first = await catalog.loadTable(orders)
    expect(await catalog.loadTable(orders)).toBe(first)
    state.version = 2
    expect((await catalog.loadTable(orders)).metadataLocation).toBe('s3://lake/v2')
    expect(await catalog.loadTable({ ...orders, name: 'other' })).not.toBe(first)
    expect(server.told.slice(1).map(({ headers }) => headers['if-none-match'])).toEqual([
      undefined,
      'W/"1"',
      'W/"1"',
      undefined,
    ])
  })

  it('after a commit takes nothing from what was kept, and nothing from what the commit was answered with', async () => {
    const { script } = tagged()
    const server = await scripted(configured(script))
    const { catalog } = opened(server.uri)
    await catalog.loadTable(orders)
    await catalog.commitTable(orders, commit)
    expect((await catalog.loadTable(orders)).metadataLocation).toBe('s3://lake/v1')
    expect(server.told.at(-1)!.headers['if-none-match']).toBeUndefined()
  })

  it('keeps no more than it may', async () => {
    const { script } = tagged()
    const server = await scripted(configured(script))
    const size = stringifyJson({ ...table, 'metadata-location': 's3://lake/v1' }).length
    const { catalog } = opened(server.uri, { keptTableBytes: 2 * size })
    const load = async (name: string): Promise<unknown> => {
      await catalog.loadTable({ ...orders, name })
      return server.told.at(-1)!.headers['if-none-match']
    }
    await load('a')
    await load('b')
    expect(await load('a')).toBe('W/"1"')
    await load('c')
    expect([await load('a'), await load('c')]).toEqual(['W/"1"', 'W/"1"'])
    expect(await load('b')).toBeUndefined()
    const none = opened(server.uri, { keptTableBytes: 0 })
    await none.catalog.loadTable(orders)
    await none.catalog.loadTable(orders)
    expect(server.told.at(-1)!.headers['if-none-match']).toBeUndefined()
  })

  it('asks for credentials, gives them with what the server says of all files, and keeps them while they are good', async () => {
    const clock = { untilMs: 0 }
    const { script } = tagged(() => ({
      config: { 's3.region': 'eu', token: 'not-for-stores' },
      'storage-credentials': [
        {
          prefix: 's3://lake',
          config: { 's3.access-key-id': 'A', 's3.session-token-expires-at-ms': `${clock.untilMs}` },
        },
      ],
    }))
    const overrides = { 's3.endpoint': 'http://s3', 's3.region': 'us', 'not.of.files': 'x' }
    const server = await scripted(configured(script, { overrides }))
    const { catalog, clock: time } = opened(server.uri)
    clock.untilMs = time.now() + 3_600_000
    const loaded = await catalog.loadTable(orders)
    expect(loaded.config).toEqual({ 's3.endpoint': 'http://s3', 's3.region': 'eu' })
    expect(loaded.credentials).toHaveLength(1)
    expect(server.told.at(-1)!.headers['x-iceberg-access-delegation']).toBe('vended-credentials')
    expect(await catalog.loadTable(orders)).toBe(loaded)
    // Whoever was refused with these wants others, whatever the server says of the metadata.
    expect(await catalog.loadTable(orders, { fresh: true })).not.toBe(loaded)
    await time.advance(3_310_000)
    await catalog.loadTable(orders)
    expect(server.told.at(-1)!.headers['if-none-match']).toBeUndefined()
    const plain = opened(server.uri, { vendedCredentials: false })
    await plain.catalog.loadTable(orders)
    expect(server.told.at(-1)!.headers['x-iceberg-access-delegation']).toBeUndefined()
  })

  it('keeps ids of 64 bits', async () => {
    const id = 9_007_199_254_740_993n
    const snapshot = {
      'snapshot-id': id,
      'sequence-number': 1,
      'timestamp-ms': 1,
      'manifest-list': 's3://lake/m',
      summary: { operation: 'append' },
    }
    const body = { ...table, metadata: { ...metadata, snapshots: [snapshot], 'current-snapshot-id': id } }
    const server = await scripted(configured(() => ({ body })))
    const { catalog } = opened(server.uri)
    expect((await catalog.loadTable(orders)).metadata['current-snapshot-id']).toBe(id)
    await catalog.commitTable(orders, {
      requirements: [],
      updates: [{ action: 'remove-snapshots', 'snapshot-ids': [id] }],
    })
    expect(server.told.at(-1)!.text).toContain(`"snapshot-ids":[${id}]`)
  })

  it('of a table that has no metadata-location is no table', async () => {
    const server = await scripted(configured(() => ({ body: { metadata } })))
    expect(await failureOf(opened(server.uri).catalog.loadTable(orders))).toMatchObject({ code: 'CATALOG_ANSWER' })
  })
})

describe('credentials', () => {
  const credential = { prefix: 's3://lake/', config: { 's3.access-key-id': 'B' } }

  it('come anew from their own endpoint, for the table that lies there', async () => {
    const endpoints = [
      'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
      'GET /v1/{prefix}/namespaces/{ns}/tables/{tbl}/credentials',
    ]
    const script: Script = ({ path }) =>
      path.endsWith('/credentials') ? { body: { 'storage-credentials': [credential] } } : { body: table }
    const server = await scripted(configured(script, { endpoints, overrides: { 's3.region': 'eu' } }))
    const { catalog } = opened(server.uri)
    const early = await failureOf(catalog.renew('s3://lake/shop/orders/data/a.parquet'))
    expect(early).toMatchObject({ code: 'CREDENTIALS' })
    await catalog.loadTable(orders)
    expect(await catalog.renew('s3a://lake/shop/orders/data/a.parquet')).toEqual({
      config: { 's3.region': 'eu' },
      credentials: [credential],
    })
    expect(server.calls().at(-1)).toBe(`GET ${tablePath}/credentials`)
    expect(await failureOf(catalog.renew('s3://lake/shop/orders2/a'))).toMatchObject({ code: 'CREDENTIALS' })
  })

  it.each([
    ['fails', errorBody(500, 'InternalServerError')],
    ['is not served', errorBody(404, 'NotFoundException')],
    ['gives none', { body: { 'storage-credentials': [] } }],
  ])('come with the table where their endpoint %s', async (_, answer) => {
    const endpoints = [
      'GET /v1/{prefix}/namespaces/{ns}/tables/{t}',
      'GET /v1/{prefix}/namespaces/{ns}/tables/{t}/credentials',
    ]
    const body = { ...table, 'storage-credentials': [credential] }
    const server = await scripted(
      configured(({ path }) => (path.endsWith('/credentials') ? answer : { body }), { endpoints }),
    )
    const { catalog, clock } = opened(server.uri)
    await catalog.loadTable(orders)
    const renewed = await passing(clock, catalog.renew('s3://lake/shop/orders/x'), 100)
    expect(renewed.credentials).toEqual([credential])
  })

  it('are those of the name that the table has now, whoever has changed it', async () => {
    const body = { ...table, 'storage-credentials': [credential] }
    const server = await scripted(configured(({ method }) => (method === 'POST' ? { status: 204 } : { body })))
    const { catalog } = opened(server.uri)
    const [b, c] = ['b', 'c'].map((name) => ({ ...orders, name })) as [typeof orders, typeof orders]
    const renewed = async (): Promise<string | undefined> => {
      await catalog.renew('s3://lake/shop/orders/x')
      return server.calls().at(-1)?.split('/').at(-1)
    }
    await catalog.loadTable(orders)
    await catalog.loadTable(b)
    expect(await renewed()).toBe('b')
    await catalog.loadTable(orders)
    await catalog.renameTable(orders, c)
    expect(await renewed()).toBe('b')
  })

  it('come with the table where there is no such endpoint', async () => {
    const server = await scripted(
      configured(() => ({ headers: { etag: '"1"' }, body: { ...table, 'storage-credentials': [credential] } })),
    )
    const { catalog } = opened(server.uri)
    await catalog.loadTable(orders)
    expect((await catalog.renew('s3://lake/shop/orders/x')).credentials).toEqual([credential])
    expect(server.calls().filter((call) => call.endsWith('/orders'))).toHaveLength(2)
    expect(server.told.at(-1)!.headers['if-none-match']).toBeUndefined()
  })
})

describe('a change', () => {
  it('has a key of its own where the server remembers keys, the same whenever it is sent', async () => {
    const server = await scripted(configured(() => ({ body: table }), { 'idempotency-key-lifetime': 'PT30M' }))
    const { catalog } = opened(server.uri)
    await catalog.commitTable(orders, commit, { changeId: 'a' })
    await catalog.commitTable(orders, commit, { changeId: 'a' })
    await catalog.commitTable(orders, commit, { changeId: 'b' })
    await catalog.commitTable({ ...orders, name: 'other' }, commit, { changeId: 'a' })
    await catalog.commitTable(orders, commit)
    const keys = server.told.slice(1).map(({ headers }) => headers['idempotency-key'])
    expect(keys[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    // 2026-01-01, by the clock of the runtime.
    expect(Number.parseInt(String(keys[0]).slice(0, 13).replace('-', ''), 16)).toBe(Date.UTC(2026, 0, 1))
    expect([keys[1] === keys[0], new Set(keys).size, keys[4]]).toEqual([true, 4, undefined])
    const other = await scripted(configured(() => ({ body: table })))
    await opened(other.uri).catalog.commitTable(orders, commit, { changeId: 'a' })
    expect(other.told.at(-1)!.headers['idempotency-key']).toBeUndefined()
  })

  it('that was refused is another try when it is sent again; each of several requests is one of its own', async () => {
    const keys = new Map<unknown, string>()
    const made = new Set<string>()
    // As the specification wants it: what was answered for good is answered so again.
    const script: Script = ({ method, path, text, body, headers }): Answer => {
      const key = headers['idempotency-key']
      if (method === 'GET') return { body: { ...table, config: { key: String(key) } } }
      const known = keys.get(key)
      if (known !== undefined)
        return known === text ? errorBody(404, 'NoSuchNamespaceException') : errorBody(422, 'KeyReused')
      keys.set(key, text)
      if (path === '/v1/namespaces') {
        const levels = body['namespace'] as string[]
        if (levels.length > 1 && !made.has(levels.slice(0, -1).join('.')))
          return errorBody(404, 'NoSuchNamespaceException')
        made.add(levels.join('.'))
        return { body: { namespace: levels, properties: {} } }
      }
      return made.has('a.b') ? { body: table } : errorBody(404, 'NoSuchNamespaceException')
    }
    const server = await scripted(configured(script, { 'idempotency-key-lifetime': 'PT30M' }))
    const { catalog } = opened(server.uri)
    await catalog.createTable({ namespace: ['a', 'b'], name: 't' }, request, { changeId: 'x' })
    const sent = server.told.filter(({ method }) => method === 'POST').map(({ headers }) => headers['idempotency-key'])
    expect([sent.length, new Set(sent).size]).toEqual([5, 5])
    await catalog.loadTable(orders, { changeId: 'x' })
    expect(server.told.at(-1)!.headers['idempotency-key']).toBeUndefined()
  })

  it('whose outcome nobody knows keeps its key', async () => {
    const server = await scripted(
      configured(() => errorBody(503, 'ServiceUnavailableException'), { 'idempotency-key-lifetime': 'PT30M' }),
    )
    const { catalog } = opened(server.uri)
    for (let n = 0; n < 2; n++) await failureOf(catalog.commitTable(orders, commit, { changeId: 'a' }))
    expect(new Set(server.told.slice(1).map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  })

  it('creates the namespace of a table where the server wants one, and those around it', async () => {
    const made = new Set<string>()
    const script: Script = ({ method, path, body }): Answer => {
      if (method === 'POST' && path === '/v1/namespaces') {
        const levels = body['namespace'] as string[]
        if (levels.length > 1 && !made.has(levels.slice(0, -1).join('.')))
          return errorBody(404, 'NoSuchNamespaceException')
        made.add(levels.join('.'))
        return { body: { namespace: levels, properties: {} } }
      }
      return made.has('a.b.c') ? { body: table } : errorBody(404, 'NoSuchNamespaceException')
    }
    const server = await scripted(configured(script))
    const { catalog } = opened(server.uri)
    await catalog.createTable({ namespace: ['a', 'b', 'c'], name: 't' }, request)
    expect([...made]).toEqual(['a', 'a.b', 'a.b.c'])
    expect(server.told.at(-1)!.body).toEqual({ name: 't', schema: request.schema })
  })

  it('goes on where nobody heard whether the namespace was created: what comes next says so', async () => {
    let posts = 0
    const script: Script = ({ path }): Answer => {
      if (path === '/v1/namespaces') return errorBody(504, 'GatewayTimeout')
      return ++posts > 1 ? { body: table } : errorBody(404, 'NoSuchNamespaceException')
    }
    const server = await scripted(configured(script))
    await opened(server.uri).catalog.createTable(orders, request)
    posts = -1
    const missing = await failureOf(opened(server.uri).catalog.createTable(orders, request))
    expect(missing).toMatchObject({ code: 'NAMESPACE_MISSING', outcome: 'rejected' })
  })

  it('says all of a table that is to be, and stages it where that is wanted', async () => {
    const server = await scripted(configured(() => ({ body: { metadata } })))
    const { catalog } = opened(server.uri)
    const sortOrder = { 'order-id': 1, fields: [] }
    const partitionSpec = { fields: [] }
    const all = { ...request, location: 's3://lake/x', sortOrder, partitionSpec, properties: { a: 'b' } }
    expect(await catalog.stageTable(orders, all)).toEqual({ identifier: orders, metadata })
    expect(server.told.at(-1)!.body).toEqual({
      name: 'orders',
      location: 's3://lake/x',
      schema: request.schema,
      'partition-spec': { 'spec-id': 0, fields: [] },
      'write-order': sortOrder,
      'stage-create': true,
      properties: { a: 'b' },
    })
    // Of a table that is said to be there, somebody must know where.
    expect(await failureOf(catalog.createTable(orders, request))).toMatchObject({ outcome: 'unknown' })
  })

  it('drops the name, not the files', async () => {
    const server = await scripted(configured(() => ({ status: 204 })))
    await opened(server.uri).catalog.dropTable(orders)
    expect([server.calls().at(-1), server.told.at(-1)!.query.get('purgeRequested')]).toEqual([
      `DELETE ${tablePath}`,
      'false',
    ])
  })

  it('of a name, of several tables, by metadata that is there', async () => {
    const server = await scripted(
      configured(({ path }) => (path.endsWith('register') ? { body: table } : { status: 204 })),
    )
    const { catalog } = opened(server.uri)
    const to = { namespace: ['shop', 'eu'], name: 'sales' }
    await catalog.renameTable(orders, to)
    expect(server.told.at(-1)!.body).toEqual({ source: orders, destination: to })
    await catalog.commitTransaction([{ identifier: orders, ...commit }])
    expect(server.told.at(-1)!.body).toEqual({ 'table-changes': [{ identifier: orders, ...commit }] })
    await catalog.registerTable(orders, 's3://lake/m.json')
    expect(server.told.at(-1)!.body).toEqual({ name: 'orders', 'metadata-location': 's3://lake/m.json' })
    expect(server.calls().slice(1)).toEqual([
      'POST /v1/tables/rename',
      'POST /v1/transactions/commit',
      'POST /v1/namespaces/shop/register',
    ])
  })

  it('that its caller gives up is unknown once it was sent', async () => {
    const control = new AbortController()
    const server = await scripted(
      configured(() => {
        control.abort()
        return undefined
      }),
    )
    const { catalog } = opened(server.uri)
    await catalog.ready()
    const aborted = await failureOf(catalog.commitTable(orders, commit, { signal: control.signal }))
    expect(aborted).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    expect(await failureOf(catalog.loadTable(orders, { signal: control.signal }))).toMatchObject({
      outcome: 'rejected',
    })
  })
})
