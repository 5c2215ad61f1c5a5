const KiB = 1024
/** Smaller memory is as cheap to make as to keep. */
const LEAST_BYTES = 64 * KiB

/**
 * Memory that was used before: pages that the system must first provide cost several times what copying into them does
 * (js-measured §5e). Buffers have a power of two of bytes; the kept ones are bounded by their sum.
 */
export class BufferPool {
  readonly #maxBytes: number
  readonly #kept = new Map<number, ArrayBuffer[]>()
  #keptBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  /** `bytes` bytes at the beginning of a buffer of its own; they hold anything. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    if (bytes < LEAST_BYTES) return new Uint8Array(bytes)
    const size = sizeFor(bytes)
    const kept = this.#kept.get(size)?.pop()
    if (kept === undefined) return new Uint8Array(new ArrayBuffer(size), 0, bytes)
    this.#keptBytes -= size
    return new Uint8Array(kept, 0, bytes)
  }

  /** Nothing may look into the buffer any more. One that did not come from {@link take} is dropped. */
  give(buffer: ArrayBuffer): void {
    const size = buffer.byteLength
    if (size < LEAST_BYTES || size !== sizeFor(size) || this.#keptBytes + size > this.#maxBytes) return
    const kept = this.#kept.get(size)
    if (kept === undefined) this.#kept.set(size, [buffer])
    else kept.push(buffer)
    this.#keptBytes += size
  }

  clear(): void {
    this.#kept.clear()
    this.#keptBytes = 0
  }
}

function sizeFor(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes))
}
