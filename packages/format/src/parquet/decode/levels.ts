import { corrupt } from '@moulin/core'
import type { PageHeader } from './page-header.ts'
import type { PageBytes } from './page-bytes.ts'
import { readRunsUint8, RunReader } from './rle-decoder.ts'

/** Bits that hold the levels 0 to `max`. */
export function levelWidth(max: number): number {
  return 32 - Math.clz32(max)
}

/** Where the levels of one kind lie. */
export interface LevelSpan {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** The deprecated encoding: packed from the most significant bit, without runs. */
  readonly isBitPacked: boolean
}

/** The parts of a data page. */
export interface PageParts {
  /** Undefined where the column has no such levels. */
  readonly repetition: LevelSpan | undefined
  readonly definition: LevelSpan | undefined
  /** Where the values begin in {@link PageBytes.values}. */
  readonly valuesStart: number
}

/** Finds them. @throws `corrupt` when the levels do not fit; `unsupported` for an encoding of levels that is none. */
export function pageParts(
  header: PageHeader,
  page: PageBytes,
  maxRepetition: number,
  maxDefinition: number,
): PageParts {
  if (page.repetition !== undefined && page.definition !== undefined) {
    const span = (bytes: Uint8Array): LevelSpan => ({ bytes, start: 0, end: bytes.length, isBitPacked: false })
    return {
      repetition: maxRepetition === 0 ? undefined : span(page.repetition),
      definition: maxDefinition === 0 ? undefined : span(page.definition),
      valuesStart: 0,
    }
  }
  const bytes = page.values
  let at = 0
  const next = (max: number, encoding: string): LevelSpan | undefined => {
    if (max === 0) return undefined
    const isBitPacked = encoding === 'BIT_PACKED'
    if (!isBitPacked && encoding !== 'RLE') throw corrupt('PARQUET_LEVELS', `Its levels are in ${encoding}.`)
    let size = Math.ceil((header.values * levelWidth(max)) / 8)
    if (!isBitPacked) {
      if (at + 4 > bytes.length) throw beyondPage()
      size = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
      at += 4
    }
    if (size > bytes.length - at) throw beyondPage()
    const start = at
    at += size
    return { bytes, start, end: at, isBitPacked }
  }
  const repetition = next(maxRepetition, header.repetitionEncoding)
  const definition = next(maxDefinition, header.definitionEncoding)
  return { repetition, definition, valuesStart: at }
}

function beyondPage(): Error {
  return corrupt('PARQUET_LEVELS', 'Its levels reach beyond their page.')
}

/** Reads `count` levels of 0 to `max` into `out` from `at` on. @throws `corrupt` for a higher one. */
export function readLevels(span: LevelSpan, max: number, count: number, out: Uint8Array, at: number): void {
  const { bytes, start, end } = span
  const width = levelWidth(max)
  if (span.isBitPacked) unpackBigEndian(bytes, start, width, count, out, at)
  else readRunsUint8(bytes, start, end, width, count, out, at)
  // Only where the width holds more than the levels.
  if (max === (1 << width) - 1) return
  for (let i = at; i < at + count; i++) if (out[i]! > max) throw tooHigh(max)
}

function tooHigh(max: number): Error {
  return corrupt('PARQUET_LEVELS', `It has a level above ${max}.`)
}

function unpackBigEndian(
  bytes: Uint8Array,
  start: number,
  width: number,
  count: number,
  out: Uint8Array,
  at: number,
): void {
  const mask = (1 << width) - 1
  for (let i = 0, bit = 0; i < count; i++, bit += width) {
    const from = start + (bit >> 3)
    const word = (bytes[from]! << 8) | (bytes[from + 1] ?? 0)
    out[at + i] = (word >> (16 - (bit & 7) - width)) & mask
  }
}

/** The validity of a flat column, from definition levels of 0 and 1, page after page. */
export class ValidityBits {
  /** Undefined as long as there is no null. */
  bits: Uint8Array | undefined
  /** Slots so far. */
  length = 0
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** `count` slots with a value, or without one. */
  appendRun(isValid: boolean, count: number): void {
    if (!isValid) this.#materialised()
    const { bits, length } = this
    this.length += count
    if (bits === undefined || !isValid || count === 0) return
    fillOnes(bits, length, count)
  }

