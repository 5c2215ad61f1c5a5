import type { GatewayAction, GatewayResource } from '@moulin/gateway'
import { bearerTokens, serveCatalog } from '@moulin/gateway'
import { describe, expect, it } from 'vitest'
import { asker, messageOf, orders, quiet, refusal, served, tables } from './gateway.ts'

const token = 'spark-spark-spark'
const bearer = { authorization: `Bearer ${token}` }

describe('a server with tokens', () => {
  it('answers nobody without one, not even what it serves', async () => {
    const { ask } = await served({ auth: bearerTokens({ tokens: { spark: token } }) })
    for (const headers of [
      {},
      { authorization: 'Basic c3Bhcms6c3Bhcms=' },
      { authorization: 'Bearer other-other-other' },
    ]) {
      const refused = await ask('GET', '/v1/config', undefined, headers)
      expect(refusal(refused)).toBe('401 NotAuthorizedException')
      expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    }
    expect((await ask('GET', '/v1/config', undefined, bearer)).status).toBe(200)
    expect((await ask('GET', '/health')).body).toEqual({ status: 'ok' })
  })

  it('asks once for each table and action', async () => {
    const asked: string[] = []
    const authorize = (_: object, action: GatewayAction, { namespace, table }: GatewayResource): boolean => {
      asked.push(`${action} ${[...namespace, table ?? ''].join('.')}`)
      return true
    }
    const { server } = await served({ auth: bearerTokens({ tokens: { spark: token }, authorize }) })
    const ask = asker(server.url, bearer)
    const askedFor = async (...request: Parameters<typeof ask>): Promise<readonly string[]> => {
      asked.length = 0
      await ask(...request)
      return [...asked]
    }
    const create = [{ type: 'assert-create' }]
    const change = (name: string, requirements: readonly object[] = []) => ({
      identifier: { namespace: ['shop'], name },
      requirements,
      updates: [{ action: 'set-properties', updates: { a: '1' } }],
    })
    expect(await askedFor('GET', '/v1/config')).toEqual([])
    expect(await askedFor('POST', '/v1/namespaces', { namespace: ['shop'] })).toEqual(['createNamespace shop.'])
    expect(await askedFor('GET', '/v1/namespaces')).toEqual(['listNamespaces '])
    expect(await askedFor('POST', tables, orders)).toEqual(['createTable shop.orders'])
    expect(await askedFor('GET', `${tables}/orders`)).toEqual(['loadTable shop.orders'])
    expect(await askedFor('HEAD', `${tables}/orders`)).toEqual(['loadTable shop.orders'])
    expect(await askedFor('POST', `${tables}/orders`, change('orders'))).toEqual(['commitTable shop.orders'])
    expect(await askedFor('POST', `${tables}/new`, change('new', create))).toEqual(['createTable shop.new'])
    expect(await askedFor('POST', `${tables}/orders/metrics`, {})).toEqual(['reportMetrics shop.orders'])
    const rename = {
      source: { namespace: ['shop'], name: 'orders' },
      destination: { namespace: ['shop'], name: 'sold' },
    }
    expect(await askedFor('POST', '/v1/tables/rename', rename)).toEqual([
      'renameTable shop.orders',
      'createTable shop.sold',
    ])
    const changes = { 'table-changes': [change('sold'), change('none')] }
    expect(await askedFor('POST', '/v1/transactions/commit', changes)).toEqual([
      'commitTable shop.sold',
      'commitTable shop.none',
    ])
    expect(await askedFor('DELETE', `${tables}/sold?purgeRequested=True`)).toEqual(['purgeTable shop.sold'])
    expect(await askedFor('DELETE', `${tables}/sold`)).toEqual(['dropTable shop.sold'])
  })

  it('does nothing of what a caller may not', async () => {
    const authorize = (_: object, action: GatewayAction): boolean => !/^(drop|commit|purge)/.test(action)
    const { server, catalog } = await served({ auth: bearerTokens({ tokens: { spark: token }, authorize }) })
    const ask = asker(server.url, bearer)
    await ask('POST', '/v1/namespaces', { namespace: ['shop'] })
    await ask('POST', tables, orders)
    const dropped = await ask('DELETE', `${tables}/orders`)
    expect([refusal(dropped), messageOf(dropped)]).toEqual([
      '403 ForbiddenException',
      'spark may not dropTable shop.orders.',
    ])
    const change = {
      identifier: { namespace: ['shop'], name: 'orders' },
      requirements: [],
      updates: [{ action: 'set-properties', updates: { a: '1' } }],
    }
    expect(refusal(await ask('POST', `${tables}/orders`, change))).toBe('403 ForbiddenException')
    expect(refusal(await ask('POST', '/v1/transactions/commit', { 'table-changes': [change] }))).toBe(
      '403 ForbiddenException',
    )
    expect(refusal(await ask('DELETE', '/v1/namespaces/shop'))).toBe('403 ForbiddenException')
    const { metadata } = await catalog.loadTable({ namespace: ['shop'], name: 'orders' })
    expect(metadata.properties).toEqual({})
  })

  it('says no where its authoriser says anything but yes, and fails where that fails', async () => {
    const answers: unknown[] = ['yes', undefined]
    const authorize = async (): Promise<boolean> => {
      if (answers.length === 0) throw new Error('the directory is down')
      return answers.shift() as boolean
    }
    const { server } = await served({ auth: bearerTokens({ tokens: { spark: token }, authorize }) })
    const ask = asker(server.url, bearer)
    const list = async () => refusal(await ask('GET', '/v1/namespaces'))
    expect([await list(), await list(), await list()]).toEqual([
      '403 ForbiddenException',
      '403 ForbiddenException',
      '500 InternalServerError',
    ])
  })
})

