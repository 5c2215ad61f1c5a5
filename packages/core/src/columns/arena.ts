import { exhausted } from '../model/errors.ts'

/**
 * One growing run of bytes. Columns keep strings as positions in it, so a value is copied at most once on its way from
 * a record batch to a page. Positions stay valid when it grows; `bytes` does not, so read it anew after each append.
 */
export class Arena {
  bytes: Uint8Array
  length = 0
  readonly #maxBytes: number

  constructor(initialBytes: number = 64 * 1024, maxBytes: number = 0x7fffffff) {
    this.bytes = new Uint8Array(initialBytes)
    this.#maxBytes = maxBytes
  }

  /** Copies `source` to the end and returns where it begins. @throws `exhausted` above the limit of the constructor. */
  append(source: Uint8Array): number {
    const start = this.reserve(source.length)
    this.bytes.set(source, start)
    return start
  }

  /** Makes room for `size` bytes at the end, counts them as used, and returns where they begin. */
  reserve(size: number): number {
    const start = this.length
    const end = start + size
    if (end > this.#maxBytes)
      throw exhausted('ARENA_FULL', `An arena of ${end} bytes is above its limit of ${this.#maxBytes}.`)
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.min(this.#maxBytes, Math.max(end, this.bytes.length * 2)))
      grown.set(this.bytes.subarray(0, start))
      this.bytes = grown
    }
    this.length = end
    return start
  }

  /** Forgets the content, keeps the memory. */
  clear(): void {
    this.length = 0
  }
}
