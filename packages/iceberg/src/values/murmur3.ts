/**
 * Murmur3, x86 32-bit variant, seed 0, of `bytes[start, end)`. A signed int.
 * Spec: appendix B, "32-bit Hash Requirements".
 */
export function murmur3(bytes: Uint8Array, start: number = 0, end: number = bytes.length): number {
  let hash = 0
  const tail = start + ((end - start) & ~3)
  for (let i = start; i < tail; i += 4) {
    hash = mixBlock(hash, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  }
  let rest = 0
  for (let i = end - 1; i >= tail; i--) rest = (rest << 8) | bytes[i]!
  return finish(hash ^ scramble(rest), end - start)
}

/** The hash of the 8 little-endian bytes of a long, given as 32-bit halves. */
export function murmur3Long(high: number, low: number): number {
  return finish(mixBlock(mixBlock(0, low), high), 8)
}

function mixBlock(hash: number, block: number): number {
  const mixed = hash ^ scramble(block)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function scramble(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51)
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593)
}

function finish(hash: number, length: number): number {
  let mixed = hash ^ length
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
