/** Writers of one table, and a log's tier, behind a network that refuses, races and loses answers. */
import { describe, expect, it } from 'vitest'
import { checkLosses, faultyGcsFake, faultyS3Fake } from '../support/cloud-faults.ts'
import { checkRowRace } from '../support/row-race.ts'
import { checkTieredLog, unnamedIn } from '../support/tiered-log.ts'

const isLong = process.env['MOULIN_LONG'] === '1'
const size = isLong ? { writers: 32, commits: 50 } : { writers: 6, commits: 3 }
const timeout = isLong ? 3_600_000 : 180_000

describe.each([
  { name: 'S3', open: faultyS3Fake },
  { name: 'Google Cloud Storage', open: faultyGcsFake },
])('on $name', ({ open }) => {
  it(
    `${size.writers} writers with ${size.commits} commits each: every row once, nothing left`,
    { timeout },
    async () => {
      const cloud = await open(1)
      const race = await checkRowRace(cloud.store, cloud.direct, size)
      // A race in which nobody lost would prove nothing.
      expect(race.conflicts).toBeGreaterThan(0)
      checkLosses(cloud)
    },
  )

  it('a log tiers each record once, and leaves nothing behind that no snapshot names', { timeout }, async () => {
    const cloud = await open(3)
    await checkTieredLog(cloud.store, cloud.direct, isLong ? 20 : 4)
    expect(await unnamedIn(cloud.direct)).toEqual([])
    checkLosses(cloud)
  })
})
