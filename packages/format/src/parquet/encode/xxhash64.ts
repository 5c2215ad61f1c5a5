/**
 * XXH64 with seed 0, the hash of Parquet's bloom filters, in 32-bit halves: as BigInts it would take ten times as long.
 * The last result is in {@link low} and {@link high}, as signed 32-bit integers. Spec: xxHash, "XXH64 algorithm".
 */
export class XxHash64 {
  low = 0
  high = 0

  /** Hashes `length` bytes from `start` on. */
  hash(view: DataView, start: number, length: number): void {
    const end = start + length
    let at = start
    if (length >= 32) {
      at = this.#stripes(view, start, end)
    } else this.#set(prime5Low, prime5High)
    this.#add(length, 0)
    for (; at + 8 <= end; at += 8) {
      const [low, high] = [this.low, this.high]
      this.#set(0, 0)
      this.#round(view.getInt32(at, true), view.getInt32(at + 4, true))
      this.#xor(low, high)
      this.#rotate(27)
      this.#multiply(prime1Low, prime1High)
      this.#add(prime4Low, prime4High)
    }
    if (at + 4 <= end) {
      this.#xorProduct(view.getInt32(at, true), prime1Low, prime1High)
      this.#rotate(23)
      this.#multiply(prime2Low, prime2High)
      this.#add(prime3Low, prime3High)
      at += 4
    }
    for (; at < end; at++) {
      this.#xorProduct(view.getUint8(at), prime5Low, prime5High)
      this.#rotate(11)
      this.#multiply(prime1Low, prime1High)
    }
    this.#xor((this.high >>> 1) | 0, 0)
    this.#multiply(prime2Low, prime2High)
    this.#xor((this.low >>> 29) | (this.high << 3), this.high >>> 29)
    this.#multiply(prime3Low, prime3High)
    this.#xor(this.high, 0)
  }

  readonly #lanes = new Int32Array(8)

  #stripes(view: DataView, start: number, end: number): number {
    const lanes = this.#lanes
    this.#set(prime1Low, prime1High)
    this.#add(prime2Low, prime2High)
    this.#store(0)
    this.#set(prime2Low, prime2High)
    this.#store(1)
    this.#set(0, 0)
    this.#store(2)
    this.#set(~prime1Low, ~prime1High)
    this.#add(1, 0)
    this.#store(3)
    let at = start
    for (; at + 32 <= end; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        this.#set(lanes[lane * 2]!, lanes[lane * 2 + 1]!)
        this.#round(view.getInt32(at + lane * 8, true), view.getInt32(at + lane * 8 + 4, true))
        this.#store(lane)
      }
    }
    let [sumLow, sumHigh] = [0, 0]
    for (let lane = 0; lane < 4; lane++) {
      this.#set(lanes[lane * 2]!, lanes[lane * 2 + 1]!)
      this.#rotate([1, 7, 12, 18][lane]!)
      this.#add(sumLow, sumHigh)
      sumLow = this.low
      sumHigh = this.high
    }
    for (let lane = 0; lane < 4; lane++) {
      this.#set(0, 0)
      this.#round(lanes[lane * 2]!, lanes[lane * 2 + 1]!)
      this.#xor(sumLow, sumHigh)
      this.#multiply(prime1Low, prime1High)
      this.#add(prime4Low, prime4High)
      sumLow = this.low
      sumHigh = this.high
    }
    return at
  }

  #store(lane: number): void {
    this.#lanes[lane * 2] = this.low
    this.#lanes[lane * 2 + 1] = this.high
  }

  #round(low: number, high: number): void {
    const [accumulatorLow, accumulatorHigh] = [this.low, this.high]
    this.#set(low, high)
    this.#multiply(prime2Low, prime2High)
    this.#add(accumulatorLow, accumulatorHigh)
    this.#rotate(31)
    this.#multiply(prime1Low, prime1High)
  }

  #set(low: number, high: number): void {
    this.low = low
    this.high = high
  }

  #xor(low: number, high: number): void {
    this.low ^= low
    this.high ^= high
  }

  /** Xors with the product of an unsigned 32-bit integer. */
  #xorProduct(value: number, low: number, high: number): void {
    const [before, beforeHigh] = [this.low, this.high]
    this.#set(value, 0)
    this.#multiply(low, high)
    this.#xor(before, beforeHigh)
  }

  #add(low: number, high: number): void {
    const sum = (this.low >>> 0) + (low >>> 0)
    this.low = sum | 0
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) | 0
  }

  #rotate(bits: number): void {
    const { low, high } = this
    this.low = (low << bits) | (high >>> (32 - bits))
    this.high = (high << bits) | (low >>> (32 - bits))
  }

  #multiply(low: number, high: number): void {
    const a0 = this.low & 0xffff
    const a1 = this.low >>> 16
    const b0 = low & 0xffff
    const b1 = low >>> 16
    const least = a0 * b0
    const middle = a0 * b1 + (least >>> 16)
    const other = a1 * b0 + (middle & 0xffff)
    const carry = a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)
    const cross = Math.imul(this.low, high) + Math.imul(this.high, low)
    this.low = (other << 16) | (least & 0xffff)
    this.high = (carry + cross) | 0
  }
}

const [prime1Low, prime1High] = [0x85ebca87 | 0, 0x9e3779b1 | 0]
const [prime2Low, prime2High] = [0x27d4eb4f | 0, 0xc2b2ae3d | 0]
const [prime3Low, prime3High] = [0x9e3779f9 | 0, 0x165667b1 | 0]
const [prime4Low, prime4High] = [0xc2b2ae63 | 0, 0x85ebca77 | 0]
const [prime5Low, prime5High] = [0x165667c5 | 0, 0x27d4eb2f | 0]
