/** A list that is not fresh is a lie, which the probe refuses where it sees it; one that comes now and then must cost no record. */
import type { ObjectStore } from '@moulin/core'
import type { ProxyRule } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { faultyS3Fake } from '../support/cloud-faults.ts'
import { checkTieredLog } from '../support/tiered-log.ts'

const isLong = process.env['MOULIN_LONG'] === '1'

const stale = (key: RegExp, chance = 1): ProxyRule => ({
  fault: 'stale-list',
  operation: 'list',
  key,
  chance,
  times: Infinity,
})

describe('a log whose lists are now and then as they were', { timeout: 120_000 }, () => {
  it.each(isLong ? [1, 2, 3] : [1])('keeps each record, once: seed %s', async (seed) => {
    const { proxy, store, direct } = await faultyS3Fake(seed, [stale(/^(?!log\/(probe|topics))/, 0.3)])
    await checkTieredLog(store, direct, isLong ? 8 : 3)
    const told = proxy.calls.filter(({ result }) => result === 'stale-list').map(({ key }) => key)
    expect(told.filter((key) => key.startsWith('tables/')).length).toBeGreaterThan(0)
    expect(told.filter((key) => key.startsWith('log/')).length).toBeGreaterThan(0)
  })

  it('does not open where its topics are not listed', async () => {
    const { proxy, store, direct } = await faultyS3Fake(1, [])
    let lives = 0
    const opened = (): ObjectStore => {
      // What a first listing would have said, before there was anything.
      if (++lives === 3) proxy.addRule(stale(/^log\/topics\//))
      return store()
    }
    const error = await checkTieredLog(opened, direct, 2).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: 'corrupt' })
  })
})
