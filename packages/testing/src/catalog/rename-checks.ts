import type { TableIdentifier } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from '../assertions.ts'
import type { CatalogCheck } from './check.ts'
import { other, race, RACERS, rejection } from './check.ts'
import { expectOneOf, expectProperties, expectTable } from './expect.ts'
import { appendOf, createRequest, orders, setProperty, tablesOf } from './fixtures.ts'

const sales: TableIdentifier = { namespace: ['shop'], name: 'sales' }
const moved: TableIdentifier = { namespace: ['archive'], name: 'orders' }

const renames: readonly CatalogCheck[] = [
  {
    name: 'renames a table: all of it is under the new name, and nothing under the old',
    async run(subject) {
      const made = await subject.catalog.commitTable(
        orders,
        appendOf(1, await subject.catalog.createTable(orders, createRequest)),
      )
      const reader = await other(subject)
      await reader.loadTable(orders)
      await subject.catalog.renameTable(orders, sales)
      const renamed = await reader.loadTable(sales)
      expectEqual([renamed.identifier, renamed.metadata], [sales, made.metadata], 'the table')
      await expectError(reader.loadTable(orders), 'not-found', 'load by the old name')
      await expectError(reader.commitTable(orders, setProperty('a', '1')), 'not-found', 'commit by the old name')
      expectEqual(await tablesOf(reader), ['shop.sales'], 'tables')
      const { metadata } = await reader.commitTable(sales, setProperty('a', '1'))
      expectProperties(metadata.properties, { owner: 'suite', a: '1' }, 'properties')
    },
  },
  {
    name: 'renames a table into another namespace that is there',
    async run({ catalog }) {
      const { metadata } = await catalog.createTable(orders, createRequest)
      await catalog.createNamespace(['archive'])
      await catalog.renameTable(orders, moved)
      expectEqual((await catalog.loadTable(moved)).metadata, metadata, 'the table')
      expectEqual(await tablesOf(catalog), ['archive.orders'], 'tables')
    },
  },
  {
    name: 'refuses a new name in a namespace that is not there',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      await expectError(catalog.renameTable(orders, moved), 'not-found', 'rename')
      expectTable(await catalog.loadTable(orders), made, 'the table')
      await expectError(catalog.loadNamespace(['archive']), 'not-found', 'load of the namespace')
    },
  },
  {
    name: 'says not-found when there is no table to rename, and makes none',
    async run({ catalog }) {
      await catalog.createNamespace(['shop'])
      await expectError(catalog.renameTable(orders, sales), 'not-found', 'rename')
      await expectError(catalog.loadTable(sales), 'not-found', 'load')
    },
  },
  {
    name: 'refuses a new name that a table has, and leaves both as they were',
    async run({ catalog }) {
      const both = [await catalog.createTable(orders, createRequest), await catalog.createTable(sales, createRequest)]
      await expectError(catalog.renameTable(orders, sales), 'exists', 'rename')
      for (const made of both) expectTable(await catalog.loadTable(made.identifier), made, made.identifier.name)
    },
  },
  {
    name: 'makes another table of the name that a rename left',
    async run({ catalog }) {
      const first = await catalog.createTable(orders, createRequest)
      await catalog.renameTable(orders, sales)
      const second = await catalog.createTable(orders, createRequest)
      expectTrue(first.metadata['table-uuid'] !== second.metadata['table-uuid'], 'each has a UUID of its own')
      expectTrue(first.metadata.location !== second.metadata.location, 'each has a place of its own')
      await catalog.commitTable(sales, setProperty('a', '1'))
      expectTable(await catalog.loadTable(orders), second, 'the second table')
      await catalog.dropTable(sales)
      expectTable(await catalog.loadTable(orders), second, 'the second table, when the first is dropped')
    },
  },
  {
    name: 'lets exactly one of many racing renames win',
    async run(subject) {
      const { metadata } = await subject.catalog.createTable(orders, createRequest)
      const { made, lost } = await race(subject, async (catalog, racer) => {
        const name = { namespace: ['shop'], name: `r${racer}` }
        await catalog.renameTable(orders, name)
        return name
      })
      expectTrue(made.length === 1, `${made.length} of ${RACERS} renames were told that they renamed the table`)
      for (const error of lost) await expectOneOf(rejection(error), ['not-found', 'conflict'], 'a rename that lost')
      expectEqual((await subject.catalog.loadTable(made[0]!)).metadata, metadata, 'the table')
      expectEqual((await tablesOf(subject.catalog)).length, 1, 'tables')
    },
  },
  {
    name: 'renames nothing when its signal has fired before the call',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      await expectError(catalog.renameTable(orders, sales, { signal: AbortSignal.abort() }), 'aborted', 'rename')
      expectTable(await catalog.loadTable(orders), made, 'the table')
    },
  },
]

/** Tables that take another name. */
export const renameChecks: readonly CatalogCheck[] = [
  ...renames.map((check): CatalogCheck => ({ ...check, needs: 'rename' })),
  {
    name: 'says unsupported, by name, for a rename',
    without: 'rename',
    async run({ catalog }) {
      const made = await catalog.createTable(orders, createRequest)
      const { context } = await expectError(
        catalog.renameTable(orders, sales),
        'unsupported',
        'rename',
        'CATALOG_CAPABILITY',
      )
      expectEqual(context['capability'], 'rename', 'what it says that the catalog lacks')
      expectTable(await catalog.loadTable(orders), made, 'the table')
    },
  },
]
