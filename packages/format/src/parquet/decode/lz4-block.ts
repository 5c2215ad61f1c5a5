import { corrupt, joinBytes } from '@moulin/core'

/**
 * Decompresses one LZ4 block that gives exactly `size` bytes.
 * @throws `corrupt`; nothing is read or written outside of the bounds.
 *
 * Spec: LZ4 Block Format Description.
 */
export function lz4Block(bytes: Uint8Array, size: number): Uint8Array {
  // A byte of input stands for 255 of output at most.
  if (size > bytes.length * 255) throw malformed('is too short for its size')
  const out = new Uint8Array(size)
  let from = 0
  let to = 0
  const length = (nibble: number): number => {
    let sum = nibble
    if (nibble !== 15) return sum
    for (let byte = 255; byte === 255; sum += byte) {
      if (from >= bytes.length) throw malformed('ends early')
      byte = bytes[from++]!
    }
    return sum
  }
  while (from < bytes.length) {
    const token = bytes[from++]!
    const literals = length(token >> 4)
    if (literals > bytes.length - from || literals > size - to) throw malformed('has literals out of bounds')
    out.set(bytes.subarray(from, from + literals), to)
    from += literals
    to += literals
    // The last sequence is literals only.
    if (from === bytes.length) break
    if (from + 2 > bytes.length) throw malformed('ends early')
    const offset = bytes[from]! | (bytes[from + 1]! << 8)
    from += 2
    const match = length(token & 15) + 4
    if (offset === 0 || offset > to || match > size - to) throw malformed('has a match out of bounds')
    if (offset >= match) out.copyWithin(to, to - offset, to - offset + match)
    else for (let i = 0; i < match; i++) out[to + i] = out[to + i - offset]!
    to += match
  }
  if (to !== size) throw malformed(`gives ${to} bytes in place of ${size}`)
  return out
}

/**
 * The codec LZ4 of Parquet as Hadoop frames it: blocks, each after the big-endian sizes of its output and input. Some
 * writers stored a plain block under that name.
 *
 * Spec: parquet-format, Compression, "LZ4".
 */
export function lz4Hadoop(bytes: Uint8Array, size: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const blocks: { start: number; end: number; size: number }[] = []
  let at = 0
  let total = 0
  while (at + 8 <= bytes.length) {
    const blockSize = view.getUint32(at)
    const start = at + 8
    const end = start + view.getUint32(at + 4)
    total += blockSize
    if (end > bytes.length || total > size) break
    blocks.push({ start, end, size: blockSize })
    at = end
  }
  if (at !== bytes.length || total !== size) return lz4Block(bytes, size)
  const parts = blocks.map((block) => lz4Block(bytes.subarray(block.start, block.end), block.size))
  return parts.length === 1 ? parts[0]! : joinBytes(parts)
}

function malformed(how: string): Error {
  return corrupt('DECOMPRESS', `An LZ4 block ${how}.`, { context: { codec: 'lz4' } })
}
