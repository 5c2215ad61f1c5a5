import { exhausted } from '@moulin/core'

/** Positions in it are 32-bit. */
const maxBytes = 0x7fffffff

/** The bytes that the strings of one column chunk lie in. It grows: a position stays, the memory may not. */
export class ByteArena {
  #data: Uint8Array = new Uint8Array(0)
  #length = 0
  readonly #expected: number

  /** `expected` bytes will probably come; not so many that it would hurt to make them at once. */
  constructor(expected: number) {
    this.#expected = Math.min(expected, maxBytes)
  }

  /** What is in it so far. */
  get data(): Uint8Array {
    return this.#data.subarray(0, this.#length)
  }

  get length(): number {
    return this.#length
  }

  /** @returns where they begin. Bytes that nobody else holds (`isOwned`) are taken as they are where that will do. */
  append(bytes: Uint8Array, isOwned: boolean): number {
    const start = this.#length
    const { buffer, byteOffset, length } = bytes
    // Not those of a pool, and none that keep much more alive.
    const isAlone = isOwned && length >= 4096 && buffer.byteLength <= length * 2
    if (start === 0 && isAlone && length >= this.#expected) {
      this.#data = new Uint8Array(buffer, byteOffset, length)
      this.#length = length
      return 0
    }
    this.grow(length)
    this.#data.set(bytes, start)
    return start
  }

  /** Makes room for `count` bytes more, which the caller fills in {@link data}. @throws `exhausted` above 2 GiB. */
  grow(count: number): void {
    const needed = this.#length + count
    if (needed > maxBytes) throw exhausted('PARQUET_LIMIT', 'Its values have more than 2 GiB.')
    if (needed > this.#data.length) {
      const size = Math.max(needed, Math.min(this.#data.length * 2, maxBytes), this.#expected)
      const data = new Uint8Array(size)
      data.set(this.data)
      this.#data = data
    }
    this.#length = needed
  }
}
