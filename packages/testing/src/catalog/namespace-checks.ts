import type { Catalog, LoadedNamespace, Namespace } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other, race, RACERS, rejection } from './check.ts'
import { copyOf, expectProperties, expectTable } from './expect.ts'
import { createRequest, namespacesOf, orders, returns, tablesOf } from './fixtures.ts'

const shop: Namespace = ['shop']
const eu: Namespace = ['shop', 'eu']
const owned = { owner: 'suite', place: 'Bern' }

async function expectNamespace(actual: Promise<LoadedNamespace>, namespace: Namespace, what: string): Promise<void> {
  expectEqual((await actual).namespace, namespace, what)
}

/** Without properties where the catalog has none. */
const make = (catalog: Catalog, namespace: Namespace): Promise<unknown> => catalog.createNamespace(namespace)

const setOne = async (catalog: Catalog, name: string): Promise<unknown> =>
  catalog.setNamespaceProperties(shop, { updates: { [name]: '1' } })

/** What every catalog promises of its namespaces. */
export const namespaceChecks: readonly CatalogCheck[] = [
  {
    name: 'creates a namespace and loads it again, without a table',
    async run(subject) {
      await expectNamespace(subject.catalog.createNamespace(eu), eu, 'created namespace')
      const reader = await other(subject)
      await expectNamespace(reader.loadNamespace(eu), eu, 'loaded namespace')
      await expectNamespace(reader.loadNamespace(shop), shop, 'the namespace around it')
      expectEqual(await tablesOf(reader), [], 'tables')
    },
  },
  {
    name: 'keeps the properties with which a namespace is created',
    needs: 'namespaceProperties',
    async run(subject) {
      const made = await subject.catalog.createNamespace(shop, owned)
      expectEqual(made.namespace, shop, 'created namespace')
      expectProperties(made.properties, owned, 'properties of the answer')
      const seen = await (await other(subject)).loadNamespace(shop)
      expectProperties(seen.properties, owned, 'properties')
    },
  },
  {
    name: 'refuses a namespace that exists and leaves it as it was',
    needs: 'namespaceProperties',
    async run({ catalog }) {
      await catalog.createNamespace(shop, owned)
      await expectError(catalog.createNamespace(shop, { owner: 'other' }), 'exists', 'second create')
      expectProperties((await catalog.loadNamespace(shop)).properties, owned, 'properties of the first')
    },
  },
  {
    name: 'lets exactly one of many racing creates of a namespace win',
    async run(subject) {
      const { made, lost } = await race(subject, (catalog) => make(catalog, shop))
      expectTrue(made.length === 1, `${made.length} of ${RACERS} creates were told that they made the namespace`)
      for (const error of lost) await expectError(rejection(error), 'exists', 'losing create')
    },
  },
  {
    name: 'says not-found for a namespace that is not there',
    async run({ catalog }) {
      await make(catalog, ['shop-eu'])
      await expectError(catalog.loadNamespace(shop), 'not-found', 'load')
      await expectError(catalog.dropNamespace(shop), 'not-found', 'drop')
      await expectError(namespacesOf(catalog, shop), 'not-found', 'list')
      if (catalog.capabilities.namespaceProperties)
        await expectError(setOne(catalog, 'a'), 'not-found', 'set of properties')
      expectEqual(await namespacesOf(catalog, []), ['shop-eu'], 'outermost namespaces')
    },
  },
  {
    name: 'knows a namespace in which a table lies, created or not',
    implied: true,
    async run({ catalog }) {
      await catalog.createTable(returns, createRequest)
      for (const namespace of [shop, eu]) {
        await expectNamespace(catalog.loadNamespace(namespace), namespace, 'loaded namespace')
        await expectError(make(catalog, namespace), 'exists', 'create')
      }
      expectEqual(await namespacesOf(catalog, []), ['shop'], 'outermost namespaces')
      expectEqual(await namespacesOf(catalog, shop), ['shop.eu'], 'namespaces in shop')
      await catalog.dropTable(returns)
      await expectError(catalog.loadNamespace(eu), 'not-found', 'load without the table')
      expectEqual(await namespacesOf(catalog, []), [], 'outermost namespaces without the table')
    },
  },
  {
    name: 'lists the namespaces right below one, each once',
    async run({ catalog }) {
      expectEqual(await namespacesOf(catalog, []), [], 'namespaces of an empty catalog')
      for (const levels of [['sho'], shop, eu, ['shop', 'eu', 'north'], ['shop', 'us'], ['shop-eu', 'x']])
        await make(catalog, levels)
      for (const name of ['orders', 'refunds']) {
        await catalog.createTable({ namespace: eu, name }, createRequest)
        await catalog.createTable({ namespace: ['shop', 'asia'], name }, createRequest)
      }
      expectEqual(await namespacesOf(catalog, []), ['sho', 'shop', 'shop-eu'], 'outermost namespaces')
      expectEqual(await namespacesOf(catalog, shop), ['shop.asia', 'shop.eu', 'shop.us'], 'namespaces in shop')
      expectEqual(await namespacesOf(catalog, eu), ['shop.eu.north'], 'namespaces in shop.eu')
      expectEqual(await namespacesOf(catalog, ['shop', 'us']), [], 'namespaces in one without any')
    },
  },
  {
    name: 'lists the tables beside namespaces, and no namespace as a table',
    async run({ catalog }) {
      await make(catalog, shop)
      await make(catalog, ['shop', 'us', 'west'])
      await catalog.createTable(orders, createRequest)
      await catalog.createTable(returns, createRequest)
      await make(catalog, ['shop', 'zz'])
      expectEqual(await tablesOf(catalog), ['shop.eu.returns', 'shop.orders'], 'tables')
    },
  },
  {
    name: 'sets and removes properties of a namespace, and leaves the others',
    needs: 'namespaceProperties',
    async run(subject) {
      const before = await subject.catalog.createNamespace(shop, { ...owned, old: '1' })
      const copy = copyOf(before)
      const change = { updates: { place: 'Basel', ['__proto__']: 'x' }, removals: ['old', 'constructor'] }
      const answer = await subject.catalog.setNamespaceProperties(shop, change)
      expectEqual(
        answer,
        { updated: Object.keys(change.updates), removed: ['old'], missing: ['constructor'] },
        'answer',
      )
      const { properties } = await (await other(subject)).loadNamespace(shop)
      expectProperties(properties, { owner: 'suite', ...change.updates }, 'properties', 'old')
      expectEqual(before, copy, 'the answer of the create')
    },
  },
  {
    name: 'sets properties of a namespace that only its tables made',
    implied: true,
    needs: 'namespaceProperties',
    async run(subject) {
      const made = await subject.catalog.createTable(orders, createRequest)
      await subject.catalog.setNamespaceProperties(shop, { updates: owned })
      const reader = await other(subject)
      expectProperties((await reader.loadNamespace(shop)).properties, owned, 'properties')
      expectTable(await reader.loadTable(orders), made, 'the table')
    },
  },
  {
    name: 'refuses a property that is both set and removed',
    needs: 'namespaceProperties',
    async run({ catalog }) {
      await catalog.createNamespace(shop, owned)
      const change = { updates: { owner: 'x' }, removals: ['owner'] }
      await expectError(catalog.setNamespaceProperties(shop, change), 'invalid', 'change', 'NAMESPACE_CHANGE')
      expectProperties((await catalog.loadNamespace(shop)).properties, owned, 'properties')
    },
  },
  {
    name: 'loses no acknowledged property of many that are set at once',
    needs: 'namespaceProperties',
    async run(subject) {
      await subject.catalog.createNamespace(shop)
      const wanted: Record<string, string> = {}
      for (let round = 0; round < 3; round++) {
        await race(subject, async (catalog, racer) => {
          await setOne(catalog, `p${round}-${racer}`)
          wanted[`p${round}-${racer}`] = '1'
        })
      }
      expectTrue(Object.keys(wanted).length > 0, 'some property was set')
      const { properties } = await (await other(subject)).loadNamespace(shop)
      expectProperties(properties, wanted, 'acknowledged properties')
    },
  },
  {
    name: 'does not drop a namespace that holds a table or a namespace',
    async run({ catalog }) {
      await make(catalog, shop)
      await make(catalog, eu)
      const refused = async (): Promise<unknown> =>
        expectError(catalog.dropNamespace(shop), 'conflict', 'drop', 'NAMESPACE_NOT_EMPTY')
      await refused()
      await catalog.createTable(orders, createRequest)
      await catalog.dropNamespace(eu)
      await refused()
      expectEqual((await catalog.loadTable(orders)).identifier, orders, 'the table')
      expectEqual(await namespacesOf(catalog, []), ['shop'], 'outermost namespaces')
    },
  },
  {
    name: 'drops an empty namespace, and makes another one of its name without its properties',
    async run({ catalog }) {
      const has = catalog.capabilities.namespaceProperties
      await catalog.createNamespace(shop, has ? owned : {})
      if (has) await setOne(catalog, 'a')
      await catalog.createTable(orders, createRequest)
      await catalog.dropTable(orders)
      await catalog.dropNamespace(shop)
      await expectError(catalog.loadNamespace(shop), 'not-found', 'load after drop')
      await expectError(catalog.dropNamespace(shop), 'not-found', 'second drop')
      expectEqual(await namespacesOf(catalog, []), [], 'outermost namespaces')
      await expectNamespace(catalog.createNamespace(shop), shop, 'the new namespace')
      expectProperties((await catalog.loadNamespace(shop)).properties, {}, 'its properties', 'owner', 'place', 'a')
      if (!has) return
      await setOne(catalog, 'b')
      expectProperties((await catalog.loadNamespace(shop)).properties, { b: '1' }, 'properties set since', 'owner', 'a')
    },
  },
  {
    name: 'refuses names that are no namespaces',
    async run({ catalog }) {
      for (const levels of [[], [''], ['..'], ['.'], ['a', ''], ['a', 'b\u0000c'], ['a\u001fb'], ['a', '\n']]) {
        const what = JSON.stringify(levels)
        await expectError(make(catalog, levels), 'invalid', `create of ${what}`, 'NAMESPACE_NAME')
        await expectError(catalog.loadNamespace(levels), 'invalid', `load of ${what}`, 'NAMESPACE_NAME')
      }
    },
  },
  {
    name: 'does nothing to namespaces when its signal has fired before the call',
    async run({ catalog }) {
      await make(catalog, shop)
      const options = { signal: AbortSignal.abort() }
      await expectError(catalog.createNamespace(eu, {}, options), 'aborted', 'create')
      await expectError(catalog.dropNamespace(shop, options), 'aborted', 'drop')
      if (catalog.capabilities.namespaceProperties) {
        const call = catalog.setNamespaceProperties(shop, { updates: owned }, options)
        await expectError(call, 'aborted', 'set of properties')
      }
      const { properties } = await catalog.loadNamespace(shop)
      expectProperties(properties, {}, 'properties', 'owner')
      expectEqual(await namespacesOf(catalog, shop), [], 'namespaces in it')
    },
  },
  {
    name: 'says unsupported, by name, for properties of namespaces',
    without: 'namespaceProperties',
    async run({ catalog }) {
      const refused = async (call: Promise<unknown>, what: string): Promise<void> => {
        const { context } = await expectError(call, 'unsupported', what, 'CATALOG_CAPABILITY')
        expectEqual(context['capability'], 'namespaceProperties', `what ${what} says that the catalog lacks`)
      }
      await refused(catalog.createNamespace(shop, owned), 'a create with properties')
      await expectError(catalog.loadNamespace(shop), 'not-found', 'load after the refused create')
      await make(catalog, shop)
      await refused(setOne(catalog, 'a'), 'a set of properties')
      await expectNamespace(catalog.loadNamespace(shop), shop, 'the namespace')
    },
  },
  {
    name: 'gives a property of a namespace another value',
    needs: 'namespaceProperties',
    async run(subject) {
      await subject.catalog.createNamespace(shop, owned)
      await subject.catalog.setNamespaceProperties(shop, { updates: { owner: 'other', more: '1' } })
      const { properties } = await (await other(subject)).loadNamespace(shop)
      expectProperties(properties, { ...owned, owner: 'other', more: '1' }, 'properties')
    },
  },
  {
    name: 'lists many namespaces, each once',
    async run({ catalog }) {
      const wanted = Array.from({ length: 60 }, (_, at) => `n${at}`)
      for (const name of wanted) await make(catalog, [name])
      expectEqual(await namespacesOf(catalog, []), wanted.toSorted(), 'namespaces')
    },
  },
  {
    name: 'drops the namespaces one by one, from the inside',
    async run({ catalog }) {
      for (const levels of [shop, eu, ['shop', 'us']]) await make(catalog, levels)
      await catalog.dropNamespace(eu)
      expectEqual(await namespacesOf(catalog, shop), ['shop.us'], 'namespaces that are left')
      await catalog.dropNamespace(['shop', 'us'])
      expectEqual(await namespacesOf(catalog, shop), [], 'namespaces after both drops')
      await catalog.dropNamespace(shop)
      expectEqual(await namespacesOf(catalog, []), [], 'outermost namespaces')
    },
  },
]