describe('an authenticator of somebody else', () => {
  const answeredBy = async (auth: object): Promise<string> => {
    const { server } = await served({ auth: auth as never })
    return refusal(await asker(server.url, bearer)('GET', '/v1/namespaces'))
  }

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['false', false],
    ['true', true],
    ['a name alone', 'spark'],
    ['nobody', {}],
    ['a name that is none', { name: 7 }],
    ['an empty name', { name: '' }],
  ])('that gives %s has named nobody', async (_, value) => {
    expect(await answeredBy({ authenticate: () => value })).toBe('401 NotAuthorizedException')
  })

  it('that fails, at once or later, has not judged', async () => {
    const failing = () => {
      throw new Error('password=hunter2')
    }
    for (const authenticate of [failing, async () => failing()])
      expect(await answeredBy({ authenticate })).toBe('503 ServiceUnavailableException')
  })

  it('may be an object with a state of its own', async () => {
    class Directory {
      readonly #known = new Set(['spark'])
      authenticate(): object {
        return { name: [...this.#known][0] }
      }
      authorize({ name }: { readonly name: string }): boolean {
        return this.#known.has(name)
      }
    }
    expect(await answeredBy(new Directory())).toBe('200 undefined')
  })
})

describe('a server without', () => {
  it('starts only where others do not reach it', async () => {
    const { catalog } = await served()
    for (const listen of ['0.0.0.0:0', '[::]:0', '10.0.0.1:0', 'example.com:0'])
      await expect(serveCatalog({ catalog, listen, runtime: quiet })).rejects.toMatchObject({ code: 'AUTH_REQUIRED' })
    for (const listen of ['127.0.0.1', ':8181', '127.0.0.1:99999', 'http://127.0.0.1:1', '[nonsense]:1', ''])
      await expect(serveCatalog({ catalog, listen, runtime: quiet })).rejects.toMatchObject({ code: 'OPTION' })
    for (const listen of ['127.0.0.1:0', '127.8.8.8:0', 'localhost:0']) {
      const server = await serveCatalog({ catalog, listen, runtime: quiet })
      expect(server.url).toMatch(/^http:\/\/(127\.\d+\.\d+\.\d+|\[::1\]):\d+$/)
      await server.close()
    }
  })

  it("is no use to a page of another site in this machine's browser", async () => {
    const { server, ask } = await served()
    const { port } = new URL(server.url)
    // fetch sets the name itself, so a name that was moved here is told by hand.
    const { request } = await import('node:http')
    const statusFor = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const asked = request({ port, host: '127.0.0.1', path: '/v1/config', headers: { host } }, (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        })
        asked.on('error', reject).end()
      })
    expect(await statusFor(`evil.example.com:${port}`)).toBe(400)
    expect(await statusFor(`localhost:${port}`)).toBe(200)
    expect(await statusFor(`127.0.0.1:${port}`)).toBe(200)
    const form = await ask('POST', '/v1/namespaces', '{"namespace":["shop"]}', { 'content-type': 'text/plain' })
    expect(refusal(form)).toBe('400 BadRequestException')
    expect((await ask('GET', '/v1/namespaces')).body).toEqual({ namespaces: [] })
  })
})
