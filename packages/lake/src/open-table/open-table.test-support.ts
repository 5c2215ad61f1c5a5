/** Tables of nobody's log, as plain as can be. */
import { Arena, builderFor, tableIdentifier } from '@moulin/core'
import type { Catalog, ColumnBatch, IcebergField, LoadedTable, ObjectStore, TableMetadata } from '@moulin/core'
import { typeOfIceberg } from '@moulin/iceberg'
import { hookedStore, virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { plainCatalog } from '../catalog.test-support.ts'
import { commitFiles, foreignFile } from '../foreign.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'
import { openTable } from './open-table.ts'
import type { OpenTable, OpenTableOptions } from './open-table.ts'

export interface PlainTable {
  readonly store: ObjectStore
  readonly catalog: Catalog
  readonly runtime: VirtualRuntime
  /** What the catalog says of the table from now on, made of what it would say. */
  tell(change: (metadata: TableMetadata) => TableMetadata): void
  loaded(): Promise<LoadedTable>
  /** A commit of one file that has these rows. */
  append(rows: readonly PlainRow[]): Promise<void>
  open(options?: Partial<OpenTableOptions>): Promise<OpenTable>
}

/** Values as columns hold them, but for text. */
export type PlainRow = Readonly<Record<string, string | number | bigint | null>>

export async function plainTable(fields: readonly IcebergField[]): Promise<PlainTable> {
  const store = hookedStore()
  const runtime = virtualRuntime({ seed: 1 })
  const plain = plainCatalog(store, runtime)
  const name = tableIdentifier('shop.people')
  await plain.createTable(name, { schema: { type: 'struct', fields } })
  let told = (metadata: TableMetadata): TableMetadata => metadata
  const catalog: Catalog = {
    ...plain,
    async loadTable(table) {
      const loaded = await plain.loadTable(table)
      return { ...loaded, metadata: told(loaded.metadata) }
    },
  }
  // All that it takes of one.
  const log = { store, catalog: plain, runtime } as unknown as TestLog
  return {
    store,
    catalog,
    runtime,
    tell(change) {
      told = change
    },
    loaded: () => catalog.loadTable(name),
    async append(rows) {
      await runtime.clock.advance(1_000)
      const id = runtime.random.uuid()
      const table = await plain.loadTable(name)
      await commitFiles(log, table, [await foreignFile(log, table, batchOf(fields, rows), id)], id)
    },
    open: (options = {}) =>
      openTable({ catalog, table: 'shop.people', stores: store, threads: 0, runtime, ...options }),
  }
}

const encoder = new TextEncoder()

function batchOf(fields: readonly IcebergField[], rows: readonly PlainRow[]): ColumnBatch {
  const columns = fields.map(({ name, type }) => {
    const builder = builderFor(typeOfIceberg(type), new Arena())
    for (const row of rows) {
      const value = row[name] ?? null
      if (value === null) builder.appendNull()
      else builder.append((typeof value === 'string' ? encoder.encode(value) : value) as never)
    }
    return { name, column: builder.finish() }
  })
  return { length: rows.length, columns }
}
