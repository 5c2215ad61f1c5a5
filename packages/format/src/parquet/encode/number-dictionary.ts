import { halvesOf } from '../../bytes/int64-halves.ts'
import { doubled } from '../../bytes/doubled.ts'
import { type Dictionary, maxDictionaryBytes } from './dictionary.ts'
import { type LeafValues, wordsOf } from './leaf-values.ts'
import type { PageBuffer } from './page-buffer.ts'

/** Integers that lie this close together have their index at their own place in a table, without hashing. */
const maxDirectSlots = 1 << 16
const maxProbes = 64

/** Where a 64-bit value, given as halves, has its index. */
class NumberTable {
  size = 0
  low: Int32Array = new Int32Array(256)
  high: Int32Array = new Int32Array(256)
  readonly #maxSize: number
  // Values around the first one, as long as they fit; then a hash table with linear probing. Both hold index + 1.
  direct: Int32Array = new Int32Array(0)
  base = 0
  #slots: Int32Array = new Int32Array(0)
  #isHashed = false

  constructor(maxSize: number) {
    this.#maxSize = maxSize
  }

  clear(): void {
    this.size = 0
    this.direct = this.direct.fill(0)
    this.#slots.fill(0)
    this.#isHashed = false
  }

  /** The index of a value that is not in {@link direct}, or −1 when there is no room. */
  find(low: number, high: number): number {
    if (!this.#isHashed) {
      if (this.#reach(low, high)) {
        const slot = (low - this.base) >>> 0
        const index = this.#append(low, high)
        if (index >= 0) this.direct[slot] = index + 1
        return index
      }
      this.#isHashed = true
      this.direct = new Int32Array(0)
      this.#rehash()
    }
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = hashOf(low, high) & mask
    for (let probes = 0; probes < maxProbes; probes++) {
      const index = slots[slot]! - 1
      if (index < 0) {
        const added = this.#append(low, high)
        if (added < 0) return -1
        slots[slot] = added + 1
        if (this.size * 2 > slots.length) this.#rehash()
        return added
      }
      if (this.low[index] === low && this.high[index] === high) return index
      slot = (slot + 1) & mask
    }
    return -1
  }

  #append(low: number, high: number): number {
    if (this.size === this.#maxSize) return -1
    if (this.size === this.low.length) {
      this.low = doubled(this.low)
      this.high = doubled(this.high)
    }
    this.low[this.size] = low
    this.high[this.size] = high
    return this.size++
  }

  /** Moves or widens {@link direct} so that `low` falls into it. False when the values lie too far apart. */
  #reach(low: number, high: number): boolean {
    if (high !== low >> 31) return false
    if (this.size === 0) {
      if (this.direct.length === 0) this.direct = new Int32Array(1024)
      this.base = (low - (this.direct.length >> 1)) | 0
      return true
    }
    if ((low - this.base) >>> 0 < this.direct.length) return true
    let least = low
    let most = low
    for (let i = 0; i < this.size; i++) {
      if (this.low[i]! < least) least = this.low[i]!
      if (this.low[i]! > most) most = this.low[i]!
    }
    const span = most - least + 1
    if (span > maxDirectSlots) return false
    let slots = this.direct.length
    while (slots < span * 2 && slots < maxDirectSlots * 2) slots *= 2
    this.direct = new Int32Array(slots)
    this.base = (least - ((slots - span) >> 1)) | 0
    for (let i = 0; i < this.size; i++) this.direct[(this.low[i]! - this.base) >>> 0] = i + 1
    return true
  }

  #rehash(): void {
    let slots = Math.max(1024, this.#slots.length)
    while (slots < this.size * 4) slots *= 2
    if (slots === this.#slots.length) this.#slots.fill(0)
    else this.#slots = new Int32Array(slots)
    const mask = slots - 1
    for (let i = 0; i < this.size; i++) {
      let slot = hashOf(this.low[i]!, this.high[i]!) & mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
      this.#slots[slot] = i + 1
    }
  }
}

function hashOf(low: number, high: number): number {
  const hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
  return hash ^ (hash >>> 15)
}

/** Of INT32 and FLOAT. */
export class WordDictionary implements Dictionary {
  readonly #table = new NumberTable(maxDictionaryBytes / 4)
  readonly #kind: 'int32' | 'float'

  constructor(kind: 'int32' | 'float') {
    this.#kind = kind
  }

  get size(): number {
    return this.#table.size
  }

  get sizeBytes(): number {
    return this.#table.size * 4
  }

  index(values: LeafValues, from: number, to: number, indexes: Int32Array): number {
    const words = values.kind === 'float' ? wordsOf(values.values) : (values as { values: Int32Array }).values
    const table = this.#table
    let { direct, base } = table
    for (let i = from; i < to; i++) {
      const low = words[i]!
      const slot = (low - base) >>> 0
      const known = slot < direct.length ? direct[slot]! : 0
      if (known > 0) indexes[i] = known - 1
      else {
        const index = table.find(low, low >> 31)
        if (index < 0) return i
        indexes[i] = index
        direct = table.direct
        base = table.base
      }
    }
    return to
  }

  writePage(out: PageBuffer): void {
    out.append(new Uint8Array(this.#table.low.buffer, 0, this.sizeBytes))
  }

  entries(): LeafValues {
    const { low, size: count } = this.#table
    return this.#kind === 'int32'
      ? { kind: 'int32', count, values: low }
      : { kind: 'float', count, values: new Float32Array(low.buffer, 0, count) }
  }

  clear(): void {
    this.#table.clear()
  }
}

/** Of INT64 and DOUBLE. */
export class LongDictionary implements Dictionary {
  readonly #table = new NumberTable(maxDictionaryBytes / 8)
  readonly #kind: 'int64' | 'double'

  constructor(kind: 'int64' | 'double') {
    this.#kind = kind
  }

  get size(): number {
    return this.#table.size
  }

  get sizeBytes(): number {
    return this.#table.size * 8
  }

  index(values: LeafValues, from: number, to: number, indexes: Int32Array): number {
    const halves = values.kind === 'double' ? halvesOf(values.values) : (values as { halves: Int32Array }).halves
    const table = this.#table
    let { direct, base } = table
    for (let i = from; i < to; i++) {
      const low = halves[i * 2]!
      const high = halves[i * 2 + 1]!
      const slot = (low - base) >>> 0
      const known = slot < direct.length && high === low >> 31 ? direct[slot]! : 0
      if (known > 0) indexes[i] = known - 1
      else {
        const index = table.find(low, high)
        if (index < 0) return i
        indexes[i] = index
        direct = table.direct
        base = table.base
      }
    }
    return to
  }

  writePage(out: PageBuffer): void {
    out.append(new Uint8Array(this.#halves().buffer, 0, this.sizeBytes))
  }

  entries(): LeafValues {
    const { size: count } = this.#table
    const halves = this.#halves()
    return this.#kind === 'int64'
      ? { kind: 'int64', count, halves }
      : { kind: 'double', count, values: new Float64Array(halves.buffer, 0, count) }
  }

  clear(): void {
    this.#table.clear()
  }

  #halves(): Int32Array {
    const { low, high, size } = this.#table
    const halves = new Int32Array(size * 2)
    for (let i = 0; i < size; i++) {
      halves[i * 2] = low[i]!
      halves[i * 2 + 1] = high[i]!
    }
    return halves
  }
}
