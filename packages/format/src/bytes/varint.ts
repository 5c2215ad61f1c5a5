/** Bytes of the varint of an unsigned 32-bit integer. */
export function uintSize(bits: number): number {
  const unsigned = bits >>> 0
  if (unsigned < 0x80) return 1
  if (unsigned < 0x4000) return 2
  if (unsigned < 0x200000) return 3
  return unsigned < 0x10000000 ? 4 : 5
}

/** Bytes of the zigzag varint of a long, given as signed 32-bit halves. */
export function longSize(high: number, low: number): number {
  const sign = high >> 31
  const bitsLow = (low << 1) ^ sign
  const bitsHigh = (((high << 1) | (low >>> 31)) ^ sign) >>> 0
  if (bitsHigh === 0) return uintSize(bitsLow)
  if (bitsHigh < 0x8) return 5
  if (bitsHigh < 0x400) return 6
  if (bitsHigh < 0x20000) return 7
  if (bitsHigh < 0x1000000) return 8
  return bitsHigh < 0x80000000 ? 9 : 10
}

/** Writes the varint of an unsigned 32-bit integer; returns its end. Past the end of the target nothing is written. */
export function putUint(target: Uint8Array, position: number, bits: number): number {
  let at = position
  let rest = bits
  while (rest < 0 || rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[at++] = rest
  return at
}

/** Writes the zigzag varint of a long, minimal, as {@link putUint}. */
export function putLong(target: Uint8Array, position: number, high: number, low: number): number {
  const sign = high >> 31
  let at = position
  let bitsLow = (low << 1) ^ sign
  let bitsHigh = ((high << 1) | (low >>> 31)) ^ sign
  while (bitsHigh !== 0 || bitsLow < 0 || bitsLow >= 0x80) {
    target[at++] = (bitsLow & 0x7f) | 0x80
    bitsLow = (bitsLow >>> 7) | (bitsHigh << 25)
    bitsHigh >>>= 7
  }
  target[at++] = bitsLow
  return at
}
