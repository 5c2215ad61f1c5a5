import { corrupt, joinBytes } from '@moulin/core'
import { unlz4 } from '../../bytes/lz4-block.ts'

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
  const to = unlz4(bytes, out, 0)
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
