import { type FixedValues, tooFew } from './dense-values.ts'

/** BYTE_STREAM_SPLIT: all first bytes, then all second bytes, and so on. Spec: parquet-format, Encodings. @throws `corrupt`. */
export function appendByteStreamSplit(values: FixedValues, bytes: Uint8Array, start: number, count: number): void {
  const { width, words } = values
  if (count * width > bytes.length - start) throw tooFew()
  if (width % 4 === 0) {
    const step = width / 4
    for (let part = 0; part < step; part++)
      joinWords(bytes, start + part * 4 * count, count, words, values.count * step + part, step)
  } else {
    for (let k = 0; k < width; k++) {
      let to = values.count * width + k
      for (let from = start + k * count, end = from + count; from < end; from++, to += width)
        values.bytes[to] = bytes[from]!
    }
  }
  values.count += count
}

function joinWords(bytes: Uint8Array, start: number, count: number, words: Int32Array, to: number, step: number): void {
  const [b, c, d] = [start + count, start + 2 * count, start + 3 * count]
  for (let i = 0; i < count; i++, to += step)
    words[to] = bytes[start + i]! | (bytes[b + i]! << 8) | (bytes[c + i]! << 16) | (bytes[d + i]! << 24)
}
