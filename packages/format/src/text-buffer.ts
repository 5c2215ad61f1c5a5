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
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) as unknown as TextBuffer
}

/** Fresh memory of its own, not zeroed. */
export function newTextBuffer(sizeBytes: number): TextBuffer {
  return Buffer.allocUnsafeSlow(sizeBytes) as unknown as TextBuffer
}
