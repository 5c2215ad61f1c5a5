import { isKind, unavailable } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { checkTable, settled, testLog, utf8 } from '../lake.test-support.ts'
import { OwnCommits } from './own-commits.ts'

describe('the commits that a process knows for its own', () => {
  it('are the newest, so that their number does not grow with its age', () => {
    const commits = new OwnCommits()
    for (let at = 0; at < 10_000; at++) commits.add(`commit ${at}`)
    const known = Array.from({ length: 10_000 }, (_, at) => at).filter((at) => commits.has(`commit ${at}`))
    expect(known).toEqual(Array.from({ length: 256 }, (_, at) => 10_000 - 256 + at))
  })

  it('have the one that the table has among them, however many came to nothing since', async () => {
    const store = hookedStore()
    const log = testLog({ store, info: { partitions: 1, partitionBy: [] } })
    const topic = await log.attach()
    log.hot.send(0, [{ value: utf8('first') }])
    await settled(log.runtime, topic.tier({ upTo: [1n] }))
    log.hot.send(0, [{ value: utf8('second') }])
    store.hooks.before = ({ op, key }) => {
      if (op === 'put' && key.endsWith('.parquet')) throw unavailable('FULL', 'No room.')
    }
    for (let round = 0; round < 300; round++) {
      const error: unknown = await settled(log.runtime, topic.tier({ upTo: [2n] })).catch((thrown: unknown) => thrown)
      expect(isKind(error, 'unavailable', 'FULL')).toBe(true)
    }
    delete store.hooks.before
    await settled(log.runtime, topic.tier({ upTo: [2n] }))
    await checkTable(topic, log)
  })
})
