import type { Leaf, PhysicalType } from '../parquet-schema.ts'
import { BytesDictionary } from './bytes-dictionary.ts'
import { deltaBits } from './delta-encoder.ts'
import { type Dictionary, indexWidth } from './dictionary.ts'
import type { LeafPlan } from './encodings.ts'
import { type LeafValues, stringBytes } from './leaf-values.ts'
import { LongDictionary, WordDictionary } from './number-dictionary.ts'
import { PageBuffer } from './page-buffer.ts'
import type { EncodeScratch } from './scratch.ts'

/** After so many values it is seen whether a column repeats enough: what follows would be wasted hashing. */
const steps = [2048, 4096, 8192]
/** Fewer values say nothing about those to come, unless all are different. */
const tellingValues = 4096
const leastValues = 512
/** What an open row group is guessed to have at least. */
const usualValues = 1 << 16
/** Values that are few enough to be worth a dictionary whatever else could be done with them. */
const fewEntries = 16
/**
 * A dictionary must come below this share of what PLAIN takes: it costs reader and writer a look-up a value. Deltas cost
 * as much, so there the smaller one wins.
 */
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
  /** How far it was when last judged. */
  #mark = { values: 0, size: 0 }

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
    if (this.#valueCount === 0 && this.#isRising(values)) {
      this.#isOpen = false
      return 0
    }
    const { count } = values
    const indexes = scratch.indexes(count)
    let done = 0
    while (done < count && this.#isOpen) {
      const step = steps.find((values) => values > this.#valueCount)
      const end = step === undefined ? count : Math.min(count, done + step - this.#valueCount)
      const reached = dictionary.index(values, done, end, indexes, scratch.memory)
      this.#otherBytes += this.#bytesOtherwise(values, done, reached)
      this.#valueCount += reached - done
      if (reached < end) this.#isOpen = false
      done = reached
      if (this.#plan.dictionary !== 'auto' || this.#pays(isAll ? count : undefined)) continue
      this.#isOpen = false
      if (!this.#isUsed) {
        dictionary.clear()
        return 0
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
    this.#mark = { values: 0, size: 0 }
  }

  /** Whether it looks as if it would, with `total` values in the chunk, or as many as are usual. */
  #pays(total: number | undefined): boolean {
    const { size, sizeBytes } = this.#dictionary!
    const seen = this.#valueCount
    // Distinct values grow as a power of all values (Heaps' law): of one if all differ, of none if all are known.
    const mark = this.#mark
    const power = mark.size === 0 ? 1 : Math.log(size / mark.size) / Math.log(seen / mark.values)
    if (seen >= steps[0]!) this.#mark = { values: seen, size }
    if (size <= fewEntries && seen >= fewEntries * size) return true
    if (seen !== total && seen < tellingValues) return seen < leastValues || size < seen * 0.9
    const count = total ?? Math.max(usualValues, seen * 2)
    const entries = size * (count / seen) ** Math.min(1, power)
    const cost = (entries / count) * (sizeBytes / size) + indexWidth(entries) / 8
    return cost <= (this.#isInteger ? 1 : worthwhile) * (this.#otherBytes / seen)
  }

  /** Integers that only rise, like offsets and times: their differences are small, or repeat and then compress well. */
  #isRising(values: LeafValues): boolean {
    if (this.#plan.dictionary !== 'auto' || this.#plan.encoding !== 'delta-binary-packed') return false
    const count = Math.min(values.count, steps[0]!)
    if (values.kind === 'int32') return rises(values.values, count, 1)
    return values.kind === 'int64' && rises(values.halves, count, 2)
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

/** Of values as ints or as pairs of halves, low first. */
function rises(values: Int32Array, count: number, width: 1 | 2): boolean {
  let changes = 0
  for (let i = width; i < count * width; i += width) {
    const before = i - width
    // The upper half decides, or the value itself; then the lower half, unsigned.
    const upper = values[i + width - 1]! - values[before + width - 1]!
    const step = upper === 0 && width === 2 ? (values[i]! >>> 0) - (values[before]! >>> 0) : upper
    if (step < 0) return false
    if (step > 0) changes++
  }
  return changes > fewEntries
}

function bitsOf(values: LeafValues, from: number, to: number): number {
  if (values.kind === 'int32') return deltaBits(values.values, from, to, 1)
  return values.kind === 'int64' ? deltaBits(values.halves, from, to, 2) : 0
}
