/** What a table of the grid is made by, and how it is read: see grid.test.ts. */
import { join } from 'node:path'
import type { Expression } from '@moulin/core'
import { pyiceberg } from './engines.ts'
import type { PyicebergWork, RestCatalog, SqlEngine } from './engines.ts'
import type { IcebergWriter } from './iceberg-writer.ts'

export interface GridEngines {
  readonly catalog: RestCatalog
  readonly spark: SqlEngine
  readonly duckdb: SqlEngine
  /** Iceberg's own library, for what no SQL says. */
  readonly java: IcebergWriter
  /** Where tables lie. */
  readonly folder: string
}

/** A condition as both say it. */
export type Condition = readonly [sql: string, where: Expression]

export interface GridCase {
  /** Of the table, too. */
  readonly name: string
  write(table: GridTable): Promise<void>
  readonly where?: readonly Condition[]
  /** The columns that are read; default all. */
  readonly columns?: readonly string[]
  /** It cannot be read: with this code of `unsupported`. */
  readonly refused?: string
  /** What Spark cannot read: the rows, each value as `textOfOurs` has it. */
  readonly expected?: readonly (readonly string[])[]
}

const NAMESPACE = 'grid'

/** A table on its way. */
export class GridTable {
  readonly engines: GridEngines
  readonly name: string

  constructor(engines: GridEngines, name: string) {
    this.engines = engines
    this.name = name
  }

  /** Within a catalog. */
  get identifier(): string {
    return `${NAMESPACE}.${this.name}`
  }

  get location(): string {
    return `file://${join(this.engines.folder, this.name)}`
  }

  /** In Spark; `{t}` is the table. */
  spark(...statements: readonly string[]): Promise<void> {
    return run(this.engines.spark, this.identifier, statements)
  }

  /** Likewise in DuckDB. */
  duckdb(...statements: readonly string[]): Promise<void> {
    return run(this.engines.duckdb, this.identifier, statements)
  }

  /** Through Iceberg's Java library: see ForeignWriter.java. */
  async java(what: string, request: object): Promise<void> {
    await this.engines.java.request({ do: what, table: this.identifier, ...request })
  }

  /** In PyIceberg. */
  async pyiceberg(...works: readonly PyicebergWork[]): Promise<void> {
    for (const work of works) await pyiceberg(this.engines.catalog.uri, this.identifier, work)
  }

  /** By Spark. */
  create(columns: string, { version = 2, partitionedBy, properties = {} }: NewTable = {}): Promise<void> {
    const all = { 'format-version': String(version), ...properties }
    const given = Object.entries(all).map(([name, value]) => `'${name}' = '${value}'`)
    const parts = partitionedBy === undefined ? '' : `PARTITIONED BY (${partitionedBy})`
    return this.spark(
      `CREATE TABLE {t} (${columns}) USING iceberg ${parts} LOCATION '${this.location}' TBLPROPERTIES (${given.join(', ')})`,
    )
  }
}

export interface NewTable {
  readonly version?: 1 | 2 | 3
  readonly partitionedBy?: string
  readonly properties?: Readonly<Record<string, string>>
}

async function run(engine: SqlEngine, table: string, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await engine.sql(statement.replaceAll('{t}', `lake.${table}`))
}

/** Row-level operations write delete files, or deletion vectors, and rewrite no data. */
export const mergeOnRead: Readonly<Record<string, string>> = Object.fromEntries(
  ['delete', 'update', 'merge'].map((operation) => [`write.${operation}.mode`, 'merge-on-read']),
)
