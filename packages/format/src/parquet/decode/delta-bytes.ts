import { exhausted } from '@moulin/core'
import { malformed, readDeltaInt32 } from './delta-decoder.ts'
import { type BytesValues, type FixedValues, tooFew } from './dense-values.ts'

/** DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes. Spec: parquet-format, Encodings. @throws `corrupt`. */
export function appendDeltaLength(values: BytesValues, bytes: Uint8Array, start: number, count: number): void {
  const { lengths, from, end } = lengthsAt(bytes, start, count)
  const base = values.arena.append(bytes.subarray(from, end), false)
  values.appendLengths(lengths, count, base)
}

function lengthsAt(
  bytes: Uint8Array,
  start: number,
  count: number,
): { lengths: Int32Array; from: number; end: number } {
  const lengths = new Int32Array(count)
  const from = readDeltaInt32(bytes, start, count, lengths, 0)
  let size = 0
  for (let i = 0; i < count; i++) {
    if (lengths[i]! < 0) throw malformed('has a negative length')
    size += lengths[i]!
  }
  if (size > bytes.length - from) throw tooFew()
  return { lengths, from, end: from + size }
}

/**
 * DELTA_BYTE_ARRAY: how much each value shares with the one before it, then the rest of each as above. The values come
 * out whole, up to `maxBytes` of them. Spec: parquet-format, Encodings, "Delta Strings".
 * @throws `corrupt`; `exhausted`.
 */
export function appendDeltaBytes(
  values: BytesValues | FixedValues,
  bytes: Uint8Array,
  start: number,
  count: number,
  maxBytes: number,
): void {
  const prefixes = new Int32Array(count)
  const suffixesAt = readDeltaInt32(bytes, start, count, prefixes, 0)
  const { lengths, from } = lengthsAt(bytes, suffixesAt, count)
  let size = 0
  let last = 0
  for (let i = 0; i < count; i++) {
    const prefix = prefixes[i]!
    if (prefix < 0 || prefix > last) throw malformed(`shares ${prefix} bytes of ${last}`)
    last = prefix + lengths[i]!
    size += last
    if (values.kind === 'fixed' && last !== values.width)
      throw malformed(`has a value that is not ${values.width} bytes`)
  }
  if (size > maxBytes) {
    const message = `The values of one of its pages have ${size} bytes; the limit maxParquetPageBytes is ${maxBytes}.`
    throw exhausted('PARQUET_LIMIT', message, { context: { size, maxBytes } })
  }
  if (values.kind === 'fixed') {
    join(bytes, from, prefixes, lengths, count, values.bytes, values.count * values.width)
    values.count += count
    return
  }
  const base = values.arena.length
  values.arena.grow(size)
  join(bytes, from, prefixes, lengths, count, values.arena.data, base)
  for (let i = 0; i < count; i++) lengths[i]! += prefixes[i]!
  values.appendLengths(lengths, count, base)
}

function join(
  bytes: Uint8Array,
  from: number,
  prefixes: Int32Array,
  suffixes: Int32Array,
  count: number,
  out: Uint8Array,
  to: number,
): void {
  let last = to
  for (let i = 0; i < count; i++) {
    const start = to
    for (const end = to + prefixes[i]!; to < end;) out[to++] = out[last++]!
    for (const end = to + suffixes[i]!; to < end;) out[to++] = bytes[from++]!
    last = start
  }
}
