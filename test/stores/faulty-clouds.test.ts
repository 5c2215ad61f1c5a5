/** Writers of one table, and a log's tier, behind a network that refuses, races and loses answers. */
import type { MoulinError, ObjectStore } from '@moulin/core'
import { systemRuntime } from '@moulin/core'
import { meter } from '@moulin/storage'
import type { MeteredStore } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { checkLosses, faultyGcsFake, faultyS3Fake, lossyBy, tried } from '../support/cloud-faults.ts'
import { checkRowRace } from '../support/row-race.ts'
import { checkTieredLog, openTieredLog, ordersOf, ownFolder, sendOrders, unnamedIn } from '../support/tiered-log.ts'

const isLong = process.env['MOULIN_LONG'] === '1'
const size = isLong ? { writers: 32, commits: 50 } : { writers: 6, commits: 3 }
// Which writes there are depends on who comes first: of few, more are to be lost.
const faults = lossyBy(isLong ? 0.05 : 0.2)
const runtime = systemRuntime()
const missing: Partial<MoulinError> = { kind: 'unavailable', code: 'BUCKET_MISSING' }
const timeout = isLong ? 3_600_000 : 180_000

describe.each([
  { name: 'S3', open: faultyS3Fake },
  { name: 'Google Cloud Storage', open: faultyGcsFake },
])('on $name', ({ open }) => {
  it(
    `${size.writers} writers with ${size.commits} commits each: every row once, nothing left`,
    { timeout },
    async () => {
      const cloud = await open(1, faults)
      const race = await checkRowRace(cloud.store, cloud.direct, size)
      // A race in which nobody lost would prove nothing.
      expect(race.conflicts).toBeGreaterThan(0)
      checkLosses(cloud)
    },
  )

  it('a log tiers each record once, and leaves nothing behind that no snapshot names', { timeout }, async () => {
    const cloud = await open(3, faults)
    await checkTieredLog(cloud.store, cloud.direct, isLong ? 20 : 4)
    expect(await unnamedIn(cloud.direct)).toEqual([])
    checkLosses(cloud)
  })

  it('a log tiers through connections that are cut again and again', { timeout }, async () => {
    const cloud = await open(1, [])
    let puts = 0
    const meters: MeteredStore[] = []
    const cutting = (): ObjectStore => {
      const metered = meter(cloud.bare())
      meters.push(metered)
      const store = tried(metered)
      return {
        ...store,
        async put(...args) {
          const answer = store.put(...args)
          if (++puts % 4 === 0) {
            // When it is on its way.
            await runtime.timers.turn()
            cloud.proxy.cutConnections()
          }
          return answer
        },
      }
    }
    await checkTieredLog(cutting, cloud.direct, 3)
    expect(await unnamedIn(cloud.direct)).toEqual([])
    // Those that were cut have been sent again.
    const sent = meters.reduce((sum, { usage }) => sum + (usage().requests.put ?? 0), 0)
    expect(sent).toBeGreaterThan(puts)
  })

  it('a log whose bucket vanishes says so, and keeps what is not in its table', { timeout }, async () => {
    const cloud = await open(1, [])
    const dir = await ownFolder()
    const { log, topic } = await openTieredLog(cloud.store(), dir)
    await sendOrders(topic, 0, 20)
    await topic.tier()
    cloud.vanish()
    await sendOrders(topic, 20, 20)
    for (const call of [() => topic.tier(), () => topic.audit()]) await expect(call()).rejects.toMatchObject(missing)
    // The grace of the first twenty is not over: their copies are here too.
    expect(await ordersOf(topic)).toEqual(Array.from({ length: 40 }, (_, id) => id))
    await log.close().catch(() => {})
    await expect(openTieredLog(cloud.store(), dir)).rejects.toMatchObject(missing)
  })
})
