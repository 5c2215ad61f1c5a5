/** What failed in the background and was settled otherwise is no failure any more. */
import { unavailable, type ColdTopic } from '@moulin/core'
import { expect, it } from 'vitest'
import { fakeColdTier, fakeTables } from './fake-cold-tier.ts'
import { bytesOf, machine, openIn } from './machine.ts'

const quiet = { lastError: null, failingSinceMs: null, retries: 0 }
const down = (): Error => unavailable('DOWN', 'The catalog is down.', { outcome: 'unknown' })

/** A log with a record that is due in a second; what its table does is changed by `changes`. */
async function setting(changes: (topic: ColdTopic) => Partial<ColdTopic>) {
  const on = machine()
  const fake = fakeColdTier(fakeTables())
  const log = await openIn(on.runtime(), {
    graceMs: 3_600_000,
    tier: {
      ...fake,
      async attach(info, context) {
        const topic = await fake.attach(info, context)
        return { ...topic, ...changes(topic) }
      },
    },
  })
  const topic = await log.ensureTopic('orders', { freshnessMs: 1_000 })
  await topic.producer({ lingerMs: 0 }).send({ value: bytesOf('one') })
  return { on, log, topic }
}

it('a commit without an answer, of which something else finds out that it stands', async () => {
  let isKnown = false
  let isDown = true
  const { on, log, topic } = await setting((table) => ({
    async tier(request) {
      if (!isDown) return table.tier(request)
      if (table.frontier()[0] === 0n) await table.tier(request)
      throw down()
    },
    frontier: () => (isKnown ? table.frontier() : [0n]),
  }))
  await on.clock.advance(5_000)
  expect(topic.stats()).toMatchObject({ untieredRecords: 1, lastError: { code: 'DOWN' }, retries: 2 })
  isKnown = true
  expect(topic.stats()).toMatchObject({ untieredRecords: 0, ...quiet })
  expect(log.stats()).toMatchObject(quiet)
  // The next record is other work, with failures of its own.
  await topic.producer({ lingerMs: 0 }).send({ value: bytesOf('two') })
  expect(topic.stats()).toMatchObject({ untieredRecords: 1, ...quiet })
  await on.clock.advance(60_000)
  expect(topic.stats().retries).toBeLessThan(6)
  isDown = false
  await topic.tier()
  expect(topic.stats()).toMatchObject({ untieredRecords: 0, ...quiet })
  await log.close()
})

it('a cleaning up that nothing is left for', async () => {
  let dueMs: number | undefined = 0
  const { on, log, topic } = await setting(() => ({
    cleanUpDueMs: () => dueMs,
    cleanUp: () => Promise.reject(down()),
  }))
  await topic.tier()
  await on.clock.advance(5_000)
  expect(topic.stats()).toMatchObject({ lastError: { code: 'DOWN' } })
  dueMs = undefined
  expect(topic.stats()).toMatchObject(quiet)
  expect(log.stats()).toMatchObject(quiet)
  await on.clock.advance(3_000_000)
  await log.close()
})

it('a release that nothing waits for, since the table was set back', async () => {
  let isBroken = false
  const { on, log, topic } = await setting((table) => ({
    frontier: () => (isBroken ? [0n] : table.frontier()),
    releasable: () => Promise.reject(down()),
  }))
  await topic.tier()
  await on.clock.advance(3_600_000)
  expect(topic.stats()).toMatchObject({ lastError: { code: 'DOWN' } })
  isBroken = true
  await topic.adoptTable()
  expect(topic.stats()).toMatchObject(quiet)
  await log.close()
})
