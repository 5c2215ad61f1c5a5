import type { TableIdentifier } from '@moulin/core'
import { expectEqual, expectError } from '../assertions.ts'
import type { CatalogCheck, CatalogUnderTest, OddName } from './check.ts'
import { other } from './check.ts'
import { expectOneOf, expectTable } from './expect.ts'
import { createRequest, setProperty } from './fixtures.ts'

/** Of each kind, names that differ in what is odd about them. */
const odd: Readonly<Record<OddName, readonly [string, string]>> = {
  dot: ['new.db', 'new'],
  slash: ['new/db', 'new'],
  blank: ['new db', 'newdb'],
  percent: ['100%2Fdb', '100'],
  quotes: ['it\'s "new"', 'its'],
  url: ['a?b#c&d=e+f', 'a'],
  unicode: ['büro-🤪', 'buro'],
  case: ['Orders', 'orders'],
  long: [`${'x'.repeat(199)}a`, `${'x'.repeat(199)}b`],
}

const what: Readonly<Record<OddName, string>> = {
  dot: 'a dot',
  slash: 'a slash',
  blank: 'a blank',
  percent: 'a percent sign',
  quotes: 'quotes',
  url: 'what ends a path or divides a query',
  unicode: 'letters of all the world',
  case: 'capitals, which tell them apart',
  long: 'two hundred characters',
}

/** Words that mean something to somebody, and are names all the same. */
const plain = ['metadata', 'data', 'null', 'true', '__proto__', 'constructor', '0012', '-', '_', 'v1', 'tables']

async function goesAround({ catalog, open }: CatalogUnderTest, table: TableIdentifier): Promise<void> {
  const made = await catalog.createTable(table, createRequest)
  expectEqual(made.identifier, table, 'identifier')
  const reader = await other({ catalog, ...(open && { open }) })
  expectTable(await reader.loadTable(table), made, 'loaded table')
  const grown = await reader.commitTable(table, setProperty('a', '1'))
  expectTable(await catalog.loadTable(table), grown, 'the table after a commit')
}

function takes(kind: OddName): CatalogCheck {
  return {
    name: `takes names of namespaces and tables with ${what[kind]}`,
    takes: kind,
    async run(subject) {
      const { catalog } = subject
      const [name, like] = odd[kind]
      const tables = [
        { namespace: [name], name },
        { namespace: [name], name: like },
      ]
      await catalog.createNamespace([name])
      await catalog.createNamespace([like])
      for (const table of tables) await goesAround(subject, table)
      const listed: TableIdentifier[] = []
      for await (const table of catalog.listTables({ namespace: [name] })) listed.push(table)
      const byName = (a: TableIdentifier, b: TableIdentifier): number => (a.name < b.name ? -1 : 1)
      expectEqual(listed.sort(byName), tables.toSorted(byName), 'tables')
      const namespaces: string[] = []
      for await (const namespace of catalog.listNamespaces([])) namespaces.push(namespace.join('|'))
      expectEqual(namespaces.sort(), [name, like].sort(), 'namespaces')
      expectEqual((await catalog.loadNamespace([name])).namespace, [name], 'namespace')
      for (const table of tables) await catalog.dropTable(table)
      await expectError(catalog.loadTable(tables[0]!), 'not-found', 'load after the drop')
    },
  }
}

function refuses(kind: OddName): CatalogCheck {
  return {
    name: `refuses names of namespaces and tables with ${what[kind]}, and makes nothing`,
    refuses: kind,
    async run({ catalog }) {
      const [name] = odd[kind]
      await expectError(catalog.createNamespace([name]), 'invalid', 'namespace')
      for (const table of [
        { namespace: ['shop'], name },
        { namespace: [name], name: 'x' },
      ]) {
        await expectError(catalog.createTable(table, createRequest), 'invalid', 'create')
        await expectError(catalog.loadTable(table), 'invalid', 'load')
      }
      for await (const namespace of catalog.listNamespaces([])) expectEqual(namespace, [], 'a namespace that is there')
    },
  }
}

const kinds = Object.keys(odd) as readonly OddName[]

/** Names odd in every way. */
export const nameChecks: readonly CatalogCheck[] = [
  ...kinds.map(takes),
  ...kinds.map(refuses),
  {
    name: 'takes words that mean something elsewhere for names',
    async run(subject) {
      for (const name of plain) await goesAround(subject, { namespace: [name], name })
      for (const name of plain)
        expectEqual((await subject.catalog.loadNamespace([name])).namespace, [name], 'namespace')
    },
  },
  {
    name: 'takes namespaces of many levels',
    async run(subject) {
      const namespace = Array.from({ length: 6 }, (_, at) => `level${at}`)
      await goesAround(subject, { namespace, name: 'x' })
      const levels: string[] = []
      for await (const inner of subject.catalog.listNamespaces(namespace.slice(0, 5))) levels.push(inner.join('.'))
      expectEqual(levels, [namespace.join('.')], 'namespaces in the fifth level')
    },
  },
  {
    name: 'refuses names of tables that are none',
    async run({ catalog }) {
      const tables = [
        { namespace: ['shop'], name: '' },
        { namespace: [], name: 'x' },
        { namespace: [''], name: 'x' },
        { namespace: ['shop'], name: '..' },
        { namespace: ['..'], name: 'x' },
        { namespace: ['shop'], name: 'a\u0000b' },
        { namespace: ['shop', 'a\u001fb'], name: 'x' },
      ]
      for (const table of tables) {
        const shown = JSON.stringify(table)
        await expectOneOf(catalog.createTable(table, createRequest), ['invalid'], `create of ${shown}`)
        await expectOneOf(catalog.loadTable(table), ['invalid'], `load of ${shown}`)
      }
    },
  },
  {
    name: 'tells a namespace of two levels from one with a dot in its name',
    takes: 'dot',
    async run({ catalog }) {
      const tables = [
        { namespace: ['a', 'b'], name: 'c' },
        { namespace: ['a.b'], name: 'c' },
        { namespace: ['a'], name: 'b.c' },
      ]
      await catalog.createNamespace(['a.b'])
      const uuids = new Set<string>()
      for (const table of tables) uuids.add((await catalog.createTable(table, createRequest)).metadata['table-uuid'])
      expectEqual(uuids.size, tables.length, 'tables')
      await catalog.dropTable(tables[0]!)
      for (const table of tables.slice(1)) expectEqual((await catalog.loadTable(table)).identifier, table, 'identifier')
    },
  },
]
