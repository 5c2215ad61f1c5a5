/** Up to here a loop over words is faster than a call to copy (js-measured §6). */
const WORD_COPY_BYTES = 256

/**
 * Copies `[start, end)` of `source` to `position` of `target`, and not a byte more; both views are over the whole of
 * their bytes. Words travel as doubles, the widest that V8 moves without an object.
 */
export function copyRange(
  target: Uint8Array,
  targetView: DataView,
  position: number,
  source: Uint8Array,
  sourceView: DataView,
  start: number,
  end: number,
): void {
  if (end - start > WORD_COPY_BYTES) {
    target.set(source.subarray(start, end), position)
    return
  }
  const size = end - start
  if (size >= 8) {
    for (let at = 0, last = size - 8; at < last; at += 8) {
      targetView.setFloat64(position + at, sourceView.getFloat64(start + at, true), true)
    }
    // The last word may overlap the one before, which costs less than a loop over its bytes.
    targetView.setFloat64(position + size - 8, sourceView.getFloat64(end - 8, true), true)
  } else if (size >= 4) {
    targetView.setInt32(position, sourceView.getInt32(start, true), true)
    targetView.setInt32(position + size - 4, sourceView.getInt32(end - 4, true), true)
  } else {
    for (let at = 0; at < size; at++) target[position + at] = source[start + at]!
  }
}

/** The view over bytes, made once while they stay the same. */
export class ViewOf {
  #bytes: Uint8Array | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))

  of(bytes: Uint8Array): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    return this.#view
  }
}
