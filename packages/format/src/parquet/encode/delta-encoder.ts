import type { PageBuffer } from './page-buffer.ts'
import { packBits } from './rle-encoder.ts'

const blockSize = 128
const miniblocks = 4
const miniblockSize = blockSize / miniblocks

const low = new Int32Array(blockSize)
const high = new Int32Array(blockSize)
/** The greatest difference of each miniblock. */
const most = new Int32Array(miniblocks)
const widths = new Uint8Array(miniblocks)

/**
 * DELTA_BINARY_PACKED of `values[from, to)`: blocks of 128 in four miniblocks, as every reader has seen them.
 * Differences wrap around, as the format has it. Spec: parquet-format, Encodings, "Delta Encoding".
 */
export function writeDeltaInts(out: PageBuffer, values: Int32Array, from: number, to: number): void {
  writeHeader(out, to - from)
  if (from === to) return
  out.varint(zigzag(values[from]!))
  for (let at = from + 1; at < to; at += blockSize) {
    const count = Math.min(blockSize, to - at)
    let last = values[at - 1]!
    let least = 0x7fffffff
    for (let mini = 0; mini * miniblockSize < count; mini++) {
      const end = Math.min(count, (mini + 1) * miniblockSize)
      let greatest = -0x80000000
      for (let i = mini * miniblockSize; i < end; i++) {
        const value = values[at + i]!
        const delta = (value - last) | 0
        last = value
        low[i] = delta
        if (delta < least) least = delta
        if (delta > greatest) greatest = delta
      }
      most[mini] = greatest
    }
    writeNarrow(out, count, least)
  }
}

/** {@link writeDeltaInts} of 64-bit values as halves: value i is at `halves[2 × i]`, low half first. */
export function writeDeltaLongs(out: PageBuffer, halves: Int32Array, from: number, to: number): void {
  writeHeader(out, to - from)
  if (from === to) return
  writeZigzag64(out, halves[from * 2]!, halves[from * 2 + 1]!)
  for (let at = from + 1; at < to; at += blockSize) {
    const count = Math.min(blockSize, to - at)
    let lastLow = halves[at * 2 - 2]!
    let lastHigh = halves[at * 2 - 1]!
    // Bits that a difference has beyond 32, its sign apart.
    let beyond = 0
    let least = 0x7fffffff
    for (let mini = 0; mini * miniblockSize < count; mini++) {
      const end = Math.min(count, (mini + 1) * miniblockSize)
      let greatest = -0x80000000
      for (let i = mini * miniblockSize; i < end; i++) {
        const valueLow = halves[(at + i) * 2]!
        const valueHigh = halves[(at + i) * 2 + 1]!
        const delta = (valueLow - lastLow) | 0
        // Without a branch: that of values up and down would be guessed wrong every other time.
        const borrow = ((~valueLow & lastLow) | (~(valueLow ^ lastLow) & delta)) >>> 31
        beyond |= (valueHigh - lastHigh - borrow) ^ (delta >> 31)
        lastLow = valueLow
        lastHigh = valueHigh
        low[i] = delta
        if (delta < least) least = delta
        if (delta > greatest) greatest = delta
      }
      most[mini] = greatest
    }
    if (beyond === 0) writeNarrow(out, count, least)
    else writeWide(out, halves, at, count)
  }
}

/** Bits a value that DELTA_BINARY_PACKED would take, estimated from `values[from, to)`, which are neighbours. */
export function deltaBits(values: Int32Array, from: number, to: number, stride: 1 | 2): number {
  let bits = 0
  let blocks = 0
  for (let at = from + 1; at + miniblockSize <= to; at += miniblockSize) {
    let least = Infinity
    let most = -Infinity
    for (let i = at; i < at + miniblockSize; i++) {
      const delta =
        stride === 1
          ? values[i]! - values[i - 1]!
          : (values[i * 2 + 1]! - values[i * 2 - 1]!) * 2 ** 32 + ((values[i * 2]! >>> 0) - (values[i * 2 - 2]! >>> 0))
      if (delta < least) least = delta
      if (delta > most) most = delta
    }
    bits += Math.ceil(Math.log2(most - least + 1))
    blocks++
  }
  // The block's header: its least difference and the four widths.
  return blocks === 0 ? 32 * stride : bits / blocks + 0.5
}

