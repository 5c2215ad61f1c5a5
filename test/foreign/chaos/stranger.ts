import { pyiceberg } from '../engines.ts'
import type { PyicebergWork, RestCatalog, Rows, Spark, SqlEngine } from '../engines.ts'
import type { IcebergWriter } from '../iceberg-writer.ts'
import { BYSTANDER_ID } from './beside.ts'
import type { Beside, Hands } from './beside.ts'
import { rowOfOthers } from './model.ts'
import type { Model } from './model.ts'
import type { Venue } from './venue.ts'

export interface ChaosEngines {
  readonly catalog: RestCatalog
  readonly spark: Spark
  readonly duckdb: SqlEngine
  readonly iceberg: IcebergWriter
}

/** What the operations look at of a table's metadata; snapshot ids as text, since they have 64 bits. */
export interface Metadata {
  readonly 'format-version': number
  readonly 'last-sequence-number': number
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

/** A commit of the log, as the table has it. */
export interface OwnCommit {
  readonly snapshotId: string
  /** Exclusive, per partition. */
  readonly frontier: readonly bigint[]
}

export interface StrangerParts {
  readonly engines: ChaosEngines
  readonly venue: Venue
  readonly model: Model
  readonly hands: Hands
  /** The log has committed beside a statement. */
  readonly committed: (commit: OwnCommit, metadata: Metadata) => Promise<void>
}

/** So often a statement is told that others came before; then they wait for it. */
const TRIES = 2
/** What engines say whose commit is refused since another came first. */
const isConflict = (error: unknown): boolean =>
  /CommitFailed|CommitStateUnknown|ValidationException|Commit ?conflict|has changed|REQUIREMENT_FAILED|\b409\b/i.test(
    (error as Error).message,
  )

/**
 * Everybody else who works on the table. Each change of the table comes into the model when its statement has been answered, in the order in
 * which the table has had them.
 */
export class Stranger {
  readonly engines: ChaosEngines
  readonly #venue: Venue
  readonly #parts: StrangerParts
  /** Who works at the same time; undefined: nobody. */
  beside: Beside | undefined
  #metadata: Metadata | undefined

  constructor(parts: StrangerParts) {
    this.engines = parts.engines
    this.#venue = parts.venue
    this.#parts = parts
  }

  /** Takes the table as the log has left it. */
  async arrive(metadata: Metadata): Promise<void> {
    await this.#venue.arrive()
    this.#metadata = metadata
  }

  /** Without the catalog's name. */
  get name(): string {
    return this.#venue.name
  }

  get table(): string {
    return `${this.#venue.lake}.${this.name}`
  }

  get metadata(): Metadata {
    return this.#metadata!
  }

  /** Spark does it; then it has happened. */
  sql(statement: string, happened?: () => void): Promise<void> {
    return this.#done(() => this.engines.spark.sql(statement), happened)
  }

  call(procedure: string, args: readonly string[], happened?: () => void): Promise<void> {
    const all = [`table => '${this.name}'`, ...args].join(', ')
    return this.sql(`CALL ${this.#venue.lake}.system.${procedure}(${all})`, happened)
  }

  duckdb(statement: string, happened?: () => void): Promise<void> {
    return this.#done(() => this.engines.duckdb.sql(statement), happened)
  }

  pyiceberg(request: PyicebergWork, happened?: () => void): Promise<void> {
    this.#parts.model.blursLists = true
    return this.#done(() => pyiceberg(this.#venue.uri, this.name, request), happened)
  }

  /** Iceberg's library does what SQL does not say. */
  iceberg(request: object, happened?: () => void): Promise<void> {
    return this.#done(() => this.#venue.iceberg.request({ ...request, table: this.name }), happened)
  }

  removeOrphans(olderThanMs: number): Promise<void> {
    return this.#done(() => this.engines.spark.removeOrphans(this.table, olderThanMs))
  }

  /** What Spark sees. */
  select(what: string): Promise<Rows> {
    return this.engines.spark.sql(`SELECT ${what} FROM ${this.table}`)
  }

