import type { ObjectStore } from '@moulin/core'
import { checkBody, checkChunks, checkOptions, invalid, objectStoreOptions } from '@moulin/core'

/**
 * The same layer, which looks at the options of a call before it does anything with them. Whoever takes a signal for itself, or begins a
 * timer, must not find out in the middle that it is none: what is thrown there nobody catches.
 */
export function checkedCalls<S extends ObjectStore>(layer: S): S {
  const { name, get, getRanges, head, put, putStream, list } = layer
  const remove = layer.delete
  const { deleteMany } = layer
  return {
    ...layer,
    async get(key, given) {
      checkOptions(`${name}.get`, given, objectStoreOptions.get)
      return await get(key, given)
    },
    async getRanges(key, ranges, given) {
      checkArray(`${name}.getRanges`, 'ranges', ranges)
      checkOptions(`${name}.getRanges`, given, objectStoreOptions.getRanges)
      return await getRanges(key, ranges, given)
    },
    async head(key, given) {
      checkOptions(`${name}.head`, given, objectStoreOptions.call)
      return await head(key, given)
    },
    async put(key, bytes, given) {
      checkBody(key, bytes)
      checkOptions(`${name}.put`, given, objectStoreOptions.put)
      return await put(key, bytes, given)
    },
    async putStream(key, chunks, given) {
      checkChunks(chunks)
      checkOptions(`${name}.putStream`, given, objectStoreOptions.putStream)
      return await putStream(key, chunks, given)
    },
    async delete(key, given) {
      checkOptions(`${name}.delete`, given, objectStoreOptions.call)
      await remove(key, given)
    },
    async deleteMany(keys, given) {
      checkArray(`${name}.deleteMany`, 'keys', keys)
      checkOptions(`${name}.deleteMany`, given, objectStoreOptions.call)
      return await deleteMany(keys, given)
    },
    async *list(given) {
      checkOptions(`${name}.list`, given, objectStoreOptions.list)
      yield* list(given)
    },
  }
}

function checkArray(what: string, name: string, value: unknown): void {
  if (!Array.isArray(value)) throw invalid('OPTION', `${what}: the ${name} are no array.`)
}
