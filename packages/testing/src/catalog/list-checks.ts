import { expectEqual, expectError } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other } from './check.ts'
import { createRequest, orders, tablesOf } from './fixtures.ts'

const shop = ['shop']

/** Lists of tables. */
export const listChecks: readonly CatalogCheck[] = [
  {
    name: 'lists the tables right in a namespace, and none of another or below it',
    async run({ catalog }) {
      const names = ['a', 'b', 'orders', 'z']
      for (const name of names) await catalog.createTable({ namespace: shop, name }, createRequest)
      for (const namespace of [['shop', 'c'], ['shop', 'c', 'd'], ['shop-eu'], ['sho'], ['zz', 'shop']])
        await catalog.createTable({ namespace, name: 'x' }, createRequest)
      const wanted = names.map((name) => `shop.${name}`)
      expectEqual(await tablesOf(catalog, shop), wanted, 'tables of shop')
      expectEqual(await tablesOf(catalog, ['shop', 'c']), ['shop.c.x'], 'tables of shop.c')
      expectEqual((await tablesOf(catalog)).length, 9, 'all tables')
    },
  },
  {
    name: 'lists no tables of a namespace that holds none, though one below it does',
    async run({ catalog }) {
      await catalog.createNamespace(shop)
      expectEqual(await tablesOf(catalog, shop), [], 'tables')
      await catalog.createTable({ namespace: ['shop', 'eu'], name: 'x' }, createRequest)
      expectEqual(await tablesOf(catalog, shop), [], 'tables, with one below')
    },
  },
  {
    name: 'says not-found for the tables of a namespace that is not there',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      for (const namespace of [['nowhere'], ['shop', 'orders'], ['shop', 'nowhere']])
        await expectError(tablesOf(catalog, namespace), 'not-found', namespace.join('.'))
    },
  },
  {
    name: 'lists a table until it is dropped, and again when it is made again',
    async run(subject) {
      const reader = await other(subject)
      await subject.catalog.createNamespace(shop)
      for (let round = 0; round < 2; round++) {
        await subject.catalog.createTable(orders, createRequest)
        expectEqual(await tablesOf(reader, shop), ['shop.orders'], `tables of round ${round}`)
        await subject.catalog.dropTable(orders)
        expectEqual(await tablesOf(reader, shop), [], `tables after the drop of round ${round}`)
      }
    },
  },
  {
    name: 'lists many tables, each once',
    async run({ catalog }) {
      const names = Array.from({ length: 130 }, (_, at) => `t${at}`)
      for (const name of names) await catalog.createTable({ namespace: shop, name }, createRequest)
      const wanted = names.map((name) => `shop.${name}`).sort()
      expectEqual(await tablesOf(catalog, shop), wanted, 'tables of the namespace')
      expectEqual(await tablesOf(catalog), wanted, 'all tables')
    },
  },
  {
    name: 'lists nothing when its signal has fired before the call',
    async run({ catalog }) {
      await catalog.createTable(orders, createRequest)
      const list = async (): Promise<void> => {
        for await (const _ of catalog.listTables({ namespace: shop, signal: AbortSignal.abort() })) continue
      }
      await expectError(list(), 'aborted', 'list')
    },
  },
]