  /** @returns how many of the next `count` slots have a value. @throws `corrupt`. */
  append(span: LevelSpan | undefined, count: number): number {
    if (span === undefined) {
      this.appendRun(true, count)
      return count
    }
    const { bytes, start, end } = span
    if (span.isBitPacked) return this.#appendBigEndian(span, count)
    const runs = new RunReader(bytes, start, end, 1)
    let valid = 0
    for (let left = count; left > 0; left -= runs.count) {
      runs.next(left)
      if (runs.isPacked) valid += this.#appendPacked(bytes, runs.start, runs.count)
      else {
        if (runs.value > 1) throw tooHigh(1)
        this.appendRun(runs.value === 1, runs.count)
        valid += runs.value === 1 ? runs.count : 0
      }
    }
    return valid
  }

  #materialised(): Uint8Array {
    if (this.bits !== undefined) return this.bits
    // A byte more, so that shifted bytes may reach over the last one.
    this.bits = new Uint8Array(((this.#capacity + 7) >> 3) + 1)
    fillOnes(this.bits, 0, this.length)
    return this.bits
  }

  #appendPacked(bytes: Uint8Array, start: number, count: number): number {
    const whole = count >> 3
    const rest = count & 7
    let valid = 0
    for (let i = 0; i < whole; i++) valid += ones[bytes[start + i]!]!
    const lastByte = rest === 0 ? 0 : bytes[start + whole]! & ((1 << rest) - 1)
    valid += ones[lastByte]!
    if (valid === count && this.bits === undefined) {
      this.length += count
      return valid
    }
    const bits = this.#materialised()
    const shift = this.length & 7
    let at = this.length >> 3
    if (shift === 0) {
      for (let i = 0; i < whole; i++) bits[at++] = bytes[start + i]!
      if (rest !== 0) bits[at] = lastByte
    } else {
      for (let i = 0; i < whole; i++) {
        const byte = bytes[start + i]!
        bits[at]! |= byte << shift
        bits[++at] = byte >> (8 - shift)
      }
      if (rest !== 0) {
        bits[at]! |= lastByte << shift
        bits[at + 1] = lastByte >> (8 - shift)
      }
    }
    this.length += count
    return valid
  }

  #appendBigEndian({ bytes, start }: LevelSpan, count: number): number {
    let valid = 0
    for (let i = 0; i < count; i++) {
      const bit = (bytes[start + (i >> 3)]! >> (7 - (i & 7))) & 1
      valid += bit
      this.appendRun(bit === 1, 1)
    }
    return valid
  }
}

const ones = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0
  for (let rest = byte; rest > 0; rest &= rest - 1) count++
  return count
})

/** Sets bits that are all 0. */
export function fillOnes(bits: Uint8Array, start: number, count: number): void {
  let at = start
  const end = start + count
  for (; at < end && (at & 7) !== 0; at++) bits[at >> 3]! |= 1 << (at & 7)
  const whole = (end - at) >> 3
  bits.fill(0xff, at >> 3, (at >> 3) + whole)
  for (at += whole * 8; at < end; at++) bits[at >> 3]! |= 1 << (at & 7)
}

/** How many of the bits `[start, end)` are set. */
export function countOnes(bits: Uint8Array, start: number, end: number): number {
  let count = 0
  let at = start
  for (; at < end && (at & 7) !== 0; at++) count += (bits[at >> 3]! >> (at & 7)) & 1
  for (; at + 8 <= end; at += 8) count += ones[bits[at >> 3]!]!
  for (; at < end; at++) count += (bits[at >> 3]! >> (at & 7)) & 1
  return count
}

/** The bits `[start, end)` as bits from 0 on; what follows them is 0. */
export function sliceBits(bits: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start
  const out = new Uint8Array((length + 7) >> 3)
  const shift = start & 7
  const from = start >> 3
  for (let i = 0; i < out.length; i++) {
    out[i] = shift === 0 ? bits[from + i]! : (bits[from + i]! >> shift) | ((bits[from + i + 1] ?? 0) << (8 - shift))
  }
  if ((length & 7) !== 0) out[out.length - 1]! &= (1 << (length & 7)) - 1
  return out
}

/** How many of the levels `[start, end)` are this one. */
export function countOf(levels: Uint8Array, start: number, end: number, level: number): number {
  let count = 0
  for (let i = start; i < end; i++) if (levels[i] === level) count++
  return count
}
