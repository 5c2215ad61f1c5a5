import { tableFiles, unavailable } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import type { HookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../lake.test-support.ts'
import { deleteAll, discardObjects } from './table-objects.ts'

const busy = unavailable('BUSY', 'Not now.')

/** A table whose objects are there, of which the store does not let some go. */
async function withStubborn(names: readonly string[], stubborn: string): Promise<HookedStore> {
  const store = hookedStore()
  for (const name of names) await store.put(`t/${name}`, utf8('x'))
  store.hooks.before = ({ op, key }) => {
    if (op === 'delete' && key === `t/${stubborn}`) throw busy
  }
  return store
}

async function keysIn(store: HookedStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list()) keys.push(key)
  return keys
}

describe('objects that one of cannot be deleted', () => {
  const names = ['data/c-0.parquet', 'data/c-1.parquet', 'metadata/c-0-m0.avro', 'metadata/d-0-m0.avro']

  it('are not called deleted, and keep none of the others', async () => {
    const store = await withStubborn(names, names[0]!)
    const files = tableFiles(store)
    const locations = names.map((name) => files.under(`${store.root}t`, name))
    await expect(deleteAll(files, locations, {})).rejects.toBe(busy)
    expect(await keysIn(store)).toEqual([`t/${names[0]}`])
    delete store.hooks.before
    expect(await deleteAll(files, locations, {})).toBe(4)
    expect(await keysIn(store)).toEqual([])
  })

  it('are discarded as far as that goes, and the discard is not over', async () => {
    const store = await withStubborn(names, names[1]!)
    const files = tableFiles(store)
    const prefixes = ['data/c-', 'metadata/'].map((path) => `${store.root}t/${path}`)
    await expect(discardObjects(files, prefixes, 'c-')).rejects.toBe(busy)
    expect(await keysIn(store)).toEqual([`t/${names[1]}`, `t/${names[3]}`])
    delete store.hooks.before
    expect(await discardObjects(files, prefixes, 'c-')).toBe(1)
    expect(await keysIn(store)).toEqual([`t/${names[3]}`])
  })
})
