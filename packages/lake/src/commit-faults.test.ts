import { isMoulinError } from '@moulin/core'
import { memoryCatalog, objectStoreCatalog } from '@moulin/catalog'
import { memory } from '@moulin/storage'
import { faultyCatalog, faultyStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { checkTable, settled, testLog, utf8 } from './lake.test-support.ts'
import type { TestLog } from './lake.test-support.ts'

const faults = ['before', 'after', 'late'] as const
type Fault = (typeof faults)[number]

interface World {
  readonly log: TestLog
  readonly faulty: {
    readonly calls: readonly unknown[]
    addRule(rule: { fault: Fault; nth: number }): unknown
    applyLate(): Promise<unknown[]>
  }
}

/** Every store call counts, also those of the catalog, which is nothing but objects here. */
function storeWorld(): World {
  const runtime = virtualRuntime({ seed: 3 })
  const store = faultyStore(memory())
  return { log: testLog({ store, runtime, catalog: objectStoreCatalog({ store, runtime }) }), faulty: store }
}

function catalogWorld(): World {
  const runtime = virtualRuntime({ seed: 3 })
  const store = memory()
  const catalog = faultyCatalog(memoryCatalog({ store, runtime }))
  return { log: testLog({ store, runtime, catalog }), faulty: catalog }
}

function sendSome({ log }: World, tag: string): void {
  for (const partition of [0, 1]) {
    log.hot.send(partition, [
      { key: utf8(tag), value: utf8(`${tag}-1`) },
      { key: null, value: null },
    ])
  }
}

/** How many calls one commit makes. */
async function countCalls(makeWorld: () => World): Promise<number> {
  const world = makeWorld()
  const topic = await world.log.attach()
  sendSome(world, 'a')
  const before = world.faulty.calls.length
  await topic.tier({ upTo: world.log.hot.committedOffsets() })
  return world.faulty.calls.length - before
}

/** One commit fails at call `nth`; then it is tried again, by the same process or the next one. */
async function run(
  makeWorld: () => World,
  fault: Fault,
  nth: number,
  isCrash: boolean,
  lateFirst: boolean,
): Promise<void> {
  const world = makeWorld()
  const { log, faulty } = world
  const { runtime } = log
  let topic = await log.attach()
  sendSome(world, 'a')
  faulty.addRule({ fault, nth })
  const upTo = log.hot.committedOffsets()
  await settled(runtime, topic.tier({ upTo })).catch((error: unknown) => {
    expect(isMoulinError(error)).toBe(true)
  })
  let present = log
  if (isCrash) {
    present = log.reopen()
    if (lateFirst) await faulty.applyLate()
    topic = await settled(runtime, present.attach())
  }
  if (lateFirst) await faulty.applyLate()
  await settled(runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
  await faulty.applyLate()
  await checkTable(topic, log)
  sendSome(world, 'b')
  await settled(runtime, topic.tier({ upTo: log.hot.committedOffsets() }))
  await checkTable(topic, log)
  // And whoever opens the table afterwards sees the same.
  const next = present.reopen()
  await checkTable(await settled(runtime, next.attach()), log)
}

describe.each([
  { name: 'store', makeWorld: storeWorld },
  { name: 'catalog', makeWorld: catalogWorld },
])('a fault at any $name call of a commit', ({ makeWorld }) => {
  it.each(faults)('loses and doubles nothing when it strikes %s the effect, and the process goes on', async (fault) => {
    const calls = await countCalls(makeWorld)
    expect(calls).toBeGreaterThan(2)
    for (let nth = 1; nth <= calls; nth++) {
      for (const lateFirst of [false, true]) await run(makeWorld, fault, nth, false, lateFirst)
    }
  })

  it.each(faults)(
    'loses and doubles nothing when it strikes %s the effect, and another process goes on',
    async (fault) => {
      const calls = await countCalls(makeWorld)
      for (let nth = 1; nth <= calls; nth++) {
        for (const lateFirst of [false, true]) await run(makeWorld, fault, nth, true, lateFirst)
      }
    },
  )
})
