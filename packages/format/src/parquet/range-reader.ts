import { type ObjectStore, type StoredRanges, corrupt, isKind, unavailable } from '@moulin/core'

interface ReadOptions {
  readonly signal?: AbortSignal
}

/** Random access to the bytes of one immutable file. What it gives is its caller's. */
export interface RangeReader {
  /** Bytes of the whole file. */
  readonly size: number
  /** For messages. */
  readonly name: string
  /** Exactly the bytes `[start, end)`. */
  read(start: number, end: number, options?: ReadOptions): Promise<Uint8Array>
  /** Several spans at once, none of them empty, in the order asked. Without it they are read one by one, side by side. */
  readMany?(
    spans: readonly { readonly start: number; readonly end: number }[],
    options?: ReadOptions,
  ): Promise<readonly Uint8Array[]>
}

/** What reads one object: a store. */
type ReadableStore = Pick<ObjectStore, 'name' | 'get'> & Partial<Pick<ObjectStore, 'getRanges'>>

/**
 * Reads one object of a store. `size` is what its writer recorded (a manifest's file size), so that no `head` is needed.
 * @throws whatever the store does; `corrupt` code `FILE_SIZE` when the object has another size, `FILE_PARTS` when the store answers with
 * other ranges than it was asked for; `unavailable` code `FILE_OVERWRITTEN` when the object is overwritten at each try.
 */
export function storeRangeReader(store: ReadableStore, key: string, size: number): RangeReader {
  const name = `${store.name}/${key}`
  const cut = (start: number, end: number, actual: number): Error => {
    const context = { file: name, start, end, expected: size, actual }
    const message = `${name} has ${actual} bytes where ${size} are recorded; it is cut or replaced.`
    return corrupt('FILE_SIZE', message, { context })
  }
  // Plain bytes: a store may answer with Buffers, whose `slice` is a view, so that who means to copy before a transfer
  // would give away the store's memory.
  const checked = (bytes: Uint8Array, start: number, end: number, actual: number): Uint8Array => {
    if (bytes.length !== end - start || actual !== size) throw cut(start, end, actual)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  const reader: RangeReader = {
    size,
    name,
    async read(start, end, options) {
      if (start === end) return new Uint8Array(0)
      const { bytes, size: actual } = await asRecorded(
        store.get(key, { ...options, range: { start, end } }),
        name,
        size,
      )
      return checked(bytes, start, end, actual)
    },
  }
  if (store.getRanges === undefined) return reader
  return {
    ...reader,
    async readMany(spans, options) {
      const ranges = spans.map(({ start, end }) => ({ start, end }))
      // Who asks has joined what is near.
      const ask = (): Promise<StoredRanges> => store.getRanges!(key, ranges, { ...options, maxGapBytes: 0 })
      const { parts, size: actual } = await asRecorded(ofOneVersion(ask, name), name, size)
      if (parts.length !== spans.length) {
        const message = `${name}: the store gave ${parts.length} parts where ${spans.length} ranges were asked for.`
        throw corrupt('FILE_PARTS', message, { context: { file: name, asked: spans.length, given: parts.length } })
      }
      return spans.map(({ start, end }, index) => checked(parts[index]!, start, end, actual))
    },
  }
}

/** Who overwrites a file once, as a restore does, is waited for by no one. */
const TRIES = 3

async function ofOneVersion<T>(ask: () => Promise<T>, name: string): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (cause) {
      if (!isKind(cause, 'conflict', 'OVERWRITTEN')) throw cause
      if (tries < TRIES) continue
      const message = `${name} was overwritten each of ${TRIES} times that ranges of it were read. Try again; files of a table are written once.`
      throw unavailable('FILE_OVERWRITTEN', message, { context: { file: name }, cause })
    }
  }
}

/** An object that ends before a range begins is cut, not a wrong call. */
async function asRecorded<T>(answer: Promise<T>, name: string, size: number): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    if (!isKind(cause, 'invalid', 'RANGE')) throw cause
    const message = `${name} ends before a range that is read begins; ${size} bytes are recorded: it is cut.`
    throw corrupt('FILE_SIZE', message, { context: { file: name, expected: size }, cause })
  }
}

/** A file that is in memory already. */
export function bytesRangeReader(bytes: Uint8Array, name: string): RangeReader {
  return { size: bytes.length, name, read: (start, end) => Promise.resolve(bytes.subarray(start, end)) }
}
