/** What the catalog in memory can, and one of a folder cannot. */
import { describe, expect, it } from 'vitest'
import { append, messageOf, metadataOf, orders, refusal, served, servedOrders, tables } from './gateway.ts'

const name = (text: string) => ({ namespace: ['shop'], name: text })
const set = (text: string, value: string) => ({
  identifier: name(text),
  requirements: [],
  updates: [{ action: 'set-properties', updates: { a: value } }],
})

describe('a table that is registered', () => {
  it.each(['memory', 'folder'] as const)('goes on with its history, in the %s catalog', async (kind) => {
    const { ask, metadata } = await servedOrders({ kind })
    const one = append(metadata)
    const before = (await ask('POST', `${tables}/orders`, one)).body!
    const location = before['metadata-location'] as string
    const register = (body: object) => ask('POST', '/v1/namespaces/shop/register', body)

    expect(refusal(await register({ name: 'orders', 'metadata-location': location }))).toBe(
      '409 AlreadyExistsException',
    )
    expect(refusal(await register({ name: 'orders', 'metadata-location': location, overwrite: true }))).toBe(
      '406 UnsupportedOperationException',
    )
    if (kind === 'folder') return
    await ask('DELETE', `${tables}/orders`)
    const registered = await register({ name: 'orders', 'metadata-location': location })
    expect([registered.status, metadataOf(registered.body)['current-snapshot-id']]).toEqual([200, one.id])
    const nowhere = await register({ name: 'other', 'metadata-location': `${location}.gone` })
    expect(refusal(nowhere)).toBe('404 NotFoundException')
  })
})

describe('a table that takes another name', () => {
  it('has only that', async () => {
    const { ask, metadata } = await servedOrders()
    const rename = (source: object, destination: object) => ask('POST', '/v1/tables/rename', { source, destination })
    expect((await rename(name('orders'), name('sold'))).status).toBe(204)
    expect((await ask('HEAD', `${tables}/orders`)).status).toBe(404)
    expect(metadataOf((await ask('GET', `${tables}/sold`)).body)['table-uuid']).toBe(metadata['table-uuid'])
    expect(refusal(await rename(name('orders'), name('sold')))).toBe('404 NoSuchTableException')
    expect(refusal(await rename(name('sold'), { namespace: ['none'], name: 'sold' }))).toBe(
      '404 NoSuchNamespaceException',
    )
    await ask('POST', tables, orders)
    expect(refusal(await rename(name('orders'), name('sold')))).toBe('409 AlreadyExistsException')
  })
})

describe('a transaction of several tables', () => {
  it('is made as a whole or not at all', async () => {
    const { ask, metadata } = await servedOrders()
    await ask('POST', tables, { ...orders, name: 'sold' })
    const commit = (...changes: object[]) => ask('POST', '/v1/transactions/commit', { 'table-changes': changes })
    const propertyOf = async (text: string): Promise<unknown> =>
      metadataOf((await ask('GET', `${tables}/${text}`)).body).properties!['a']

    expect((await commit(set('orders', '1'), set('sold', '1'))).status).toBe(204)
    expect([await propertyOf('orders'), await propertyOf('sold')]).toEqual(['1', '1'])

    const wrong = { ...set('sold', '2'), requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }] }
    const refused = await commit(set('orders', '2'), wrong)
    expect(refusal(refused)).toBe('409 CommitFailedException')
    expect(messageOf(refused)).toMatch(/^Requirement failed: UUID does not match/)
    expect([await propertyOf('orders'), await propertyOf('sold')]).toEqual(['1', '1'])

    expect(refusal(await commit(set('orders', '2'), set('none', '2')))).toBe('404 NoSuchTableException')
    expect(refusal(await commit(set('orders', '2'), set('orders', '3')))).toBe('400 BadRequestException')
    expect(await propertyOf('orders')).toBe('1')
  })

  it('that is sent again is done, if all of its snapshots are there', async () => {
    const { ask, metadata } = await servedOrders()
    const { body } = await ask('POST', tables, { ...orders, name: 'sold' })
    const changes = [
      { identifier: name('orders'), ...append(metadata) },
      { identifier: name('sold'), ...append(metadataOf(body)) },
    ]
    const commit = () => ask('POST', '/v1/transactions/commit', { 'table-changes': changes })
    expect([(await commit()).status, (await commit()).status]).toEqual([204, 204])
    expect(metadataOf((await ask('GET', `${tables}/sold`)).body).snapshots).toHaveLength(1)
  })

  it('that is sent again is done, though some of it leaves no trace', async () => {
    const { ask, metadata } = await servedOrders()
    await ask('POST', tables, { ...orders, name: 'sold' })
    const changes = [{ identifier: name('orders'), ...append(metadata) }, set('sold', '1')]
    const commit = () => ask('POST', '/v1/transactions/commit', { 'table-changes': changes })
    expect([(await commit()).status, (await commit()).status]).toEqual([204, 204])
    const only = await ask('POST', '/v1/transactions/commit', {
      'table-changes': [{ ...changes[1], requirements: [{ type: 'assert-create' }] }],
    })
    expect(only.status).toBe(409)
  })
})

