/**
 * Node's Buffer with the encoding-specific methods that its types leave out. They skip the choice of an encoding that
 * `toString` and `write` make on every call (js-measured §6).
 */
export type TextBuffer = Buffer & {
  utf8Slice(start: number, end: number): string
  latin1Slice(start: number, end: number): string
  /** Writes at most `length` bytes, whole characters only; returns how many. */
  utf8Write(text: string, position: number, length: number): number
}

/** The same memory as a Buffer. */
export function textBuffer(bytes: Uint8Array): TextBuffer {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return buffer as unknown as TextBuffer
}

/** Fresh memory of its own, not zeroed. */
export function newTextBuffer(sizeBytes: number): TextBuffer {
  return Buffer.allocUnsafeSlow(sizeBytes) as unknown as TextBuffer
}

/** Writes a code point at `position`; returns the end. */
export function putUtf8(target: Uint8Array, position: number, code: number): number {
  let at = position
  if (code < 0x80) target[at++] = code
  else if (code < 0x800) {
    target[at++] = 0xc0 | (code >> 6)
    target[at++] = 0x80 | (code & 0x3f)
  } else if (code < 0x10000) {
    target[at++] = 0xe0 | (code >> 12)
    target[at++] = 0x80 | ((code >> 6) & 0x3f)
    target[at++] = 0x80 | (code & 0x3f)
  } else {
    target[at++] = 0xf0 | (code >> 18)
    target[at++] = 0x80 | ((code >> 12) & 0x3f)
    target[at++] = 0x80 | ((code >> 6) & 0x3f)
    target[at++] = 0x80 | (code & 0x3f)
  }
  return at
}
