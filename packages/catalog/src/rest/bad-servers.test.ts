import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bearer } from './auth.ts'
import {
  closedPort,
  commit,
  configured,
  errorBody,
  failureOf,
  opened,
  orders,
  passing,
  scripted,
  table,
} from './rest.test-support.ts'
import type { Script } from './rest.test-support.ts'

const html: Script = () => ({ status: 200, body: '<html><h1>Welcome</h1></html>' })
const hang: Script = () => undefined
const cutOff: Script = (_told, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
  response.write('{"metadata":')
  setImmediate(() => response.destroy())
  return undefined
}
const hangInBody: Script = (_told, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.write('{"metadata":')
  return undefined
}
const reset: Script = (_told, response) => {
  response.destroy()
  return undefined
}

describe('a server that does as it likes', () => {
  it.each([
    ['a page', html, 'CATALOG_ANSWER'],
    ['half an answer', cutOff, 'CATALOG_CUT_OFF'],
    ['a connection that breaks', reset, 'CATALOG_CUT_OFF'],
    ['nothing', hang, 'CATALOG_TIMEOUT'],
    ['the beginning of an answer, and then nothing', hangInBody, 'CATALOG_TIMEOUT'],
    ['JSON that is no table', () => ({ body: { metadata: 7 } }), undefined],
    ['a fault', () => errorBody(500, 'InternalServerError'), 'CATALOG_FAULT'],
    ['a page of a gateway', () => ({ status: 502, body: '<html>Bad gateway</html>' }), 'CATALOG_ANSWER'],
    ['no body', () => ({ status: 200 }), 'CATALOG_ANSWER'],
    ['a missing table, in a page', () => ({ status: 404, body: '<html>Not found</html>' }), 'CATALOG_ANSWER'],
    ['a conflict, in words of somebody', () => ({ status: 409, body: { message: 'no' } }), 'CATALOG_ANSWER'],
    ['not modified, without being asked', () => ({ status: 304 }), 'CATALOG_ANSWER'],
  ] as const)(
    'that answers a commit with %s leaves its outcome unknown, and is asked once',
    async (_, script, code) => {
      const server = await scripted(configured(script as Script))
      const { catalog, clock } = opened(server.uri, { requestTimeoutMs: 5_000 })
      await catalog.ready()
      const startMs = clock.monotonic()
      const isTime = code === 'CATALOG_TIMEOUT'
      const work = failureOf(catalog.commitTable(orders, commit))
      const error = await (isTime ? passing(clock, work, 100) : work)
      expect(error).toMatchObject({ outcome: 'unknown', retryable: false, ...(code === undefined ? {} : { code }) })
      expect(clock.monotonic() - startMs).toBeLessThanOrEqual(5_200)
      expect(server.calls()).toEqual(['GET /v1/config', 'POST /v1/namespaces/shop/tables/orders'])
    },
  )

  it.each([
    ['a page', html, 'CATALOG_ANSWER', 1],
    ['a page of a gateway', () => ({ status: 502, body: '<html>Bad gateway</html>' }), 'CATALOG_ANSWER', 4],
    ['half an answer', cutOff, 'CATALOG_CUT_OFF', 4],
    ['a fault', () => errorBody(503, 'ServiceUnavailableException'), 'CATALOG_BUSY', 4],
    ['a refusal', () => errorBody(403, 'ForbiddenException'), 'ACCESS_DENIED', 1],
    ['no such table', () => errorBody(404, 'NoSuchTableException'), 'TABLE_MISSING', 1],
  ] as const)('that answers a load with %s is asked again where that helps', async (_, script, code, times) => {
    const server = await scripted(configured(script as Script))
    const { catalog, clock } = opened(server.uri)
    const error = await passing(clock, failureOf(catalog.loadTable(orders)))
    expect(error).toMatchObject({ code, outcome: 'rejected' })
    expect(server.told).toHaveLength(1 + times)
  })

  it('that asks for fewer requests has not made the commit, and is not sent it again', async () => {
    const server = await scripted(
      configured(() => ({ ...errorBody(429, 'SlowDownException'), headers: { 'retry-after': '0' } })),
    )
    const { catalog, clock } = opened(server.uri)
    const error = await passing(clock, failureOf(catalog.commitTable(orders, commit)))
    expect(error).toMatchObject({ code: 'CATALOG_BUSY', outcome: 'rejected', retryable: true })
    expect(server.told).toHaveLength(2)
  })

  it('is asked again as late as it says, and not beyond the time of the call', async () => {
    let answers = 0
    const server = await scripted(
      configured(() => {
        if (++answers > 1) return { body: table }
        return { ...errorBody(429, 'SlowDownException'), headers: { 'retry-after': '2' } }
      }),
    )
    const { catalog, clock } = opened(server.uri)
    await passing(clock, catalog.loadTable(orders), 10)
    expect(clock.monotonic()).toBeGreaterThanOrEqual(2_000)
    answers = 0
    const short = opened(server.uri, { requestTimeoutMs: 1_000 })
    expect(await failureOf(short.catalog.loadTable(orders))).toMatchObject({ code: 'CATALOG_BUSY' })
  })

  it('that sends more than is taken is not read to its end', async () => {
    const long = 'x'.repeat(5_000)
    const server = await scripted(configured(() => ({ body: { metadata: long } })))
    const { catalog } = opened(server.uri, { maxAnswerBytes: 4_000 })
    expect(await failureOf(catalog.loadTable(orders))).toMatchObject({ kind: 'exhausted', code: 'ANSWER_TOO_LARGE' })
    const told = await failureOf(catalog.commitTable(orders, commit))
    expect(told).toMatchObject({ code: 'ANSWER_TOO_LARGE', outcome: 'unknown' })
    const endless = await scripted(
      configured((_told, response) => {
        response.writeHead(200)
        const more = (): boolean => response.write(long, (error) => void (error ?? more()))
        more()
        return undefined
      }),
    )
    const other = opened(endless.uri, { maxAnswerBytes: 40_000 })
    expect(await failureOf(other.catalog.loadTable(orders))).toMatchObject({ code: 'ANSWER_TOO_LARGE' })
  })

  it('is followed for a load on its own origin, never elsewhere, never for what changes something', async () => {
    const elsewhere = await scripted(() => ({ body: table }))
    const server = await scripted(
      configured(({ path, method }) => {
        if (path === '/moved') return { body: table }
        const isFar = path.endsWith('far')
        const location = isFar ? `${elsewhere.uri}/moved` : method === 'GET' ? '/moved' : '/moved'
        return { status: 307, headers: { location } }
      }),
    )
    const { catalog } = opened(server.uri, { auth: bearer({ token: 'secret-token' }) })
    expect((await catalog.loadTable(orders)).metadata['table-uuid']).toBe(table.metadata['table-uuid'])
    expect(await failureOf(catalog.loadTable({ ...orders, name: 'far' }))).toMatchObject({
      code: 'CATALOG_REDIRECT',
      outcome: 'rejected',
    })
    expect(await failureOf(catalog.commitTable(orders, commit))).toMatchObject({
      code: 'CATALOG_REDIRECT',
      outcome: 'unknown',
    })
    expect(elsewhere.told).toEqual([])
    const named = await scripted(
      configured(({ path, headers }) =>
        path === '/moved'
          ? { body: table }
          : { status: 307, headers: { location: `http://a:b@${headers.host}/moved` } },
      ),
    )
    await opened(named.uri).catalog.loadTable(orders)
    expect(named.told.at(-1)!.headers['authorization']).toBeUndefined()
    const circle = await scripted(configured(({ path }) => ({ status: 302, headers: { location: path } })))
    expect(await failureOf(opened(circle.uri).catalog.loadTable(orders))).toMatchObject({ code: 'CATALOG_REDIRECT' })
  })

  it('that is not there has been sent nothing', async () => {
    const server = await scripted(configured(() => ({ body: table })))
    const { catalog, clock } = opened(await closedPort())
    const error = await passing(clock, failureOf(catalog.commitTable(orders, commit)))
    expect(error).toMatchObject({ code: 'CATALOG_UNREACHABLE', outcome: 'rejected' })
    const gone = await scripted(configured(() => ({ body: table })))
    const known = opened(gone.uri)
    await known.catalog.ready()
    await gone.close()
    expect(await failureOf(known.catalog.commitTable(orders, commit))).toMatchObject({
      code: 'CATALOG_UNREACHABLE',
      outcome: 'rejected',
    })
    // It is asked anew each time.
    await opened(server.uri).catalog.loadTable(orders)
  })

  it('that says a commit was made is not believed where what it shows says otherwise', async () => {
    const other = { ...table, metadata: { ...table.metadata, 'table-uuid': '5a6b7c8d-0000-4000-8000-000000000002' } }
    const server = await scripted(configured(({ path }) => ({ body: path.endsWith('orders') ? other : table })))
    const { catalog } = opened(server.uri)
    const unknown = { code: 'CATALOG_ANSWER', outcome: 'unknown' }
    expect(await failureOf(catalog.commitTable(orders, commit))).toMatchObject(unknown)
    const snapshot = {
      'snapshot-id': 1n,
      'sequence-number': 1,
      'timestamp-ms': 1,
      'manifest-list': 's3://lake/m',
      summary: { operation: 'append' },
    }
    const append = { requirements: [], updates: [{ action: 'add-snapshot', snapshot }] } as const
    expect(await failureOf(catalog.commitTable({ ...orders, name: 'b' }, append))).toMatchObject(unknown)
  })

  it('never gets a name that no URL brings there whole', async () => {
    const server = await scripted(configured(() => ({ body: table })))
    const { catalog } = opened(server.uri)
    for (const name of ['', '..', '.', 'a\u0000b', 'a\u001Fb', 'a\nb', '\ud800', 'x'.repeat(256)]) {
      expect(await failureOf(catalog.loadTable({ ...orders, name }))).toMatchObject({ code: 'TABLE_NAME' })
      expect(await failureOf(catalog.loadNamespace([name]))).toMatchObject({ code: 'NAMESPACE_NAME' })
    }
    expect(server.told).toEqual([])
    await catalog.loadTable({ namespace: ['a b', 'c/d'], name: '..x%2F' })
    expect(server.calls().at(-1)).toBe('GET /v1/namespaces/a%20b%1Fc%2Fd/tables/..x%252F')
  })

  it('learns no secret of ours to tell: not in errors, not in logs, not when shown', async () => {
    const token = 'canary-token-5f3a'
    const key = 'canary-key-77aa'
    const faces: Script[] = [
      ({ headers }) => errorBody(403, String(headers['authorization']), `Refused: ${String(headers['authorization'])}`),
      ({ headers }) => errorBody(400, 'BadRequestException', `x-key was ${String(headers['x-key'])}`),
      ({ headers }) => ({ status: 500, body: `<p>${String(headers['authorization'])}</p>` }),
      ({ headers }) => ({ body: { metadata: table.metadata, config: { a: `${String(headers['x-key'])}`, b: 1 } } }),
      ({ headers }) => ({ body: `{"metadata": ${String(headers['authorization'])}` }),
      ({ headers }) => ({ status: 302, headers: { location: `http://${String(headers['x-key'])}.example/` } }),
    ]
    for (const face of faces) {
      const server = await scripted(configured(face))
      const { catalog, clock, logs } = opened(server.uri, { auth: bearer({ token }), headers: { 'x-key': key } })
      const error = await passing(clock, failureOf(catalog.loadTable(orders)))
      const all = inspect([error, catalog, logs], { depth: 20, showHidden: true }) + JSON.stringify(error)
      expect(server.told[1]!.headers).toMatchObject({ authorization: `Bearer ${token}`, 'x-key': key })
      expect(all).not.toContain(token)
      expect(all).not.toContain(key)
    }
  })
})
