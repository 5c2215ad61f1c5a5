import type { LeafValues } from './leaf-values.ts'
import { ThriftWriter } from './thrift-writer.ts'
import { XxHash64 } from './xxhash64.ts'

const blockBytes = 32
const maxFilterBytes = 1 << 24

/**
 * Gathers the values of a column chunk for a split-block bloom filter, which is sized when all are known.
 * Spec: parquet-format, "Bloom Filter".
 */
export class BloomBuilder {
  readonly #fpp: number
  readonly #hash = new XxHash64()
  // Pairs: high half, low half.
  #hashes = new Int32Array(1024)
  #count = 0

  constructor(fpp: number) {
    this.#fpp = fpp
  }

  /** Takes values `[from, to)` in. */
  add(values: LeafValues, from: number, to: number): void {
    this.#ensure(to - from)
    switch (values.kind) {
      case 'boolean':
        return
      case 'bytes':
        for (let i = from; i < to; i++) this.#add(values.view, values.starts[i]!, values.ends[i]! - values.starts[i]!)
        return
      case 'fixed':
        return this.#addEach(values.bytes, values.width, from, to)
      case 'int64':
        return this.#addEach(values.halves, 8, from, to)
      default:
        return this.#addEach(values.values, values.values.BYTES_PER_ELEMENT, from, to)
    }
  }

  /** The filter with its header, as it stands in the file; the builder is empty again. */
  finish(): Uint8Array {
    const bits = bloomBits(this.#distinct(), this.#fpp)
    const size = Math.min(maxFilterBytes, Math.max(blockBytes, 2 ** Math.ceil(Math.log2(bits / 8))))
    const words = new Int32Array(size / 4)
    const blocks = size / blockBytes
    for (let i = 0; i < this.#count; i++) {
      const block = Math.floor(((this.#hashes[i * 2]! >>> 0) * blocks) / 2 ** 32) * 8
      const key = this.#hashes[i * 2 + 1]!
      for (let word = 0; word < 8; word++) words[block + word]! |= 1 << (Math.imul(key, salts[word]!) >>> 27)
    }
    this.#count = 0
    return withHeader(new Uint8Array(words.buffer))
  }

  #addEach(
    array: Int32Array | Float32Array | Float64Array | Uint8Array,
    width: number,
    from: number,
    to: number,
  ): void {
    const view = new DataView(array.buffer, array.byteOffset, array.byteLength)
    for (let i = from; i < to; i++) this.#add(view, i * width, width)
  }

  #add(view: DataView, start: number, size: number): void {
    this.#hash.hash(view, start, size)
    this.#hashes[this.#count * 2] = this.#hash.high
    this.#hashes[this.#count * 2 + 1] = this.#hash.low
    this.#count++
  }

  #ensure(more: number): void {
    const needed = (this.#count + more) * 2
    if (needed <= this.#hashes.length) return
    const larger = new Int32Array(Math.max(needed, this.#hashes.length * 2))
    larger.set(this.#hashes.subarray(0, this.#count * 2))
    this.#hashes = larger
  }

  /** Distinct hashes, by which the filter is sized. */
  #distinct(): number {
    let slots = 16
    while (slots < this.#count * 2) slots *= 2
    // Hash index + 1.
    const table = new Int32Array(slots)
    let distinct = 0
    for (let i = 0; i < this.#count; i++) {
      let slot = this.#hashes[i * 2 + 1]! & (slots - 1)
      for (;;) {
        const other = table[slot]! - 1
        if (other < 0) {
          table[slot] = i + 1
          distinct++
          break
        }
        if (this.#hashes[other * 2] === this.#hashes[i * 2] && this.#hashes[other * 2 + 1] === this.#hashes[i * 2 + 1])
          break
        slot = (slot + 1) & (slots - 1)
      }
    }
    return distinct
  }
}

/** Bits of a filter that says yes to a value that is not there with probability `fpp`. */
function bloomBits(distinct: number, fpp: number): number {
  return Math.max(1, (-8 * distinct) / Math.log(1 - fpp ** (1 / 8)))
}

function withHeader(bits: Uint8Array): Uint8Array {
  const thrift = new ThriftWriter()
  const onlyChoice = (): void => thrift.struct(1, () => {})
  thrift.element(() => {
    thrift.i32(1, bits.length)
    thrift.struct(2, onlyChoice)
    thrift.struct(3, onlyChoice)
    thrift.struct(4, onlyChoice)
  })
  thrift.buffer.append(bits)
  return thrift.buffer.written()
}

const salts = Int32Array.of(
  0x47b6137b,
  0x44974d91,
  0x8824ad5b,
  0xa2b7289d,
  0x705495c7,
  0x2df1424b,
  0x9efc4947,
  0x5c6bfb31,
)
