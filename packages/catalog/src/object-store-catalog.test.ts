import { isKind, tableIdentifier, tableText, unavailable } from '@moulin/core'
import type { Catalog, CreateTableRequest, ObjectStore, TableCommit, TableIdentifier } from '@moulin/core'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import type { HookedStore, VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { objectStoreCatalog } from './object-store-catalog.ts'
import type { ObjectStoreCatalogOptions } from './object-store-catalog.ts'

const orders = tableIdentifier('shop.orders')
const folder = 'tables/shop/orders/metadata/'
const request: CreateTableRequest = {
  schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] },
}
const set = (name: string, value: string): TableCommit => ({
  requirements: [],
  updates: [{ action: 'set-properties', updates: { [name]: value } }],
})

let seed = 100
const runtimeOf = (): VirtualRuntime => virtualRuntime({ seed: seed++ })
const open = (store: ObjectStore, options: Partial<ObjectStoreCatalogOptions> = {}): Catalog =>
  objectStoreCatalog({ store, runtime: runtimeOf(), ...options })

async function commitMany(catalog: Catalog, count: number): Promise<void> {
  for (let number = 0; number < count; number++) await catalog.commitTable(orders, set('n', String(number)))
}

const text = async (store: ObjectStore, key: string): Promise<string> =>
  new TextDecoder().decode((await store.get(folder + key)).bytes)
const write = async (store: ObjectStore, key: string, content: string): Promise<unknown> =>
  store.put(folder + key, new TextEncoder().encode(content))
const propertiesOf = async (catalog: Catalog): Promise<unknown> => (await catalog.loadTable(orders)).metadata.properties

/** The bytes that a commit of the present table would store, taken before they are. */
async function capture(store: HookedStore, catalog: Catalog, commit: TableCommit): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined
  store.hooks.before = (call) => {
    if (call.op !== 'put' || !call.key.endsWith('.metadata.json')) return
    bytes = call.bytes
    throw unavailable('DOWN', 'Not now.')
  }
  await expect(catalog.commitTable(orders, commit)).rejects.toMatchObject({ code: 'DOWN', outcome: 'rejected' })
  delete store.hooks.before
  return bytes!
}

