import { corrupt } from '@moulin/core'
import { unpackInt32, unpackUint8 } from './bit-unpack.ts'

/**
 * Walks the runs of the hybrid of run lengths and bit packing. Of a run only what the caller still wants and the bytes
 * hold is given, so a run that claims 2^31 values costs nothing.
 *
 * Spec: parquet-format, Encodings, "Run Length Encoding / Bit-Packing Hybrid".
 */
export class RunReader {
  readonly bytes: Uint8Array
  readonly width: number
  readonly end: number
  position: number
  /** The present run: values packed from `start` on, or one `value` repeated. */
  isPacked = false
  start = 0
  value = 0
  count = 0

  /** `width` is 1 to 32. */
  constructor(bytes: Uint8Array, start: number, end: number, width: number) {
    this.bytes = bytes
    this.width = width
    this.end = end
    this.position = start
  }

  /** Reads a run of which at most `wanted` values are given. @throws `corrupt` when the bytes end. */
  next(wanted: number): void {
    let header = 0
    for (let shift = 0; ; shift += 7) {
      if (this.position >= this.end || shift > 28) throw endsEarly()
      const byte = this.bytes[this.position++]!
      header |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    const stated = header >>> 1
    const left = this.end - this.position
    this.isPacked = (header & 1) === 1
    if (this.isPacked) {
      this.start = this.position
      // The last group need not be whole.
      const size = Math.min(stated * this.width, left)
      this.count = Math.min(stated * 8, Math.floor((size * 8) / this.width), wanted)
      if (this.count === 0 && stated > 0) throw endsEarly()
      this.position += size
    } else {
      const size = (this.width + 7) >> 3
      if (size > left) throw endsEarly()
      this.value = 0
      for (let i = 0; i < size; i++) this.value |= this.bytes[this.position++]! << (8 * i)
      this.count = Math.min(stated, wanted)
    }
  }
}

function endsEarly(): Error {
  return corrupt('PARQUET_RLE', 'Its runs end before their last value.')
}

/** Reads `count` values into `out`. Width 0 takes no bytes: all are 0. */
export function readRunsInt32(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  count: number,
  out: Int32Array,
): void {
  if (width === 0) {
    out.fill(0, 0, count)
    return
  }
  const runs = new RunReader(bytes, start, end, width)
  for (let at = 0; at < count; at += runs.count) {
    runs.next(count - at)
    if (runs.isPacked) unpackInt32(bytes, runs.start, end, width, runs.count, out, at)
    else out.fill(runs.value, at, at + runs.count)
  }
}

/** The same for widths up to 8, from `at` on. */
export function readRunsUint8(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  count: number,
  out: Uint8Array,
  at: number,
): void {
  if (width === 0) {
    out.fill(0, at, at + count)
    return
  }
  const runs = new RunReader(bytes, start, end, width)
  const last = at + count
  while (at < last) {
    runs.next(last - at)
    if (runs.isPacked) unpackUint8(bytes, runs.start, width, runs.count, out, at)
    else out.fill(runs.value, at, at + runs.count)
    at += runs.count
  }
}
