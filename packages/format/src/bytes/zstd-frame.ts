const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a50

/**
 * Whether the bytes are zstd frames from the first to the last byte: Node 22 gives what there is of a cut one without an
 * error. Only the framing is looked at, a few bytes per block of up to 128 KiB.
 *
 * Spec: RFC 8878 §3.1.
 */
export function isWholeZstd(bytes: Uint8Array): boolean {
  if (bytes.length === 0) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  while (at < bytes.length) {
    if (at + 8 > bytes.length) return false
    const magic = view.getUint32(at, true)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) at += 8 + view.getUint32(at + 4, true)
    else if (magic === MAGIC) at = frameEnd(bytes, at + 4)
    else return false
  }
  return at === bytes.length
}

/** Where the frame ends whose header descriptor is at `start`; beyond the bytes when it is cut. */
function frameEnd(bytes: Uint8Array, start: number): number {
  const descriptor = bytes[start]!
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
  let at = start + 1 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes
  for (let isLast = false; !isLast;) {
    if (at + 3 > bytes.length) return Infinity
    const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
    isLast = (header & 1) === 1
    // A run-length block is one byte, whatever it stands for.
    at += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3)
  }
  return at + ((descriptor & 4) !== 0 ? 4 : 0)
}
