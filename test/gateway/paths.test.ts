/** Ways to write a path: whichever table is meant, its name is what the authoriser is asked about. */
import { connect } from 'node:net'
import type { GatewayAction, GatewayResource } from '@moulin/gateway'
import { bearerTokens } from '@moulin/gateway'
import { describe, expect, it } from 'vitest'
import { asker, orders, refusal, served, servedOrders, tables } from './gateway.ts'
import type { CatalogKind } from './gateway.ts'

const token = 'spark-spark-spark'

/** As it stands, which no client of URLs sends. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let said = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket
      .on('data', (chunk) => void (said += chunk.toString()))
      .on('error', () => {})
      .on('close', () => resolve(said))
  })
}

const get = (path: string, method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`

describe.each<CatalogKind>(['memory', 'folder'])('a caller who may load one table of the %s catalog', (kind) => {
  it('loads no other, however he writes its name', async () => {
    const all = await servedOrders({ kind })
    await all.ask('POST', tables, { ...orders, name: 'secret' })
    const passed: string[] = []
    const authorize = (_: object, action: GatewayAction, { namespace, table }: GatewayResource): boolean => {
      const isAllowed = action === 'loadTable' && namespace.join() === 'shop' && table === 'orders'
      if (isAllowed) passed.push(`${namespace.join('.')}.${table}`)
      return isAllowed
    }
    const { server } = await served({
      catalog: all.catalog,
      auth: bearerTokens({ tokens: { spark: token }, authorize }),
    })
    const port = Number(new URL(server.url).port)
    expect(await raw(port, get(`${tables}/orders`))).toMatch(/^HTTP\/1.1 200/)
    const paths = [
      'secret',
      'orders/../secret',
      'orders/%2e%2e/secret',
      'orders%2F..%2Fsecret',
      'orders%2Fsecret',
      'orders\\..\\secret',
      'orders%5C..%5Csecret',
      'secret/',
      '/secret',
      './secret',
      'secret%20',
      'secret%00',
      'secret%2500',
      '%73ecret',
      '%2573ecret',
      'SECRET',
      'secret;orders',
      'secret%3Forders',
      'secret#orders',
      'secret?table=orders',
      'orders%1Fsecret',
      '%E0%80%AFsecret',
    ]
    for (const path of paths) {
      for (const method of ['GET', 'HEAD', 'DELETE', 'get', 'PUT', 'OPTIONS', 'TRACE'])
        expect(await raw(port, get(`${tables}/${path}`, method)), `${method} ${path}`).toMatch(/^HTTP\/1.1 40[0-9]/)
    }
    for (const path of [
      `/V1${tables.slice(3)}/secret`,
      `/${tables}/secret`,
      `http://127.0.0.1${tables}/secret`,
      `/v1/namespaces/shop%2Ftables%2Fsecret`,
      `/v1/namespaces/shop%1F/tables/secret`,
      `/v1/namespaces/%1Fshop/tables/secret`,
      `/v1/namespaces/shop/./tables/secret`,
    ])
      expect(await raw(port, get(path)), path).toMatch(/^HTTP\/1.1 40[0-9]/)
    expect(new Set(passed)).toEqual(new Set(['shop.orders']))
    expect((await all.ask('HEAD', `${tables}/secret`)).status).toBe(204)
  }, 60_000)
})

describe('a request that says two things of itself', () => {
  it('is not taken for two', async () => {
    const { server, ask } = await served()
    const port = Number(new URL(server.url).port)
    const inner = 'POST /v1/namespaces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n'
    const body = '{"namespace":["smuggled"]}'
    const second = `${inner}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
    for (const headers of [
      `Content-Length: 0\r\nTransfer-Encoding: chunked\r\n`,
      `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n`,
      `Content-Length: 5\r\nContent-Length: 0\r\n`,
      `Content-Length: +0\r\n`,
    ])
      expect(await raw(port, `${inner}${headers}\r\n${second}`)).toMatch(/^HTTP\/1.1 400/)
    // A body where none belongs is the request's own, and nobody's next one.
    await raw(
      port,
      `${get('/v1/config').replace('close', 'keep-alive').replace(/\r\n$/, '')}Content-Length: ${second.length}\r\n\r\n${second}${get('/health')}`,
    )
    expect((await ask('GET', '/v1/namespaces')).body).toEqual({ namespaces: [] })
  })
})

describe('names that objects have by themselves', () => {
  it('are names like any', async () => {
    const { ask } = await servedOrders()
    const made = await ask(
      'POST',
      '/v1/namespaces',
      '{"namespace":["__proto__"],"properties":{"__proto__":"a","constructor":"b"}}',
    )
    expect([made.status, Object.entries(made.body!['properties'] as object)]).toEqual([
      200,
      [
        ['__proto__', 'a'],
        ['constructor', 'b'],
      ],
    ])
    const updates = '[{"action":"set-properties","updates":{"__proto__":"a","toString":"b"}}]'
    await ask('POST', `${tables}/orders`, `{"requirements":[],"updates":${updates}}`)
    const { body } = await ask('GET', `${tables}/orders`)
    const { properties } = body!['metadata'] as unknown as { readonly properties: object }
    expect(Object.entries(properties)).toEqual([
      ['__proto__', 'a'],
      ['toString', 'b'],
    ])
    for (const action of ['constructor', '__proto__', 'toString'])
      expect(refusal(await ask('POST', `${tables}/orders`, { updates: [{ action }] }))).toBe('400 BadRequestException')
    const ref = [{ type: 'assert-ref-snapshot-id', ref: '__proto__', 'snapshot-id': 7 }]
    expect(refusal(await ask('POST', `${tables}/orders`, { requirements: ref }))).toBe('409 CommitFailedException')
    expect(({} as { readonly a?: unknown }).a).toBeUndefined()
  })

  it('are as deep as a stack', async () => {
    const { ask } = await served()
    for (const deep of [
      '['.repeat(1_000_000),
      `{"namespace":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      '{"a":'.repeat(100_000),
    ])
      expect(refusal(await ask('POST', '/v1/namespaces', deep))).toBe('400 BadRequestException')
  })
})

describe('a page', () => {
  it('is as large as it may be, whatever is asked for', async () => {
    const { server } = await served({ limits: { maxPageSize: 2 } })
    const ask = asker(server.url)
    for (const name of ['a', 'b', 'c']) await ask('POST', '/v1/namespaces', { namespace: [name] })
    expect((await ask('GET', '/v1/namespaces?pageSize=9007199254740991')).body!['namespaces']).toHaveLength(2)
    for (const size of ['0', '-1', '1e400', 'NaN', '1.5', 'many'])
      expect((await ask('GET', `/v1/namespaces?pageSize=${size}`)).status).toBe(400)
  })
})
