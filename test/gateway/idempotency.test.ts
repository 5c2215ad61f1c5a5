import type { Catalog, LoadedTable } from '@moulin/core'
import { unavailable } from '@moulin/core'
import { serveCatalog } from '@moulin/gateway'
import { bearerTokens } from '@moulin/gateway'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import {
  append,
  asker,
  messageOf,
  metadataOf,
  orders,
  quiet,
  refusal,
  served,
  servedOrders,
  tables,
} from './gateway.ts'

const key = (digit: number) => ({ 'idempotency-key': `0190a6f0-0000-7000-8000-${String(digit).padStart(12, '0')}` })
const set = (value: string) => ({ requirements: [], updates: [{ action: 'set-properties', updates: { a: value } }] })
const path = `${tables}/orders`

describe('a request with a key', () => {
  it('is carried out once, and answered again with the same bytes', async () => {
    const { ask, catalog } = await servedOrders()
    const first = await ask('POST', path, set('1'), key(1))
    const again = await ask('POST', path, set('1'), key(1))
    expect(again.status).toBe(200)
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('etag')).toBe(first.headers.get('etag'))
    const { metadata } = await catalog.loadTable({ namespace: ['shop'], name: 'orders' })
    expect(metadata['metadata-log']).toHaveLength(1)

    await ask('POST', path, set('1'), key(2))
    expect((await catalog.loadTable({ namespace: ['shop'], name: 'orders' })).metadata['metadata-log']).toHaveLength(2)
  })

  it('is one, sent twice at the same time', async () => {
    const { ask } = await servedOrders()
    const both = await Promise.all([1, 2].map(() => ask('POST', tables, { ...orders, name: 'twice' }, key(3))))
    expect(both.map(({ status }) => status)).toEqual([200, 200])
    expect(both[0]!.body).toEqual(both[1]!.body)
  })

  it('is answered again with its refusal, if that is final', async () => {
    const { ask } = await servedOrders()
    expect(refusal(await ask('POST', tables, orders, key(4)))).toBe('409 AlreadyExistsException')
    await ask('DELETE', path)
    expect(refusal(await ask('POST', tables, orders, key(4)))).toBe('409 AlreadyExistsException')
    expect((await ask('POST', tables, orders, key(5))).status).toBe(200)
  })

  it('is carried out when it could not be before', async () => {
    let isDown = true
    const { catalog: inner } = await served()
    const catalog: Catalog = {
      ...inner,
      async createNamespace(...given) {
        if (isDown) throw unavailable('DOWN', 'The store is down.')
        return inner.createNamespace(...given)
      },
    }
    const { ask } = await served({ catalog })
    const make = () => ask('POST', '/v1/namespaces', { namespace: ['shop'] }, key(6))
    expect(refusal(await make())).toBe('503 ServiceUnavailableException')
    isDown = false
    expect((await make()).status).toBe(200)
  })

  it('is refused with the key of another body, or with none that is a UUID', async () => {
    const { ask } = await servedOrders()
    await ask('POST', path, set('1'), key(7))
    const other = await ask('POST', path, set('2'), key(7))
    expect([refusal(other), messageOf(other)]).toEqual([
      '400 BadRequestException',
      expect.stringContaining('another request'),
    ])
    expect(refusal(await ask('POST', path, set('1'), { 'idempotency-key': 'one' }))).toBe('400 BadRequestException')
  })

  it('is another one of another caller', async () => {
    const auth = bearerTokens({ tokens: { ann: 'a'.repeat(16), bob: 'b'.repeat(16) } })
    const { ask } = await served({ auth })
    const as = (letter: string) => ({ authorization: `Bearer ${letter.repeat(16)}`, ...key(8) })
    expect((await ask('POST', '/v1/namespaces', { namespace: ['shop'] }, as('a'))).status).toBe(200)
    expect((await ask('POST', '/v1/namespaces', { namespace: ['shop'] }, as('a'))).status).toBe(200)
    expect((await ask('POST', '/v1/namespaces', { namespace: ['shop'] }, as('b'))).status).toBe(409)
  })

  it('is forgotten after its time, and when there are too many', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const { ask, server } = await served({ runtime, limits: { keyLifetimeMs: 60_000, maxKeys: 3 } })
    const make = (digit: number) => ask('POST', '/v1/namespaces', { namespace: [`n${digit}`] }, key(digit))
    for (let digit = 0; digit < 5; digit++) await make(digit)
    expect((await server.stats()).keptAnswers).toBe(3)
    expect((await make(4)).status).toBe(200)
    expect((await make(0)).status).toBe(409)
    await runtime.clock.advance(60_001)
    expect((await make(4)).status).toBe(409)
    expect((await server.stats()).keptAnswers).toBe(1)
  })

  it('weighs as much as its answer', async () => {
    const { ask, server } = await served({ limits: { maxKeyBytes: 4096 } })
    await ask('POST', '/v1/namespaces', { namespace: ['shop'] })
    for (let digit = 0; digit < 10; digit++) await ask('POST', tables, { ...orders, name: `t${digit}` }, key(digit))
    const { keptAnswers } = await server.stats()
    expect(keptAnswers).toBeGreaterThan(0)
    expect(keptAnswers).toBeLessThan(6)
  })
})

