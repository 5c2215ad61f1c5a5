import { describe, expect, it } from 'vitest'
import { messageOf, orders, refusal, served, tables } from './gateway.ts'

const namespaces = '/v1/namespaces'

describe.each(['memory', 'folder'] as const)('namespaces over the %s catalog', (kind) => {
  it('are made, loaded, changed and dropped', async () => {
    const { ask } = await served({ kind })
    const made = await ask('POST', namespaces, { namespace: ['shop', 'eu'], properties: { owner: 'ann' } })
    expect([made.status, made.body]).toEqual([200, { namespace: ['shop', 'eu'], properties: { owner: 'ann' } }])

    const again = await ask('POST', namespaces, { namespace: ['shop', 'eu'] })
    expect(refusal(again)).toBe('409 AlreadyExistsException')
    expect(messageOf(again)).toMatch(/^Namespace already exists: shop\.eu/)

    const changed = await ask('POST', `${namespaces}/shop%1Feu/properties`, {
      updates: { city: 'ams' },
      removals: ['owner', 'none'],
    })
    expect(changed.body).toEqual({ updated: ['city'], removed: ['owner'], missing: ['none'] })
    expect((await ask('GET', `${namespaces}/shop%1Feu`)).body).toEqual({
      namespace: ['shop', 'eu'],
      properties: { city: 'ams' },
    })
    const both = { updates: { a: '1' }, removals: ['a'] }
    expect(refusal(await ask('POST', `${namespaces}/shop%1Feu/properties`, both))).toBe(
      '422 UnprocessableEntityException',
    )

    expect((await ask('HEAD', `${namespaces}/shop%1Feu`)).status).toBe(204)
    expect((await ask('DELETE', `${namespaces}/shop%1Feu`)).status).toBe(204)
    expect((await ask('HEAD', `${namespaces}/shop%1Feu`)).status).toBe(404)
    for (const [method, path] of [
      ['GET', `${namespaces}/none`],
      ['DELETE', `${namespaces}/none`],
      ['GET', `${namespaces}?parent=none`],
      ['GET', `${namespaces}/none/tables`],
    ] as const) {
      const missing = await ask(method, path)
      expect([method, path, refusal(missing)]).toEqual([method, path, '404 NoSuchNamespaceException'])
      expect(messageOf(missing)).toMatch(/^Namespace does not exist: none/)
    }
  })

  it('are not dropped while a table lies in them', async () => {
    const { ask } = await served({ kind })
    await ask('POST', namespaces, { namespace: ['shop'] })
    await ask('POST', tables, orders)
    const refused = await ask('DELETE', `${namespaces}/shop`)
    expect(refusal(refused)).toBe('409 NamespaceNotEmptyException')
    expect(messageOf(refused)).toMatch(/^Namespace shop is not empty/)
  })

  it('are listed level by level, and page by page whatever comes and goes meanwhile', async () => {
    const { ask } = await served({ kind })
    const names = ['a', 'b', 'c', 'd', 'e']
    for (const name of names) await ask('POST', namespaces, { namespace: [name] })
    await ask('POST', namespaces, { namespace: ['b', 'x'] })

    const all = await ask('GET', namespaces)
    expect(all.body).toEqual({ namespaces: names.map((name) => [name]) })
    expect((await ask('GET', `${namespaces}?parent=b`)).body).toEqual({ namespaces: [['b', 'x']] })

    const first = await ask('GET', `${namespaces}?pageSize=2&pageToken=`)
    expect(first.body!['namespaces']).toEqual([['a'], ['b']])
    await ask('DELETE', `${namespaces}/a`)
    await ask('DELETE', `${namespaces}/c`)
    const token = first.body!['next-page-token'] as string
    const second = await ask('GET', `${namespaces}?pageSize=2&pageToken=${token}`)
    expect(second.body).toEqual({ namespaces: [['d'], ['e']] })

    for (const query of ['pageSize=0', 'pageSize=two', 'pageToken=%21%21']) {
      expect([query, refusal(await ask('GET', `${namespaces}?${query}`))]).toEqual([query, '400 BadRequestException'])
    }
  })
})

it('pages without a size are those of maxPageSize', async () => {
  const { ask } = await served({ limits: { maxPageSize: 2 } })
  for (const name of ['a', 'b', 'c']) await ask('POST', namespaces, { namespace: [name] })
  const sizeOf = async (query: string): Promise<number> =>
    ((await ask('GET', namespaces + query)).body!['namespaces'] as unknown[]).length
  expect([await sizeOf('?pageToken='), await sizeOf('?pageSize=50'), await sizeOf('')]).toEqual([2, 2, 3])
})

it('the configuration lists what this catalog can serve, and what clients are to take from it', async () => {
  const { ask, catalog } = await served({
    defaults: { a: '1' },
    overrides: { b: '2' },
    limits: { keyLifetimeMs: 60_000 },
  })
  const { body } = await ask('GET', '/v1/config?warehouse=any')
  expect(body).toMatchObject({ defaults: { a: '1' }, overrides: { b: '2' }, 'idempotency-key-lifetime': 'PT60S' })
  const endpoints = body!['endpoints'] as string[]
  expect(endpoints).toContain('HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}')
  const { register, rename, transactions } = catalog.capabilities
  const isListed = (path: string): boolean => endpoints.includes(`POST /v1/{prefix}/${path}`)
  expect({
    register: isListed('namespaces/{namespace}/register'),
    rename: isListed('tables/rename'),
    transactions: isListed('transactions/commit'),
  }).toEqual({ register, rename, transactions })
  expect(endpoints.filter((text) => /views|credentials|config|oauth|plan/.test(text))).toEqual([])
})

it('a name is taken as its client encodes it, and one that no table can have is refused', async () => {
  const { ask } = await served({ kind: 'folder' })
  await ask('POST', namespaces, { namespace: ['shop'] })
  for (const name of ['%2E%2E', 'a%2Fb', 'a%20b', 'a+b', 'a%00b', 'a%0Ab', '%F0%9F%A4%AA', 'a'.repeat(300), '%ff']) {
    const path = `${tables}/${name}`
    const said = await ask('GET', path)
    expect([name, said.status]).toEqual([name, name === '%2E%2E' ? 404 : 400])
  }
  const blank = await ask('POST', tables, { ...orders, name: 'two words' })
  expect([refusal(blank), messageOf(blank)]).toEqual(['400 BadRequestException', expect.stringContaining('two words')])
  expect(refusal(await ask('POST', namespaces, { namespace: [] }))).toBe('400 BadRequestException')
  expect(refusal(await ask('POST', namespaces, { namespace: ['a\u0000'] }))).toBe('400 BadRequestException')
})