describe('objectStoreCatalog', () => {
  it('needs a store that creates if absent', () => {
    const store = { ...hookedStore(), capabilities: { createIfAbsent: false, compareAndSwap: true, multipart: false } }
    expect(() => open(store)).toThrow('create if absent')
  })

  it.each(['', 'a', '.a', 'a..b', 'a.b/c', 'a.b c', 'a.ü', `a.${'x'.repeat(256)}`])(
    'refuses the name %j',
    async (name) => {
      const levels = name.split('.')
      const table: TableIdentifier = { namespace: levels.slice(0, -1), name: levels.at(-1)! }
      for (const call of [open(hookedStore()).loadTable(table), open(hookedStore()).createTable(table, request)])
        await expect(call).rejects.toMatchObject({ kind: 'invalid', code: 'TABLE_NAME' })
    },
  )

  it('keeps a table out of the folder of another', async () => {
    const catalog = open(hookedStore())
    await catalog.createTable(tableIdentifier('a.b'), request)
    await catalog.createTable(tableIdentifier('x.y.z'), request)
    for (const name of ['a.b.c', 'a.b.c.d', 'x.y'])
      await expect(catalog.createTable(tableIdentifier(name), request)).rejects.toMatchObject({
        code: 'FOLDER_OCCUPIED',
      })
    await catalog.createTable(tableIdentifier('a.c'), request)
  })

  it('lists tables without looking at each of their files', async () => {
    const store = hookedStore()
    const catalog = open(store)
    for (const name of ['a.b', 'a.b-c', 'a.c.d', 'z.metadata', 'data.data'])
      await catalog.createTable(tableIdentifier(name), request)
    for (let file = 0; file < 50; file++) await store.put(`tables/a/b/data/${file}.parquet`, new Uint8Array(1))
    await store.put('tables/stray.txt', new Uint8Array(1))
    const before = store.calls.length
    const names: string[] = []
    for await (const table of catalog.listTables()) names.push(tableText(table))
    expect(names.sort()).toEqual(['a.b', 'a.b-c', 'a.c.d', 'data.data', 'z.metadata'])
    expect(store.calls.length - before).toBeLessThan(40)
  })

  it('refuses a folder that was moved, naming both places', async () => {
    const store = hookedStore()
    await open(store).createTable(orders, request)
    const moved = (await text(store, 'v1.metadata.json')).replaceAll('tables/shop/orders', 'tables/shop/sales')
    await store.put('tables/shop/sales/metadata/v1.metadata.json', new TextEncoder().encode(moved))
    await store.put('tables/shop/people/metadata/v1.metadata.json', new TextEncoder().encode(moved))
    await open(store).loadTable(tableIdentifier('shop.sales'))
    const refused = open(store).loadTable(tableIdentifier('shop.people'))
    await expect(refused).rejects.toMatchObject({ kind: 'corrupt', code: 'TABLE_MOVED' })
    await expect(refused).rejects.toThrow(/shop\/sales.*shop\/people/)
  })

  it('refuses to move a table, and a location of its own', async () => {
    const catalog = open(hookedStore())
    await expect(catalog.createTable(orders, { ...request, location: 'memory://x' })).rejects.toMatchObject({
      kind: 'unsupported',
    })
    await catalog.createTable(orders, { ...request, location: 'memory://hooked/tables/shop/orders' })
    const commit: TableCommit = { requirements: [], updates: [{ action: 'set-location', location: 'memory://x' }] }
    await expect(catalog.commitTable(orders, commit)).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'SET_LOCATION',
    })
  })

  it('takes the location that it gives itself, in any spelling of a file, and no prefix that engines cannot open', async () => {
    const store = { ...hookedStore(), root: 'file:///my lake/' }
    for (const [at, root] of ['file:///my lake', 'file:/my lake', '/my lake'].entries()) {
      const location = `${root}/tables/shop/t${at}/`
      const { metadata } = await open(store).createTable(tableIdentifier(`shop.t${at}`), { ...request, location })
      expect(metadata.location).toBe(`file:///my lake/tables/shop/t${at}`)
    }
    const encoded = { ...request, location: 'file:///my%20lake/tables/shop/orders' }
    await expect(open(store).createTable(orders, encoded)).rejects.toMatchObject({ code: 'TABLE_LOCATION' })
    expect(() => objectStoreCatalog({ store, runtime: virtualRuntime({ seed: 1 }), prefix: 'a?b/' })).toThrow(
      'holds "?"',
    )
  })

  it('makes no version for a commit without updates, but checks what it requires', async () => {
    const store = hookedStore()
    const catalog = open(store)
    const made = await catalog.createTable(orders, request)
    expect(await catalog.commitTable(orders, { requirements: [], updates: [] })).toEqual(made)
    const broken = { requirements: [{ type: 'assert-create' as const }], updates: [] }
    await expect(catalog.commitTable(orders, broken)).rejects.toMatchObject({ code: 'REQUIREMENT_FAILED' })
  })

  it('writes nothing when opened read-only, not even a hint that is behind', async () => {
    const store = hookedStore()
    await commitMany(await createIn(store), 3)
    await write(store, 'version-hint.text', '2')
    const before = store.calls.length
    const reader = open(store, { access: 'read-only' })
    expect(await propertiesOf(reader)).toEqual({ n: '2' })
    for (const call of [
      reader.createTable(orders, request),
      reader.commitTable(orders, set('a', '1')),
      reader.dropTable(orders),
    ])
      await expect(call).rejects.toMatchObject({ kind: 'invalid', code: 'READ_ONLY' })
    expect(store.calls.slice(before).filter(({ op }) => op === 'put' || op === 'delete')).toEqual([])
    await open(store).loadTable(orders)
    expect(await text(store, 'version-hint.text')).toBe('4')
  })

  it('acknowledges a commit whose hint could not be moved, says so, and repairs it at the next load', async () => {
    const store = hookedStore()
    const runtime = runtimeOf()
    const catalog = open(store, { runtime })
    await catalog.createTable(orders, request)
    store.hooks.before = ({ op, key }) => {
      if (op === 'put' && key.endsWith('hint.text')) throw unavailable('DOWN', 'Not now.')
    }
    await catalog.commitTable(orders, set('a', '1'))
    expect(runtime.logs.map(({ level }) => level)).toEqual(['warn'])
    delete store.hooks.before
    expect(await text(store, 'version-hint.text')).toBe('1')
    expect(await propertiesOf(open(store))).toEqual({ a: '1' })
    expect(await text(store, 'version-hint.text')).toBe('2')
  })

  it('replaces a hint that is not digits', async () => {
    const store = hookedStore()
    await commitMany(await createIn(store), 2)
    for (const damaged of ['3\n', '', '00002-u', '-1', '9'.repeat(40)]) {
      await write(store, 'version-hint.text', damaged)
      expect(await propertiesOf(open(store))).toEqual({ n: '1' })
      expect(await text(store, 'version-hint.text')).toBe('3')
    }
  })

  it('says corrupt when the hint is ahead of all that is there', async () => {
    const store = hookedStore()
    await commitMany(await createIn(store), 2)
    await write(store, 'version-hint.text', '99')
    await expect(open(store).loadTable(orders)).rejects.toMatchObject({ kind: 'corrupt', code: 'HINT_AHEAD' })
  })

  it('warns at metadataWarnBytes, stops at metadataStopBytes, and lets through what shrinks it', async () => {
    const store = hookedStore()
    const runtime = runtimeOf()
    const catalog = open(store, { runtime, limits: { metadataWarnBytes: 2_000, metadataStopBytes: 4_000 } })
    await catalog.createTable(orders, request)
    await catalog.commitTable(orders, set('a', 'x'.repeat(1_500)))
    expect(runtime.logs).toHaveLength(1)
    await expect(catalog.commitTable(orders, set('b', 'x'.repeat(3_000)))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'METADATA_TOO_LARGE',
    })
    await open(store).commitTable(orders, set('b', 'x'.repeat(8_000)))
    await catalog.commitTable(orders, { requirements: [], updates: [{ action: 'remove-properties', removals: ['a'] }] })
  })

  it('does not take the equal commit of another for its own', async () => {
    const store = hookedStore()
    const clock = runtimeOf().clock
    await createIn(store)
    const racers = [1, 2, 3, 4].map(() => open(store, { runtime: { ...runtimeOf(), clock } }))
    const answers = await Promise.allSettled(racers.map((catalog) => catalog.commitTable(orders, set('a', '1'))))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await keysIn(store)).not.toContain('v3.metadata.json')
  })

  it('reads and parses a version once', async () => {
    const store = hookedStore()
    const catalog = await createIn(store)
    await commitMany(catalog, 3)
    const reads = store.calls.filter(({ op, key }) => op === 'get' && key.endsWith('.metadata.json'))
    expect(reads).toHaveLength(1)
    const loaded = await catalog.loadTable(orders)
    expect((await catalog.loadTable(orders)).metadata).toBe(loaded.metadata)
    await open(store).commitTable(orders, set('other', '1'))
    expect(await propertiesOf(catalog)).toEqual({ n: '2', other: '1' })
  })

  it('lists instead of probing when the hint is far behind', async () => {
    const store = hookedStore()
    await commitMany(await createIn(store), 90)
    await write(store, 'version-hint.text', '2')
    const before = store.calls.length
    await open(store).loadTable(orders)
    expect(store.calls.length - before).toBeLessThan(30)
  })

  it('goes on counting where a dropped table left off', async () => {
    const store = hookedStore()
    const catalog = await createIn(store)
    await commitMany(catalog, 3)
    await catalog.dropTable(orders)
    expect(await keysIn(store)).toEqual(['v4.metadata.json', 'v5.metadata.json'])
    const again = await catalog.createTable(orders, request)
    expect(again.metadataLocation).toBe('memory://hooked/tables/shop/orders/metadata/v6.metadata.json')
    expect(again.metadata['metadata-log']).toEqual([])
    expect(await text(store, 'version-hint.text')).toBe('6')
  })

  it('keeps a hundred versions, or more where the table names more', async () => {
    const store = hookedStore()
    const catalog = await createIn(store)
    await catalog.commitTable(orders, set('write.metadata.previous-versions-max', '130'))
    await commitMany(catalog, 198)
    const versions = (await keysIn(store)).filter((key) => key.startsWith('v') && key.endsWith('json')).length
    expect(versions).toBeGreaterThanOrEqual(131)
    expect(versions).toBeLessThanOrEqual(146)
  })
})

