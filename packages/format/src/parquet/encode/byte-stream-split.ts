import { halvesOf } from '../../bytes/int64-halves.ts'
import { type LeafValues, wordsOf } from './leaf-values.ts'
import type { PageBuffer } from './page-buffer.ts'

/**
 * BYTE_STREAM_SPLIT of values `[from, to)`: all first bytes, then all second ones, and so on.
 * Spec: parquet-format, Encodings, "Byte Stream Split".
 */
export function writeByteStreamSplit(out: PageBuffer, values: LeafValues, from: number, to: number): void {
  const { bytes, width } = bytesOf(values)
  const count = to - from
  out.ensure(count * width)
  const target = out.bytes
  for (let stream = 0; stream < width; stream++) {
    let at = out.length + stream * count
    for (let source = from * width + stream; source < to * width; source += width) target[at++] = bytes[source]!
  }
  out.length += count * width
}

function bytesOf(values: LeafValues): { bytes: Uint8Array; width: number } {
  switch (values.kind) {
    case 'fixed':
      return values
    case 'int32':
      return view(values.values, 4)
    case 'float':
      return view(wordsOf(values.values), 4)
    case 'int64':
      return view(values.halves, 8)
    case 'double':
      return view(halvesOf(values.values), 8)
    default:
      return { bytes: new Uint8Array(0), width: 0 }
  }
}

function view(words: Int32Array, width: number): { bytes: Uint8Array; width: number } {
  return { bytes: new Uint8Array(words.buffer, words.byteOffset, words.byteLength), width }
}
