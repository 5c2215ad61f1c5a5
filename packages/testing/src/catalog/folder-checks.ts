import { aborted, isMoulinError, unavailable } from '@moulin/core'
import type { Catalog, ObjectStore } from '@moulin/core'
import { errorOf, expectEqual, expectError, expectTrue } from '../assertions.ts'
import { expectOneOf } from './expect.ts'
import { appendOf, createRequest, orders, setProperty, tablesOf } from './fixtures.ts'
import { hookedStore } from '../hooked-store.ts'
import type { HookedStore, StoreCall } from '../hooked-store.ts'

/** A catalog of folders over any store: each call is another process. */
export interface FolderCatalog {
  open(store: ObjectStore): Catalog
  /** Key of a table's folder, without a slash at its end. Default `tables/<namespace>/<table>`. */
  readonly folder?: string
}

export interface FolderCheck {
  readonly name: string
  run(folders: FolderCatalog, store: HookedStore): Promise<void>
}

const hint = 'version-hint.text'
const metadata = (folders: FolderCatalog, name: string): string =>
  `${folders.folder ?? 'tables/shop/orders'}/metadata/${name}`
const isVersion = (call: StoreCall, version?: number): boolean =>
  call.op === 'put' && call.key.endsWith(version === undefined ? '.metadata.json' : `/v${version}.metadata.json`)

const textOf = async (store: ObjectStore, key: string): Promise<string> =>
  new TextDecoder().decode((await store.get(key)).bytes)

async function versionsIn(folders: FolderCatalog, store: ObjectStore): Promise<number[]> {
  const versions: number[] = []
  for await (const { key } of store.list({ prefix: metadata(folders, 'v') })) {
    const match = /\/v(\d+)\.metadata\.json$/.exec(key)
    if (match !== null) versions.push(Number(match[1]))
  }
  return versions.sort((a, b) => a - b)
}

async function commitMany(catalog: Catalog, count: number): Promise<void> {
  for (let number = 0; number < count; number++) await catalog.commitTable(orders, setProperty('n', String(number)))
}

