import type { ObjectStore } from '@moulin/core'
import { isKind } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { faultyCatalog } from './faulty-catalog.ts'
import { noNamespaces } from './no-namespaces.ts'
import { faultyStore } from './faulty-store.ts'
import { hookedStore } from './hooked-store.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

async function fails(promise: Promise<unknown>, outcome: 'rejected' | 'unknown'): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(isKind(error, 'unavailable', 'FAULT'), String(error)).toBe(true)
  expect(error).toMatchObject({ outcome, retryable: outcome === 'rejected' })
}

async function textAt(store: ObjectStore, key: string): Promise<string | undefined> {
  return (await store.head(key)) && new TextDecoder().decode((await store.get(key)).bytes)
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list()) keys.push(key)
  return keys
}

describe('faultyStore', () => {
  it('passes every call on while no rule matches, and records it', async () => {
    const store = faultyStore(hookedStore())
    await store.put('a', bytesOf('x'), { mode: 'create' })
    await expect(store.put('a', bytesOf('y'), { mode: 'create' })).rejects.toSatisfy((e) => isKind(e, 'exists'))
    expect(await textAt(store, 'a')).toBe('x')
    expect(await keysOf(store)).toEqual(['a'])
    await store.delete('a')
    expect(store.calls.map(({ number, operation, key, result }) => [number, operation, key, result].join(' '))).toEqual(
      ['1 put a ok', '2 put a error exists', '3 head a ok', '4 get a ok', '5 list  ok', '6 delete a ok'],
    )
    expect(store.countCalls({ operation: 'put' })).toBe(2)
    expect(store.countCalls({ key: /^a$/ })).toBe(5)
    expect(store.countCalls()).toBe(6)
  })

  it('fails before the effect, rejected or unknown as asked', async () => {
    const inner = hookedStore()
    const store = faultyStore(inner, [
      { fault: 'before', operation: 'put', nth: 2 },
      { fault: 'before', operation: ['get', 'list'], outcome: 'unknown', times: 2 },
    ])
    await store.put('a', bytesOf('1'))
    await fails(store.put('a', bytesOf('2')), 'rejected')
    expect(await textAt(inner, 'a')).toBe('1')
    await fails(store.get('a'), 'unknown')
    await fails(keysOf(store), 'unknown')
    await store.put('a', bytesOf('3'))
    expect(await textAt(store, 'a')).toBe('3')
  })

  it('loses the answer after the effect, also that of an effect that failed', async () => {
    const inner = hookedStore()
    const store = faultyStore(inner, [{ fault: 'after', operation: 'put', key: 'log/', times: Infinity }])
    await store.put('other', bytesOf('x'))
    await fails(store.put('log/1', bytesOf('mine'), { mode: 'create' }), 'unknown')
    await fails(store.put('log/1', bytesOf('late'), { mode: 'create' }), 'unknown')
    expect(await textAt(inner, 'log/1')).toBe('mine')
  })

  it('applies a late effect when told to, with the bytes of its time', async () => {
    const store = faultyStore(hookedStore(), [{ fault: 'late', operation: 'put' }])
    const bytes = bytesOf('late')
    await fails(store.put('a', bytes, { mode: 'create' }), 'unknown')
    bytes.fill(0)
    expect(await textAt(store, 'a')).toBeUndefined()
    expect(store.countLate()).toBe(1)
    expect(await store.applyLate()).toEqual([])
    expect(await textAt(store, 'a')).toBe('late')
    expect(store.countLate()).toBe(0)
  })

  it('applies a late effect after some further calls, and returns what became of one that no longer fits', async () => {
    const store = faultyStore(hookedStore(), [
      { fault: 'late', operation: 'put', lateAfterCalls: 1 },
      { fault: 'late', operation: 'put', nth: 3 },
    ])
    await fails(store.put('a', bytesOf('late')), 'unknown')
    await store.put('a', bytesOf('in time'))
    expect(await textAt(store, 'a')).toBe('late')
    await fails(store.put('b', bytesOf('late'), { mode: 'create' }), 'unknown')
    await store.put('b', bytesOf('in time'), { mode: 'create' })
    const [error] = await store.applyLate()
    expect(isKind(error, 'exists')).toBe(true)
    expect(await textAt(store, 'b')).toBe('in time')
  })

  it('takes rules while it runs, and takes them back', async () => {
    const store = faultyStore(hookedStore())
    const rule = store.addRule({ fault: 'before', times: Infinity })
    await fails(store.delete('a'), 'rejected')
    rule.remove()
    await store.delete('a')
    expect(() => store.addRule({ fault: 'after', outcome: 'rejected' })).toThrow(/always has the outcome unknown/)
  })

  it('lets a test fail each call of a scenario in turn', async () => {
    const scenario = async (store: ObjectStore): Promise<void> => {
      await store.put('data', bytesOf('x'))
      await store.put('commit', bytesOf('x'), { mode: 'create' })
      await store.delete('data')
    }
    const whole = faultyStore(hookedStore())
    await scenario(whole)
    const left: string[][] = []
    for (let nth = 1; nth <= whole.countCalls(); nth++) {
      for (const fault of ['before', 'after'] as const) {
        const inner = hookedStore()
        await fails(scenario(faultyStore(inner, [{ fault, nth }])), fault === 'before' ? 'rejected' : 'unknown')
        left.push(await keysOf(inner))
      }
    }
    expect(left).toEqual([[], ['data'], ['data'], ['commit', 'data'], ['commit', 'data'], ['commit']])
  })
})

describe('faultyCatalog', () => {
  it('fails its calls by table, and passes the others on', async () => {
    const commits: string[] = []
    const unused = (): never => expect.unreachable()
    const config = { 's3.endpoint': 'x' }
    const catalog = faultyCatalog(
      {
        name: 'fake',
        ...noNamespaces,
        createTable: unused,
        dropTable: unused,
        loadTable: async (identifier) => ({ identifier, metadataLocation: '', metadata: {} as never, config }),
        async commitTable(identifier) {
          commits.push(identifier.name)
          return { identifier, metadataLocation: '', metadata: {} as never }
        },
        async *listTables() {
          yield { namespace: ['shop'], name: 'orders' }
        },
      },
      [
        { fault: 'after', operation: 'commitTable', key: 'shop.orders' },
        { fault: 'late', operation: 'commitTable', key: 'shop.orders', nth: 2 },
      ],
    )
    const table = (name: string) => ({ namespace: ['shop'], name })
    const commit = { requirements: [], updates: [] }
    await catalog.commitTable(table('items'), commit)
    await fails(catalog.commitTable(table('orders'), commit), 'unknown')
    await fails(catalog.commitTable(table('orders'), commit), 'unknown')
    expect(commits).toEqual(['items', 'orders'])
    await catalog.applyLate()
    expect(commits).toEqual(['items', 'orders', 'orders'])
    const tables: string[] = []
    for await (const { name } of catalog.listTables()) tables.push(name)
    expect(tables).toEqual(['orders'])
    expect(await catalog.loadTable(table('x'))).toMatchObject({ identifier: table('x'), config })
    expect(catalog.countCalls({ operation: 'commitTable' })).toBe(3)
    expect(catalog.close).toBeUndefined()
  })
})