describe('a version that comes back under a name that was collected', () => {
  // 1. A stalled commit of v4 is sent. 2. Others go on to v180; v1 to v76 are collected. 3. The put arrives.
  async function zombie(store: HookedStore): Promise<void> {
    const catalog = await createIn(store)
    await commitMany(catalog, 2)
    const late = await capture(store, catalog, set('late', '1'))
    await commitMany(catalog, 177)
    expect(await keysIn(store)).not.toContain('v76.metadata.json')
    await store.put(`${folder}v4.metadata.json`, late, { mode: 'create' })
  }

  it.each([true, false])('is not what a load finds (compare-and-swap: %s)', async (compareAndSwap) => {
    const store = hookedStore({ compareAndSwap })
    await zombie(store)
    expect(await propertiesOf(open(store))).toEqual({ n: '176' })
  })

  it.each([true, false])(
    'does not mislead a reader that read the hint long ago (compare-and-swap: %s)',
    async (compareAndSwap) => {
      const store = hookedStore({ compareAndSwap })
      await zombie(store)
      const hint = (await store.get(`${folder}version-hint.text`)).bytes
      await write(store, 'version-hint.text', '4')
      // The reader gets the hint as it was, and is slow: the rest of the world has gone on when it looks again.
      store.hooks.after = async ({ op, key }) => {
        if (op !== 'get' || !key.endsWith('hint.text')) return
        delete store.hooks.after
        if (compareAndSwap) await store.put(`${folder}version-hint.text`, hint)
      }
      expect(await propertiesOf(open(store))).toEqual({ n: '176' })
    },
  )

  it('is collected again', async () => {
    const store = hookedStore()
    await zombie(store)
    await commitMany(open(store), 20)
    expect(await keysIn(store)).not.toContain('v4.metadata.json')
  })

  it('does not let a commit on top of its own forerunner count', async () => {
    const store = hookedStore()
    const catalog = await createIn(store)
    await commitMany(catalog, 2)
    const late = await capture(store, catalog, set('late', '1'))
    await commitMany(catalog, 1)
    store.hooks.before = async ({ op, key }) => {
      if (op !== 'put' || !key.endsWith('/v5.metadata.json')) return
      delete store.hooks.before
      await commitMany(open(store), 177)
      // The real v4 is collected by now; the late one takes its name.
      await store.put(`${folder}v4.metadata.json`, late, { mode: 'create' })
    }
    const error = await catalog.commitTable(orders, set('mine', '1')).catch((cause: unknown) => cause)
    expect(isKind(error, 'unavailable', 'COMMIT_UNKNOWN') && error.outcome).toBe('unknown')
    expect(await propertiesOf(open(store))).toEqual({ n: '176' })
  })

  it('does not make a creator believe that it made the table', async () => {
    const store = hookedStore()
    store.hooks.before = async ({ op, key }) => {
      if (op !== 'put' || !key.endsWith('/v1.metadata.json')) return
      delete store.hooks.before
      await commitMany(await createIn(store), 180)
    }
    await expect(open(store).createTable(orders, request)).rejects.toMatchObject({ kind: 'exists' })
    expect(await propertiesOf(open(store))).toEqual({ n: '179' })
  })
})

