import type { HotPartition } from './hot-partition.ts'

/** What keeping one takes beside its bytes: without it, millions of small ones would take many times what was asked for. */
const ENTRY_BYTES = 256

interface Entry {
  readonly partition: HotPartition
  readonly lastOffset: bigint
  readonly bytes: number
}

/** Keeps the newest batches of all partitions in memory, up to a number of bytes. */
export class TailRing {
  readonly #maxBytes: number
  /** By the last offset of their section. */
  readonly #batches = new Map<HotPartition, Map<bigint, Uint8Array>>()
  #entries: Entry[] = []
  #first = 0
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
    return this.#batches.get(partition)?.get(lastOffset)
  }

  add(partition: HotPartition, lastOffset: bigint, batches: Uint8Array): void {
    const bytes = batches.length + ENTRY_BYTES
    if (bytes > this.#maxBytes) return
    let kept = this.#batches.get(partition)
    if (kept === undefined) this.#batches.set(partition, (kept = new Map<bigint, Uint8Array>()))
    kept.set(lastOffset, batches)
    this.#entries.push({ partition, lastOffset, bytes })
    this.#bytes += bytes
    while (this.#bytes > this.#maxBytes) this.#evict()
  }

  #evict(): void {
    const { partition, lastOffset, bytes } = this.#entries[this.#first++]!
    this.#bytes -= bytes
    const kept = this.#batches.get(partition)
    kept?.delete(lastOffset)
    if (kept?.size === 0) this.#batches.delete(partition)
    if (this.#first < 1024 || this.#first * 2 < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#first)
    this.#first = 0
  }
}
