import { exhausted } from '@moulin/core'
import type { ColumnBatch } from '@moulin/core'
import { rowKeys } from './row-keys.ts'

/** The rows of files of equality deletes that compare the same columns. */
export interface EqualityKeys {
  readonly keys: ReadonlySet<string>
  /** Of memory, about. */
  readonly sizeBytes: number
}

/** What one key takes beside its bytes: a string, and its place in a set. */
const KEY_BYTES = 110

/** Gathers the rows of one file of equality deletes. */
export class EqualityDeletes implements EqualityKeys {
  readonly keys: Set<string> = new Set()
  readonly #spend: (bytes: number) => void
  #sizeBytes = 0

  /** @param spend Is told of memory before it is taken, and throws where it is too much. */
  constructor(spend: (bytes: number) => void) {
    this.#spend = spend
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** @param batch Of the fields of `equalityFields`. */
  add(batch: ColumnBatch): void {
    const keyOf = rowKeys(batch)
    for (let row = 0; row < batch.length; row++) {
      const key = keyOf(row)
      if (this.keys.has(key)) continue
      const bytes = keyBytes(key)
      this.#spend(bytes)
      this.#sizeBytes += bytes
      this.keys.add(key)
    }
  }
}

/** Calls with those rows of the batch that have one of the keys, and with which. */
export function equalRows(
  batch: ColumnBatch,
  keys: Pick<ReadonlySet<string>, 'has'>,
  each: (row: number, key: string) => void,
): void {
  const keyOf = rowKeys(batch)
  for (let row = 0; row < batch.length; row++) {
    const key = keyOf(row)
    if (keys.has(key)) each(row, key)
  }
}

/** Of memory, about, that a key takes. */
export function keyBytes(key: string): number {
  return KEY_BYTES + key.length
}

/** What is thrown where the keys about one data file, or in one file of deletes, take more than they may. */
export function tooManyKeys(file: string, equalityDeleteBytes: number): Error {
  const message =
    `The keys of equality deletes in or about ${file} take more than the limit equalityDeleteBytes, ${equalityDeleteBytes}. ` +
    `Have an engine rewrite the table's data files, or raise the limit.`
  return exhausted('EQUALITY_DELETES', message, { context: { file, equalityDeleteBytes } })
}
