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
  /** The record has none any more; else the one that was sent. */
  readonly hasNoTime?: true
  /** Names of columns that have a value too large for the topic's type: one of them is named by the error of the record. */
  readonly tooLarge?: readonly string[]
  /** Its value was in a column that is gone, and nowhere else. */
  readonly isValueGone?: true
}

/** System columns that a record can be read without. */
export type LostColumn =
  | '_kafka_headers'
  | '_kafka_timestamp_type'
  | '_kafka_key'
  | '_kafka_timestamp'
  | '_kafka_crc'
  | '_kafka_schema_id'
  | '_kafka_key_schema_id'
  | '_kafka_value'

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
  /** The table has it no more. */
  readonly lost: LostColumn | undefined
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
  /** Per partition, the last that a commit of ours had, or counted. */
  lastRows: readonly (bigint | undefined)[] = noOffsets.map(() => undefined)
  /** PyIceberg has been here: in all rows that it writes, also again, a list that was null is empty. */
  blursLists = false
  #lost: LostColumn | undefined
  /** Counts commits of ours that added rows, counted them anew, or put them back. */
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
    this.lastRows = this.lastRows.map((last, partition) =>
      frontier[partition]! > this.frontier[partition]! ? frontier[partition]! - 1n : last,
    )
    this.rows = [...this.rows, ...added]
    this.frontier = frontier
    this.#note()
  }

  /** Values by column, with what cannot be told apart alike. */
  blurred<V extends { readonly marks?: unknown }>(values: V): V {
    return this.blursLists && Array.isArray(values.marks) && values.marks.length === 0
      ? { ...values, marks: null }
      : values
  }

  /** A commit of ours that leaves the rows as they are. */
  repaired(): void {
    this.ownCommit++
  }

  /** A system column is dropped, or is there again. */
  loses(column: LostColumn | undefined): void {
    this.#lost = column
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

  /** Nobody can read it, or go back to it, any more. */
  forget(snapshotId: string): void {
    this.#moments.delete(snapshotId)
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
    this.lastRows = this.frontier.map((frontier, partition) => {
      const below = this.book.sent[partition]!.slice(0, Number(frontier))
      return below.findLast((sent) => places.has(sent))?.offset
    })
    this.frontier = this.lastRows.map((last, partition) => {
      const end = last === undefined ? 0n : last + 1n
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
    return { rows, columns: this.columns.copy(), released: this.released, lost: this.#lost }
  }

  /**
   * What may be read of a record: the row that its checksum binds, else any of those that have its place, since which of them
   * comes first is the engines' choice. Empty: a gap.
   */
  expected(sent: Sent, state: State): readonly Expected[] {
    if (sent.offset >= state.released[sent.partition]!) return [asSent(sent)]
    return this.candidates(sent, state).map((row) => this.#read(row, state))
  }

  /** The rows of which one counts. */
  candidates(sent: Sent, { rows, columns, lost }: State): readonly Row[] {
    const all = rows.get(sent) ?? []
    // Which of them is bound to the place says a checksum of all parts.
    if (all.length < 2 || lost !== undefined) return all
    const bound = all.filter((row) => this.#whole(row, columns).fidelity === 'exact')
    return bound.length > 0 ? bound.slice(0, 1) : all
  }

  #read(row: Row, { columns, lost }: State): Expected {
    if (lost === undefined) return this.#whole(row, columns)
    if (lost === '_kafka_value') return this.#withoutKept(row, columns)
    const whole = this.#whole(lost === '_kafka_key' ? { ...row, key: null } : row, columns)
    const isByChecksum = lost === '_kafka_headers' || lost === '_kafka_timestamp_type' || lost === '_kafka_key'
    const fidelity = isByChecksum && whole.fidelity === 'exact' ? 'exact' : 'degraded'
    return { ...whole, fidelity, ...(lost === '_kafka_timestamp' && { hasNoTime: true }) }
  }

  #withoutKept(row: Row, columns: Columns): Expected {
    if (row.values.id === null && row.sent!.value === undefined)
      return { key: row.key, bytes: null, fidelity: 'degraded', isValueGone: true }
    const whole = this.#whole({ ...row, hasRaw: false }, columns)
    return { ...whole, fidelity: whole.fidelity === 'exact' ? 'exact' : 'degraded' }
  }

  /** Whether a record that no commit has yet has a value whose bytes its columns do not give back. */
  get needsKept(): boolean {
    const waiting = this.book.sent.flatMap((part, partition) => part.slice(Number(this.frontier[partition])))
    return waiting.some(({ bytes, isKept }) => bytes !== null && (isKept || this.keepsRaw || this.columns.lacks))
  }

  #whole({ sent, key, values, hasRaw }: Row, columns: Columns): Expected {
    const isSameKey = key === sent!.key
    // Rows that never had a value have no id, and no others.
    if (values.id === null) return { key, bytes: sent!.bytes, fidelity: isSameKey ? 'exact' : 'rewritten' }
    const tooLarge = columns.tooLarge(values)
    if (tooLarge.length > 0) return { key, bytes: null, fidelity: 'degraded', tooLarge }
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

/** A row without a place in the log. */
export const rowOfOthers = (id: number, city: string | null): Row => ({
  sent: undefined,
  key: null,
  values: { ...noValues, id, city },
  hasRaw: false,
  extras: {},
})
