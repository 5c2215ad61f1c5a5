import { isUtf8 } from 'node:buffer'
import { bigIntBytes } from '../../values/scalars.ts'
import type { MetricValue } from '../file-writer.ts'
import type { Leaf } from '../parquet-schema.ts'

/** A bound as footer and column index state it: PLAIN without a length. */
export interface EncodedBound {
  readonly bytes: Uint8Array
  /** False where it was cut: a value below, or above, all values. */
  readonly isExact: boolean
}

/** A bound that cannot be cut is stated up to here: a footer has two of them for each column of each row group. */
export const WHOLE_BYTES = 256

/** The lower bound, cut to `maxBytes`; undefined where that cannot be, and it is too long. A bound of zero stands for both zeros (parquet-format, ColumnOrder). */
export function encodedLower(value: MetricValue, leaf: Leaf, maxBytes: number): EncodedBound | undefined {
  if (typeof value !== 'object') return { bytes: encodedNumber(value === 0 ? -0 : value, leaf), isExact: true }
  if (!isCuttable(leaf)) return whole(value)
  if (value.length <= maxBytes) return { bytes: value, isExact: true }
  const end = leaf.type.kind === 'string' && isUtf8(value) ? characterStart(value, maxBytes) : maxBytes
  return { bytes: value.slice(0, end), isExact: false }
}

/** The upper bound; one that is cut is raised, so that it lies above all that begin like it. Undefined as the lower one. */
export function encodedUpper(value: MetricValue, leaf: Leaf, maxBytes: number): EncodedBound | undefined {
  if (typeof value !== 'object') return { bytes: encodedNumber(value === 0 ? 0 : value, leaf), isExact: true }
  if (!isCuttable(leaf)) return whole(value)
  if (value.length <= maxBytes) return { bytes: value, isExact: true }
  const raised =
    leaf.type.kind === 'string' && isUtf8(value) ? raisedText(value, maxBytes) : raisedBytes(value, maxBytes)
  return raised === undefined ? whole(value) : { bytes: raised, isExact: false }
}

function whole(value: Uint8Array): EncodedBound | undefined {
  return value.length <= WHOLE_BYTES ? { bytes: value, isExact: true } : undefined
}

/** The most that {@link encodedUpper} gives. */
export function boundBytesOf({ element }: Leaf, maxBytes: number): number {
  if (element.type === 'BYTE_ARRAY') return Math.max(maxBytes, WHOLE_BYTES)
  return element.type === 'FIXED_LEN_BYTE_ARRAY' ? Math.min(element.type_length!, WHOLE_BYTES) : 8
}

// A value of a fixed width that is shorter than that would surprise readers.
function isCuttable(leaf: Leaf): boolean {
  return leaf.element.type === 'BYTE_ARRAY'
}

function encodedNumber(value: boolean | number | bigint, leaf: Leaf): Uint8Array {
  const { type, type_length } = leaf.element
  switch (type) {
    case 'BOOLEAN':
      return Uint8Array.of(value === true ? 1 : 0)
    case 'FIXED_LEN_BYTE_ARRAY':
      return bigIntBytes(value as bigint, type_length!)
    case 'INT32': {
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setInt32(0, Number(value), true)
      return bytes
    }
    case 'FLOAT': {
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setFloat32(0, Number(value), true)
      return bytes
    }
    case 'DOUBLE': {
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setFloat64(0, Number(value), true)
      return bytes
    }
    default: {
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true)
      return bytes
    }
  }
}

/** The last position at or before `at` where a character begins. */
function characterStart(text: Uint8Array, at: number): number {
  let start = at
  while (start > 0 && (text[start]! & 0xc0) === 0x80) start--
  return start
}

function raisedBytes(value: Uint8Array, maxBytes: number): Uint8Array | undefined {
  for (let last = maxBytes - 1; last >= 0; last--) {
    if (value[last]! === 0xff) continue
    const raised = value.slice(0, last + 1)
    raised[last]!++
    return raised
  }
  return undefined
}

/** As {@link raisedBytes} by characters, so that the bound is text, too. */
function raisedText(value: Uint8Array, maxBytes: number): Uint8Array | undefined {
  let end = characterStart(value, maxBytes)
  while (end > 0) {
    const start = characterStart(value, end - 1)
    const code = new TextDecoder('utf-8', { ignoreBOM: true }).decode(value.subarray(start, end)).codePointAt(0)!
    // Surrogates are no characters.
    const next = code === 0xd7ff ? 0xe000 : code + 1
    if (next <= 0x10ffff) {
      const character = new TextEncoder().encode(String.fromCodePoint(next))
      // U+007F and the like grow by a byte when they are raised: still below what was cut away, unless at the limit.
      if (start + character.length <= Math.max(maxBytes, end)) {
        const raised = new Uint8Array(start + character.length)
        raised.set(value.subarray(0, start))
        raised.set(character, start)
        return raised
      }
    }
    end = start
  }
  return undefined
}
