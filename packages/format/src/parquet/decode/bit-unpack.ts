/**
 * Unsigned integers packed back to back, least significant bit first. The caller has checked that `count × width` bits
 * are there from byte `start`, before `end`.
 *
 * Spec: parquet-format, Encodings, "Run Length Encoding / Bit-Packing Hybrid".
 */

/** Widths 1 to 32. Values of 32 bits come out as signed ones. */
export function unpackInt32(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  count: number,
  out: Int32Array,
  at: number,
): void {
  if (width === 8) {
    for (let i = 0; i < count; i++) out[at + i] = bytes[start + i]!
    return
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let i = 0
  let position = start
  if (width <= 25) {
    // Eight values fill `width` bytes, so every group begins at a byte: one unaligned word holds each value.
    const mask = (1 << width) - 1
    const [w2, w3, w4, w5, w6, w7] = [2 * width, 3 * width, 4 * width, 5 * width, 6 * width, 7 * width]
    const last = end - 4 - (w7 >> 3)
    for (; i + 8 <= count && position <= last; i += 8, position += width) {
      const to = at + i
      out[to] = view.getInt32(position, true) & mask
      out[to + 1] = (view.getInt32(position + (width >> 3), true) >>> (width & 7)) & mask
      out[to + 2] = (view.getInt32(position + (w2 >> 3), true) >>> (w2 & 7)) & mask
      out[to + 3] = (view.getInt32(position + (w3 >> 3), true) >>> (w3 & 7)) & mask
      out[to + 4] = (view.getInt32(position + (w4 >> 3), true) >>> (w4 & 7)) & mask
      out[to + 5] = (view.getInt32(position + (w5 >> 3), true) >>> (w5 & 7)) & mask
      out[to + 6] = (view.getInt32(position + (w6 >> 3), true) >>> (w6 & 7)) & mask
      out[to + 7] = (view.getInt32(position + (w7 >> 3), true) >>> (w7 & 7)) & mask
    }
  }
  // What is left of the last group, and widths whose values reach over a word.
  for (let bit = i * width; i < count; i++, bit += width) out[at + i] = valueAt(bytes, start, bit, width)
}

/** Widths 1 to 8. */
export function unpackUint8(
  bytes: Uint8Array,
  start: number,
  width: number,
  count: number,
  out: Uint8Array,
  at: number,
): void {
  if (width === 1) {
    const whole = count & ~7
    for (let i = 0; i < whole; i += 8) {
      const byte = bytes[start + (i >> 3)]!
      const to = at + i
      out[to] = byte & 1
      out[to + 1] = (byte >> 1) & 1
      out[to + 2] = (byte >> 2) & 1
      out[to + 3] = (byte >> 3) & 1
      out[to + 4] = (byte >> 4) & 1
      out[to + 5] = (byte >> 5) & 1
      out[to + 6] = (byte >> 6) & 1
      out[to + 7] = byte >> 7
    }
    for (let i = whole; i < count; i++) out[at + i] = (bytes[start + (i >> 3)]! >> (i & 7)) & 1
    return
  }
  const mask = (1 << width) - 1
  for (let i = 0, bit = 0; i < count; i++, bit += width) {
    const from = start + (bit >> 3)
    // A byte beyond the last has no bit of the value.
    out[at + i] = ((bytes[from]! | (bytes[from + 1]! << 8)) >> (bit & 7)) & mask
  }
}

function valueAt(bytes: Uint8Array, start: number, bit: number, width: number): number {
  let from = start + Math.floor(bit / 8)
  const shift = bit % 8
  let value = bytes[from]! >>> shift
  for (let have = 8 - shift; have < width; have += 8) value |= bytes[++from]! << have
  return width === 32 ? value : value & ((1 << width) - 1)
}
