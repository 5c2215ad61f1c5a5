import { type BytesValues, type LeafValues, stringBytes } from './leaf-values.ts'
import type { PageBuffer } from './page-buffer.ts'

/** PLAIN of values `[from, to)`. Spec: parquet-format, Encodings, "Plain". */
export function writePlain(out: PageBuffer, values: LeafValues, from: number, to: number): void {
  switch (values.kind) {
    case 'boolean':
      return writeBits(out, values.values, from, to)
    case 'bytes':
      return writeStrings(out, values, from, to)
    default:
      return out.append(plainBytes(values, from, to))
  }
}

/** Values of a fixed size are stored as they lie in memory. */
function plainBytes(values: Exclude<LeafValues, { kind: 'boolean' | 'bytes' }>, from: number, to: number): Uint8Array {
  if (values.kind === 'fixed') return values.bytes.subarray(from * values.width, to * values.width)
  const { buffer, byteOffset } = values.kind === 'int64' ? values.halves : values.values
  const width = values.kind === 'int32' || values.kind === 'float' ? 4 : 8
  return new Uint8Array(buffer, byteOffset + from * width, (to - from) * width)
}

function writeBits(out: PageBuffer, values: Uint8Array, from: number, to: number): void {
  const size = (to - from + 7) >> 3
  out.ensure(size)
  for (let at = from; at < to; at += 8) {
    let byte = 0
    const end = Math.min(to, at + 8)
    for (let i = at; i < end; i++) byte |= (values[i]! & 1) << (i - at)
    out.bytes[out.length++] = byte
  }
}

/** Up to here a loop over words is faster than a call to copy. */
const wordCopyBytes = 512

function writeStrings(out: PageBuffer, values: BytesValues, from: number, to: number): void {
  const { data, view, starts, ends } = values
  out.ensure(stringBytes(values, from, to) + (to - from) * 4)
  const target = out.view
  const { bytes } = out
  // Words are copied whole, the last one beyond the value's end: the next length overwrites that. They travel as doubles,
  // the widest that V8 moves without an object on every version; a double that is only moved keeps its bits.
  const wordsEnd = data.length - 8
  let at = out.length
  for (let i = from; i < to; i++) {
    const start = starts[i]!
    const end = ends[i]!
    target.setInt32(at, end - start, true)
    at += 4
    if (end - start <= wordCopyBytes && end <= wordsEnd) {
      let to = at
      for (let word = start; word < end; word += 8, to += 8) target.setFloat64(to, view.getFloat64(word, true), true)
    } else bytes.set(data.subarray(start, end), at)
    at += end - start
  }
  out.length = at
}