describe('a commit that is sent again to a server that was started anew', () => {
  const restarted = async (catalog: Catalog) => {
    const server = await serveCatalog({ catalog, listen: '127.0.0.1:0', runtime: quiet })
    return { ask: asker(server.url), close: () => server.close() }
  }

  it('is done, if the table has its snapshot, though others have committed on top', async () => {
    const { ask, catalog, metadata } = await servedOrders()
    const mine = append(metadata)
    const after = metadataOf((await ask('POST', path, mine, key(1))).body)
    await ask('POST', path, append(after))
    const anew = await restarted(catalog)
    try {
      const again = await anew.ask('POST', path, mine, key(1))
      expect(again.status).toBe(200)
      expect(metadataOf(again.body).snapshots).toHaveLength(2)
      // One that the table never had is decided by what it requires.
      expect(refusal(await anew.ask('POST', path, append(metadata), key(2)))).toBe('409 CommitFailedException')
    } finally {
      await anew.close()
    }
  })

  it('is not done, if another has its snapshot id, or the branch never was there', async () => {
    const { ask, catalog, metadata } = await servedOrders()
    const mine = append(metadata)
    await ask('POST', path, mine)
    const anew = await restarted(catalog)
    try {
      const [{ snapshot, ...add }, ref] = mine.updates as [{ snapshot: object }, object]
      const other = { ...mine, updates: [{ ...add, snapshot: { ...snapshot, 'manifest-list': 'file:///other' } }, ref] }
      expect((await anew.ask('POST', path, other)).status).toBe(409)
      const elsewhere = { ...mine, updates: [mine.updates[0], { ...ref, 'ref-name': 'audit' }] }
      expect((await anew.ask('POST', path, elsewhere)).status).toBe(409)
    } finally {
      await anew.close()
    }
  })
})

describe('a commit that loses a race', () => {
  /** A catalog in which another commit comes first, so many times. */
  const raced = async (times: number, between: (table: LoadedTable) => object, limits = {}) => {
    const { catalog: inner } = await servedOrders()
    let tries = 0
    const catalog: Catalog = {
      ...inner,
      async commitTable(table, commit, call) {
        if (tries++ < times) {
          await inner.commitTable(table, between(await inner.loadTable(table)) as never)
          return inner.commitTable(
            table,
            { ...commit, requirements: [{ type: 'assert-ref-snapshot-id', ref: 'none', 'snapshot-id': 1 }] },
            call,
          )
        }
        return inner.commitTable(table, commit, call)
      },
    }
    return { ...(await served({ catalog, limits })), tries: () => tries }
  }
  const touch = () => set('other')

  it('is made again by the server while all that it requires holds', async () => {
    const { ask, tries } = await raced(3, touch)
    const said = await ask('POST', path, {
      ...set('mine'),
      requirements: [{ type: 'assert-default-spec-id', 'default-spec-id': 0 }],
    })
    expect([said.status, tries()]).toEqual([200, 4])
    expect(metadataOf(said.body).properties).toEqual({ a: 'mine' })
  })

  it('is refused at once when it does not', async () => {
    const { ask, tries, catalog } = await raced(3, ({ metadata }) => append(metadata))
    const { metadata } = await catalog.loadTable({ namespace: ['shop'], name: 'orders' })
    const said = await ask('POST', path, append(metadata))
    expect([refusal(said), tries()]).toEqual(['409 CommitFailedException', 1])
  })

  it('is refused in the end', async () => {
    const { ask, tries } = await raced(Infinity, touch, { maxCommitRetries: 3 })
    const said = await ask('POST', path, set('mine'))
    expect([refusal(said), tries()]).toEqual(['409 CommitFailedException', 4])
  })

  it('goes to the client where the table took the number that it has: it will write another', async () => {
    const { ask, metadata } = await servedOrders()
    const first = metadataOf((await ask('POST', path, append(metadata))).body)
    const onMain = append(first)
    const [add, ref] = append(first).updates as [object, object]
    await ask('POST', path, onMain)
    // On another branch, of the same parent, so with the same number.
    const onAudit = { requirements: [], updates: [add, { ...ref, 'ref-name': 'audit' }] }
    const refused = await ask('POST', path, onAudit)
    expect([refusal(refused), messageOf(refused)]).toEqual([
      '409 CommitFailedException',
      expect.stringContaining('sequence number'),
    ])
  })
})
