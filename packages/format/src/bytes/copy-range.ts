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
  let from = start
  let to = position
  for (const last = end - 7; from < last; from += 8, to += 8) {
    targetView.setFloat64(to, sourceView.getFloat64(from, true), true)
  }
  while (from < end) target[to++] = source[from++]!
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
