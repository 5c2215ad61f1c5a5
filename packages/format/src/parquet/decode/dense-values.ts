import { corrupt, exhausted } from '@moulin/core'
import { unpackUint8 } from './bit-unpack.ts'
import type { ByteArena } from './byte-arena.ts'

/** The values of a chunk without its nulls, as the physical type lays them out. */
export type DenseValues = FixedValues | BytesValues

/** Values of one width: numbers as little-endian words, booleans as a byte of 0 or 1. */
export class FixedValues {
  readonly kind = 'fixed'
  readonly width: number
  readonly bytes: Uint8Array
  /** The same memory, where the width is whole words. */
  readonly words: Int32Array
  count = 0

  /** @throws `exhausted` above 2 GiB. */
  constructor(width: number, capacity: number) {
    const size = width * capacity
    if (size > 0x7fffffff)
      throw exhausted('PARQUET_LIMIT', `Its ${capacity} values of ${width} bytes have more than 2 GiB.`)
    this.width = width
    this.bytes = new Uint8Array((size + 3) & ~3)
    this.words = new Int32Array(this.bytes.buffer)
  }

  /** What it lies in, each once. */
  memory(): readonly ArrayBufferLike[] {
    return [this.bytes.buffer]
  }

  /** @throws `corrupt` when fewer are there. */
  appendPlain(bytes: Uint8Array, start: number, count: number): void {
    const size = count * this.width
    if (size > bytes.length - start) throw tooFew()
    this.bytes.set(bytes.subarray(start, start + size), this.count * this.width)
    this.count += count
  }

  /** Booleans, a bit each. */
  appendBits(bytes: Uint8Array, start: number, count: number): void {
    if (Math.ceil(count / 8) > bytes.length - start) throw tooFew()
    unpackUint8(bytes, start, 1, count, this.bytes, this.count)
    this.count += count
  }

  /** Entries of a dictionary. @throws `corrupt` for one that it does not have. */
  appendEntries(dictionary: FixedValues, indexes: Int32Array, count: number): void {
    if (this.width === 4) gather4(dictionary, indexes, count, this.words, this.count)
    else if (this.width === 8) gather8(dictionary, indexes, count, this.words, this.count * 2)
    else gatherBytes(dictionary, indexes, count, this.bytes, this.count * this.width)
    this.count += count
  }
}

/** Strings as positions in an arena. */
export class BytesValues {
  readonly kind = 'bytes'
  readonly arena: ByteArena
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** Each value begins where the last one ended: `starts` and `ends` are one array of offsets. */
  readonly isBackToBack: boolean
  count = 0

  constructor(arena: ByteArena, capacity: number, isBackToBack: boolean) {
    if (capacity > 0x1fffffff) throw exhausted('PARQUET_LIMIT', `It has ${capacity} values, too many for one column.`)
    this.arena = arena
    this.isBackToBack = isBackToBack
    if (isBackToBack) {
      const offsets = new Int32Array(capacity + 1)
      this.starts = offsets.subarray(0, capacity)
      this.ends = offsets.subarray(1)
    } else {
      this.starts = new Int32Array(capacity)
      this.ends = new Int32Array(capacity)
    }
  }

  /** What it lies in, each once. */
  memory(): readonly ArrayBufferLike[] {
    const [data, starts, ends] = [this.arena.data.buffer, this.starts.buffer, this.ends.buffer]
    return starts === ends ? [data, starts] : [data, starts, ends]
  }

  /** Each value after its length. `start` is where they begin in `bytes`. @throws `corrupt`. */
  appendPlain(bytes: Uint8Array, start: number, isOwned: boolean, count: number): void {
    const values = bytes.subarray(start)
    const base = this.arena.append(values, isOwned)
    const view = new DataView(values.buffer, values.byteOffset, values.length)
    const { starts, ends } = this
    const last = values.length - 4
    let at = 0
    let to = this.count
    for (const end = to + count; to < end; to++) {
      if (at > last) throw tooFew()
      const length = view.getUint32(at, true)
      at += 4
      starts[to] = base + at
      at += length
      ends[to] = base + at
    }
    // Lengths are not negative, so that the last value lies within says it of all of them.
    if (at > values.length) throw tooFew()
    this.count = to
  }

  /** Values that lie one after the other from `base` on. */
  appendLengths(lengths: Int32Array, count: number, base: number): void {
    const { starts, ends } = this
    let at = base
    let to = this.count
    for (let i = 0; i < count; i++, to++) {
      starts[to] = at
      at += lengths[i]!
      ends[to] = at
    }
    this.count = to
  }

  appendEntries(dictionary: BytesValues, indexes: Int32Array, count: number): void {
    const { starts: fromStarts, ends: fromEnds, count: size } = dictionary
    const { starts, ends } = this
    let to = this.count
    for (let i = 0; i < count; i++, to++) {
      const index = indexes[i]!
      if (index >>> 0 >= size) throw noEntry(index, size)
      starts[to] = fromStarts[index]!
      ends[to] = fromEnds[index]!
    }
    this.count = to
  }
}

function gather4(from: FixedValues, indexes: Int32Array, count: number, to: Int32Array, at: number): void {
  const { words, count: size } = from
  for (let i = 0; i < count; i++) {
    const index = indexes[i]!
    if (index >>> 0 >= size) throw noEntry(index, size)
    to[at + i] = words[index]!
  }
}

// As words and not as doubles, which could change the bits of a NaN.
function gather8(from: FixedValues, indexes: Int32Array, count: number, to: Int32Array, at: number): void {
  const { words, count: size } = from
  for (let i = 0; i < count; i++, at += 2) {
    const index = indexes[i]!
    if (index >>> 0 >= size) throw noEntry(index, size)
    to[at] = words[index * 2]!
    to[at + 1] = words[index * 2 + 1]!
  }
}

function gatherBytes(from: FixedValues, indexes: Int32Array, count: number, to: Uint8Array, at: number): void {
  const { bytes, width, count: size } = from
  for (let i = 0; i < count; i++) {
    const index = indexes[i]!
    if (index >>> 0 >= size) throw noEntry(index, size)
    for (let k = index * width, end = k + width; k < end; k++) to[at++] = bytes[k]!
  }
}

export function tooFew(): Error {
  return corrupt('PARQUET_VALUES', 'A page has fewer values than its header and levels say.')
}

function noEntry(index: number, size: number): Error {
  return corrupt('PARQUET_VALUES', `A page names entry ${index >>> 0} of a dictionary of ${size}.`)
}
