import { type BytesValues, type FixedValues, stringBytes } from './leaf-values.ts'
import type { PageBuffer } from './page-buffer.ts'
import { writeDeltaInts } from './delta-encoder.ts'
import type { ScratchMemory } from './scratch.ts'

/**
 * DELTA_LENGTH_BYTE_ARRAY of values `[from, to)`: their lengths, then their bytes back to back.
 * Spec: parquet-format, Encodings, "Delta-length byte array".
 */
export function writeDeltaLength(
  out: PageBuffer,
  values: BytesValues,
  from: number,
  to: number,
  scratch: ScratchMemory,
): void {
  const { data, starts, ends } = values
  const lengths = scratch.ints(to - from)
  for (let i = from; i < to; i++) lengths[i - from] = ends[i]! - starts[i]!
  writeDeltaInts(out, lengths, 0, to - from)
  if (from === to) return
  if (values.isContiguous) return out.append(data.subarray(starts[from], ends[to - 1]))
  out.ensure(stringBytes(values, from, to))
  for (let i = from; i < to; i++) copy(out, data, starts[i]!, ends[i]!)
}

/**
 * DELTA_BYTE_ARRAY of values `[from, to)`: how much each shares with the one before, then the rests as
 * DELTA_LENGTH_BYTE_ARRAY. Spec: parquet-format, Encodings, "Delta Strings".
 */
export function writeDeltaByteArray(
  out: PageBuffer,
  values: BytesValues | FixedValues,
  from: number,
  to: number,
  scratch: ScratchMemory,
): void {
  const count = to - from
  const { data, starts, ends } = values.kind === 'fixed' ? fixedAsBytes(values, from, to, scratch) : values
  const first = values.kind === 'fixed' ? 0 : from
  const prefixes = scratch.ints(count)
  const suffixes = scratch.ints(count)
  let size = 0
  for (let i = 0; i < count; i++) {
    const start = starts[first + i]!
    const length = ends[first + i]! - start
    let shared = 0
    if (i > 0) {
      const before = starts[first + i - 1]!
      const most = Math.min(length, ends[first + i - 1]! - before)
      while (shared < most && data[start + shared] === data[before + shared]) shared++
    }
    prefixes[i] = shared
    suffixes[i] = length - shared
    size += length - shared
  }
  writeDeltaInts(out, prefixes, 0, count)
  writeDeltaInts(out, suffixes, 0, count)
  out.ensure(size)
  for (let i = 0; i < count; i++) copy(out, data, starts[first + i]! + prefixes[i]!, ends[first + i]!)
}

function copy(out: PageBuffer, data: Uint8Array, start: number, end: number): void {
  const { bytes } = out
  let at = out.length
  if (end - start > 64) {
    bytes.set(data.subarray(start, end), at)
    at += end - start
  } else for (let i = start; i < end; i++) bytes[at++] = data[i]!
  out.length = at
}

/** Positions of fixed values as those of strings. */
export function fixedAsBytes(
  values: FixedValues,
  from: number,
  to: number,
  scratch: ScratchMemory,
): { data: Uint8Array; starts: Int32Array; ends: Int32Array } {
  const starts = scratch.ints(to - from)
  const ends = scratch.ints(to - from)
  for (let i = from; i < to; i++) {
    starts[i - from] = i * values.width
    ends[i - from] = (i + 1) * values.width
  }
  return { data: values.bytes, starts, ends }
}
