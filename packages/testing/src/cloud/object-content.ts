/** Bytes of an object of a fake. They may be more than memory holds: `slice` and `chunks` make only what is asked for. */
export interface ObjectContent {
  readonly size: number
  slice(start: number, end: number): Uint8Array
  chunks(start: number, end: number): AsyncIterable<Uint8Array>
}

/** Takes the array as its own: nobody may write to it later. */
export function bytesContent(bytes: Uint8Array): ObjectContent {
  return contentOf(bytes.length, (start, end) => bytes.subarray(start, end))
}

/** What lies at `at` in an object that is zeros elsewhere. */
export interface SparsePiece {
  readonly at: number
  readonly bytes: Uint8Array
}

/** `size` bytes, all zero but for the pieces; where two overlap, the later one counts. */
export function sparseContent(size: number, pieces: readonly SparsePiece[]): ObjectContent {
  const kept = pieces.map(({ at, bytes }) => ({ at, bytes: Uint8Array.from(bytes) }))
  return contentOf(size, (start, end) => {
    const slice = new Uint8Array(end - start)
    for (const { at, bytes } of kept) {
      const from = Math.max(at, start)
      const to = Math.min(at + bytes.length, end)
      if (from < to) slice.set(bytes.subarray(from - at, to - at), from - start)
    }
    return slice
  })
}

/** One after the other. */
export function joinedContent(parts: readonly ObjectContent[]): ObjectContent {
  const starts: number[] = []
  let size = 0
  for (const part of parts) {
    starts.push(size)
    size += part.size
  }
  return contentOf(size, (start, end) => {
    const slice = new Uint8Array(end - start)
    for (const [i, part] of parts.entries()) {
      const from = Math.max(start, starts[i]!)
      const to = Math.min(end, starts[i]! + part.size)
      if (from < to) slice.set(part.slice(from - starts[i]!, to - starts[i]!), from - start)
    }
    return slice
  })
}

const CHUNK_BYTES = 1 << 20

function contentOf(size: number, slice: (start: number, end: number) => Uint8Array): ObjectContent {
  return {
    size,
    slice,
    async *chunks(start, end) {
      for (let at = start; at < end; at += CHUNK_BYTES) yield slice(at, Math.min(end, at + CHUNK_BYTES))
    },
  }
}
