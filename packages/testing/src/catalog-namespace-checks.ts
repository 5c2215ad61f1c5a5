import type { Catalog, Namespace } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from './assertions.ts'
import type { CatalogCheck } from './catalog-checks.ts'
import { other, race, RACERS, rejection } from './catalog-checks.ts'
import { copyOf } from './catalog-expect.ts'
import { createRequest, namespacesOf, orders, returns, tablesOf } from './catalog-fixtures.ts'

const shop: Namespace = ['shop']
const eu: Namespace = ['shop', 'eu']
const owned = { owner: 'suite', place: 'Bern' }

/** Without properties where the catalog has none. */
const make = (catalog: Catalog, namespace: Namespace): Promise<unknown> => catalog.createNamespace(namespace)

const setOne = async (catalog: Catalog, name: string): Promise<unknown> =>
  catalog.setNamespaceProperties(shop, { updates: { [name]: '1' } })

/** What every catalog promises of its namespaces. */
export const namespaceChecks: readonly CatalogCheck[] = [
  {
    name: 'creates a namespace and loads it again, without a table',
    async run(subject) {
      const made = await subject.catalog.createNamespace(eu)
      expectEqual(made, { namespace: eu, properties: {} }, 'created namespace')
      const reader = await other(subject)
      expectEqual(await reader.loadNamespace(eu), made, 'loaded namespace')
      expectEqual(await reader.loadNamespace(shop), { namespace: shop, properties: {} }, 'the namespace around it')
      expectEqual(await tablesOf(reader), [], 'tables')
    },
  },
  {
    name: 'keeps the properties with which a namespace is created',
    needs: 'namespaceProperties',
    async run(subject) {
      const made = await subject.catalog.createNamespace(shop, owned)
      expectEqual(made, { namespace: shop, properties: owned }, 'created namespace')
      expectEqual(await (await other(subject)).loadNamespace(shop), made, 'loaded namespace')
    },
  },
  {
    name: 'refuses a namespace that exists and leaves it as it was',
    needs: 'namespaceProperties',
    async run({ catalog }) {
      await catalog.createNamespace(shop, owned)
      await expectError(catalog.createNamespace(shop, { owner: 'other' }), 'exists', 'second create')
      expectEqual((await catalog.loadNamespace(shop)).properties, owned, 'properties of the first')
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
    async run({ catalog }) {
      await catalog.createTable(returns, createRequest)
      for (const namespace of [shop, eu]) {
        expectEqual(await catalog.loadNamespace(namespace), { namespace, properties: {} }, 'loaded namespace')
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
      expectEqual(properties, { owner: 'suite', ...change.updates }, 'properties')
      expectEqual(before, copy, 'the answer of the create')
    },
  },
  {
    name: 'sets properties of a namespace that only its tables made',
    needs: 'namespaceProperties',
    async run(subject) {
      const made = await subject.catalog.createTable(orders, createRequest)
      await subject.catalog.setNamespaceProperties(shop, { updates: owned })
      const reader = await other(subject)
      expectEqual(await reader.loadNamespace(shop), { namespace: shop, properties: owned }, 'namespace')
      expectEqual(await reader.loadTable(orders), made, 'the table')
    },
  },
  {
    name: 'refuses a property that is both set and removed',
    needs: 'namespaceProperties',
    async run({ catalog }) {
      await catalog.createNamespace(shop, owned)
      const change = { updates: { owner: 'x' }, removals: ['owner'] }
      await expectError(catalog.setNamespaceProperties(shop, change), 'invalid', 'change', 'NAMESPACE_CHANGE')
      expectEqual((await catalog.loadNamespace(shop)).properties, owned, 'properties')
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
      expectEqual((await (await other(subject)).loadNamespace(shop)).properties, wanted, 'acknowledged properties')
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
      expectEqual(await catalog.createNamespace(shop), { namespace: shop, properties: {} }, 'the new namespace')
      expectEqual((await catalog.loadNamespace(shop)).properties, {}, 'its properties')
      if (!has) return
      await setOne(catalog, 'b')
      expectEqual((await catalog.loadNamespace(shop)).properties, { b: '1' }, 'properties that were set since')
    },
  },
  {
    name: 'refuses names that are no namespaces',
    async run({ catalog }) {
      for (const levels of [['a.b'], [], [''], ['..'], ['a', ''], ['a/b'], ['a', 'ü'], Array<string>(17).fill('a')]) {
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
      expectEqual(await catalog.loadNamespace(shop), { namespace: shop, properties: {} }, 'the namespace')
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
      expectEqual(await catalog.loadNamespace(shop), { namespace: shop, properties: {} }, 'the namespace')
    },
  },
]
