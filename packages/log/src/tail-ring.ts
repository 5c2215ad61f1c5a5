import type { HotSection } from './hot-partition.ts'

/** Keeps the newest batches of all partitions in memory, up to a number of bytes. */
export class TailRing {
  readonly #maxBytes: number
  #sections: HotSection[] = []
  #first = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(section: HotSection, batches: Uint8Array): void {
    if (batches.length > this.#maxBytes) return
    section.batches = batches
    this.#sections.push(section)
    this.#bytes += batches.length
    while (this.#bytes > this.#maxBytes) this.#evict()
  }

  #evict(): void {
    const section = this.#sections[this.#first++]!
    this.#bytes -= section.batchesBytes
    section.batches = undefined
    if (this.#first < 1024 || this.#first * 2 < this.#sections.length) return
    this.#sections = this.#sections.slice(this.#first)
    this.#first = 0
  }
}
