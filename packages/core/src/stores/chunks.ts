import type { Chunks } from '../doors/object-store.ts'
import { invalid } from '../model/errors.ts'
import { isBytes } from '../model/given-bytes.ts'
import { shown } from '../model/shown.ts'
import { waitFor } from '../shared-work.ts'

/**
 * Holds that what is to be put are bytes: others would be stored as something else, a text by memory as an empty object.
 * @throws `invalid` code `CHUNK`.
 */
export function checkBody(key: string, bytes: Uint8Array): void {
  if (!isBytes(bytes))
    throw invalid('CHUNK', `An object is put as a Uint8Array, not as ${shown(bytes)} (${shown(key)}): encode it.`)
}

/** @throws `invalid` code `CHUNK` for what cannot be walked. What its chunks are shows on the way. */
export function checkChunks(chunks: Chunks): void {
  const isThere = typeof chunks === 'object' && chunks !== null
  if (!isThere || !(Symbol.asyncIterator in chunks || Symbol.iterator in chunks))
    throw invalid('CHUNK', `A stream is an iterable of Uint8Arrays, not ${shown(chunks)}.`)
}

/**
 * The chunks of a stream, checked. Whoever stops early stops the source, and the signal ends the wait for a chunk that does not come;
 * nobody waits for a source to have stopped, which may be stuck.
 * @throws `invalid` code `CHUNK` for what is no Uint8Array; `aborted`; what the source throws.
 */
export async function* readChunks(chunks: Chunks, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
  checkChunks(chunks)
  const source = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  let isOver = false
  const next = async (): Promise<IteratorResult<Uint8Array, unknown>> => {
    try {
      return await source.next()
    } catch (error) {
      isOver = true
      throw error
    }
  }
  try {
    for (;;) {
      const { done, value } = await waitFor(next(), signal)
      if (done === true) {
        isOver = true
        return
      }
      if (!(value instanceof Uint8Array)) throw invalid('CHUNK', `A stream gives Uint8Arrays, not ${shown(value)}.`)
      yield value
    }
  } finally {
    if (!isOver) void stop(source)
  }
}

async function stop(source: AsyncIterator<Uint8Array> | Iterator<Uint8Array>): Promise<void> {
  try {
    await source.return?.()
  } catch {
    // Why the stream was given up is said already.
  }
}

/**
 * The bytes of a stream in parts of equal size, the last one shorter, each in memory of its own: what an upload in parts sends.
 * @throws like {@link readChunks}; `invalid` code `PART_BYTES`.
 */
export async function* equalParts(
  chunks: Chunks,
  partBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  if (!Number.isSafeInteger(partBytes) || partBytes < 1)
    throw invalid('PART_BYTES', `Parts of ${partBytes} bytes are none: give a whole number from 1.`)
  let part = new Uint8Array(0)
  let filled = 0
  for await (const chunk of readChunks(chunks, signal)) {
    for (let at = 0; at < chunk.length;) {
      if (filled === 0) part = new Uint8Array(partBytes)
      const taken = Math.min(chunk.length - at, partBytes - filled)
      part.set(chunk.subarray(at, at + taken), filled)
      at += taken
      filled += taken
      if (filled < partBytes) continue
      yield part
      filled = 0
    }
  }
  if (filled > 0) yield part.slice(0, filled)
}
