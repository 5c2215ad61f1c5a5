import { namespaceText, tableText } from '@moulin/core'
import type { Catalog } from '@moulin/core'
import type { FaultRule, Faults } from './fault-plan.ts'
import { FaultPlan } from './fault-plan.ts'
import { faultsOf } from './faulty-store.ts'

export type CatalogOperation =
  | 'createTable'
  | 'stageTable'
  | 'loadTable'
  | 'commitTable'
  | 'dropTable'
  | 'registerTable'
  | 'renameTable'
  | 'commitTransaction'
  | 'listTables'
  | 'createNamespace'
  | 'listNamespaces'
  | 'loadNamespace'
  | 'setNamespaceProperties'
  | 'dropNamespace'

/** A catalog whose calls fail by order. */
export interface FaultyCatalog extends Catalog, Faults<CatalogOperation> {}

/**
 * The same catalog, but its calls fail where `rules` say so: `unavailable`, code `FAULT`. The key of a rule is the
 * name with its levels, `shop.orders`, of the table or the namespace (of the parent, for a list); that of `renameTable` is the old name,
 * that of `commitTransaction` has all names with commas between them, and that of `listTables` of all namespaces is empty.
 */
export function faultyCatalog(catalog: Catalog, rules: readonly FaultRule<CatalogOperation>[] = []): FaultyCatalog {
  const plan = new FaultPlan(rules)
  return {
    name: `faulty(${catalog.name})`,
    ...(catalog.metadataWarnBytes === undefined ? {} : { metadataWarnBytes: catalog.metadataWarnBytes }),
    capabilities: catalog.capabilities,
    createTable: (table, request, options) =>
      plan.run('createTable', tableText(table), () => catalog.createTable(table, request, options)),
    stageTable: (table, request, options) =>
      plan.run('stageTable', tableText(table), () => catalog.stageTable(table, request, options)),
    loadTable: (table, options) => plan.run('loadTable', tableText(table), () => catalog.loadTable(table, options)),
    commitTable: (table, commit, options) =>
      plan.run('commitTable', tableText(table), () => catalog.commitTable(table, commit, options)),
    dropTable: (table, options) => plan.run('dropTable', tableText(table), () => catalog.dropTable(table, options)),
    registerTable: (table, metadataLocation, options) =>
      plan.run('registerTable', tableText(table), () => catalog.registerTable(table, metadataLocation, options)),
    renameTable: (from, to, options) =>
      plan.run('renameTable', tableText(from), () => catalog.renameTable(from, to, options)),
    commitTransaction: (commits, options) => {
      const names = commits.map(({ identifier }) => tableText(identifier))
      return plan.run('commitTransaction', names.join(','), () => catalog.commitTransaction(commits, options))
    },
    async *listTables(options) {
      const within = namespaceText(options?.namespace ?? [])
      yield* await plan.run('listTables', within, () => all(catalog.listTables(options)))
    },
    createNamespace: (namespace, properties, options) =>
      plan.run('createNamespace', namespaceText(namespace), () =>
        catalog.createNamespace(namespace, properties, options),
      ),
    async *listNamespaces(parent, options) {
      yield* await plan.run('listNamespaces', namespaceText(parent), () => all(catalog.listNamespaces(parent, options)))
    },
    loadNamespace: (namespace, options) =>
      plan.run('loadNamespace', namespaceText(namespace), () => catalog.loadNamespace(namespace, options)),
    setNamespaceProperties: (namespace, change, options) =>
      plan.run('setNamespaceProperties', namespaceText(namespace), () =>
        catalog.setNamespaceProperties(namespace, change, options),
      ),
    dropNamespace: (namespace, options) =>
      plan.run('dropNamespace', namespaceText(namespace), () => catalog.dropNamespace(namespace, options)),
    ...(catalog.close === undefined ? {} : { close: () => catalog.close!() }),
    ...faultsOf(plan),
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
