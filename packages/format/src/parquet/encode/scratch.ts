import { PageBuffer } from './page-buffer.ts'

/** Short-lived typed arrays out of one block: taken one after the other, given back all at once. Their content is old. */
export class ScratchMemory {
  #block = new ArrayBuffer(64 * 1024)
  #used = 0
  #wanted = 0

  get sizeBytes(): number {
    return this.#block.byteLength
  }

  ints(count: number): Int32Array {
    const at = this.#take(count * 4)
    return new Int32Array(this.#block, at, count)
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count)
    return new Uint8Array(this.#block, at, count)
  }

  /** Everything taken is free again; the block is made as large as was wanted together. */
  clear(): void {
    if (this.#wanted > this.#block.byteLength && this.#wanted <= maxKept)
      this.#block = new ArrayBuffer(this.#wanted * 2)
    this.#used = 0
    this.#wanted = 0
  }

  #take(size: number): number {
    const rounded = (size + 7) & ~7
    this.#wanted += rounded
    // The arrays given out keep the old block alive as long as they need it.
    if (this.#used + rounded > this.#block.byteLength) {
      this.#block = new ArrayBuffer(Math.max(rounded, this.#block.byteLength))
      this.#used = 0
    }
    const at = this.#used
    this.#used += rounded
    return at
  }
}

const maxKept = 32 * 1024 * 1024

/** What one call of a writer works in. Calls are synchronous, so few are ever needed. */
export class EncodeScratch {
  readonly memory: ScratchMemory = new ScratchMemory()
  readonly page: PageBuffer = new PageBuffer(96 * 1024)
  readonly helper: PageBuffer = new PageBuffer()
  #indexes = new Int32Array(0)

  get sizeBytes(): number {
    return this.memory.sizeBytes + this.page.bytes.length + this.#indexes.byteLength
  }

  /** Room for a dictionary index a value. */
  indexes(count: number): Int32Array {
    if (this.#indexes.length < count) this.#indexes = new Int32Array(Math.max(count, 1024))
    return this.#indexes
  }
}

const free: EncodeScratch[] = []

/** Runs `work` with scratch memory that no other call has meanwhile: a sink may itself write another file. */
export function withScratch<T>(work: (scratch: EncodeScratch) => T): T {
  const scratch = free.pop() ?? new EncodeScratch()
  try {
    return work(scratch)
  } finally {
    scratch.memory.clear()
    // One very large value must not be paid for ever after.
    if (free.length < 2 && scratch.sizeBytes <= maxKept) free.push(scratch)
  }
}
