/** Growing, reusable memory for one page, header or column chunk; written to by position, so that hot loops need no calls. */
export class PageBuffer {
  bytes: Uint8Array
  view: DataView
  length = 0

  constructor(initialBytes: number = 1024) {
    this.bytes = allocate(initialBytes)
    this.view = viewOf(this.bytes)
  }

  /**
   * Makes room for `size` more bytes, and some over, so that whole words may be written up to the end. The caller counts
   * what it used in {@link length}.
   */
  ensure(size: number): void {
    const needed = this.length + size + slack
    if (needed <= this.bytes.length) return
    const grown = allocate(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
    this.view = viewOf(grown)
  }

  byte(value: number): void {
    this.ensure(1)
    this.bytes[this.length++] = value
  }

  int32(value: number): void {
    this.ensure(4)
    this.view.setInt32(this.length, value, true)
    this.length += 4
  }

  /** An unsigned varint (ULEB128) of 0 to 2^53 − 1. */
  varint(value: number): void {
    this.ensure(10)
    let rest = value
    for (; rest >= 0x80000000; rest = Math.floor(rest / 0x80)) this.bytes[this.length++] = (rest % 0x80) | 0x80
    for (; rest >= 0x80; rest >>>= 7) this.bytes[this.length++] = (rest & 0x7f) | 0x80
    this.bytes[this.length++] = rest
  }

  append(source: Uint8Array): void {
    this.ensure(source.length)
    this.bytes.set(source, this.length)
    this.length += source.length
  }

  /** A view of what was written from `start` on; good until the next write. */
  written(start: number = 0): Uint8Array {
    return this.bytes.subarray(start, this.length)
  }

  clear(): void {
    this.length = 0
  }
}

const slack = 16

/** Memory of its own, not zeroed; no Buffer, whose `slice` would copy nothing. */
export function allocate(size: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
