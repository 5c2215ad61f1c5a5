/** Fails each call of a commit in turn; what may differ is what the calls go to. */
import { invalid, isMoulinError } from '@moulin/core'
import { checkTable, settled, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

export const faults = ['before', 'after', 'late'] as const
export type Fault = (typeof faults)[number]

export interface World {
  readonly log: TestLog
  readonly faulty: {
    readonly calls: readonly unknown[]
    addRule(rule: { fault: Fault; nth: number }): unknown
    applyLate(): Promise<unknown[]>
  }
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
export async function countCalls(makeWorld: () => World): Promise<number> {
  const world = makeWorld()
  const topic = await world.log.attach()
  sendSome(world, 'a')
  const before = world.faulty.calls.length
  await topic.tier({ upTo: world.log.hot.committedOffsets() })
  return world.faulty.calls.length - before
}

/** One commit fails at call `nth`; then it is tried again, by the same process or the next one. */
async function runOnce(
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
    if (!isMoulinError(error)) throw error
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

/** Every call; a late effect comes before or after the next commit. `isCrash`: another process goes on. Returns how many calls there are. */
export async function failEveryCall(makeWorld: () => World, fault: Fault, isCrash: boolean): Promise<number> {
  const calls = await countCalls(makeWorld)
  if (calls < 3) throw invalid('TEST', `A commit of ${calls} calls is none.`)
  const orders = fault === 'late' ? [false, true] : [false]
  for (let nth = 1; nth <= calls; nth++) {
    for (const lateFirst of orders) await runOnce(makeWorld, fault, nth, isCrash, lateFirst)
  }
  return calls
}
