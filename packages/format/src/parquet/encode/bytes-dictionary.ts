import { doubled } from '../../bytes/doubled.ts'
import { type Dictionary, maxDictionaryBytes } from './dictionary.ts'
import { fixedAsBytes } from './delta-bytes-encoder.ts'
import { bytesValues, type LeafValues } from './leaf-values.ts'
import { PageBuffer } from './page-buffer.ts'
import type { ScratchMemory } from './scratch.ts'

const maxEntries = 1 << 17
const maxProbes = 64

/** Ints a slot: two that tell values apart, the length, and the entry's index + 1. */
const slotInts = 4

/**
 * Of BYTE_ARRAY, and of FIXED_LEN_BYTE_ARRAY with a width. Values up to 8 bytes are themselves the key, longer ones are
 * told apart by two hashes and then by their bytes. The entries lie as the dictionary page has them.
 */
export class BytesDictionary implements Dictionary {
  size = 0
  readonly #width: number | undefined
  readonly #page = new PageBuffer(1024)
  #slots: Int32Array = new Int32Array(256 * slotInts)
  #starts: Int32Array = new Int32Array(128)
  #ends: Int32Array = new Int32Array(128)

  constructor(width: number | undefined) {
    this.#width = width
  }

  get sizeBytes(): number {
    return this.#page.length
  }

  index(values: LeafValues, from: number, to: number, indexes: Int32Array, scratch: ScratchMemory): number {
    if (values.kind === 'bytes') return this.#index(values.data, values.starts, values.ends, 0, from, to, indexes)
    if (values.kind !== 'fixed') return from
    const { data, starts, ends } = fixedAsBytes(values, from, to, scratch)
    return this.#index(data, starts, ends, from, from, to, indexes)
  }

  /** Positions of value i are at `i - first`. */
  #index(
    data: Uint8Array,
    starts: Int32Array,
    ends: Int32Array,
    first: number,
    from: number,
    to: number,
    indexes: Int32Array,
  ): number {
    const view = new DataView(data.buffer, data.byteOffset, data.length)
    const wordsEnd = data.length - 8
    let slots = this.#slots
    let shift = slotShift(slots)
    let [lastA, lastB, lastSize, last] = [0, 0, -1, -1]
    for (let i = from; i < to; i++) {
      const start = starts[i - first]!
      const size = ends[i - first]! - start
      let a = 0
      let b = 0
      if (size <= 8 && start <= wordsEnd) {
        // Bytes beyond the end are masked away; a shift by 32 would be one by 0.
        if (size >= 4) {
          a = view.getInt32(start, true)
          if (size > 4) b = view.getInt32(start + 4, true) & (-1 >>> (64 - size * 8))
        } else if (size > 0) a = view.getInt32(start, true) & (-1 >>> (32 - size * 8))
      } else if (size <= 8) {
        for (let k = 0; k < size; k++) {
          if (k < 4) a |= data[start + k]! << (k * 8)
          else b |= data[start + k]! << (k * 8 - 32)
        }
      } else {
        a = size
        b = 0x2545f491
        let at = start
        for (const end = start + size - 3; at < end; at += 4) {
          const word = view.getInt32(at, true)
          a = Math.imul(a ^ word, 0x01000193)
          a ^= a >>> 15
          b = Math.imul(b + word, 0x85ebca6b)
          b = (b << 13) | (b >>> 19)
        }
        for (; at < start + size; at++) {
          a = Math.imul(a ^ data[at]!, 0x01000193)
          b = Math.imul(b + data[at]!, 0x85ebca6b)
        }
      }
      if (a === lastA && b === lastB && size === lastSize && (size <= 8 || this.#isEntry(last, data, start, size))) {
        indexes[i] = last
        continue
      }
      let slot = (slotHash(a, b) >>> shift) * slotInts
      for (let probes = 0; ; probes++) {
        // Values made to collide would turn the search quadratic.
        if (probes === maxProbes) return i
        const entry = slots[slot + 3]!
        if (entry === 0) {
          const added = this.#add(data, start, size)
          if (added < 0) return i
          slots[slot] = a
          slots[slot + 1] = b
          slots[slot + 2] = size
          slots[slot + 3] = added + 1
          last = added
          if (this.size * 2 * slotInts > slots.length) {
            this.#grow()
            slots = this.#slots
            shift = slotShift(slots)
          }
          break
        }
        if (
          slots[slot] === a &&
          slots[slot + 1] === b &&
          slots[slot + 2] === size &&
          (size <= 8 || this.#isEntry(entry - 1, data, start, size))
        ) {
          last = entry - 1
          break
        }
        slot += slotInts
        if (slot === slots.length) slot = 0
      }
      indexes[i] = last
      lastA = a
      lastB = b
      lastSize = size
    }
    return to
  }

  #isEntry(entry: number, data: Uint8Array, start: number, size: number): boolean {
    const { bytes } = this.#page
    const at = this.#starts[entry]!
    for (let i = 0; i < size; i++) if (bytes[at + i] !== data[start + i]) return false
    return true
  }

  #add(data: Uint8Array, start: number, size: number): number {
    const page = this.#page
    if (this.size === maxEntries || page.length + size + 4 > maxDictionaryBytes) return -1
    if (this.size === this.#starts.length) {
      this.#starts = doubled(this.#starts)
      this.#ends = doubled(this.#ends)
    }
    if (this.#width === undefined) page.int32(size)
    this.#starts[this.size] = page.length
    page.append(data.subarray(start, start + size))
    this.#ends[this.size] = page.length
    return this.size++
  }

  #grow(): void {
    const old = this.#slots
    const slots = new Int32Array(old.length * 4)
    const shift = slotShift(slots)
    for (let from = 0; from < old.length; from += slotInts) {
      if (old[from + 3] === 0) continue
      const [a, b] = [old[from]!, old[from + 1]!]
      let slot = (slotHash(a, b) >>> shift) * slotInts
      while (slots[slot + 3] !== 0) slot = (slot + slotInts) % slots.length
      slots.set(old.subarray(from, from + slotInts), slot)
    }
    this.#slots = slots
  }

  writePage(out: PageBuffer): void {
    out.append(this.#page.written())
  }

  entries(): LeafValues {
    const { bytes } = this.#page
    if (this.#width === undefined) return bytesValues('dictionary', bytes, this.#starts, this.#ends, this.size)
    return { kind: 'fixed', count: this.size, width: this.#width, bytes }
  }

  clear(): void {
    this.size = 0
    this.#page.clear()
    this.#slots.fill(0)
  }
}

// The upper bits of a product depend on all of its factors'.
function slotHash(a: number, b: number): number {
  return Math.imul(a ^ Math.imul(b, 0x85ebca6b), 0x9e3779b1)
}

/** What leaves as many bits of a hash as the table has slots. */
function slotShift(slots: Int32Array): number {
  return 1 + Math.clz32(slots.length / slotInts)
}
