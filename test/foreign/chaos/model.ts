import { Columns, noValues, valuesOf } from './columns.ts'
import type { Values } from './columns.ts'
import { PARTITIONS } from './readings.ts'
import type { Reading, ReadingBook, Sent } from './readings.ts'

/** A row of the table. Rows never change: a statement puts another one in the place of one. */
export interface Row {
  /** The record whose place it has; undefined: nobody's. */
  readonly sent: Sent | undefined
  readonly key: string | null
  readonly values: Values
  /** The bytes of the record are kept beside the columns. */
  readonly hasRaw: boolean
  /** What it has in the columns of others. */
  readonly extras: Readonly<Record<string, string | null>>
}

/** What a reader must get for a record. */
export interface Expected {
  readonly key: string | null
  readonly bytes: Uint8Array | null
  readonly fidelity: 'exact' | 'rewritten' | 'degraded'
}

/** A table at one of its snapshots. */
interface Moment {
  readonly rows: readonly Row[]
  /** The last commit of ours that is in it. */
  readonly ownCommit: number
}

/** What the records read like in one state of table and log. */
export interface State {
  readonly rows: ReadonlyMap<Sent, readonly Row[]>
  readonly columns: Columns
  /** Exclusive, per partition. */
  readonly released: readonly bigint[]
}

/**
 * The table as it must be: rows come from what the producer was acked and from what each statement means, never from Moulin. A
 * statement sees the rows of its base snapshot; records above the frontier are in no row.
 */
export class Model {
  readonly book: ReadingBook
  readonly columns = new Columns()
  readonly keepsRaw: boolean
  rows: readonly Row[] = []
  /** Exclusive, per partition: what the table answers for, and below which the write-ahead tier has let go. */
  frontier: readonly bigint[] = noOffsets
  released: readonly bigint[] = noOffsets
  /** Counts commits of ours that added rows, or counted them anew. */
  ownCommit = 0
  readonly #moments = new Map<string, Moment>()
  /** Of the step under way: what a reader beside it may see. */
  readonly states: State[] = []

  constructor(book: ReadingBook, keepsRaw: boolean) {
    this.book = book
    this.keepsRaw = keepsRaw
  }

  /** Has something happened that a reader sees, `states` says so. */
  #note(): void {
    this.states.push(this.state())
  }

  beginStep(): void {
    this.states.length = 0
    this.#note()
  }

  /** A statement takes effect. */
  change(to: (row: Row) => Row | undefined): void {
    this.replace(this.rows.flatMap((row) => to(row) ?? []))
  }

  replace(rows: readonly Row[]): void {
    this.rows = rows
    this.#note()
  }

  /** What rows have by default is theirs from now on, and later ones have nothing. */
  settleDefaults(): void {
    const given = Object.fromEntries(this.columns.extras.map(({ name, initial }) => [name, initial]))
    this.columns.forgetDefaults()
    this.change((row) => ({ ...row, extras: { ...given, ...row.extras } }))
  }

  changedColumns(): void {
    this.#note()
  }

  /** A commit of ours up to `frontier`. */
  tiered(frontier: readonly bigint[]): void {
    const added = this.book.sent.flatMap((part, partition) =>
      part.slice(Number(this.frontier[partition]), Number(frontier[partition])).map((sent) => this.#rowOf(sent)),
    )
    if (added.length > 0) this.ownCommit++
    this.rows = [...this.rows, ...added]
    this.frontier = frontier
    this.#note()
  }

  releasedUpTo(released: readonly bigint[]): void {
    this.released = released
    this.#note()
  }

  #rowOf(sent: Sent): Row {
    const hasRaw = sent.isKept || this.keepsRaw || this.columns.lacks
    return { sent, key: sent.key, values: valuesOf(sent.value), hasRaw, extras: {} }
  }

  /** The table is now at this snapshot. */
  at(snapshotId: string): void {
    this.#moments.set(snapshotId, { rows: this.rows, ownCommit: this.ownCommit })
  }

  /** Main was set to an earlier snapshot. Returns whether a commit of ours is not in it. */
  rolledBack(snapshotId: string): boolean {
    const moment = this.#moments.get(snapshotId)
    if (moment === undefined) throw new Error(`The model knows no snapshot ${snapshotId}.`)
    this.replace(moment.rows)
    return moment.ownCommit !== this.ownCommit
  }

  /** How many rows the table had there. */
  rowsAt(snapshotId: string): number {
    return this.#moments.get(snapshotId)!.rows.length
  }

  knows(snapshotId: string): boolean {
    return this.#moments.has(snapshotId)
  }

  /**
   * The table was adopted: of each partition it answers for what is below its last row, or was released. Returns the offsets
   * that nobody has any more, per partition.
   */
  adopted(): readonly bigint[] {
    const places = new Set(this.rows.flatMap(({ sent }) => sent ?? []))
    this.frontier = this.frontier.map((frontier, partition) => {
      const below = this.book.sent[partition]!.slice(0, Number(frontier))
      const last = below.findLast((sent) => places.has(sent))
      const end = last === undefined ? 0n : last.offset + 1n
      return end > this.released[partition]! ? end : this.released[partition]!
    })
    this.ownCommit++
    this.#note()
    return this.frontier.map((frontier, partition) => {
      const below = this.book.sent[partition]!.slice(0, Number(frontier))
      return BigInt(below.filter((sent) => !places.has(sent)).length)
    })
  }

  state(): State {
    const rows = new Map<Sent, Row[]>()
    for (const row of this.rows) {
      if (row.sent === undefined) continue
      const same = rows.get(row.sent)
      if (same === undefined) rows.set(row.sent, [row])
      else same.push(row)
    }
    return { rows, columns: this.columns.copy(), released: this.released }
  }

  /**
   * What may be read of a record: the row that its checksum binds, else any of those that have its place, since which of them
   * comes first is the engines' choice. Empty: a gap.
   */
  expected(sent: Sent, { rows, columns, released }: State): readonly Expected[] {
    if (sent.offset >= released[sent.partition]!) return [asSent(sent)]
    return this.candidates(sent, rows, columns).map((row) => this.#read(row, columns))
  }

  /** The rows of which one counts. */
  candidates(sent: Sent, rows: State['rows'], columns: Columns): readonly Row[] {
    const all = rows.get(sent) ?? []
    if (all.length < 2) return all
    const bound = all.filter((row) => this.#read(row, columns).fidelity === 'exact')
    return bound.length > 0 ? bound.slice(0, 1) : all
  }

  #read({ sent, key, values, hasRaw }: Row, columns: Columns): Expected {
    const isSameKey = key === sent!.key
    if (values === noValues) return { key, bytes: sent!.bytes, fidelity: isSameKey ? 'exact' : 'rewritten' }
    const bytes = this.#encoded(columns.seen(values))
    const isRaw = hasRaw && Buffer.compare(bytes, this.#encoded(columns.seen(valuesOf(sent!.value)))) === 0
    if (isRaw) return { key, bytes: sent!.bytes, fidelity: isSameKey ? 'exact' : 'rewritten' }
    const isExact = isSameKey && Buffer.compare(bytes, sent!.bytes!) === 0
    return { key, bytes, fidelity: isExact ? 'exact' : columns.lacks ? 'degraded' : 'rewritten' }
  }

  #encoded(values: Values): Uint8Array {
    return this.book.codec.encode(values as Reading)
  }
}

export const asSent = ({ key, bytes }: Sent): Expected => ({ key, bytes, fidelity: 'exact' })
const noOffsets: readonly bigint[] = Array.from({ length: PARTITIONS }, () => 0n)
