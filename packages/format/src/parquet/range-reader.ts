import { type ObjectStore, corrupt } from '@moulin/core'

/** Random access to the bytes of one immutable file. */
export interface RangeReader {
  /** Bytes of the whole file. */
  readonly size: number
  /** For messages. */
  readonly name: string
  /** Exactly the bytes `[start, end)`. */
  read(start: number, end: number, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>
}

/**
 * Reads one object of a store. `size` is what its writer recorded (a manifest's file size), so that no `head` is needed.
 * @throws whatever the store does; `corrupt` when the object is shorter than that.
 */
export function storeRangeReader(store: Pick<ObjectStore, 'name' | 'get'>, key: string, size: number): RangeReader {
  const name = `${store.name}/${key}`
  return {
    size,
    name,
    async read(start, end, options) {
      if (start === end) return new Uint8Array(0)
      const { bytes, size: actual } = await store.get(key, { ...options, range: { start, end } })
      if (bytes.length !== end - start || actual !== size) {
        const context = { file: name, start, end, expected: size, actual }
        const message = `${name} has ${actual} bytes where ${size} are recorded; it is cut or replaced.`
        throw corrupt('FILE_SIZE', message, { context })
      }
      return bytes
    },
  }
}

/** A file that is in memory already. */
export function bytesRangeReader(bytes: Uint8Array, name: string): RangeReader {
  return { size: bytes.length, name, read: (start, end) => Promise.resolve(bytes.subarray(start, end)) }
}
