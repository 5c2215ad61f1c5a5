import type { Leaf, PhysicalType } from '../parquet-schema.ts'
import { BytesDictionary } from './bytes-dictionary.ts'
import { deltaBits } from './delta-encoder.ts'
import { type Dictionary, indexWidth } from './dictionary.ts'
import type { LeafPlan } from './encodings.ts'
import { type LeafValues, stringBytes } from './leaf-values.ts'
import { LongDictionary, WordDictionary } from './number-dictionary.ts'
import { PageBuffer } from './page-buffer.ts'
import type { EncodeScratch } from './scratch.ts'

/** After so many values a column that hardly repeats is given up: what follows would be wasted hashing. */
const sampleValues = 8192
/** Fewer values of an open row group say nothing yet. */
const leastValues = 512
/** A dictionary must save this much of what the other encoding takes: it costs reader and writer a look-up a value. */
const worthwhile = 0.8

/**
 * Whether a column chunk has a dictionary, and for how long: with `auto` until it is seen not to pay, in any case until
 * it is full. What was written with it stays so; a trial that failed before the first page leaves no trace.
 */
export class DictionaryTrial {
  readonly #plan: LeafPlan
  readonly #isInteger: boolean
  readonly #dictionary: Dictionary | undefined
  #isOpen: boolean
  /** Pages refer to it. */
  #isUsed = false
  #valueCount = 0
  /** Bytes that the indexed values would take in the other encoding. */
  #otherBytes = 0
  #bits: number | undefined

  constructor(leaf: Leaf, plan: LeafPlan) {
    const { type, type_length } = leaf.element
    this.#plan = plan
    this.#isInteger = type === 'INT32' || type === 'INT64'
    this.#dictionary = plan.dictionary === 'never' ? undefined : createDictionary(type, type_length ?? 0)
    this.#isOpen = this.#dictionary !== undefined
  }

  /** Entries. */
  get size(): number {
    return this.#isUsed ? this.#dictionary!.size : 0
  }

  /** Of the dictionary page that will be written. */
  get sizeBytes(): number {
    return this.#isUsed ? this.#dictionary!.sizeBytes : 0
  }

  /**
   * Writes the indexes of the first values to the scratch and returns how many have one. `isAll`: these are the values of
   * the whole chunk, so the verdict can wait for the last of them.
   */
  index(values: LeafValues, scratch: EncodeScratch, isAll: boolean): number {
    const dictionary = this.#dictionary
    if (!this.#isOpen || dictionary === undefined || values.count === 0) return 0
    const { count } = values
    const indexes = scratch.indexes(count)
    let done = 0
    while (done < count && this.#isOpen) {
      const left = sampleValues - this.#valueCount
      const end = left > 0 ? Math.min(count, done + left) : count
      const reached = dictionary.index(values, done, end, indexes, scratch.memory)
      this.#otherBytes += this.#bytesOtherwise(values, done, reached)
      this.#valueCount += reached - done
      if (reached < end) this.#isOpen = false
      done = reached
      if (this.#plan.dictionary !== 'auto') continue
      const isJudged = (isAll && done === count) || this.#valueCount >= leastValues
      if (isJudged && !this.#pays(isAll ? count : this.#valueCount)) {
        this.#isOpen = false
        if (!this.#isUsed) {
          dictionary.clear()
          return 0
        }
      }
    }
    if (done > 0) this.#isUsed = true
    return done
  }

  /** The dictionary page's body; good until the next call. */
  page(): { readonly page: Uint8Array; readonly size: number } {
    pageBody.clear()
    if (this.#isUsed) this.#dictionary!.writePage(pageBody)
    return { page: pageBody.written(), size: this.size }
  }

  /** The entries as values, if pages refer to them. */
  entries(): LeafValues | undefined {
    return this.#isUsed ? this.#dictionary!.entries() : undefined
  }

  clear(): void {
    this.#dictionary?.clear()
    this.#isOpen = this.#dictionary !== undefined
    this.#isUsed = false
    this.#valueCount = this.#otherBytes = 0
    this.#bits = undefined
  }

  /** With the values seen so far; the entries still to come are guessed to be as many again in proportion, at most. */
  #pays(total: number): boolean {
    const { size, sizeBytes } = this.#dictionary!
    const seen = this.#valueCount
    // A few values in long runs: both are small, and only a dictionary lets a reader skip by value.
    if (size <= 16 && seen >= 16 * size) return true
    const perValue = this.#otherBytes / seen
    // New entries come ever more rarely; a column without repeats stays at its share.
    const isUnique = size > seen * 0.9
    const share = isUnique ? size / seen : size / Math.max(seen, Math.min(total, seen * 2))
    const cost = (share * sizeBytes) / size + indexWidth(size) / 8
    return cost <= worthwhile * perValue
  }

  #bytesOtherwise(values: LeafValues, from: number, to: number): number {
    if (this.#isInteger) {
      const isLong = values.kind === 'int64'
      this.#bits ??= bitsOf(values, from, Math.min(values.count, from + 2048))
      return (this.#plan.encoding === 'delta-binary-packed' ? this.#bits / 8 : isLong ? 8 : 4) * (to - from)
    }
    switch (values.kind) {
      case 'bytes':
        return stringBytes(values, from, to) + 4 * (to - from)
      case 'fixed':
        return values.width * (to - from)
      case 'double':
        return 8 * (to - from)
      default:
        return 4 * (to - from)
    }
  }
}

function createDictionary(type: PhysicalType, width: number): Dictionary | undefined {
  switch (type) {
    case 'BOOLEAN':
      return undefined
    case 'INT32':
      return new WordDictionary('int32')
    case 'FLOAT':
      return new WordDictionary('float')
    case 'INT64':
      return new LongDictionary('int64')
    case 'DOUBLE':
      return new LongDictionary('double')
    case 'BYTE_ARRAY':
      return new BytesDictionary(undefined)
    case 'FIXED_LEN_BYTE_ARRAY':
      return new BytesDictionary(width)
  }
}

const pageBody = new PageBuffer()

function bitsOf(values: LeafValues, from: number, to: number): number {
  if (values.kind === 'int32') return deltaBits(values.values, from, to, 1)
  return values.kind === 'int64' ? deltaBits(values.halves, from, to, 2) : 0
}
