import type { PageBuffer } from './page-buffer.ts'

/**
 * The RLE and bit-packing hybrid of `values[from, to)`, `width` bits each (1 to 31), without a length before it.
 * Spec: parquet-format, Encodings, "Run Length Encoding / Bit-Packing Hybrid".
 */
export function writeRuns(out: PageBuffer, values: Int32Array, from: number, to: number, width: number): void {
  // A shorter run costs more than it saves: its header, and that of the bit-packed run after it.
  const shortest = width <= 2 ? 32 : width <= 4 ? 16 : 8
  let literal = from
  let at = from
  // A run that is long enough has four of these in a row, whatever it begins with.
  while (at + 4 <= to) {
    const value = values[at]!
    if (values[at + 1] !== value || values[at + 2] !== value || values[at + 3] !== value) {
      at += 4
      continue
    }
    let start = at
    while (start > literal && values[start - 1] === value) start--
    let end = at + 4
    while (end < to && values[end] === value) end++
    at = end
    // What is bit-packed comes in eights: the run lends what is missing.
    const lent = (8 - ((start - literal) & 7)) & 7
    const run = end - start - lent
    if (run < shortest) continue
    if (start > literal) writePacked(out, values, literal, start + lent, width)
    writeRun(out, value, run, width)
    literal = end
  }
  if (literal < to) writePacked(out, values, literal, to, width)
}

/** One run of a value. */
export function writeRun(out: PageBuffer, value: number, count: number, width: number): void {
  out.varint(count * 2)
  for (let bits = 0; bits < width; bits += 8) out.byte((value >>> bits) & 0xff)
}

function writePacked(out: PageBuffer, values: Int32Array, from: number, to: number, width: number): void {
  const groups = (to - from + 7) >> 3
  out.varint(groups * 2 + 1)
  packBits(out, values, from, to, width, groups * width, 0)
}

/**
 * Bit-packs `values[from, to)` less `base`, least significant bit first, into `size` bytes; what they do not fill is
 * zero.
 */
export function packBits(
  out: PageBuffer,
  values: Int32Array,
  from: number,
  to: number,
  width: number,
  size: number,
  base: number,
): void {
  if (size === 0) return
  out.ensure(size)
  const { view } = out
  let at = out.length
  let word = 0
  let used = 0
  for (let i = from; i < to; i++) {
    const value = (values[i]! - base) | 0
    word |= value << used
    used += width
    if (used >= 32) {
      view.setInt32(at, word, true)
      at += 4
      used -= 32
      word = used === 0 ? 0 : value >>> (width - used)
    }
  }
  const end = out.length + size
  if (used > 0) {
    view.setInt32(at, word, true)
    at += 4
  }
  if (at < end) out.bytes.fill(0, at, end)
  out.length = end
}

/**
 * Rows `[from, to)` of a validity bitmap as definition levels 1 and 0. Where its bytes lie as they must, they are copied.
 */
export function writeValidity(out: PageBuffer, validity: Uint8Array, from: number, to: number): void {
  const count = to - from
  const shift = from & 7
  const first = from >> 3
  const whole = count >> 3
  const byteAt = (index: number): number => {
    const at = first + index
    return shift === 0 ? validity[at]! : ((validity[at]! >>> shift) | ((validity[at + 1] ?? 0) << (8 - shift))) & 0xff
  }
  const writeBytes = (start: number, end: number): void => {
    if (start === end) return
    out.varint((end - start) * 2 + 1)
    out.ensure(end - start)
    for (let i = start; i < end; i++) out.bytes[out.length++] = byteAt(i)
  }
  let literal = 0
  let at = 0
  while (at < whole) {
    const byte = byteAt(at)
    let end = at + 1
    if (byte === 0 || byte === 0xff) while (end < whole && byteAt(end) === byte) end++
    if (end - at >= 4) {
      writeBytes(literal, at)
      writeRun(out, byte & 1, (end - at) * 8, 1)
      literal = end
    }
    at = end
  }
  const rest = count & 7
  if (rest === 0) return writeBytes(literal, whole)
  out.varint((whole + 1 - literal) * 2 + 1)
  out.ensure(whole + 1 - literal)
  for (let i = literal; i < whole; i++) out.bytes[out.length++] = byteAt(i)
  out.bytes[out.length++] = byteAt(whole) & ((1 << rest) - 1)
}