/** What a catalog that is a folder of `vN.metadata.json` files promises besides; on a store that swaps and one that does not. */
export const folderChecks: readonly FolderCheck[] = [
  {
    name: 'writes v1, v2, … uncompressed, absolute locations, and a hint of digits alone',
    async run(folders, store) {
      const catalog = folders.open(store)
      const made = await catalog.createTable(orders, createRequest)
      await commitMany(catalog, 10)
      expectEqual(await versionsIn(folders, store), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 'versions')
      expectEqual(await textOf(store, metadata(folders, hint)), '11', 'hint')
      expectTrue(made.metadataLocation === store.root + metadata(folders, 'v1.metadata.json'), 'metadata location')
      expectTrue((await textOf(store, metadata(folders, 'v11.metadata.json'))).startsWith('{'), 'v11 is plain JSON')
      expectTrue(made.metadata.location === store.root + metadata(folders, '').replace('/metadata/', ''), 'location')
    },
  },
  {
    name: 'writes nothing outside of the table',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createTable(orders, createRequest)
      await commitMany(catalog, 3)
      for await (const { key } of store.list())
        expectTrue(key.startsWith(metadata(folders, '')), `${key} is no metadata of the table`)
    },
  },
  {
    name: 'moves the hint right after the commit, never before it',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createTable(orders, createRequest)
      await commitMany(catalog, 3)
      const puts = store.calls.filter(({ op }) => op === 'put')
      for (let version = 1; version <= 4; version++) {
        const stored = puts.findIndex((call) => isVersion(call, version))
        const moved = puts.findIndex(
          ({ key, bytes }) => key.endsWith(hint) && new TextDecoder().decode(bytes) === String(version),
        )
        expectTrue(stored >= 0 && moved > stored, `the hint said ${version} before that version was there`)
        expectTrue(moved === stored + 1, `the hint followed version ${version} late`)
      }
    },
  },
  {
    name: 'never moves the hint back',
    async run(folders, store) {
      const [slow, fast] = [folders.open(store), folders.open(store)]
      await slow.createTable(orders, createRequest)
      store.hooks.before = async ({ op, key }) => {
        if (op !== 'put' || !key.endsWith(hint)) return
        delete store.hooks.before
        await commitMany(fast, 2)
      }
      await slow.commitTable(orders, setProperty('slow', '1'))
      expectEqual(
        await textOf(store, metadata(folders, hint)),
        '4',
        'the hint, after a slow writer of 2 and a fast one of 4',
      )
    },
  },
  {
    name: 'finds the newest version though the hint is behind or missing, and repairs it with the next commit',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createTable(orders, createRequest)
      await commitMany(catalog, 30)
      for (const behind of ['29', '2', undefined]) {
        await store.delete(metadata(folders, hint))
        if (behind !== undefined) await store.put(metadata(folders, hint), new TextEncoder().encode(behind))
        const loaded = await folders.open(store).loadTable(orders)
        expectTrue(
          loaded.metadata.properties?.['n'] === '29',
          `a hint of ${behind ?? 'nothing'} hid the newest version`,
        )
      }
      await folders.open(store).commitTable(orders, setProperty('a', '1'))
      expectEqual(await textOf(store, metadata(folders, hint)), '32', 'the hint')
    },
  },
  {
    name: 'finds its own commit when the answer was lost',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createTable(orders, createRequest)
      for (const [at, raise] of [unavailable, aborted].entries()) {
        const name = `lost-${at}`
        store.hooks.after = (call) => {
          if (!isVersion(call)) return
          delete store.hooks.after
          throw raise('LOST', 'The answer was lost.', { outcome: 'unknown' })
        }
        const error = await errorOf(catalog.commitTable(orders, setProperty(name, '1')))
        const isHonest = error === undefined || (isMoulinError(error) && error.outcome === 'unknown')
        expectTrue(isHonest, `a commit that happened was said to be rejected: ${String(error)}`)
        const { metadata: seen } = await folders.open(store).loadTable(orders)
        expectTrue(seen.properties?.[name] === '1', 'the commit is there')
      }
    },
  },
  {
    name: 'does not take the commit of another for its own when the answer was lost',
    async run(folders, store) {
      const [catalog, rival] = [folders.open(store), folders.open(store)]
      await catalog.createTable(orders, createRequest)
      store.hooks.before = async (call) => {
        if (!isVersion(call, 2)) return
        delete store.hooks.before
        await rival.commitTable(orders, setProperty('rival', '1'))
        throw unavailable('LOST', 'The answer was lost.', { outcome: 'unknown' })
      }
      const error = await errorOf(catalog.commitTable(orders, setProperty('mine', '1')))
      expectTrue(error !== undefined, 'a commit that lost was acknowledged')
      expectEqual((await rival.loadTable(orders)).metadata.properties, { owner: 'suite', rival: '1' }, 'properties')
    },
  },
  {
    name: 'says unknown when a commit may yet arrive',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createTable(orders, createRequest)
      for (const raise of [unavailable, aborted]) {
        store.hooks.before = (call) => {
          if (!isVersion(call)) return
          delete store.hooks.before
          throw raise('LOST', 'The answer was lost.', { outcome: 'unknown' })
        }
        const error = await expectOneOf(
          catalog.commitTable(orders, setProperty('a', '1')),
          ['unavailable', 'aborted'],
          'a commit without an answer',
        )
        expectTrue(error.outcome === 'unknown', 'a put that may yet arrive was said to be rejected')
      }
    },
  },
  {
    name: 'does not acknowledge a version whose predecessor was collected meanwhile',
    async run(folders, store) {
      const [stalled, rival] = [folders.open(store), folders.open(store)]
      await stalled.createTable(orders, createRequest)
      await commitMany(stalled, 4)
      store.hooks.before = async (call) => {
        if (!isVersion(call, 6)) return
        delete store.hooks.before
        await commitMany(rival, 160)
        for (const version of (await versionsIn(folders, store)).slice(0, -100))
          await store.delete(metadata(folders, `v${version}.metadata.json`))
      }
      const error = await errorOf(stalled.commitTable(orders, setProperty('stalled', '1')))
      expectTrue(error !== undefined, 'the commit of a version that was collected long ago was acknowledged')
      const { metadata: seen } = await folders.open(store).loadTable(orders)
      expectEqual(seen.properties, { owner: 'suite', n: '159' }, 'properties')
    },
  },
  {
    name: 'collects old versions from the oldest on, and keeps the newest hundred',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createTable(orders, createRequest)
      await commitMany(catalog, 260)
      const deleted = store.calls.filter(({ op, key }) => op === 'delete' && key.endsWith('.metadata.json'))
      const order = deleted.map(({ key }) => Number(/v(\d+)\./.exec(key)![1]))
      expectTrue(order.length > 0, 'nothing was collected')
      expectEqual(
        order,
        [...order].sort((a, b) => a - b),
        'order of deletion',
      )
      const kept = await versionsIn(folders, store)
      expectTrue(kept.length >= 100 && kept.at(-1) === 261, `${kept.length} versions were kept`)
    },
  },
  {
    name: 'names in its metadata log what is there under the names that it wrote',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createTable(orders, createRequest)
      await commitMany(catalog, 20)
      const { metadata: seen, metadataLocation } = await catalog.loadTable(orders)
      const named = new Set(seen['metadata-log']?.map((entry) => entry['metadata-file'])).add(metadataLocation)
      for (const version of await versionsIn(folders, store))
        expectTrue(named.has(store.root + metadata(folders, `v${version}.metadata.json`)), `v${version} is not named`)
    },
  },
  {
    name: 'says corrupt, and which file, for metadata that is damaged',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createTable(orders, createRequest)
      const key = metadata(folders, 'v1.metadata.json')
      const text = await textOf(store, key)
      for (const damaged of [text.slice(0, -10), '', 'null', text.replace('"table-uuid"', '"x"')]) {
        await store.put(key, new TextEncoder().encode(damaged))
        const error = await expectError(folders.open(store).loadTable(orders), 'corrupt', 'damaged metadata')
        expectTrue(error.message.includes(key), `the message does not name ${key}: ${error.message}`)
      }
    },
  },
  {
    name: 'refuses the folder of something else',
    async run(folders, store) {
      const bytes = new TextEncoder().encode('1')
      for (const name of ['00001-a.metadata.json', '../data/a.parquet']) {
        const key = name.startsWith('../')
          ? metadata(folders, '').replace('metadata/', name.slice(3))
          : metadata(folders, name)
        await store.put(key, bytes)
        const catalog = folders.open(store)
        await expectOneOf(
          catalog.createTable(orders, createRequest),
          ['exists', 'unsupported'],
          `create beside ${name}`,
        )
        expectEqual(await tablesOf(catalog), [], 'tables')
        await store.delete(key)
      }
    },
  },
  {
    name: 'does not let a commit under way bring a dropped table back',
    async run(folders, store) {
      const [slow, rival] = [folders.open(store), folders.open(store)]
      const table = await slow.createTable(orders, createRequest)
      store.hooks.before = async (call) => {
        if (!isVersion(call, 2)) return
        delete store.hooks.before
        await rival.dropTable(orders)
      }
      const error = await errorOf(slow.commitTable(orders, appendOf(1, table)))
      expectTrue(error !== undefined, 'a commit on a dropped table was acknowledged')
      await expectError(rival.loadTable(orders), 'not-found', 'load after drop')
    },
  },
]

/** The two kinds of store that a folder catalog meets. */
export const folderStores: readonly { readonly name: string; create(): HookedStore }[] = [
  { name: 'a store that swaps', create: () => hookedStore() },
  { name: 'a store without compare-and-swap', create: () => hookedStore({ compareAndSwap: false }) },
]
