import type { LeafValues } from './leaf-values.ts'
import type { PageBuffer } from './page-buffer.ts'
import type { ScratchMemory } from './scratch.ts'

/** The distinct values of a column chunk, in the order in which they came. Floats are told apart by their bits. */
export interface Dictionary {
  readonly size: number
  /** Of the dictionary page, uncompressed. */
  readonly sizeBytes: number
  /**
   * Looks values `[from, to)` up, new ones are added, and writes the index of each to `indexes`. Returns where it
   * stopped: before `to` when the dictionary is full.
   */
  index(values: LeafValues, from: number, to: number, indexes: Int32Array, scratch: ScratchMemory): number
  writePage(out: PageBuffer): void
  /** The entries as values, good until the next call. */
  entries(): LeafValues
  /** Forgets the entries, keeps the memory. */
  clear(): void
}

/** A dictionary page is at most this large: readers keep it in memory, and it should stay in the processor's cache. */
export const maxDictionaryBytes: number = 1 << 20

/** Bits of an index; one at least, because some readers do not know none. */
export function indexWidth(size: number): number {
  return Math.max(1, 32 - Math.clz32(size - 1))
}
