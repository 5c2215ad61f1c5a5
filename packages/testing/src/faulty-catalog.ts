import { tableText } from '@moulin/core'
import type { Catalog, TableIdentifier } from '@moulin/core'
import type { FaultRule, Faults } from './fault-plan.ts'
import { FaultPlan } from './fault-plan.ts'
import { faultsOf } from './faulty-store.ts'

export type CatalogOperation = 'createTable' | 'loadTable' | 'commitTable' | 'dropTable' | 'listTables'

/** A catalog whose calls fail by order. */
export interface FaultyCatalog extends Catalog, Faults<CatalogOperation> {}

/**
 * The same catalog, but its calls fail where `rules` say so: `unavailable`, code `FAULT`. The key of a rule is the
 * table's name with its namespace, `shop.orders`; that of `listTables` is empty.
 */
export function faultyCatalog(catalog: Catalog, rules: readonly FaultRule<CatalogOperation>[] = []): FaultyCatalog {
  const plan = new FaultPlan(rules)
  return {
    name: `faulty(${catalog.name})`,
    ...(catalog.metadataWarnBytes === undefined ? {} : { metadataWarnBytes: catalog.metadataWarnBytes }),
    createTable: (table, request, options) =>
      plan.run('createTable', tableText(table), () => catalog.createTable(table, request, options)),
    loadTable: (table, options) => plan.run('loadTable', tableText(table), () => catalog.loadTable(table, options)),
    commitTable: (table, commit, options) =>
      plan.run('commitTable', tableText(table), () => catalog.commitTable(table, commit, options)),
    dropTable: (table, options) => plan.run('dropTable', tableText(table), () => catalog.dropTable(table, options)),
    async *listTables(options) {
      yield* await plan.run('listTables', '', async () => {
        const tables: TableIdentifier[] = []
        for await (const table of catalog.listTables(options)) tables.push(table)
        return tables
      })
    },
    ...(catalog.close === undefined ? {} : { close: () => catalog.close!() }),
    ...faultsOf(plan),
  }
}
