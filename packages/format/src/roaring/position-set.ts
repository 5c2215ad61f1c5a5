import { CHUNK_ROWS, chunkKinds } from './chunk-kinds.ts'
import type { ChunkKind, EachRun } from './chunk-kinds.ts'

/** Where a chunk's words begin among those of all, and what its numbers are counted from. */
interface PlacedChunk {
  readonly number: number
  readonly kind: ChunkKind
  readonly start: number
}

/** Positions of 65 536 neighbours, in the form that they are kept in; `number` is that of the first place, divided by 65 536. */
export interface Chunk {
  readonly number: number
  readonly kind: ChunkKind
  readonly words: Uint16Array
}

/** The chunks of a set on its way, by rising number: the position of a chunk's first place, divided by 65 536. */
export class ChunkList {
  readonly #chunks: PlacedChunk[] = []
  #words: Uint16Array
  #length = 0

  /** @param words How many there will be at most, as far as is known. */
  constructor(words: number) {
    this.#words = new Uint16Array(words)
  }

  push(number: number, kind: ChunkKind, words: Uint16Array): void {
    if (this.#length + words.length > this.#words.length) {
      const more = new Uint16Array(Math.max(this.#length * 2, this.#length + words.length))
      more.set(this.#words.subarray(0, this.#length))
      this.#words = more
    }
    this.#chunks.push({ number, kind, start: this.#length })
    this.#words.set(words, this.#length)
    this.#length += words.length
  }

  finish(): PositionSet {
    const { length } = this.#words
    return new PositionSet(this.#chunks, this.#length === length ? this.#words : this.#words.slice(0, this.#length))
  }
}

const kinds: readonly ChunkKind[] = Object.values(chunkKinds)

/**
 * Positions from 0 on below 2^53, each once, in chunks of 65 536, each in the form that it has in a roaring bitmap: never more memory than a
 * bit a position, and 21 bytes a chunk.
 */
export class PositionSet {
  readonly size: number
  readonly #words: Uint16Array
  // By chunk: its number, its kind, where its words begin, and how many positions come before it.
  readonly #numbers: Float64Array
  readonly #kinds: Uint8Array
  readonly #starts: Uint32Array
  readonly #before: Float64Array

  constructor(chunks: readonly PlacedChunk[], words: Uint16Array) {
    this.#words = words
    this.#numbers = Float64Array.from(chunks, ({ number }) => number)
    this.#kinds = Uint8Array.from(chunks, ({ kind }) => kinds.indexOf(kind))
    this.#starts = Uint32Array.from([...chunks.map(({ start }) => start), words.length])
    this.#before = new Float64Array(chunks.length + 1)
    for (const at of chunks.keys()) this.#before[at + 1] = this.#before[at]! + this.#countIn(at, CHUNK_ROWS)
    this.size = this.#before[chunks.length]!
  }

  /** Of memory, about. */
  get sizeBytes(): number {
    return 512 + this.#words.byteLength + this.#numbers.length * 21
  }

  /** How many are in `[start, end)`. */
  countIn(start: number, end: number): number {
    return this.#countBelow(end) - this.#countBelow(start)
  }

  /** Calls with runs `[from, to)` that together are the positions in `[start, end)`, rising; runs may touch. */
  runsIn(start: number, end: number, each: EachRun): void {
    for (let at = this.#chunkFrom(Math.floor(start / CHUNK_ROWS)); at < this.#numbers.length; at++) {
      const first = this.#numbers[at]! * CHUNK_ROWS
      if (first >= end) return
      const [from, to] = [Math.max(0, start - first), Math.min(CHUNK_ROWS, end - first)]
      this.#kindOf(at).runsIn(this.#wordsOf(at), from, to, (low, high) => each(first + low, first + high))
    }
  }

  /** As they are kept, by rising number: their words are not to be changed. */
  chunks(): readonly Chunk[] {
    return Array.from(this.#numbers, (number, at) => ({ number, kind: this.#kindOf(at), words: this.#wordsOf(at) }))
  }

  #countBelow(end: number): number {
    const at = this.#chunkFrom(Math.floor(end / CHUNK_ROWS))
    const before = this.#before[at]!
    const rest = at === this.#numbers.length ? 0 : end - this.#numbers[at]! * CHUNK_ROWS
    return rest <= 0 ? before : before + this.#countIn(at, rest)
  }

  /** The first chunk whose number is not smaller. */
  #chunkFrom(number: number): number {
    let low = 0
    let high = this.#numbers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#numbers[middle]! < number) low = middle + 1
      else high = middle
    }
    return low
  }

  #countIn(at: number, end: number): number {
    return this.#kindOf(at).countBelow(this.#wordsOf(at), end)
  }

  #kindOf(at: number): ChunkKind {
    return kinds[this.#kinds[at]!]!
  }

  #wordsOf(at: number): Uint16Array {
    return this.#words.subarray(this.#starts[at]!, this.#starts[at + 1]!)
  }
}
