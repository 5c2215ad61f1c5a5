import type { MoulinError, ObjectStore } from '@moulin/core'
import { checkOptions, invalid, option } from '@moulin/core'
import { facesOf } from './layer.ts'

/**
 * The reading half of a store. Every write is `invalid`, code `READ_ONLY`, whatever it is of, and does not reach the store; what writes
 * need it does not claim to have.
 *
 * @example
 * const tables = readOnly(s3({ bucket: 'lake' }))
 */
export function readOnly(store: ObjectStore): ObjectStore {
  checkOptions('readOnly', { store }, { store: option.required(option.storeCheck) })
  const faces = facesOf('readOnly', store)
  const refuse = async (call: string, key: string): Promise<never> => {
    throw refusal(faces.name, call, key)
  }
  return {
    ...faces,
    capabilities: { createIfAbsent: false, compareAndSwap: false, multipart: false },
    get: (key, options) => store.get(key, options),
    getRanges: (key, ranges, options) => store.getRanges(key, ranges, options),
    head: (key, options) => store.head(key, options),
    list: (options) => store.list(options),
    put: (key) => refuse('put', key),
    putStream: (key) => refuse('putStream', key),
    delete: (key) => refuse('delete', key),
    deleteMany: (keys) => refuse('deleteMany', keys.join(', ').slice(0, 200)),
  }
}

function refusal(name: string, call: string, key: string): MoulinError {
  const message = `${name} is for reading: ${call} of ${JSON.stringify(key)} is refused. Write to the store below it.`
  return invalid('READ_ONLY', message, { context: { call, key } })
}
