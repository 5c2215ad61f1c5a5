/** A process dies while its writes are on their way to the store, and they arrive when another has gone on. */
import type { ObjectStore } from '@moulin/core'
import { systemRuntime } from '@moulin/core'
import { memory } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { machine } from './log/machine.ts'
import type { Machine } from './log/machine.ts'
import { checkLake, lakeLife, openLake } from './support/crashed-lake.ts'
import type { Acked, OpenLake } from './support/crashed-lake.ts'
import { lateStore } from './support/late-store.ts'
import type { LateStore } from './support/late-store.ts'

const long = process.env['MOULIN_LONG'] === '1'
const { timers } = systemRuntime()

const through =
  (on: Machine, store: ObjectStore): OpenLake =>
  () =>
    openLake(on, () => store)

/** A machine, a store that outlives it, and the network between them at the moment when the process died. */
interface Dead {
  readonly on: Machine
  readonly bucket: ObjectStore
  readonly network: LateStore
  readonly acked: Acked
}

/** One life whose calls are not answered from the n-th on; it does all that it can without them, and is killed. */
async function died(call: number): Promise<Dead> {
  const on = machine(call)
  const bucket = memory({ clock: on.clock })
  const network = lateStore(bucket, { deafFrom: call })
  const acked: Acked = new Map()
  let isOver = false
  void lakeLife(through(on, network), acked).finally(() => (isOver = true))
  // Nothing of it waits for time, so it is stuck once it makes no more calls.
  for (let turns = 0, calls = 0; turns < 20; turns++) {
    await timers.turn()
    if (network.callCount() !== calls) turns = 0
    calls = network.callCount()
  }
  expect(isOver).toBe(false)
  on.disk.kill()
  on.processes.reboot()
  return { on, bucket, network, acked }
}

/** Goes on after it; what was on its way arrives before that call of the next process, or after its last. Returns how many it made. */
async function goOn(dead: Dead, call: number, moment: number): Promise<number> {
  const { on, bucket, network, acked } = dead
  const where = `dead at call ${call}, arriving at call ${moment}: ${network.onTheWay().join(', ')}`
  const order = moment % 2 === 0 ? 'as sent' : 'reversed'
  const next = lateStore(bucket, {
    onCall: async (number) => {
      if (number === moment) await network.deliver(order)
    },
  })
  try {
    await checkLake(through(on, next), acked, where)
    await network.deliver(order)
    await checkLake(through(on, bucket), acked, `${where}, a process later`, 1001)
  } catch (error) {
    throw new Error(where, { cause: error })
  }
  return next.callCount()
}

describe('a crash with writes on their way', () => {
  it(
    'loses no acked record, doubles none and leaves a clean audit, whenever they arrive',
    { timeout: long ? 3_600_000 : 180_000 },
    async () => {
      const network = lateStore(memory())
      await lakeLife(through(machine(), network), new Map())
      const calls = network.callCount()
      expect(calls).toBeGreaterThan(60)
      const lost: string[] = []
      for (let call = 1; call <= calls; call++) {
        const onTheWay = (await died(call)).network.onTheWay()
        if (onTheWay.length === 0) continue
        lost.push(...onTheWay)
        // By default some moments, other ones for each call; all of them in the long run.
        const step = long ? 1 : 40
        for (let moment = long ? 1 : 1 + ((call * 7) % step), made = Infinity; moment <= made + step; moment += step)
          made = await goOn(await died(call), call, moment)
      }
      // All that a commit writes, and what the log writes beside it.
      for (const write of [
        /^put .*\.parquet$/,
        /^put .*-m0\.avro$/,
        /^put .*\/snap-/,
        /^put .*\/v[123]\.metadata\.json$/,
        /^put .*\/version-hint\.text$/,
        /^put log\/staged\//,
        /^delete log\/staged\//,
        /^put log\/checkpoints\//,
        /^put log\/topics\//,
        /^put moulin\.json$/,
      ])
        expect(
          lost.some((name) => write.test(name)),
          String(write),
        ).toBe(true)
    },
  )
})
