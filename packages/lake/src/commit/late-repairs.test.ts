/** Repairs whose commit stands, which the call that made it could not say. */
import { unavailable } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { checkTable, settled } from '../lake.test-support.ts'
import { checkReads, commit, isCommit, sendTo, world } from '../look/missing-files.test-support.ts'
import type { World } from '../look/missing-files.test-support.ts'
import { checkNothingLeft, look, operations } from './repairs.test-support.ts'

describe('a repair', () => {
  /** A repair whose commit stands, while its answer is lost and the catalog out of reach. */
  async function unheard(): Promise<
    World & { readonly key: string; readonly grace: { times: number; fails: boolean } }
  > {
    const grace = { times: 0, fails: false }
    const renewGrace = async (): Promise<void> => {
      grace.times++
      if (grace.fails) throw unavailable('ENOSPC', 'The disk is full.')
    }
    const made = await world({ renewGrace })
    const { log, store, topic } = made
    sendTo(log, 0, 5)
    const [key] = await commit(made)
    await store.delete(key!)
    await look(topic)
    const away = (): never => {
      throw unavailable('AWAY', 'No answer.', { outcome: 'unknown' })
    }
    store.hooks.after = (call) => {
      if (!isCommit(call)) return
      store.hooks.before = ({ key: name }) => (name.startsWith('tables/') ? away() : undefined)
      away()
    }
    await expect(settled(log.runtime, topic.repair!())).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
    delete store.hooks.before
    delete store.hooks.after
    expect(grace.times).toBe(1)
    return { ...made, key: key!, grace }
  }

  it('whose commit is found out about later has put files back, says the next call', async () => {
    const { log, topic, grace } = await unheard()
    expect(await topic.repair!()).toBe(true)
    expect(grace.times).toBe(2)
    expect([topic.missingFiles!(), topic.repairDueMs!()]).toEqual([[], undefined])
    expect(await topic.repair!()).toBe(false)
    expect(await operations(log)).toEqual(['append', 'replace'])
    log.hot.release(await look(topic))
    await checkTable(topic, log)
  })

  it('that a call to tier finds out about fails nothing where the log cannot write it down, and is told by the next repair', async () => {
    const { log, topic, grace } = await unheard()
    sendTo(log, 1, 3)
    grace.fails = true
    expect((await topic.tier({ upTo: log.hot.committedOffsets() })).rows).toBe(3)
    expect(grace.times).toBe(2)
    expect(topic.repairDueMs!()).toBe(log.runtime.clock.now())
    expect(await topic.repair!()).toBe(true)
    expect(topic.repairDueMs!()).toBeUndefined()
    expect(await operations(log)).toEqual(['append', 'replace', 'append'])
    await checkNothingLeft(log)
    await checkReads(topic, log)
  })

  it('of which a later part fails has put files back, says the call that does the rest', async () => {
    const made = await world()
    const { log, store, topic } = made
    const gone = new Map<string, Uint8Array>()
    for (const partition of [0, 1]) {
      sendTo(log, partition, 3)
      for (const key of await commit(made)) {
        gone.set(key, (await store.get(key)).bytes)
        await store.delete(key)
      }
    }
    await look(topic)
    let stored = 0
    store.hooks.before = ({ op, key }) => {
      if (op === 'put' && key.includes('/data/') && stored++ > 0) throw unavailable('DOWN', 'The store is down.')
    }
    await expect(topic.repair!()).rejects.toMatchObject({ code: 'DOWN' })
    expect(await operations(log)).toEqual(['append', 'append', 'replace'])
    delete store.hooks.before
    // The other one comes back by another hand.
    for (const [key, bytes] of gone)
      if (topic.missingFiles!().includes(log.store.root + key)) await store.put(key, bytes)
    expect(await topic.repair!()).toBe(true)
    expect(await topic.repair!()).toBe(false)
  })
})
