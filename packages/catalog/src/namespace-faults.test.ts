import { isMoulinError } from '@moulin/core'
import type { Catalog, ObjectStore } from '@moulin/core'
import { faultyStore, hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { objectStoreCatalog } from './object-store-catalog.ts'

const open = (store: ObjectStore, seed: number): Catalog =>
  objectStoreCatalog({ store, runtime: virtualRuntime({ seed }) })
const bay = ['bay']
const request = { schema: { type: 'struct' as const, fields: [{ id: 1, name: 'id', required: false, type: 'long' }] } }

/** What the namespace is to others: its properties, or that it is not there. */
async function seenIn(store: ObjectStore): Promise<string> {
  const catalog = open(store, 3)
  const outermost: string[] = []
  for await (const namespace of catalog.listNamespaces([])) outermost.push(...namespace)
  if (outermost.length === 0) {
    await expect(catalog.loadNamespace(bay)).rejects.toMatchObject({ code: 'NAMESPACE_MISSING' })
    return 'none'
  }
  return JSON.stringify((await catalog.loadNamespace(bay)).properties)
}

const calls: {
  what: string
  prepare: (catalog: Catalog) => Promise<unknown>
  call: (catalog: Catalog) => Promise<unknown>
}[] = [
  { what: 'a create', prepare: async () => {}, call: (catalog) => catalog.createNamespace(bay, { a: '1' }) },
  {
    what: 'a change',
    prepare: (catalog) => catalog.createNamespace(bay, { a: '1' }),
    call: (catalog) => catalog.setNamespaceProperties(bay, { updates: { b: '2' }, removals: ['a'] }),
  },
  {
    what: 'a second change',
    prepare: async (catalog) => {
      await catalog.createNamespace(bay, { a: '1' })
      await catalog.setNamespaceProperties(bay, { updates: { a: '2' } })
    },
    call: (catalog) => catalog.setNamespaceProperties(bay, { updates: { a: '3' } }),
  },
  {
    what: 'the first property of what a table made',
    prepare: (catalog) => catalog.createTable({ namespace: bay, name: 'boats' }, request),
    call: (catalog) => catalog.setNamespaceProperties(bay, { updates: { a: '1' } }),
  },
  {
    what: 'a drop',
    prepare: async (catalog) => {
      await catalog.createNamespace(bay, { a: '1' })
      await catalog.setNamespaceProperties(bay, { updates: { a: '2' } })
    },
    call: (catalog) => catalog.dropNamespace(bay),
  },
]

describe.each([{ compareAndSwap: true }, { compareAndSwap: false }])('on a store with %j', (capabilities) => {
  it.each(calls)('$what is done, undone or unknown, whichever request fails and however', async ({ prepare, call }) => {
    const before = hookedStore(capabilities)
    await prepare(open(before, 1))
    const was = await seenIn(before)
    const clean = faultyStore(before)
    await call(open(clean, 2))
    const willBe = await seenIn(before)
    expect(willBe).not.toBe(was)
    const outcomes = new Set<string>()
    for (let nth = 1; nth <= clean.calls.length; nth++) {
      for (const fault of ['before', 'after', 'late'] as const) {
        const store = hookedStore(capabilities)
        await prepare(open(store, 1))
        const faulty = faultyStore(store, [{ fault, nth }])
        const outcome = await call(open(faulty, 2)).then(
          () => 'done',
          (error: unknown) => (isMoulinError(error) ? error.outcome : 'broken'),
        )
        outcomes.add(outcome)
        await faulty.applyLate()
        const is = await seenIn(store)
        const place = `${fault} call ${nth}, ${clean.calls[nth - 1]!.operation}`
        if (outcome === 'done') expect(is, place).toBe(willBe)
        else if (outcome === 'rejected') expect(is, place).toBe(was)
        else expect([was, willBe], `${place}: ${outcome}`).toContain(is)
      }
    }
    // Each way was met.
    expect([...outcomes].sort()).toEqual(expect.arrayContaining(['rejected', 'unknown']))
    expect(outcomes).not.toContain('broken')
  })
})
