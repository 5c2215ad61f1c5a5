import { pyiceberg } from '../engines.ts'
import type { PyicebergWork, RestCatalog, Rows, Spark, SqlEngine } from '../engines.ts'
import type { IcebergWriter } from '../iceberg-writer.ts'
import { registerTable } from '../registered-table.ts'
import type { RegisteredTable } from '../registered-table.ts'
import type { Model } from './model.ts'

export interface ChaosEngines {
  readonly catalog: RestCatalog
  readonly spark: Spark
  readonly duckdb: SqlEngine
  readonly iceberg: IcebergWriter
}

/** What the operations look at of a table's metadata; snapshot ids as text, since they have 64 bits. */
export interface Metadata {
  readonly 'format-version': number
  readonly 'current-snapshot-id': string | null
  readonly 'current-schema-id': number
  readonly schemas: readonly {
    readonly 'schema-id': number
    readonly fields: readonly { readonly id: number; readonly name: string }[]
  }[]
  readonly 'default-spec-id': number
  readonly 'default-sort-order-id': number
  readonly 'sort-orders': readonly { readonly fields: readonly { readonly 'source-id': number }[] }[]
  readonly 'partition-specs': readonly {
    readonly 'spec-id': number
    readonly fields: readonly { readonly name: string; readonly 'source-id': number; readonly transform: string }[]
  }[]
  readonly snapshots: readonly {
    readonly 'snapshot-id': string
    readonly 'parent-snapshot-id'?: string
    readonly 'sequence-number': number
    /** Of format 3. */
    readonly 'first-row-id'?: number
    readonly summary: Readonly<Record<string, string>>
  }[]
  readonly properties: Readonly<Record<string, string>>
}

/** Everybody else who works on the table. What they do is seen by the log right after each statement. */
export class Stranger {
  readonly engines: ChaosEngines
  readonly #folder: string
  readonly #model: Model
  #table: RegisteredTable | undefined
  #metadata: Metadata | undefined

  constructor(engines: ChaosEngines, folder: string, model: Model) {
    this.engines = engines
    this.#folder = folder
    this.#model = model
  }

  /** Takes the table as the log has left it. */
  async arrive(metadata: Metadata): Promise<void> {
    this.#table = await registerTable(this.engines.catalog, this.#folder)
    this.#metadata = metadata
  }

  /** Without the catalog's name. */
  get name(): string {
    return this.#table!.name
  }

  get table(): string {
    return `lake.${this.name}`
  }

  get metadata(): Metadata {
    return this.#metadata!
  }

  /** Spark does it; then it has happened. */
  sql(statement: string, happened: () => void = () => {}): Promise<void> {
    return this.#done(() => this.engines.spark.sql(statement), happened)
  }

  call(procedure: string, args: readonly string[], happened?: () => void): Promise<void> {
    return this.sql(`CALL lake.system.${procedure}(${[`table => '${this.name}'`, ...args].join(', ')})`, happened)
  }

  duckdb(statement: string, happened?: () => void): Promise<void> {
    return this.#done(() => this.engines.duckdb.sql(statement), happened)
  }

  pyiceberg(request: PyicebergWork, happened?: () => void): Promise<void> {
    this.#model.blursLists = true
    return this.#done(() => pyiceberg(this.engines.catalog.uri, this.name, request), happened)
  }

  /** Iceberg's library does what SQL does not say. */
  iceberg(request: object, happened?: () => void): Promise<void> {
    return this.#done(() => this.engines.iceberg.request({ ...request, table: this.name }), happened)
  }

  removeOrphans(olderThanMs: number): Promise<void> {
    return this.#done(() => this.engines.spark.removeOrphans(this.table, olderThanMs))
  }

  /** What Spark sees. */
  select(what: string): Promise<Rows> {
    return this.engines.spark.sql(`SELECT ${what} FROM ${this.table}`)
  }

  async #done(work: () => Promise<unknown>, happened: () => void = () => {}): Promise<void> {
    await work()
    const text = await this.#table!.publish()
    if (text !== undefined) this.#metadata = parseMetadata(text)
    happened()
    const current = this.metadata['current-snapshot-id']
    if (current !== null) this.#model.at(current)
  }
}

export function parseMetadata(text: string): Metadata {
  const exact = (_: string, value: unknown, { source }: { source?: string } = {}): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) ? source : value
  const parsed = JSON.parse(text, exact as never) as Metadata
  const id = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))
  return {
    ...parsed,
    'current-snapshot-id': id(parsed['current-snapshot-id'] ?? undefined) ?? null,
    snapshots: (parsed.snapshots ?? []).map((snapshot) => ({
      ...snapshot,
      'snapshot-id': id(snapshot['snapshot-id'])!,
      'parent-snapshot-id': id(snapshot['parent-snapshot-id'])!,
    })),
  }
}

/** Main's history, the newest first, as far as the metadata has it. */
export function history({ snapshots, 'current-snapshot-id': current }: Metadata): string[] {
  const parents = new Map(snapshots.map((each) => [each['snapshot-id'], each['parent-snapshot-id']]))
  const found: string[] = []
  for (let at = current ?? undefined; at !== undefined && parents.has(at); at = parents.get(at)) found.push(at)
  return found
}
