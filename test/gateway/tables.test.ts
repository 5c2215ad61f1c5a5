import { describe, expect, it } from 'vitest'
import { append, messageOf, metadataOf, orders, refusal, served, servedOrders, tables } from './gateway.ts'

const set = (name: string, value: string) => [{ action: 'set-properties', updates: { [name]: value } }]

describe.each(['memory', 'folder'] as const)('tables over the %s catalog', (kind) => {
  it('are made, loaded, listed and dropped, and a name is given once', async () => {
    const { ask, metadata } = await servedOrders({ kind })
    expect(metadata.schemas[0]!.fields.map(({ name }) => name)).toEqual(['id', 'city'])

    const again = await ask('POST', tables, orders)
    expect(refusal(again)).toBe('409 AlreadyExistsException')
    expect(messageOf(again)).toMatch(/^Table already exists: shop\.orders/)

    const loaded = await ask('GET', `${tables}/orders`)
    expect(loaded.status).toBe(200)
    expect(metadataOf(loaded.body)['table-uuid']).toBe(metadata['table-uuid'])
    expect(loaded.body!['metadata-location']).toMatch(/metadata\.json$/)

    await ask('POST', tables, { ...orders, name: 'returns' })
    const listed = await ask('GET', tables)
    expect(listed.body).toEqual({
      identifiers: [
        { namespace: ['shop'], name: 'orders' },
        { namespace: ['shop'], name: 'returns' },
      ],
    })

    expect((await ask('HEAD', `${tables}/orders`)).status).toBe(204)
    expect((await ask('DELETE', `${tables}/orders`)).status).toBe(204)
    expect((await ask('HEAD', `${tables}/orders`)).status).toBe(404)
    const gone = await ask('GET', `${tables}/orders`)
    expect(refusal(gone)).toBe('404 NoSuchTableException')
    expect(messageOf(gone)).toMatch(/^Table does not exist: shop\.orders/)
    expect(refusal(await ask('DELETE', `${tables}/orders`))).toBe('404 NoSuchTableException')
  })

  it('need a namespace that is there, unless the server is told otherwise', async () => {
    const strict = await served({ kind })
    const refused = await strict.ask('POST', tables, orders)
    expect(refusal(refused)).toBe('404 NoSuchNamespaceException')
    expect(messageOf(refused)).toMatch(/^Namespace does not exist: shop/)

    const lax = await served({ kind, implicitNamespaces: true })
    expect((await lax.ask('POST', tables, orders)).status).toBe(200)
  })

  it('are committed to while what is required holds', async () => {
    const { ask, metadata } = await servedOrders({ kind })
    const first = append(metadata)
    const committed = await ask('POST', `${tables}/orders`, first)
    expect(committed.status).toBe(200)
    expect(metadataOf(committed.body)['current-snapshot-id']).toBe(first.id)

    const late = await ask('POST', `${tables}/orders`, append(metadata))
    expect(refusal(late)).toBe('409 CommitFailedException')
    expect(messageOf(late)).toMatch(/^Requirement failed: branch or tag main was created concurrently/)

    const uuid = { type: 'assert-table-uuid', uuid: '00000000-0000-4000-8000-000000000000' }
    const other = await ask('POST', `${tables}/orders`, { requirements: [uuid], updates: set('a', '1') })
    expect(refusal(other)).toBe('409 CommitFailedException')
    expect(messageOf(other)).toMatch(/^Requirement failed: UUID does not match/)

    const missing = await ask('POST', `${tables}/none`, { requirements: [], updates: set('a', '1') })
    expect(refusal(missing)).toBe('404 NoSuchTableException')
  })

  it('are answered with nothing where the client has what there is', async () => {
    const { ask } = await servedOrders({ kind })
    const path = `${tables}/orders`
    const etag = (await ask('GET', path)).headers.get('etag')!
    expect(etag).toMatch(/^W\/".{32}"$/)

    for (const header of [etag, etag.slice(2), `"other", ${etag}`, '*']) {
      const same = await ask('GET', path, undefined, { 'if-none-match': header })
      expect([same.status, same.body, same.headers.get('etag')]).toEqual([304, undefined, etag])
    }
    expect((await ask('GET', `${path}?snapshots=refs`, undefined, { 'if-none-match': etag })).status).toBe(200)

    const committed = await ask('POST', path, { requirements: [], updates: set('a', '1') })
    const next = committed.headers.get('etag')!
    expect(next).not.toBe(etag)
    const changed = await ask('GET', path, undefined, { 'if-none-match': etag })
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, next])
  })

  it('have a tag of their own when they are made anew where another one was', async () => {
    const { ask, store } = await servedOrders({ kind })
    const path = `${tables}/orders`
    const before = await ask('GET', path)
    await ask('DELETE', path)
    // By hand, so that a folder's versions begin at the first again.
    for await (const { key } of store.list({ prefix: 'tables/shop/orders/' })) await store.delete(key)
    await ask('POST', tables, orders)
    const after = await ask('GET', path, undefined, { 'if-none-match': before.headers.get('etag')! })
    if (kind === 'folder') expect(after.body!['metadata-location']).toBe(before.body!['metadata-location'])
    expect(after.status).toBe(200)
  })

  it('come with all snapshots, or with those that a ref names', async () => {
    const { ask, metadata } = await servedOrders({ kind })
    const path = `${tables}/orders`
    const one = append(metadata)
    const afterOne = metadataOf((await ask('POST', path, one)).body)
    const two = append(afterOne)
    await ask('POST', path, two)

    const idsIn = async (query: string): Promise<unknown> =>
      metadataOf((await ask('GET', path + query)).body).snapshots!.map((snapshot) => snapshot['snapshot-id'])
    expect(await idsIn('')).toEqual([one.id, two.id])
    expect(await idsIn('?snapshots=all')).toEqual([one.id, two.id])
    expect(await idsIn('?snapshots=refs')).toEqual([two.id])
    expect(refusal(await ask('GET', `${path}?snapshots=some`))).toBe('400 BadRequestException')
  })
})
