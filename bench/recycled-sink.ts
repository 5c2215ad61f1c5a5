import type { LeafEncoding } from '@moulin/format'
import type { Shape } from './shapes/shape.ts'

/** Takes a file's bytes into memory that is used again for the next one. */
export interface RecycledSink {
  readonly length: number
  readonly sink: (bytes: Uint8Array) => void
  clear(): void
}

export function recycledSink(): RecycledSink {
  let memory = new Uint8Array(0)
  let length = 0
  return {
    get length() {
      return length
    },
    sink(bytes) {
      if (length + bytes.length > memory.length) {
        const grown = new Uint8Array((length + bytes.length) * 2)
        grown.set(memory)
        memory = grown
      }
      memory.set(bytes, length)
      length += bytes.length
    },
    clear() {
      length = 0
    },
  }
}

/** What every engine is told about the columns of a shape. */
export function tunedEncodings({ schema, tuned }: Pick<Shape, 'schema' | 'tuned'>): Record<string, LeafEncoding> {
  const encodings: Record<string, LeafEncoding> = {}
  for (const { name } of schema.fields) {
    const isDelta = tuned.delta.includes(name)
    encodings[name] = isDelta ? 'delta-binary-packed' : tuned.dictionary.includes(name) ? 'dictionary' : 'plain'
  }
  return encodings
}
