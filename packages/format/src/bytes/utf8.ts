import { isUtf8 } from 'node:buffer'

// The memory looked at last, as words: text after text lies in the same arena.
let lastBytes: Uint8Array | undefined
let words: Int32Array = new Int32Array(0)

/**
 * Whether the bytes `[start, end)` are UTF-8. Nearly all text is short and ASCII, for which a call into native code costs
 * several times what a look at four bytes at a time does.
 */
export function isUtf8Range(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes !== lastBytes) setWords(bytes)
  const all = words
  let seen = 0
  let at = start
  while ((at & 3) !== 0 && at < end) seen |= bytes[at++]!
  if (seen < 0x80 && end - at >= 4) {
    const wordEnd = Math.min(end >> 2, all.length)
    let high = 0
    let word = at >> 2
    for (const last = wordEnd - 1; word < last; word += 2) high |= all[word]! | all[word + 1]!
    if (word < wordEnd) high |= all[word]!
    if ((high & 0x80808080) !== 0) seen = 0x80
    at = Math.max(at, wordEnd << 2)
  }
  while (at < end) seen |= bytes[at++]!
  return seen < 0x80 || isUtf8(bytes.subarray(start, end))
}

function setWords(bytes: Uint8Array): void {
  const isAligned = (bytes.byteOffset & 3) === 0
  words = isAligned ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2) : new Int32Array(0)
  lastBytes = bytes
}
