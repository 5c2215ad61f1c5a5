import { corrupt } from '@moulin/core'
import { unpackInt32 } from './bit-unpack.ts'

/**
 * DELTA_BINARY_PACKED: a first value, then blocks of a least difference and miniblocks of what the differences have
 * above it, packed. Sums wrap around, as the writer's did.
 *
 * Spec: parquet-format, Encodings, "Delta Encoding".
 */
class DeltaReader {
  readonly bytes: Uint8Array
  position: number
  /** Halves of the last number read. */
  low = 0
  high = 0
  readonly miniblocks: number
  readonly valuesPerMiniblock: number

  /** Reads the header. @throws `corrupt` unless exactly `count` values are stated. */
  constructor(bytes: Uint8Array, start: number, count: number) {
    this.bytes = bytes
    this.position = start
    const blockSize = this.#size()
    this.miniblocks = this.#size()
    const total = this.#size()
    this.valuesPerMiniblock = blockSize / this.miniblocks
    if (this.valuesPerMiniblock % 8 !== 0 || this.valuesPerMiniblock === 0 || this.miniblocks === 0)
      throw malformed(`has ${this.miniblocks} miniblocks in a block of ${blockSize}`)
    if (total !== count) throw malformed(`has ${total} values in place of ${count}`)
    this.zigzag()
  }

  /** A signed number into {@link low} and {@link high}. */
  zigzag(): void {
    this.#varint()
    const { low, high } = this
    const sign = -(low & 1)
    this.low = ((low >>> 1) | (high << 31)) ^ sign
    this.high = (high >>> 1) ^ sign
  }

  #size(): number {
    this.#varint()
    if (this.high !== 0 || this.low < 0) throw malformed('has a size out of range')
    return this.low
  }

  #varint(): void {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.position++]
      if (byte === undefined) throw malformed('ends early')
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) {
        this.low = low
        this.high = high
        return
      }
    }
    throw malformed('has a number without end')
  }
}

/** One miniblock: how wide its values are, where they lie, and how many of them count. */
type Miniblock = (width: number, start: number, count: number) => void

/** Calls `block` after a least difference is read, and `miniblock` for each miniblock. @returns where they end. */
function readBlocks(reader: DeltaReader, count: number, block: () => void, miniblock: Miniblock): number {
  const { bytes, miniblocks, valuesPerMiniblock } = reader
  let left = count - 1
  while (left > 0) {
    reader.zigzag()
    block()
    const widths = reader.position
    reader.position += miniblocks
    if (reader.position > bytes.length) throw malformed('ends early')
    for (let i = 0; i < miniblocks && left > 0; i++) {
      const width = bytes[widths + i]!
      if (width > 64) throw malformed(`has values of ${width} bits`)
      const wanted = Math.min(left, valuesPerMiniblock)
      const available = bytes.length - reader.position
      if (Math.ceil((wanted * width) / 8) > available) throw malformed('ends early')
      miniblock(width, reader.position, wanted)
      reader.position += Math.min((valuesPerMiniblock / 8) * width, available)
      left -= wanted
    }
  }
  return reader.position
}

/**
 * Reads `count` numbers from byte `start` into `out` from `at` on. DuckDB takes the differences in 64 bits, so up to 33
 * bits are there; of a sum that wraps around, the lower 32 are the same.
 * @returns where they end. @throws `corrupt`.
 */
export function readDeltaInt32(bytes: Uint8Array, start: number, count: number, out: Int32Array, at: number): number {
  const reader = new DeltaReader(bytes, start, count)
  if (count === 0) return reader.position
  let value = reader.low
  let least = 0
  out[at++] = value
  const block = (): void => void (least = reader.low)
  return readBlocks(reader, count, block, (width, from, wanted) => {
    if (width === 0) out.fill(0, at, at + wanted)
    else if (width <= 32) unpackInt32(bytes, from, bytes.length, width, wanted, out, at)
    else {
      // Some writers take differences as 64 bits; those above the lower 32 wrap away.
      const wide = new Int32Array(wanted * 2)
      unpackWide(bytes, from, width, wanted, wide)
      for (let i = 0; i < wanted; i++) out[at + i] = wide[2 * i]!
    }
    value = addUp(out, at, wanted, value, least)
    at += wanted
  })
}

