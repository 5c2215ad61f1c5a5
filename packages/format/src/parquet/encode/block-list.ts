import { allocate } from './page-buffer.ts'
import type { ByteTarget } from './page-writer.ts'

/** Little, since every leaf of every open file has one that is hardly filled, which no limit counts. */
const BLOCK_BYTES = 8 * 1024
/** 16 MiB at most are kept for the next ones. */
const MAX_FREE_BLOCKS = 2048
const free: Uint8Array[] = []

/**
 * Bytes that wait for their place in a file, in blocks that lists hand on to each other: fresh memory costs several times the copy, and
 * what is left of it has the garbage collector walk through all that a thread has (decision 0056).
 */
export class BlockList implements ByteTarget {
  #blocks: Uint8Array[] = []
  #length = 0

  append(bytes: Uint8Array): void {
    let from = 0
    while (from < bytes.length) {
      const used = this.#length % BLOCK_BYTES
      if (used === 0) this.#blocks.push(free.pop() ?? allocate(BLOCK_BYTES))
      const size = Math.min(bytes.length - from, BLOCK_BYTES - used)
      this.#blocks.at(-1)!.set(bytes.subarray(from, from + size), used)
      this.#length += size
      from += size
    }
  }

  copyTo(target: ByteTarget): void {
    let left = this.#length
    for (const block of this.#blocks) {
      target.append(block.subarray(0, Math.min(left, BLOCK_BYTES)))
      left -= BLOCK_BYTES
    }
  }

  /** Begins anew. */
  clear(): void {
    for (const block of this.#blocks) if (free.length < MAX_FREE_BLOCKS) free.push(block)
    this.#blocks = []
    this.#length = 0
  }
}
