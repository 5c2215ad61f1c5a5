import { describe, expect, it } from 'vitest'
import type { LoadedTable } from '../doors/catalog.ts'
import type { ObjectStore } from '../doors/object-store.ts'
import type { TableStores } from '../doors/table-files.ts'
import { notFound } from '../model/errors.ts'
import { defineObjectStore } from './define-object-store.ts'
import { tableFiles } from './table-files.ts'

const unused = (): never => {
  throw new TypeError('not part of this test')
}
const store: ObjectStore = defineObjectStore({
  name: 'bucket lake',
  root: 's3://lake/',
  capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },
  durability: 'memory',
  listOrder: 'bytes',
  head: async () => undefined,
  get: async (key) => {
    throw notFound('OBJECT', `${key} is missing`)
  },
  put: unused,
  delete: unused,
  list: unused,
})
const HERE = 's3://lake/t/x'

describe('what a function gives for the store of a location', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'store is missing; it must be an ObjectStore'],
    ['a promise', Promise.resolve(store), 'it must be an ObjectStore, an object with root, get'],
    ['a part of a store', { ...store, deleteMany: undefined }, 'it must be an ObjectStore, an object with root, get'],
  ])('is refused by name where it is %s', async (_, given, message) => {
    const files = tableFiles((() => given) as TableStores)
    for (const call of [files.get(HERE), files.head(HERE), (async () => files.canonical(HERE))()]) {
      const error = await call.catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ kind: 'invalid', code: 'OPTION' })
      expect((error as Error).message).toMatch(/^The stores of s3:\/\/lake\/: /)
      expect((error as Error).message).toContain(message)
    }
  })

  it('must have a root that locations can begin with', async () => {
    const unended = tableFiles(() => ({ ...store, root: 's3://lake' }))
    await expect(unended.head(HERE)).rejects.toMatchObject({ kind: 'invalid', code: 'ROOT' })
    expect(await tableFiles(() => store).head(HERE)).toBeUndefined()
  })
})

describe('the stores of a table', () => {
  it('are one for each choice of credentials in one bucket, whatever scheme names it', async () => {
    const made: string[] = []
    const prefixes = ['s3', 's3://lake/t/data/', 's3://lake/t/meta', 's3://la', 's3://lake/t/data/']
    const credentials = prefixes.map((prefix) => ({ prefix, config: { secret: prefix } }))
    const files = tableFiles(
      (location) => {
        made.push(location)
        return { ...store, aliases: ['s3a://lake/'] }
      },
      { table: { config: {}, credentials } as unknown as LoadedTable },
    )
    for (const key of ['t/data/1', 't/data/2', 't/meta/1', 't/metadata/1', 't/x', 'u'])
      for (const scheme of ['s3', 's3a']) await files.head(`${scheme}://lake/${key}`)
    expect(made).toEqual(['t/data/1', 't/meta/1', 't/x'].flatMap((key) => [`s3://lake/${key}`, `s3a://lake/${key}`]))
  })
})