  /** What has come of the table beside and after the last statement. */
  async catchUp(): Promise<void> {
    await this.#follow(await this.#venue.news(), undefined)
  }

  async #done(work: () => Promise<unknown>, happened: () => void = () => {}): Promise<void> {
    const { hands } = this.#parts
    let isHeld = false
    for (let time = 1; ; time++) {
      const fault = await work().then(
        () => undefined,
        (error: unknown) => error as Error,
      )
      const isThere = await this.#follow(await this.#venue.news(), happened, fault === undefined)
      // Whose answer was lost, the table tells.
      if (fault === undefined || (isThere && /CommitStateUnknown/.test(fault.message))) break
      if (isThere || this.beside === undefined || !isConflict(fault) || time > TRIES) throw fault
      hands.conflicts++
      console.log(`Refused, since another came first: ${fault.message.trimEnd().slice(0, 200)}`)
      if (time < TRIES) continue
      hands.held++
      isHeld = true
      await this.beside.hold()
    }
    if (isHeld) this.beside!.resume()
  }

  /** Each change is whoever's it is. Returns whether one is the statement's. */
  async #follow(texts: readonly string[], happened: (() => void) | undefined, isAnswered = false): Promise<boolean> {
    const { model, hands, committed } = this.#parts
    const changes: { readonly metadata: Metadata; readonly whose: 'ours' | 'theirs' | 'bystander' }[] = []
    let before = this.metadata
    for (const text of texts) {
      const metadata = parseMetadata(text)
      changes.push({ metadata, whose: this.#whoseIs(metadata, before) })
      before = metadata
    }
    let waits = happened
    const isThere = changes.some(({ whose }) => whose === 'theirs')
    const happens = (): void => {
      waits?.()
      waits = undefined
    }
    // It changed nothing of the table that it saw, and what came meanwhile it has not seen.
    if (!isThere && isAnswered) happens()
    for (const { metadata, whose } of changes) {
      this.#metadata = metadata
      hands[whose]++
      if (whose === 'ours') await committed(ownCommit(metadata)!, metadata)
      else if (whose === 'bystander') model.replace([...model.rows, rowOfOthers(BYSTANDER_ID, null)])
      else happens()
      this.#isAt()
    }
    this.#isAt()
    return isThere
  }

  /** What the log does names its snapshot in its marker; of what Spark and Iceberg's library do, the summary says by which version. */
  #whoseIs(metadata: Metadata, before: Metadata): 'ours' | 'theirs' | 'bystander' {
    const current = metadata['current-snapshot-id']
    const isNew = current !== null && before.snapshots.every((each) => each['snapshot-id'] !== current)
    if (!isNew) return 'theirs'
    if (ownCommit(metadata)?.snapshotId === current) return 'ours'
    const { summary } = metadata.snapshots.find((each) => each['snapshot-id'] === current)!
    return this.beside?.hasBystander === true && summary['iceberg-version'] === undefined ? 'bystander' : 'theirs'
  }

  #isAt(): void {
    const current = this.metadata['current-snapshot-id']
    if (current !== null) this.#parts.model.at(current)
  }
}

/** The last commit of the log, by its marker in the table. */
function ownCommit({ properties }: Metadata): OwnCommit | undefined {
  const text = Object.entries(properties).find(([name]) => name.startsWith('moulin.marker.'))?.[1]
  if (text === undefined) return undefined
  const { incarnation, snapshot, ledger } = JSON.parse(text) as {
    readonly incarnation: number
    readonly snapshot: string | null
    readonly ledger: readonly (readonly [incarnation: number, partition: number, start: string, frontier: string])[]
  }
  if (snapshot === null) return undefined
  const live = ledger.filter(([of]) => of === incarnation).sort(([, a], [, b]) => a - b)
  return { snapshotId: snapshot, frontier: live.map(([, , , frontier]) => BigInt(frontier)) }
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