describe.each(['memory', 'folder'] as const)('a table that is staged in the %s catalog', (kind) => {
  it('is made by its first commit', async () => {
    const { ask } = await served({ kind })
    await ask('POST', '/v1/namespaces', { namespace: ['shop'] })
    const staged = await ask('POST', tables, { ...orders, 'stage-create': true })
    expect([staged.status, staged.body!['metadata-location'], staged.headers.get('etag')]).toEqual([
      200,
      undefined,
      null,
    ])
    expect((await ask('HEAD', `${tables}/orders`)).status).toBe(404)

    const metadata = metadataOf(staged.body)
    const { updates } = append(metadata)
    const creation = {
      requirements: [{ type: 'assert-create' }],
      updates: [
        { action: 'assign-uuid', uuid: metadata['table-uuid'] },
        { action: 'add-schema', schema: metadata.schemas[0], 'last-column-id': 2 },
        { action: 'set-current-schema', 'schema-id': -1 },
        { action: 'add-spec', spec: metadata['partition-specs'][0] },
        { action: 'set-default-spec', 'spec-id': -1 },
        { action: 'add-sort-order', 'sort-order': metadata['sort-orders'][0] },
        { action: 'set-default-sort-order', 'sort-order-id': -1 },
        { action: 'set-location', location: metadata.location },
        ...updates,
      ],
    }
    const made = await ask('POST', `${tables}/orders`, creation)
    expect([made.status, metadataOf(made.body)['table-uuid']]).toEqual([200, metadata['table-uuid']])
    // The same once more is what was done; another one comes too late.
    expect((await ask('POST', `${tables}/orders`, creation)).status).toBe(200)
    const { updates: others } = append(metadata)
    const late = await ask('POST', `${tables}/orders`, {
      ...creation,
      updates: [...creation.updates.slice(0, -2), ...others],
    })
    expect(refusal(late)).toMatch(/^409 /)
    expect(messageOf(late)).toMatch(/^Requirement failed: table already exists/)
  })

  it('lies where its catalog puts it, or nowhere', async () => {
    const asked = { ...orders, location: 'file:///elsewhere/orders' }
    const strict = await served({ kind })
    await strict.ask('POST', '/v1/namespaces', { namespace: ['shop'] })
    expect(refusal(await strict.ask('POST', tables, asked))).toBe('400 BadRequestException')

    const lax = await served({ kind, overrideLocations: true })
    await lax.ask('POST', '/v1/namespaces', { namespace: ['shop'] })
    const made = await lax.ask('POST', tables, asked)
    const { location } = metadataOf(made.body)
    expect([made.status, location]).toEqual([200, expect.stringMatching(/tables\/shop\/orders/)])
    const moved = {
      requirements: [],
      updates: [{ action: 'set-location', location: asked.location }, ...set('orders', '1').updates],
    }
    const committed = await lax.ask('POST', `${tables}/orders`, moved)
    expect([committed.status, metadataOf(committed.body).location]).toEqual([200, location])
    expect(metadataOf(committed.body).properties).toEqual({ a: '1' })
    expect((await strict.ask('POST', tables, orders)).status).toBe(200)
    expect((await strict.ask('POST', `${tables}/orders`, moved)).status).toBeGreaterThanOrEqual(400)
  })
})

describe('credentials', () => {
  const config = { 's3.access-key-id': 'AKIA' }
  const credentials = [{ prefix: 's3://lake/', config }]
  const asking = { 'x-iceberg-access-delegation': 'vended-credentials,remote-signing' }

  it('are handed on where the server is told to, to whoever asks', async () => {
    const { catalog: inner } = await servedOrders()
    let given = { config, credentials }
    const catalog = {
      ...inner,
      loadTable: async (...call: Parameters<typeof inner.loadTable>) => ({
        ...(await inner.loadTable(...call)),
        ...given,
      }),
    }
    const closed = await served({ catalog })
    expect(
      JSON.stringify((await closed.ask('GET', `${tables}/orders`, undefined, asking)).body, (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      ),
    ).not.toContain('AKIA')

    const { ask } = await served({ catalog, passCredentials: true })
    const quiet = await ask('GET', `${tables}/orders`)
    expect([quiet.body!['config'], quiet.body!['storage-credentials']]).toEqual([undefined, undefined])
    const asked = await ask('GET', `${tables}/orders`, undefined, asking)
    expect([asked.body!['config'], asked.body!['storage-credentials']]).toEqual([config, credentials])
    expect((await ask('GET', `${tables}/orders/credentials`)).body).toEqual({ 'storage-credentials': credentials })

    // With other credentials it is another answer.
    const etag = asked.headers.get('etag')!
    const again = () => ask('GET', `${tables}/orders`, undefined, { ...asking, 'if-none-match': etag })
    expect((await again()).status).toBe(304)
    given = { config: { 's3.access-key-id': 'AKIB' }, credentials: [] }
    expect((await again()).status).toBe(200)
  })
})

it('reports of engines are taken, and are objects', async () => {
  const { ask } = await servedOrders()
  const report = { 'report-type': 'scan-report', 'snapshot-id': 9_007_199_254_740_993n }
  expect((await ask('POST', `${tables}/orders/metrics`, report)).status).toBe(204)
  expect(refusal(await ask('POST', `${tables}/orders/metrics`, [1]))).toBe('400 BadRequestException')
})
