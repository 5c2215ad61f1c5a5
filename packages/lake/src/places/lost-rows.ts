import { RowSet } from './row-set.ts'

/** Rows of one file that do not count. */
export class LostRows {
  readonly #groups = new Map<number, RowSet>()
  size = 0

  add(rowGroup: number, rowCount: number, row: number): void {
    let rows = this.#groups.get(rowGroup)
    if (rows === undefined) this.#groups.set(rowGroup, (rows = new RowSet(rowCount)))
    rows.add(row)
    this.size++
  }

  in(rowGroup: number): RowSet | undefined {
    return this.#groups.get(rowGroup)
  }

  get sizeBytes(): number {
    let bytes = 64
    for (const rows of this.#groups.values()) bytes += 64 + rows.sizeBytes
    return bytes
  }
}
