/** A leaf's value as it is compared. */
export type Stored = boolean | number | bigint | Uint8Array

/** NaN is NaN; −0 is not 0; 1 is not 1n. */
export function sameStored(a: Stored | null, b: Stored | null): boolean {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return Object.is(a, b)
  return a.length === b.length && firstDifference(a, b) === undefined
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return at
  return a.length < b.length ? a.length : undefined
}

const shownBytes = 32
const shownBefore = 8

/** For people; long bytes around the place where they part from the other value. */
export function printedStored(type: string, value: Stored | null, other: Stored | null): string {
  if (!(value instanceof Uint8Array)) return Object.is(value, -0) ? '-0' : String(value)
  const parting = other instanceof Uint8Array ? (firstDifference(value, other) ?? value.length) : 0
  const isLong = value.length > shownBytes
  const start = isLong ? Math.max(0, parting - shownBefore) : 0
  const part = value.subarray(start, start + shownBytes)
  const text = type === 'string' ? textOf(part) : undefined
  const shown = text === undefined ? `0x${Buffer.from(part).toString('hex')}` : JSON.stringify(text)
  return isLong ? `${shown} (from byte ${start} of ${value.length})` : shown
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Undefined where it is cut inside of a character, or no UTF-8 at all. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Two's complement, most significant byte first, of any length. */
export function bigEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(bytes.length * 8, value)
}
