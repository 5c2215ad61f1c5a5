import { tableIdentifier, tableText, unavailable } from '@moulin/core'
import type { Catalog, Namespace, ObjectStore } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { objectStoreCatalog } from './object-store-catalog.ts'
import type { ObjectStoreCatalogOptions } from './object-store-catalog.ts'

const zoo: Namespace = ['zoo']
const birds: Namespace = ['zoo', 'birds']
const parrots = tableIdentifier('zoo.birds.parrots')
const request = { schema: { type: 'struct' as const, fields: [{ id: 1, name: 'id', required: false, type: 'long' }] } }

let seed = 500
const runtimeOf = (): VirtualRuntime => virtualRuntime({ seed: seed++ })
const open = (store: ObjectStore, options: Partial<ObjectStoreCatalogOptions> = {}): Catalog =>
  objectStoreCatalog({ store, runtime: runtimeOf(), ...options })
const noSwap = (): ReturnType<typeof hookedStore> => hookedStore({ compareAndSwap: false })

async function keysIn(store: ObjectStore, prefix: string = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix })) keys.push(key)
  return keys
}

async function jsonAt(store: ObjectStore, key: string): Promise<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode((await store.get(key)).bytes)) as Record<string, unknown>
}

const write = async (store: ObjectStore, key: string, json: unknown): Promise<unknown> =>
  store.put(key, new TextEncoder().encode(typeof json === 'string' ? json : JSON.stringify(json)))

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const propertiesOf = async (catalog: Catalog, namespace: Namespace = birds): Promise<unknown> =>
  (await catalog.loadNamespace(namespace)).properties
const set = async (catalog: Catalog, name: string, value: string = '1'): Promise<unknown> =>
  catalog.setNamespaceProperties(birds, { updates: { [name]: value } })

