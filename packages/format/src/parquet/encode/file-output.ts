import { allocate } from './page-buffer.ts'
import type { ByteTarget } from './page-writer.ts'

const blockBytes = 1 << 20
const firstBlockBytes = 1 << 16
const maxFreeBlocks = 128
const free: Uint8Array[] = []
/** As many blocks as files have lately needed are kept. */
let wanted = 0

/**
 * The bytes of a file. With a sink they go through one buffer; without, they are gathered in blocks that files hand on to
 * each other: touching fresh memory costs several times the copy (js-measured §5).
 */
export class FileOutput implements ByteTarget {
  /** Bytes so far. */
  length = 0
  readonly #sink: ((bytes: Uint8Array) => void) | undefined
  readonly #blocks: Uint8Array[] = []
  #block: Uint8Array = none
  #used = 0

  constructor(sink: ((bytes: Uint8Array) => void) | undefined) {
    this.#sink = sink
  }

  append(bytes: Uint8Array): void {
    this.length += bytes.length
    let from = 0
    while (from < bytes.length) {
      if (this.#used === this.#block.length) this.#nextBlock()
      const size = Math.min(bytes.length - from, this.#block.length - this.#used)
      this.#block.set(size === bytes.length ? bytes : bytes.subarray(from, from + size), this.#used)
      this.#used += size
      from += size
    }
  }

  /** Hands what is buffered to the sink. */
  flush(): void {
    if (this.#sink === undefined || this.#used === 0) return
    this.#sink(this.#block.subarray(0, this.#used))
    this.#used = 0
  }

  /** Ends the file: all its bytes, unless a sink has them. */
  finish(): Uint8Array {
    this.flush()
    const bytes = this.#sink === undefined ? allocate(this.length) : none
    wanted = Math.min(maxFreeBlocks, Math.max(this.#blocks.length, wanted * 0.9))
    let at = 0
    for (const block of this.#blocks) {
      if (this.#sink === undefined) bytes.set(block.subarray(0, Math.min(block.length, this.length - at)), at)
      at += block.length
      if (block.length === blockBytes && free.length < wanted) free.push(block)
    }
    free.length = Math.min(free.length, Math.ceil(wanted))
    this.#blocks.length = 0
    this.#block = none
    return bytes
  }

  #nextBlock(): void {
    if (this.#sink !== undefined && this.#block !== none) return this.flush()
    const isFirst = this.#blocks.length === 0 && this.#sink === undefined
    this.#block = isFirst ? allocate(firstBlockBytes) : (free.pop() ?? allocate(blockBytes))
    this.#blocks.push(this.#block)
    this.#used = 0
  }
}

const none = new Uint8Array(0)