function addUp(out: Int32Array, at: number, count: number, value: number, least: number): number {
  for (const end = at + count; at < end; at++) {
    value = (value + least + out[at]!) | 0
    out[at] = value
  }
  return value
}

/** The same for 64 bits: `words` holds two a value, the lower first; `at` counts values. */
export function readDeltaInt64(bytes: Uint8Array, start: number, count: number, words: Int32Array, at: number): number {
  const reader = new DeltaReader(bytes, start, count)
  if (count === 0) return reader.position
  const scratch = new Int32Array(Math.min(count, reader.valuesPerMiniblock) * 2)
  const last = { low: reader.low, high: reader.high }
  const least = { low: 0, high: 0 }
  words[at * 2] = last.low
  words[at * 2 + 1] = last.high
  at++
  const block = (): void => {
    least.low = reader.low
    least.high = reader.high
  }
  return readBlocks(reader, count, block, (width, from, wanted) => {
    if (width > 32) unpackWide(bytes, from, width, wanted, scratch)
    else if (width > 0) unpackInt32(bytes, from, bytes.length, width, wanted, scratch, 0)
    else scratch.fill(0, 0, wanted)
    if (width > 32) addUpWide(scratch, wanted, words, at, last, least)
    else addUpNarrow(scratch, wanted, words, at, last, least)
    at += wanted
  })
}

interface Halves {
  low: number
  high: number
}

function addUpNarrow(
  deltas: Int32Array,
  count: number,
  words: Int32Array,
  at: number,
  last: Halves,
  least: Halves,
): void {
  let { low, high } = last
  const leastLow = least.low >>> 0
  const leastHigh = least.high
  for (let i = 0, to = at * 2; i < count; i++, to += 2) {
    // Below 3 × 2^32, so exact; what is above 32 bits carries over.
    const sum = (low >>> 0) + leastLow + (deltas[i]! >>> 0)
    low = sum | 0
    high = (high + leastHigh + (sum >= 0x200000000 ? 2 : sum >= 0x100000000 ? 1 : 0)) | 0
    words[to] = low
    words[to + 1] = high
  }
  last.low = low
  last.high = high
}

function addUpWide(
  deltas: Int32Array,
  count: number,
  words: Int32Array,
  at: number,
  last: Halves,
  least: Halves,
): void {
  let { low, high } = last
  const leastLow = least.low >>> 0
  const leastHigh = least.high
  for (let i = 0, to = at * 2; i < count; i++, to += 2) {
    const sum = (low >>> 0) + leastLow + (deltas[2 * i]! >>> 0)
    low = sum | 0
    high = (high + leastHigh + deltas[2 * i + 1]! + (sum >= 0x200000000 ? 2 : sum >= 0x100000000 ? 1 : 0)) | 0
    words[to] = low
    words[to + 1] = high
  }
  last.low = low
  last.high = high
}

/** Widths 33 to 64, two words a value. */
function unpackWide(bytes: Uint8Array, start: number, width: number, count: number, out: Int32Array): void {
  const highMask = width === 64 ? -1 : (1 << (width - 32)) - 1
  for (let i = 0, bit = 0; i < count; i++, bit += width) {
    const from = start + Math.floor(bit / 8)
    const shift = bit % 8
    const [a, b] = [word(bytes, from), word(bytes, from + 4)]
    if (shift === 0) {
      out[2 * i] = a
      out[2 * i + 1] = b & highMask
    } else {
      out[2 * i] = (a >>> shift) | (b << (32 - shift))
      out[2 * i + 1] = ((b >>> shift) | ((bytes[from + 8] ?? 0) << (32 - shift))) & highMask
    }
  }
}

// Bytes beyond the last have no bit of a value.
function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
}

export function malformed(how: string): Error {
  return corrupt('PARQUET_DELTA', `A delta-encoded page ${how}.`)
}