describe('namespaces of the object-store catalog', () => {
  it('are one object each, in their own folder, and none where nothing was created', async () => {
    const store = hookedStore()
    const catalog = open(store)
    await catalog.createTable(parrots, request)
    expect((await keysIn(store)).filter((key) => key.includes('.namespace'))).toEqual([])
    await catalog.createNamespace(['zoo', 'fish'], { keeper: 'Ada' })
    const stored = await jsonAt(store, 'tables/zoo/fish/.namespace.json')
    expect(stored).toMatchObject({
      format: 1,
      minimumReader: 1,
      namespace: ['zoo', 'fish'],
      change: 1,
      properties: { keeper: 'Ada' },
    })
    expect(Object.keys(stored).sort()).toEqual(
      ['attempt', 'change', 'format', 'id', 'minimumReader', 'namespace', 'properties'].sort(),
    )
  })

  it('are changed in place where the store swaps, and by a new name where it does not', async () => {
    for (const [store, files] of [
      [hookedStore(), ['.namespace.json']],
      [noSwap(), ['.namespace-2.json', '.namespace-3.json', '.namespace.json']],
    ] as const) {
      const catalog = open(store)
      await catalog.createNamespace(birds, { a: '0' })
      await set(catalog, 'a')
      await set(catalog, 'b')
      expect(await keysIn(store)).toEqual(files.map((file) => `tables/zoo/birds/${file}`))
      expect(await propertiesOf(open(store))).toEqual({ a: '1', b: '1' })
      await catalog.dropNamespace(birds)
      expect(await keysIn(store)).toEqual([])
    }
  })

  it('write nothing for a change that changes nothing', async () => {
    const store = hookedStore()
    const catalog = open(store)
    await catalog.createNamespace(birds)
    const puts = store.calls.filter(({ op }) => op === 'put').length
    const answer = await catalog.setNamespaceProperties(birds, { removals: ['none', 'none'] })
    expect(answer).toEqual({ updated: [], removed: [], missing: ['none'] })
    expect(store.calls.filter(({ op }) => op === 'put')).toHaveLength(puts)
  })

  it('that were changed on a folder are read, and changed on, where the store swaps', async () => {
    const folder = noSwap()
    await open(folder).createNamespace(birds, { a: '0' })
    await set(open(folder), 'b')
    const bucket = hookedStore()
    for (const key of await keysIn(folder)) await bucket.put(key, (await folder.get(key)).bytes)
    expect(await propertiesOf(open(bucket))).toEqual({ a: '0', b: '1' })
    await set(open(bucket), 'c')
    expect(await propertiesOf(open(bucket))).toEqual({ a: '0', b: '1', c: '1' })
  })

  it('do not take the changes of an earlier one of their name', async () => {
    const store = noSwap()
    const catalog = open(store)
    await catalog.createNamespace(birds)
    await set(catalog, 'a', 'old')
    const late = (await store.get('tables/zoo/birds/.namespace-2.json')).bytes
    await catalog.dropNamespace(birds)
    await catalog.createNamespace(birds)
    for (const number of [2, 7]) await store.put(`tables/zoo/birds/.namespace-${number}.json`, late)
    expect(await propertiesOf(open(store))).toEqual({})
    await set(open(store), 'b', 'new')
    expect(await propertiesOf(open(store))).toEqual({ b: 'new' })
    expect(await keysIn(store)).toContain('tables/zoo/birds/.namespace-8.json')
  })

  it('are gone for whoever changes one that is dropped meanwhile', async () => {
    for (const store of [hookedStore(), noSwap()]) {
      const [slow, rival] = [open(store), open(store)]
      await slow.createNamespace(birds)
      store.hooks.before = async ({ op }) => {
        if (op !== 'put') return
        delete store.hooks.before
        await rival.dropNamespace(birds)
      }
      await expect(set(slow, 'a')).rejects.toMatchObject({ kind: 'not-found', code: 'NAMESPACE_MISSING' })
      await expect(slow.loadNamespace(birds)).rejects.toMatchObject({ code: 'NAMESPACE_MISSING' })
    }
  })

  it('are changed anew on what another made of them, each acknowledged once', async () => {
    for (const store of [hookedStore(), noSwap()]) {
      const [slow, rival] = [open(store), open(store)]
      await slow.createNamespace(birds, { old: '1', theirs: '0' })
      store.hooks.before = async ({ op }) => {
        if (op !== 'put') return
        delete store.hooks.before
        await rival.setNamespaceProperties(birds, { updates: { theirs: '1' }, removals: ['old'] })
      }
      const answer = await slow.setNamespaceProperties(birds, { updates: { mine: '1' }, removals: ['old'] })
      // The rival had removed it by then.
      expect(answer).toEqual({ updated: ['mine'], removed: [], missing: ['old'] })
      expect(await propertiesOf(rival)).toEqual({ theirs: '1', mine: '1' })
    }
  })

  it('do not take the change of another for their own when the answer was lost', async () => {
    for (const store of [hookedStore(), noSwap()]) {
      const [slow, rival] = [open(store), open(store)]
      await slow.createNamespace(birds)
      store.hooks.before = async ({ op }) => {
        if (op !== 'put') return
        delete store.hooks.before
        await set(rival, 'same')
        throw unavailable('LOST', 'The answer was lost.', { outcome: 'unknown' })
      }
      const call = await set(slow, 'same').then(
        () => 'done',
        (error: unknown) => error,
      )
      // By a new name it lost for certain, and is made anew; a swap may have been done, and changed since.
      if (store.capabilities.compareAndSwap) expect(call).toMatchObject({ code: 'COMMIT_UNKNOWN', outcome: 'unknown' })
      else expect(call).toBe('done')
      expect(await propertiesOf(rival)).toEqual({ same: '1' })
    }
  })

  it('are refused when a later version must read them, and are listed all the same', async () => {
    const store = hookedStore()
    const catalog = open(store)
    await catalog.createNamespace(birds)
    const key = 'tables/zoo/birds/.namespace.json'
    const stored = await jsonAt(store, key)
    await write(store, key, { ...stored, format: 9, minimumReader: 1, later: true })
    expect(await propertiesOf(catalog)).toEqual({})
    await write(store, key, { ...stored, format: 9, minimumReader: 2 })
    const refusal = { kind: 'unsupported', code: 'FORMAT_VERSION' }
    for (const call of [catalog.loadNamespace(birds), set(catalog, 'a'), catalog.dropNamespace(birds)])
      await expect(call).rejects.toMatchObject(refusal)
    expect(await all(catalog.listNamespaces(zoo))).toEqual([birds])
    expect(await keysIn(store)).toEqual([key])
  })

  it('say corrupt, and which object, for what is damaged', async () => {
    const store = hookedStore()
    await open(store).createNamespace(birds)
    const key = 'tables/zoo/birds/.namespace.json'
    const stored = await jsonAt(store, key)
    for (const damaged of [
      '',
      '{',
      { ...stored, properties: { a: 1 } },
      { ...stored, id: 5 },
      { ...stored, change: '2' },
    ]) {
      await write(store, key, damaged)
      await expect(open(store).loadNamespace(birds)).rejects.toMatchObject({ kind: 'corrupt' })
      await expect(open(store).loadNamespace(birds)).rejects.toThrow(key)
    }
  })

  it('have properties of at most a mebibyte', async () => {
    const store = hookedStore()
    const catalog = open(store)
    const much = 'x'.repeat(1024 * 1024)
    const tooLarge = { kind: 'exhausted', code: 'NAMESPACE_TOO_LARGE' }
    await expect(catalog.createNamespace(birds, { much })).rejects.toMatchObject(tooLarge)
    await catalog.createNamespace(birds)
    await expect(set(catalog, 'much', much)).rejects.toMatchObject(tooLarge)
    await set(catalog, 'much', much.slice(1000))
    expect(await propertiesOf(catalog)).toEqual({ much: much.slice(1000) })
  })

  it('are not made in the folder of a table, even of one that was dropped', async () => {
    const store = hookedStore()
    const catalog = open(store)
    await catalog.createTable(parrots, request)
    await catalog.dropTable(parrots)
    for (const inside of [
      [...birds, 'parrots'],
      [...birds, 'parrots', 'metadata'],
    ])
      await expect(catalog.createNamespace(inside)).rejects.toMatchObject({ kind: 'exists', code: 'FOLDER_OCCUPIED' })
    const made = await catalog.createTable(parrots, request)
    expect(await all(catalog.listNamespaces(birds))).toEqual([])
    await expect(all(catalog.listNamespaces([...birds, 'parrots']))).rejects.toMatchObject({ kind: 'not-found' })
    await expect(catalog.loadNamespace([...birds, 'parrots', 'metadata'])).rejects.toMatchObject({ kind: 'not-found' })
    expect((await catalog.loadTable(parrots)).metadata['table-uuid']).toBe(made.metadata['table-uuid'])
  })

  it('are listed without looking at each file or table in them, and tables without each change of them', async () => {
    const store = noSwap()
    const catalog = open(store)
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await catalog.createTable({ namespace: birds, name }, request)
    for (let file = 0; file < 50; file++) await store.put(`tables/zoo/birds/a/data/${file}.parquet`, new Uint8Array(1))
    await catalog.createNamespace(['zoo', 'fish'])
    await store.put('tables/zoo/stray.txt', new Uint8Array(1))
    await store.put('tables/.namespace.json', new Uint8Array(1))
    const before = store.calls.length
    expect(await all(catalog.listNamespaces(zoo))).toEqual([birds, ['zoo', 'fish']])
    expect(store.calls.length - before).toBeLessThan(20)
    for (let change = 0; change < 40; change++) await set(catalog, 'n', String(change))
    const next = store.calls.length
    expect((await all(catalog.listTables())).map(tableText)).toHaveLength(6)
    expect(store.calls.length - next).toBeLessThan(40)
  })

  it('are not written by a catalog that was opened read-only', async () => {
    const store = hookedStore()
    await open(store).createNamespace(birds, { a: '1' })
    const before = store.calls.length
    const reader = open(store, { access: 'read-only' })
    for (const call of [reader.createNamespace(['x']), set(reader, 'b'), reader.dropNamespace(birds)])
      await expect(call).rejects.toMatchObject({ kind: 'invalid', code: 'READ_ONLY' })
    expect(await propertiesOf(reader)).toEqual({ a: '1' })
    expect(await all(reader.listNamespaces([]))).toEqual([zoo])
    expect(store.calls.slice(before).filter(({ op }) => op === 'put' || op === 'delete')).toEqual([])
  })

  it('are dropped though their old changes cannot be removed, which is said', async () => {
    const store = noSwap()
    const runtime = runtimeOf()
    const catalog = open(store, { runtime })
    await catalog.createNamespace(birds)
    await set(catalog, 'a')
    store.hooks.before = ({ op, key }) => {
      if (op === 'delete' && key.endsWith('-2.json')) throw unavailable('DOWN', 'Not now.')
    }
    await catalog.dropNamespace(birds)
    expect(runtime.logs.map(({ level }) => level)).toEqual(['warn'])
    expect(await all(catalog.listNamespaces([]))).toEqual([])
    await expect(catalog.loadNamespace(birds)).rejects.toMatchObject({ code: 'NAMESPACE_MISSING' })
  })

  it('are dropped though the logger that is told of it throws', async () => {
    const store = noSwap()
    const throwing = (): never => {
      throw new Error('The logger broke.')
    }
    const logger = { debug: throwing, info: throwing, warn: throwing, error: throwing }
    const catalog = open(store, { runtime: { ...runtimeOf(), logger } })
    await catalog.createNamespace(birds)
    await set(catalog, 'a')
    store.hooks.before = ({ op, key }) => {
      if (op === 'delete' && key.endsWith('-2.json')) throw unavailable('DOWN', 'Not now.')
    }
    await catalog.dropNamespace(birds)
    expect(await all(catalog.listNamespaces([]))).toEqual([])
  })

  it('are dropped without a change of the next one of their name, made as soon as the name is free', async () => {
    const store = noSwap()
    const [catalog, other] = [open(store), open(store)]
    await catalog.createNamespace(birds, { owner: 'x' })
    await set(catalog, 'a')
    let isOver = false
    store.hooks.after = async ({ op, key }) => {
      if (isOver || op !== 'delete' || !key.endsWith('.namespace.json')) return
      isOver = true
      await other.createNamespace(birds, { owner: 'next' })
      await other.setNamespaceProperties(birds, { updates: { owner: 'kept', comment: 'acked' } })
    }
    await catalog.dropNamespace(birds)
    expect(isOver).toBe(true)
    expect(await propertiesOf(open(store))).toEqual({ owner: 'kept', comment: 'acked' })
  })
})
