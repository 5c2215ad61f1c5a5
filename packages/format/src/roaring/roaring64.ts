import { corrupt } from '@moulin/core'
import { BIT_WORDS, CHUNK_ROWS, chunkKinds, MAX_LISTED } from './chunk-kinds.ts'
import { ChunkList } from './position-set.ts'
import type { PositionSet } from './position-set.ts'

/** What the first 32 bits of a bitmap say: containers may be runs, or none is. */
const COOKIE_RUNS = 12_347
const COOKIE = 12_346
/** Fewer containers than these, where some may be runs, come without a table of where they lie. */
const OFFSETS_FROM = 4
/** Upper halves of positions below 2^53. */
const MAX_HIGH = 2 ** 21

/**
 * Reads a 64-bit roaring bitmap in the portable format. It takes no more memory than the bytes, and some 60 for each container.
 * @throws `corrupt` code `ROARING` for anything else, for what does not rise, counts that do not agree, and positions from 2^53 on.
 *
 * Spec: RoaringFormatSpec, "Extension for 64-bit Implementations".
 */
export function readRoaring64(bytes: Uint8Array, what: string): PositionSet {
  const reader = new Reader(bytes, what)
  const count = reader.uint64()
  // Whatever a container holds, it is in words of 16 bits.
  const chunks = new ChunkList(bytes.length >> 1)
  let last = -1
  for (let at = 0; at < count; at++) {
    const high = reader.uint32()
    if (high <= last) throw reader.fail(`bitmap ${at} has the upper half ${high} after ${last}`)
    if (high >= MAX_HIGH) throw reader.fail(`bitmap ${at} begins at position ${BigInt(high) << 32n}, beyond any row`)
    last = high
    readRoaring32(reader, high * CHUNK_ROWS, chunks)
  }
  if (reader.left > 0) throw reader.fail(`${reader.left} bytes are left behind its ${count} bitmaps`)
  return chunks.finish()
}

function readRoaring32(reader: Reader, firstNumber: number, chunks: ChunkList): void {
  const cookie = reader.uint32()
  const mayRun = (cookie & 0xffff) === COOKIE_RUNS
  if (!mayRun && cookie !== COOKIE) throw reader.fail(`a bitmap begins with ${cookie}`)
  const count = mayRun ? (cookie >>> 16) + 1 : reader.uint32()
  if (count > CHUNK_ROWS) throw reader.fail(`a bitmap states ${count} containers`)
  const runFlags = mayRun ? reader.take((count + 7) >> 3) : undefined
  const headers = reader.uint16s(count * 2)
  // Containers lie one behind the other: where is known without the table.
  if (!mayRun || count >= OFFSETS_FROM) reader.take(count * 4)
  let last = -1
  for (let at = 0; at < count; at++) {
    const number = headers[at * 2]!
    const size = headers[at * 2 + 1]! + 1
    if (number <= last) throw reader.fail(`container ${number} comes after ${last}`)
    last = number
    const isRuns = runFlags !== undefined && (runFlags[at >> 3]! & (1 << (at & 7))) !== 0
    const kind = isRuns ? chunkKinds.runs : size > MAX_LISTED ? chunkKinds.bits : chunkKinds.listed
    const words = isRuns ? readRuns(reader) : size > MAX_LISTED ? reader.uint16s(BIT_WORDS) : readList(reader, size)
    const found = kind.countBelow(words, CHUNK_ROWS)
    if (found !== size) throw reader.fail(`container ${number} has ${found} positions; it states ${size}`)
    chunks.push(firstNumber + number, kind, words)
  }
}

function readList(reader: Reader, size: number): Uint16Array {
  const values = reader.uint16s(size)
  for (let at = 1; at < size; at++) if (values[at]! <= values[at - 1]!) throw reader.fail('a list does not rise')
  return values
}

function readRuns(reader: Reader): Uint16Array {
  const [count] = reader.uint16s(1)
  const runs = reader.uint16s(count! * 2)
  let end = 0
  for (let at = 0; at < runs.length; at += 2) {
    if (runs[at]! < end) throw reader.fail('runs overlap')
    end = runs[at]! + runs[at + 1]! + 1
    if (end > CHUNK_ROWS) throw reader.fail('a run goes beyond its container')
  }
  return runs
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #what: string
  #at = 0

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#what = what
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  uint32(): number {
    return this.#view.getUint32(this.#skip(4), true)
  }

  /** Rounded where it is above 2^53, and then more than there can be. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#skip(8), true))
  }

  take(length: number): Uint8Array {
    const at = this.#skip(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** A copy: they may lie at any byte. */
  uint16s(count: number): Uint16Array {
    return new Uint16Array(new Uint8Array(this.take(count * 2)).buffer)
  }

  fail(how: string): Error {
    const context = { at: this.#at, sizeBytes: this.#bytes.length }
    return corrupt('ROARING', `${this.#what} is no roaring bitmap: ${how}.`, { context })
  }

  #skip(length: number): number {
    if (length > this.left) throw this.fail(`it ends ${length - this.left} bytes early`)
    const at = this.#at
    this.#at += length
    return at
  }
}
