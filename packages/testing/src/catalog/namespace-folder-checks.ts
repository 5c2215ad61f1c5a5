import { isMoulinError, unavailable } from '@moulin/core'
import type { Namespace } from '@moulin/core'
import { errorOf, expectEqual, expectTrue } from '../assertions.ts'
import { expectOneOf } from './expect.ts'
import { createRequest, orders } from './fixtures.ts'
import type { FolderCheck } from './folder-checks.ts'

const shop: Namespace = ['shop']
const eu: Namespace = ['shop', 'eu']
const lost = (): never => {
  throw unavailable('LOST', 'The answer was lost.', { outcome: 'unknown' })
}

/** What a catalog of folders promises of its namespaces besides; on a store that swaps and one that does not. */
export const namespaceFolderChecks: readonly FolderCheck[] = [
  {
    name: 'keeps namespaces out of the folder of a table, and a table out of that of a namespace',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createNamespace(shop)
      await catalog.createTable(orders, createRequest)
      await catalog.createNamespace(eu)
      for (const inside of [
        ['shop', 'orders'],
        ['shop', 'orders', 'x'],
      ])
        await expectOneOf(catalog.createNamespace(inside), ['exists'], `create of ${inside.join('.')} in a table`)
      const same = { namespace: shop, name: 'eu' }
      await expectOneOf(
        catalog.createTable(same, createRequest),
        ['exists', 'unsupported'],
        'a table named as a namespace',
      )
      if (catalog.capabilities.namespaceProperties)
        await catalog.setNamespaceProperties(shop, { updates: { a: '1' }, removals: [] })
      const folder = `${folders.folder ?? 'tables/shop/orders'}/`
      for await (const { key } of store.list({ prefix: folder }))
        expectTrue(key.startsWith(`${folder}metadata/`), `${key} is no metadata of the table`)
    },
  },
  {
    name: 'finds its own namespace, and its own change of one, when the answer was lost',
    async run(folders, store) {
      const catalog = folders.open(store)
      const calls = [async (): Promise<unknown> => catalog.createNamespace(shop)]
      if (catalog.capabilities.namespaceProperties)
        calls.push(() => catalog.setNamespaceProperties(shop, { updates: { a: '1' } }))
      for (const call of calls) {
        store.hooks.after = ({ op }) => {
          if (op !== 'put') return
          delete store.hooks.after
          lost()
        }
        const error = await errorOf(call())
        const isHonest = error === undefined || (isMoulinError(error) && error.outcome === 'unknown')
        expectTrue(isHonest, `what happened was said to be rejected: ${String(error)}`)
      }
      const { properties } = await folders.open(store).loadNamespace(shop)
      expectEqual(properties, calls.length === 1 ? {} : { a: '1' }, 'properties')
    },
  },
  {
    name: 'says unknown when a namespace, or a change of one, may yet arrive',
    async run(folders, store) {
      const catalog = folders.open(store)
      await catalog.createNamespace(eu)
      const calls = [async (): Promise<unknown> => catalog.createNamespace(['east'])]
      if (catalog.capabilities.namespaceProperties)
        calls.push(() => catalog.setNamespaceProperties(eu, { updates: { a: '1' } }))
      for (const call of calls) {
        store.hooks.before = ({ op }) => {
          if (op !== 'put') return
          delete store.hooks.before
          lost()
        }
        const error = await expectOneOf(call(), ['unavailable'], 'a call without an answer')
        expectTrue(error.outcome === 'unknown', 'a put that may yet arrive was said to be rejected')
      }
    },
  },
]
