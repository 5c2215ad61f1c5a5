import { tableFiles, unavailable } from '@moulin/core'
import type { ColdContext, ObjectStore } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { testLog } from '../lake.test-support.ts'
import type { TableState } from '../table/table-state.ts'
import { CommitLeftovers } from './commit-leftovers.ts'

/** A store that deletes nothing until `state.refuses` is false, and what it was asked to delete at each call. */
function world() {
  const store = hookedStore()
  const state = { refuses: true, asked: [] as number[] }
  const deleteMany: ObjectStore['deleteMany'] = async (keys, options) => {
    state.asked.push(keys.length)
    if (!state.refuses) return store.deleteMany(keys, options)
    return { failed: keys.map((key) => ({ key, error: unavailable('DENIED', 'Not now.') })) }
  }
  const { info, runtime } = testLog({ store })
  const context = { store, runtime } as unknown as ColdContext
  const discarded: (string | undefined)[] = []
  const markers = { discard: async (ledger: string | undefined) => void discarded.push(ledger) }
  const files = tableFiles({ ...store, deleteMany })
  const leftovers = new CommitLeftovers({ tableFiles: files, info, context, markers: markers as never })
  const committed = (): Promise<void> => {
    const metadata = { location: `${store.root}t` }
    return leftovers.committed('c', { loaded: { metadata }, objects: [] } as unknown as TableState)
  }
  const lose = async (attempt: number): Promise<void> => {
    const objects = ['m0.avro', 'm1.avro', 'list.avro'].map((name) => `${store.root}t/metadata/c-${attempt}-${name}`)
    for (const location of objects) await files.put(location, new Uint8Array(1))
    await leftovers.discardAttempt('c', { objects, ledger: `ledger ${attempt}`, forgets: false })
  }
  const left = async (): Promise<number> => {
    let count = 0
    for await (const { size } of store.list({ prefix: 't/' })) count += size
    return count
  }
  return { store, state, leftovers, lose, committed, left, discarded }
}

describe('objects of attempts that lost their race, where the store does not let go of them', () => {
  it('are asked for once each, and all again after the next commit', async () => {
    const { state, lose, committed, left, discarded } = world()
    for (let attempt = 0; attempt < 20; attempt++) await lose(attempt)
    expect(state.asked).toEqual(Array.from({ length: 20 }, () => 3))
    expect(discarded).toHaveLength(20)
    await committed()
    expect(state.asked.at(-1)).toBe(60)
    state.refuses = false
    await lose(20)
    expect([state.asked.at(-1), await left()]).toEqual([3, 60])
    await committed()
    expect(await left()).toBe(0)
    const calls = state.asked.length
    await committed()
    expect(state.asked).toHaveLength(calls)
  })

  it('are remembered up to a number, and not where they lie elsewhere by now', async () => {
    const { state, leftovers, lose, committed, left } = world()
    for (let attempt = 0; attempt < 400; attempt++) await lose(attempt)
    await leftovers.discardAttempt('c', { objects: ['s3://elsewhere/x'], ledger: undefined, forgets: false })
    state.refuses = false
    await committed()
    expect([state.asked.at(-1), await left()]).toEqual([1000, 200])
  })
})
