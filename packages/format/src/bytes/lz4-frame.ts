import { corrupt, exhausted } from '@moulin/core'
import { unlz4 } from './lz4-block.ts'

const MAGIC = 0x184d2204
/** The largest block that a frame may have, by the three bits that say so. */
const blockSizes = [0, 0, 0, 0, 65_536, 262_144, 1_048_576, 4_194_304]

/**
 * Decompresses one LZ4 frame that says how many bytes it gives. Its checksums are not looked at: they are xxHash, and what is
 * compressed so has checksums of its own, or is text.
 * @throws `corrupt`; `exhausted` where it gives more than `maxBytes`, before anything is made of it.
 *
 * Spec: LZ4 Frame Format Description.
 */
export function lz4Frame(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < 15 || view.getUint32(0, true) !== MAGIC) throw malformed('does not begin as one')
  const flags = bytes[4]!
  const hasSize = (flags & 8) !== 0
  if (flags >> 6 !== 1 || !hasSize) throw malformed('has another version, or does not say its size')
  const maxBlock = blockSizes[(bytes[5]! >> 4) & 7]!
  const size = view.getBigUint64(6, true)
  if (size > maxBytes) {
    const message = `Bytes of codec lz4 decompress to ${size} bytes; the limit here is ${maxBytes}.`
    throw exhausted('DECOMPRESSED_TOO_LARGE', message, { context: { codec: 'lz4', maxBytes } })
  }
  // A byte of input stands for 255 of output at most.
  if (size > BigInt(bytes.length) * 255n) throw malformed('is too short for its size')
  const out = new Uint8Array(Number(size))
  const checksumBytes = (flags & 16) === 0 ? 0 : 4
  let at = 14 + ((flags & 1) === 0 ? 0 : 4) + 1
  let to = 0
  for (;;) {
    if (at + 4 > bytes.length) throw malformed('ends early')
    const head = view.getUint32(at, true)
    at += 4
    if (head === 0) break
    const length = head & 0x7fffffff
    if (length > maxBlock || length > bytes.length - at) throw malformed('has a block out of bounds')
    const block = bytes.subarray(at, at + length)
    if (head >= 2 ** 31) {
      if (length > out.length - to) throw malformed('gives more than its size')
      out.set(block, to)
      to += length
    } else {
      to = unlz4(block, out, to)
    }
    at += length + checksumBytes
  }
  if (to !== out.length) throw malformed(`gives ${to} bytes in place of ${size}`)
  if (at + ((flags & 4) === 0 ? 0 : 4) !== bytes.length) throw malformed('is not all that there is')
  return out
}

function malformed(how: string): Error {
  return corrupt('DECOMPRESS', `An LZ4 frame ${how}.`, { context: { codec: 'lz4' } })
}
