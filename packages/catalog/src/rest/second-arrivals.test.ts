import { describe, expect, it } from 'vitest'
import { restCatalog } from './rest-catalog.ts'
import {
  commit,
  configured,
  errorBody,
  failureOf,
  metadata,
  opened,
  orders,
  request,
  scripted,
  table,
} from './rest.test-support.ts'
import type { Answer } from './rest.test-support.ts'

const snapshot = {
  'snapshot-id': 9_007_199_254_740_993n,
  'sequence-number': 1,
  'timestamp-ms': 1,
  'manifest-list': 's3://lake/shop/orders/metadata/snap-a.avro',
  summary: { operation: 'append' },
}
const append = { requirements: [], updates: [{ action: 'add-snapshot', snapshot }] } as const
const conflict = errorBody(409, 'CommitFailedException')

/** A server to which the commit comes as a second one, and how the table is by then. */
async function conflicting(load: Answer) {
  const server = await scripted(configured(({ method }) => (method === 'POST' ? conflict : load)))
  return { server, ...opened(server.uri) }
}
const having = (snapshots: readonly object[]): Answer => ({ body: { ...table, metadata: { ...metadata, snapshots } } })

describe('a conflict', () => {
  it('with the commit itself, which something in between has sent twice, is no conflict', async () => {
    const { catalog, server } = await conflicting(having([snapshot]))
    const made = await catalog.commitTable(orders, append)
    expect(made.metadata.snapshots).toHaveLength(1)
    expect(server.calls().slice(1)).toEqual([
      'POST /v1/namespaces/shop/tables/orders',
      'GET /v1/namespaces/shop/tables/orders',
    ])
  })

  it('with another one stays what it is', async () => {
    const lost = { kind: 'conflict', code: 'REQUIREMENT_FAILED', outcome: 'rejected' }
    const other = { ...snapshot, 'manifest-list': 's3://lake/shop/orders/metadata/snap-b.avro' }
    for (const load of [having([]), having([other]), errorBody(404, 'NoSuchTableException')]) {
      const { catalog } = await conflicting(load)
      expect(await failureOf(catalog.commitTable(orders, append))).toMatchObject(lost)
    }
    const { catalog, server } = await conflicting(having([snapshot]))
    expect(await failureOf(catalog.commitTable(orders, commit))).toMatchObject(lost)
    expect(server.told).toHaveLength(2)
  })

  it('of which nobody can tell leaves the outcome unknown', async () => {
    const { catalog } = await conflicting({ body: '<html>Welcome</html>' })
    expect(await failureOf(catalog.commitTable(orders, append))).toMatchObject({ kind: 'conflict', outcome: 'unknown' })
  })
})

describe('a commit that is refused as a bad one', () => {
  it.each([400, 422])('and is in the table, is made: %i', async (status) => {
    const refusal = errorBody(status, 'BadRequestException')
    const server = await scripted(configured(({ method }) => (method === 'POST' ? refusal : having([snapshot]))))
    const made = await opened(server.uri).catalog.commitTable(orders, append)
    expect(made.metadata.snapshots).toHaveLength(1)
  })

  it('stays so where it is not there, and is unknown where nobody can tell', async () => {
    for (const [load, outcome] of [
      [having([]), 'rejected'],
      [{ body: '<html>Welcome</html>' }, 'unknown'],
    ] as const) {
      const refusal = errorBody(400, 'BadRequestException')
      const server = await scripted(configured(({ method }) => (method === 'POST' ? refusal : load)))
      const failure = await failureOf(opened(server.uri).catalog.commitTable(orders, append))
      expect(failure).toMatchObject({ kind: 'invalid', code: 'BAD_REQUEST', outcome })
    }
  })
})

describe('a connection', () => {
  const failing = (cause: object) =>
    restCatalog({
      uri: 'http://lake.example',
      fetch: (input) =>
        String(input).includes('/config')
          ? Promise.resolve(Response.json({ defaults: {}, overrides: {} }))
          : Promise.reject(new TypeError('fetch failed', { cause })),
    })

  it.each([
    ['EHOSTUNREACH', 'read', 'unknown'],
    ['ENETUNREACH', 'write', 'unknown'],
    ['ECONNREFUSED', undefined, 'unknown'],
    ['EHOSTUNREACH', 'connect', 'rejected'],
    ['ECONNREFUSED', 'connect', 'rejected'],
    ['ENOTFOUND', 'getaddrinfo', 'rejected'],
    ['UND_ERR_CONNECT_TIMEOUT', undefined, 'rejected'],
  ])('that ends with %s in %s leaves a commit %s', async (code, syscall, outcome) => {
    expect(await failureOf(failing({ code, syscall }).commitTable(orders, commit))).toMatchObject({ outcome })
  })

  it('to one of several addresses counts for all', async () => {
    const refused = { code: 'ECONNREFUSED', syscall: 'connect' }
    const reset = { code: 'ECONNRESET', syscall: 'read' }
    const outcomeOf = async (...errors: object[]) =>
      (await failureOf(failing({ code: 'ECONNREFUSED', errors }).commitTable(orders, commit)))['outcome']
    expect([await outcomeOf(refused, refused), await outcomeOf(refused, reset)]).toEqual(['rejected', 'unknown'])
  })
})

describe('what is answered with nothing', () => {
  it.each([
    ['a page', { body: '<html>Welcome</html>' }],
    ['another success', { status: 202 }],
  ] as const)('is not believed when it comes with %s', async (_, answer) => {
    const server = await scripted(configured(() => answer))
    const { catalog } = opened(server.uri)
    const to = { ...orders, name: 'sales' }
    const works = [
      catalog.dropTable(orders),
      catalog.renameTable(orders, to),
      catalog.commitTransaction([{ identifier: orders, ...commit }]),
      catalog.dropNamespace(['shop']),
    ]
    for (const told of await Promise.all(works.map(failureOf)))
      expect(told).toMatchObject({ code: 'CATALOG_ANSWER', outcome: 'unknown' })
  })

  it('may come with JSON, or as 200', async () => {
    for (const answer of [{ status: 200 }, { status: 204 }, { body: {} }]) {
      const server = await scripted(configured(() => answer))
      await opened(server.uri).catalog.dropTable(orders)
    }
  })
})

describe('a server that says yes', () => {
  it('to a table that is to be is not believed where it shows another one', async () => {
    const uuid = '5a6b7c8d-0000-4000-8000-00000000000f'
    const creation = { requirements: [{ type: 'assert-create' }], updates: [{ action: 'assign-uuid', uuid }] } as const
    const server = await scripted(configured(() => ({ body: table })))
    const told = await failureOf(opened(server.uri).catalog.commitTable(orders, creation))
    expect(told).toMatchObject({ code: 'CATALOG_ANSWER', outcome: 'unknown' })
  })

  it('by what is nested too deep to be read fails as all that cannot be read', async () => {
    const depth = 100_000
    const deep = `${'{"type":"list","element-id":1,"element-required":true,"element":'.repeat(depth)}"long"${'}'.repeat(depth)}`
    const schema = { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'a', required: true, type: 'DEEP' }] }
    const body = JSON.stringify({ ...table, metadata: { ...metadata, schemas: [schema] } }).replace('"DEEP"', deep)
    const server = await scripted(configured(() => ({ body })))
    const told = await failureOf(opened(server.uri).catalog.createTable(orders, request))
    expect(told).toMatchObject({ name: 'MoulinError', outcome: 'unknown' })
  })
})
