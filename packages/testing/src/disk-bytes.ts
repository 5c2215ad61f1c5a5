/** Bytes that grow, with room to spare so that appending stays cheap. Reading past the end gives less. */
export class DiskBytes {
  size = 0
  #room = new Uint8Array(0)

  read(position: number, length: number): Uint8Array {
    return this.#room.slice(Math.min(position, this.size), Math.min(position + length, this.size))
  }

  write(position: number, part: Uint8Array): void {
    if (part.length === 0) return
    if (position + part.length > this.size) this.resize(position + part.length)
    this.#room.set(part, position)
  }

  /** Zeros fill what is gained. */
  resize(size: number): void {
    if (size > this.#room.length) {
      const grown = new Uint8Array(Math.max(size, this.#room.length * 2))
      grown.set(this.#room.subarray(0, this.size))
      this.#room = grown
    } else if (size < this.size) {
      this.#room.fill(0, size, this.size)
    }
    this.size = size
  }

  copy(): DiskBytes {
    const twin = new DiskBytes()
    twin.size = this.size
    twin.#room = this.#room.slice(0, this.size)
    return twin
  }
}
