import type { LoadedTable, NamedCommit, TableIdentifier, TableRequirement } from '@moulin/core'
import { errorOf, expectEqual, expectError } from '../assertions.ts'
import type { CatalogCheck, CatalogUnderTest } from './check.ts'
import { other } from './check.ts'
import { expectConflict, expectOneOf, expectProperties, expectSnapshots, expectTable } from './expect.ts'
import { appendOf, createRequest, creationOf, idOf, orders, returns, setMain, setProperty } from './fixtures.ts'

const both = [orders, returns]
const named = (identifier: TableIdentifier, commit: Omit<NamedCommit, 'identifier'>): NamedCommit => ({
  ...commit,
  identifier,
})

const brokenOf = ({ metadata }: LoadedTable): TableRequirement => ({
  type: 'assert-current-schema-id',
  'current-schema-id': metadata['current-schema-id'] + 1,
})

async function twoTables({ catalog }: CatalogUnderTest): Promise<readonly [LoadedTable, LoadedTable]> {
  return [await catalog.createTable(orders, createRequest), await catalog.createTable(returns, createRequest)]
}

async function expectUnchanged({ catalog }: CatalogUnderTest, tables: readonly LoadedTable[]): Promise<void> {
  for (const table of tables) expectTable(await catalog.loadTable(table.identifier), table, table.identifier.name)
}

const transactions: readonly CatalogCheck[] = [
  {
    name: 'commits to several tables at once',
    async run(subject) {
      const tables = await twoTables(subject)
      await subject.catalog.commitTransaction(tables.map((table) => named(table.identifier, appendOf(1, table))))
      const reader = await other(subject)
      for (const table of both) expectSnapshots((await reader.loadTable(table)).metadata, [idOf(1)], idOf(1))
    },
  },
  {
    name: 'commits to none of several tables when a requirement of one does not hold',
    async run(subject) {
      const tables = await twoTables(subject)
      for (const broken of both) {
        const commits = tables.map((table) => {
          const commit = named(table.identifier, appendOf(1, table))
          return table.identifier.name === broken.name ? { ...commit, requirements: [brokenOf(table)] } : commit
        })
        await expectConflict(subject.catalog.commitTransaction(commits), `a broken requirement of ${broken.name}`)
        await expectUnchanged(subject, tables)
      }
    },
  },
  {
    name: 'commits to none of several tables when an update of one is invalid',
    async run(subject) {
      const tables = await twoTables(subject)
      const commits = [
        named(orders, setProperty('a', '1')),
        named(returns, { requirements: [], updates: [setMain(idOf(77))] }),
      ]
      await expectOneOf(subject.catalog.commitTransaction(commits), ['invalid'], 'the transaction')
      await expectUnchanged(subject, tables)
    },
  },
  {
    name: 'commits to none of several tables when one is not there',
    async run(subject) {
      const tables = await twoTables(subject)
      const nowhere = { namespace: ['shop'], name: 'nowhere' }
      const commits = [named(orders, setProperty('a', '1')), named(nowhere, setProperty('a', '1'))]
      await expectError(subject.catalog.commitTransaction(commits), 'not-found', 'the transaction')
      await expectUnchanged(subject, tables)
      await expectError(subject.catalog.loadTable(nowhere), 'not-found', 'load of the table that is not there')
    },
  },
  {
    name: 'creates a table in a transaction that commits to another',
    async run(subject) {
      const { catalog } = subject
      await catalog.createTable(orders, createRequest)
      await catalog.createNamespace(['shop', 'eu'])
      const creation = named(returns, creationOf(await catalog.stageTable(returns, createRequest)))
      await catalog.commitTransaction([named(orders, setProperty('a', '1')), creation])
      const reader = await other(subject)
      expectProperties((await reader.loadTable(orders)).metadata.properties, { a: '1' }, 'properties')
      expectEqual((await reader.loadTable(returns)).identifier, returns, 'the new table')
    },
  },
  {
    name: 'lets one of two transactions that cross win, and mixes nothing',
    async run(subject) {
      const [first, second] = await twoTables(subject)
      const commits = (number: number) => [
        named(orders, appendOf(number, first)),
        named(returns, appendOf(number, second)),
      ]
      const clients = [subject.catalog, await other(subject)]
      const answers = await Promise.all([
        errorOf(clients[0]!.commitTransaction(commits(1))),
        errorOf(clients[1]!.commitTransaction(commits(2).reverse())),
      ])
      const won = answers.flatMap((error, at) => (error === undefined ? [at + 1] : []))
      expectEqual(won.length, 1, 'transactions that won')
      await expectConflict(Promise.reject(answers[2 - won[0]!] as Error), 'the one that lost')
      for (const table of both)
        expectSnapshots((await subject.catalog.loadTable(table)).metadata, [idOf(won[0]!)], idOf(won[0]!))
    },
  },
  {
    name: 'refuses a transaction that names a table twice',
    async run(subject) {
      const tables = await twoTables(subject)
      const commits = [named(orders, setProperty('a', '1')), named(orders, setProperty('b', '1'))]
      await expectOneOf(subject.catalog.commitTransaction(commits), ['invalid'], 'the transaction')
      await expectUnchanged(subject, tables)
    },
  },
  {
    name: 'commits nothing of a transaction whose signal has fired before the call',
    async run(subject) {
      const tables = await twoTables(subject)
      const commits = both.map((table) => named(table, setProperty('a', '1')))
      const options = { signal: AbortSignal.abort() }
      await expectError(subject.catalog.commitTransaction(commits, options), 'aborted', 'the transaction')
      await expectUnchanged(subject, tables)
    },
  },
]

/** Commits of several tables. */
export const transactionChecks: readonly CatalogCheck[] = [
  ...transactions.map((check): CatalogCheck => ({ ...check, needs: 'transactions' })),
  {
    name: 'says unsupported, by name, for a transaction',
    without: 'transactions',
    async run(subject) {
      const tables = await twoTables(subject)
      const commits = both.map((table) => named(table, setProperty('a', '1')))
      const call = subject.catalog.commitTransaction(commits)
      const { context } = await expectError(call, 'unsupported', 'the transaction', 'CATALOG_CAPABILITY')
      expectEqual(context['capability'], 'transactions', 'what it says that the catalog lacks')
      await expectUnchanged(subject, tables)
    },
  },
]
