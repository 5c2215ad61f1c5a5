import { isMoulinError } from '@moulin/core'
import type { ColdAdoption } from '@moulin/core'
import { faultyCatalog, faultyStore, hookedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { plainCatalog } from '../catalog.test-support.ts'
import { faults } from '../commit/commit-faults.test-support.ts'
import type { Fault, World } from '../commit/commit-faults.test-support.ts'
import { change, tableOf } from '../foreign.test-support.ts'
import { readAll, settled, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

function storeWorld(): World {
  const runtime = virtualRuntime({ seed: 5 })
  const store = faultyStore(hookedStore())
  return { log: testLog({ store, runtime, catalog: plainCatalog(store, runtime) }), faulty: store }
}

function catalogWorld(): World {
  const runtime = virtualRuntime({ seed: 5 })
  const store = hookedStore()
  const catalog = faultyCatalog(plainCatalog(store, runtime))
  return { log: testLog({ store, runtime, catalog }), faulty: catalog }
}

/** Three commits, the first two let go of, and a rollback to the first; partition 0 has 6 records, of which 2 are lost. */
async function rolledBack(makeWorld: () => World): Promise<World> {
  const world = makeWorld()
  const { log } = world
  const topic = await log.attach()
  for (const text of ['a', 'b', 'c']) {
    log.hot.send(0, [{ value: utf8(text) }, { value: utf8(text) }])
    log.hot.send(1, [{ value: utf8(text) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  log.hot.release([4n, 2n])
  const { metadata } = await tableOf(log)
  const id = metadata.snapshots![0]!['snapshot-id']
  await change(log, [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id }])
  return world
}

async function tried(log: TestLog): Promise<ColdAdoption | undefined> {
  try {
    return await settled(log.runtime, log.adopt('by-hand'))
  } catch (error) {
    if (!isMoulinError(error)) throw error
    return undefined
  }
}

async function check(log: TestLog, where: string): Promise<void> {
  const topic = await settled(log.runtime, log.attach())
  await settled(log.runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
  const report = await topic.audit()
  expect(report.clean, where).toBe(true)
  expect(report.gaps, where).toMatchObject([
    { partition: 0, from: 2n, to: 4n },
    { partition: 1, from: 1n, to: 2n },
  ])
  const texts = (await readAll(topic, 0)).map(({ bytes }) => new TextDecoder().decode(bytes!))
  expect(texts, where).toEqual(['a', 'a', 'c', 'c'])
  expect(await topic.scan({}).count(), where).toBe(6)
}

async function failEveryCall(makeWorld: () => World, fault: Fault, isCrash: boolean): Promise<number> {
  const whole = await rolledBack(makeWorld)
  const before = whole.faulty.calls.length
  await whole.log.adopt('by-hand')
  const calls = whole.faulty.calls.length - before
  for (let nth = 1; nth <= calls; nth++) {
    for (const lateFirst of fault === 'late' ? [false, true] : [false]) {
      const { log, faulty } = await rolledBack(makeWorld)
      faulty.addRule({ fault, nth })
      await tried(log)
      const present = isCrash ? log.reopen() : log
      if (lateFirst) await faulty.applyLate()
      const done = await settled(present.runtime, present.adopt('by-hand'))
      expect(done.skippedOffsets).toBe(3n)
      await faulty.applyLate()
      await check(present, `${fault} at call ${nth}`)
      await check(present.reopen(), `${fault} at call ${nth}, once more`)
      for await (const { key } of log.store.list({ prefix: 'log/staged/' })) expect(key).toBe('settled')
    }
  }
  return calls
}

describe.each([
  { name: 'store', makeWorld: storeWorld },
  { name: 'catalog', makeWorld: catalogWorld },
])('a fault at any $name call of an adoption', ({ makeWorld }) => {
  it.each(faults)('leaves a table that is adopted once, when it strikes %s the effect', async (fault) => {
    expect(await failEveryCall(makeWorld, fault, false)).toBeGreaterThan(2)
    expect(await failEveryCall(makeWorld, fault, true)).toBeGreaterThan(2)
  })
})
