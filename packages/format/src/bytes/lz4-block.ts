import { corrupt } from '@moulin/core'

/**
 * Decompresses one LZ4 block behind the first `to` bytes of `out`, which it may repeat, and says where its own end.
 * @throws `corrupt`; nothing is read or written outside of the bounds.
 *
 * Spec: LZ4 Block Format Description.
 */
export function unlz4(bytes: Uint8Array, out: Uint8Array, to: number): number {
  const size = out.length
  let from = 0
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
  return to
}

function malformed(how: string): Error {
  return corrupt('DECOMPRESS', `An LZ4 block ${how}.`, { context: { codec: 'lz4' } })
}
