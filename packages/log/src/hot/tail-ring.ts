import type { HotPartition } from './hot-partition.ts'

/** What keeping one takes beside its bytes: without it, millions of small ones would take many times what was asked for. */
const ENTRY_BYTES = 256
/** So many that are gone, and half of all, before what is left moves to the front. */
const MIN_GONE = 1024

/** Keeps the newest batches of all partitions in memory, up to a number of bytes. */
export class TailRing {
  readonly #maxBytes: number
  readonly #kept = new Map<HotPartition, Queue<Kept>>()
  /** Whose the oldest are: one entry for each that is kept. */
  readonly #order = new Queue<HotPartition>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Of what is kept, with what keeping it takes. */
  get bytes(): number {
    return this.#bytes
  }

  /** The batches of the section that ends there, while they are kept: read them, change nothing. */
  get(partition: HotPartition, lastOffset: bigint): Uint8Array | undefined {
    const kept = this.#kept.get(partition)
    if (kept === undefined) return undefined
    let [low, high] = [0, kept.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (kept.at(middle).lastOffset < lastOffset) low = middle + 1
      else high = middle
    }
    if (low === kept.length) return undefined
    const found = kept.at(low)
    if (found.lastOffset !== lastOffset) return undefined
    return new Uint8Array(found.buffer, found.byteOffset, found.length)
  }

  /** The sections of a partition come in the order of their offsets. */
  add(partition: HotPartition, lastOffset: bigint, batches: Uint8Array): void {
    const bytes = bytesOf(batches)
    if (bytes > this.#maxBytes) return
    let kept = this.#kept.get(partition)
    if (kept === undefined) this.#kept.set(partition, (kept = new Queue<Kept>()))
    const { buffer, byteOffset, length } = batches
    kept.push({ lastOffset, buffer, byteOffset, length })
    this.#order.push(partition)
    this.#bytes += bytes
    while (this.#bytes > this.#maxBytes) this.#evict()
  }

  #evict(): void {
    const partition = this.#order.shift()
    const kept = this.#kept.get(partition)!
    this.#bytes -= bytesOf(kept.shift())
    if (kept.length === 0) this.#kept.delete(partition)
  }
}

/** Not the view that was given: millions of them would outlive their appends, and be moved from one generation to the next. */
interface Kept {
  readonly lastOffset: bigint
  readonly buffer: ArrayBufferLike
  readonly byteOffset: number
  readonly length: number
}

const bytesOf = ({ length }: { readonly length: number }): number => length + ENTRY_BYTES

/** First in, first out. */
class Queue<T> {
  #items: (T | undefined)[] = []
  #first = 0

  get length(): number {
    return this.#items.length - this.#first
  }

  at(index: number): T {
    return this.#items[this.#first + index]!
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T {
    const item = this.#items[this.#first]!
    this.#items[this.#first++] = undefined
    if (this.#first >= MIN_GONE && this.#first * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return item
  }
}
