import { BIT_WORDS, CHUNK_ROWS, chunkKinds, MAX_LISTED } from './chunk-kinds.ts'
import { ChunkList } from './position-set.ts'
import type { PositionSet } from './position-set.ts'

/** Makes a {@link PositionSet} of positions in any order; one that comes twice is one. */
export class PositionSetBuilder {
  readonly #open = new Map<number, OpenChunk>()
  #number = -1
  #chunk = new OpenChunk()
  #sizeBytes = 0

  /** Of memory, about, that it takes so far. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** @param position A whole number from 0 on, below 2^53. */
  add(position: number): void {
    const number = Math.floor(position / CHUNK_ROWS)
    if (number !== this.#number) this.#turnTo(number)
    this.#sizeBytes += this.#chunk.add(position - number * CHUNK_ROWS)
  }

  finish(): PositionSet {
    const chunks = new ChunkList(0)
    for (const number of [...this.#open.keys()].sort((a, b) => a - b)) this.#open.get(number)!.pushTo(chunks, number)
    return chunks.finish()
  }

  #turnTo(number: number): void {
    let chunk = this.#open.get(number)
    if (chunk === undefined) {
      this.#open.set(number, (chunk = new OpenChunk()))
      this.#sizeBytes += OPEN_BYTES
    }
    this.#number = number
    this.#chunk = chunk
  }
}

/** What an open chunk takes beside its numbers, with its place in the map. */
const OPEN_BYTES = 350

/** A list until bits take less. */
class OpenChunk {
  #values = new Uint16Array(4)
  #length = 0
  #isRising = true
  #isBits = false

  /** @returns the bytes that it grew by. */
  add(value: number): number {
    if (this.#isBits) {
      this.#values[value >> 4]! |= 1 << (value & 15)
      return 0
    }
    const grown = this.#length === this.#values.length ? this.#makeRoom() : 0
    if (this.#isBits) return grown + this.add(value)
    if (this.#length > 0 && value <= this.#values[this.#length - 1]!) this.#isRising = false
    this.#values[this.#length++] = value
    return grown
  }

  pushTo(chunks: ChunkList, number: number): void {
    if (this.#isBits) this.#makeList()
    if (this.#isBits) return chunks.push(number, chunkKinds.bits, this.#values)
    this.#settle()
    chunks.push(number, chunkKinds.listed, this.#values.subarray(0, this.#length))
  }

  /** @returns the bytes that this took. */
  #makeRoom(): number {
    this.#settle()
    const { length } = this.#values
    // Of a list that is nearly full of others, each that comes twice would have it sorted again.
    if (this.#length <= length / 2) return 0
    this.#isBits = length === MAX_LISTED
    const values = new Uint16Array(this.#isBits ? BIT_WORDS : length * 2)
    const present = this.#values.subarray(0, this.#length)
    if (this.#isBits) for (const value of present) values[value >> 4]! |= 1 << (value & 15)
    else values.set(present)
    this.#values = values
    return (values.length - length) * 2
  }

  /** Where that takes no more than the bits do. */
  #makeList(): void {
    const { bits } = chunkKinds
    if (bits.countBelow(this.#values, CHUNK_ROWS) > MAX_LISTED) return
    const values: number[] = []
    bits.runsIn(this.#values, 0, CHUNK_ROWS, (from, to) => {
      for (let value = from; value < to; value++) values.push(value)
    })
    this.#isBits = false
    this.#isRising = true
    this.#values = Uint16Array.from(values)
    this.#length = values.length
  }

  /** Rising, each once. */
  #settle(): void {
    if (this.#isRising) return
    const sorted = this.#values.subarray(0, this.#length).sort()
    let length = 1
    for (const value of sorted) if (value !== sorted[length - 1]) sorted[length++] = value
    this.#length = length
    this.#isRising = true
  }
}