describe('lost answers', () => {
  it('of a put, a read-back and a check leave the outcome unknown; a later load shows the truth', async () => {
    for (const failing of ['get', 'head'] as const) {
      const store = hookedStore()
      const catalog = await createIn(store)
      let isSent = false
      store.hooks.after = ({ op, key }) => {
        if (op === 'put' && key.endsWith('/v2.metadata.json')) {
          isSent = true
          if (failing === 'get') throw unavailable('LOST', 'Lost.', { outcome: 'unknown' })
        }
      }
      store.hooks.before = ({ op }) => {
        if (isSent && op === failing) throw unavailable('DOWN', 'Not now.')
      }
      const error = await catalog.commitTable(orders, set('a', '1')).catch((cause: unknown) => cause)
      expect(isKind(error, 'unavailable', 'COMMIT_UNKNOWN') && [error.outcome, error.retryable]).toEqual([
        'unknown',
        false,
      ])
      delete store.hooks.after
      delete store.hooks.before
      expect(await propertiesOf(open(store))).toEqual({ a: '1' })
    }
  })

  it('of a create are found again', async () => {
    const store = hookedStore()
    store.hooks.after = ({ op, key }) => {
      if (op !== 'put' || !key.endsWith('/v1.metadata.json')) return
      delete store.hooks.after
      throw unavailable('LOST', 'Lost.', { outcome: 'unknown' })
    }
    const made = await open(store).createTable(orders, request)
    expect(await open(store).loadTable(orders)).toEqual(made)
  })

  it('of a layer that sent the same put twice are not taken for a conflict', async () => {
    const store = hookedStore()
    const catalog = objectStoreCatalog({
      runtime: runtimeOf(),
      store: {
        ...store,
        async put(key, bytes, options) {
          await store.put(key, bytes, options)
          return await store.put(key, bytes, options)
        },
      },
    })
    await createIn(store)
    await catalog.commitTable(orders, set('a', '1'))
    expect(await propertiesOf(open(store))).toEqual({ a: '1' })
  })
})

async function createIn(store: ObjectStore): Promise<Catalog> {
  const catalog = open(store)
  await catalog.createTable(orders, request)
  return catalog
}

async function keysIn(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix: folder })) keys.push(key.slice(folder.length))
  return keys
}