function writeHeader(out: PageBuffer, count: number): void {
  out.varint(blockSize)
  out.varint(miniblocks)
  out.varint(count)
  // Without a value there is still a first one.
  if (count === 0) out.varint(0)
}

// Differences that fit 32 bits, less the least of them: unsigned 32-bit numbers.
function writeNarrow(out: PageBuffer, count: number, least: number): void {
  out.varint(zigzag(least))
  for (let mini = 0; mini < miniblocks; mini++)
    widths[mini] = mini * miniblockSize < count ? 32 - Math.clz32(most[mini]! - least) : 0
  out.append(widths)
  for (let mini = 0; mini * miniblockSize < count; mini++) {
    const start = mini * miniblockSize
    const width = widths[mini]!
    packBits(out, low, start, Math.min(count, start + miniblockSize), width, (width * miniblockSize) >> 3, least)
  }
}

function writeWide(out: PageBuffer, halves: Int32Array, at: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const value = (at + i) * 2
    const borrow = halves[value]! >>> 0 < halves[value - 2]! >>> 0 ? 1 : 0
    low[i] = halves[value]! - halves[value - 2]!
    high[i] = halves[value + 1]! - halves[value - 1]! - borrow
  }
  let leastLow = low[0]!
  let leastHigh = high[0]!
  for (let i = 1; i < count; i++) {
    if (high[i]! < leastHigh || (high[i] === leastHigh && low[i]! >>> 0 < leastLow >>> 0)) {
      leastLow = low[i]!
      leastHigh = high[i]!
    }
  }
  writeZigzag64(out, leastLow, leastHigh)
  for (let mini = 0; mini < miniblocks; mini++) {
    const end = Math.min(count, (mini + 1) * miniblockSize)
    let allLow = 0
    let allHigh = 0
    for (let i = mini * miniblockSize; i < end; i++) {
      const borrow = low[i]! >>> 0 < leastLow >>> 0 ? 1 : 0
      allLow |= low[i] = (low[i]! - leastLow) | 0
      allHigh |= high[i] = (high[i]! - leastHigh - borrow) | 0
    }
    widths[mini] = allHigh === 0 ? 32 - Math.clz32(allLow) : 64 - Math.clz32(allHigh)
  }
  out.append(widths)
  for (let mini = 0; mini * miniblockSize < count; mini++) {
    const start = mini * miniblockSize
    packPairs(out, start, Math.min(count, start + miniblockSize), widths[mini]!)
  }
}

function packPairs(out: PageBuffer, from: number, to: number, width: number): void {
  const size = (width * miniblockSize) >> 3
  if (width <= 32) return packBits(out, low, from, to, width, size, 0)
  out.ensure(size)
  const end = out.length + size
  const { view } = out
  let at = out.length
  let word = 0
  let used = 0
  for (let i = from; i < to; i++) {
    // The low half is whole, the high one has the bits above 32.
    word |= low[i]! << used
    view.setInt32(at, word, true)
    at += 4
    word = used === 0 ? 0 : low[i]! >>> (32 - used)
    const bits = width - 32
    word |= high[i]! << used
    used += bits
    if (used >= 32) {
      view.setInt32(at, word, true)
      at += 4
      used -= 32
      word = used === 0 ? 0 : high[i]! >>> (bits - used)
    }
  }
  if (used > 0) {
    view.setInt32(at, word, true)
    at += 4
  }
  if (at < end) out.bytes.fill(0, at, end)
  out.length = end
}

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0
}

function writeZigzag64(out: PageBuffer, valueLow: number, valueHigh: number): void {
  const sign = valueHigh >> 31
  let restLow = (valueLow << 1) ^ sign
  let restHigh = ((valueHigh << 1) | (valueLow >>> 31)) ^ sign
  out.ensure(10)
  while (restHigh !== 0 || restLow >>> 0 >= 0x80) {
    out.bytes[out.length++] = (restLow & 0x7f) | 0x80
    restLow = (restLow >>> 7) | (restHigh << 25)
    restHigh >>>= 7
  }
  out.bytes[out.length++] = restLow
}
