/** A table that is asked for and not written costs no commit: a real log, in virtual time. */
import { describe, expect, it } from 'vitest'
import { FreshTables } from '../../packages/gateway/src/fresh/fresh-tables.ts'
import { tableOfTopic, virtualLake } from '../support/virtual-lake.ts'

const MAX_STALENESS_MS = 5_000
const IDLE_SECONDS = 60
const table = tableOfTopic('rides')
const never = new AbortController().signal

describe('an idle table', () => {
  it('is loaded every second without a commit, and is fresh again when something is sent', async () => {
    const { runtime, catalog, open, settled } = virtualLake(15)
    const log = await settled(open())
    const topic = await settled(log.ensureTopic('rides', {}))
    const producer = topic.producer({ lingerMs: 0 })
    const fresh = new FreshTables({ logs: [log], maxStalenessMs: MAX_STALENESS_MS, maxWaitMs: 10_000, runtime })
    const load = async () => {
      const { loaded, staleMs } = await settled(fresh.load(table, () => catalog.loadTable(table), never))
      expect(staleMs).toBeUndefined()
      return loaded.metadata
    }
    for (const commits of [1, 2]) {
      await settled(producer.send({ value: Buffer.from(`${commits}`) }))
      await runtime.clock.advance(MAX_STALENESS_MS + 1)
      const tiered = await load()
      expect([tiered.snapshots!.length, fresh.commits]).toEqual([commits, commits])
      for (let second = 0; second < IDLE_SECONDS; second++) {
        await runtime.clock.advance(1_000)
        expect((await load())['last-updated-ms']).toBe(tiered['last-updated-ms'])
      }
      expect([(await load()).snapshots!.length, fresh.commits]).toEqual([commits, commits])
    }
    await settled(log.close())
  })
})
