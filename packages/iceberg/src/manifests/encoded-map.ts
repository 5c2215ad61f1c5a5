import { AvroReader, type AvroRead, type AvroType } from '@moulin/format'

/** How the values of such a map are written. */
type ValueKind = 'long' | 'bytes'

/**
 * A map by field id as an Avro file holds it: pairs in blocks, the last one empty. It was passed over once, so it ends within the bytes; its
 * pairs are read when they are asked for. Of 100 000 files with some counts and bounds for each of their columns, few are ever asked for.
 */
export class EncodedMap<V extends bigint | Uint8Array> implements ReadonlyMap<number, V> {
  readonly kind: ValueKind
  readonly #bytes: Uint8Array
  readonly #start: number

  constructor(bytes: Uint8Array, start: number, kind: ValueKind) {
    this.#bytes = bytes
    this.#start = start
    this.kind = kind
  }

  get(id: number): V | undefined {
    const reader = this.#reader()
    for (let left = blockLength(reader); left > 0; left = left > 1 ? left - 1 : blockLength(reader)) {
      if (reader.size() === id) return this.#value(reader)
      skipValue(reader, this.kind)
    }
    return undefined
  }

  has(id: number): boolean {
    return this.get(id) !== undefined
  }

  get size(): number {
    return [...this].length
  }

  *[Symbol.iterator](): MapIterator<[number, V]> {
    const reader = this.#reader()
    for (let left = blockLength(reader); left > 0; left = left > 1 ? left - 1 : blockLength(reader))
      yield [reader.size(), this.#value(reader)]
  }

  entries(): MapIterator<[number, V]> {
    return this[Symbol.iterator]()
  }

  *keys(): MapIterator<number> {
    for (const [id] of this) yield id
  }

  *values(): MapIterator<V> {
    for (const [, value] of this) yield value
  }

  forEach(work: (value: V, id: number, map: ReadonlyMap<number, V>) => void): void {
    for (const [id, value] of this) work(value, id, this)
  }

  #reader(): AvroReader {
    return new AvroReader(this.#bytes, this.#start, this.#bytes.length, 'A manifest')
  }

  #value(reader: AvroReader): V {
    return (this.kind === 'long' ? reader.long() : reader.copy(reader.size())) as V
  }
}

/** 0: there is no more. */
function blockLength(reader: AvroReader): number {
  const count = reader.size()
  if (count >= 0) return count
  reader.skipVarint()
  return -count
}

/** Reads such a map, or null, as an {@link EncodedMap}; undefined where the type is another one, or laid out otherwise. */
export function encodedMapReader(type: AvroType): AvroRead | undefined {
  const branches = type.type === 'union' ? type.branches : [type]
  const at = branches.findIndex(({ type: kind }) => kind === 'array')
  const array = branches[at]
  if (array?.type !== 'array' || branches.some((branch) => branch !== array && branch.type !== 'null')) return undefined
  const kind = valueKind(array.items)
  if (kind === undefined) return undefined
  return (reader) => {
    const branch = type.type === 'union' ? reader.size() : 0
    if (branches[branch] === undefined)
      throw reader.fail(`a union of ${branches.length} branches has no branch ${branch}`)
    if (branch !== at) return null
    const start = reader.position
    skipPairs(reader, kind)
    return new EncodedMap(reader.bytes, start, kind)
  }
}

function skipPairs(reader: AvroReader, kind: ValueKind): void {
  for (let left = blockLength(reader); left > 0; left = blockLength(reader)) {
    for (; left > 0; left--) {
      reader.skipVarint()
      skipValue(reader, kind)
    }
  }
}

function skipValue(reader: AvroReader, kind: ValueKind): void {
  if (kind === 'long') reader.skipVarint()
  else reader.take(reader.size())
}

function valueKind(pair: AvroType): ValueKind | undefined {
  if (pair.type !== 'record' || pair.fields.length !== 2) return undefined
  const [key, value] = pair.fields
  const isPair = key!.name === 'key' && value!.name === 'value' && ['int', 'long'].includes(key!.type.type)
  if (!isPair) return undefined
  if (value!.type.type === 'bytes') return 'bytes'
  return value!.type.type === 'int' || value!.type.type === 'long' ? 'long' : undefined
}
