/** What is read of a table's manifests is read once, by whichever reader. */
import { eq } from '@moulin/core'
import type { ColdTopic } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { expect, it } from 'vitest'
import { foreignAppend } from '../foreign.test-support.ts'
import { readAll, testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

const COMMITS = 5

async function tiered(): Promise<{ log: TestLog; topic: ColdTopic; reads: () => string[] }> {
  const store = hookedStore()
  const log = testLog({ store, info: { partitions: 1, partitionBy: [] } })
  const topic = await log.attach()
  for (let at = 0; at < COMMITS; at++) {
    log.hot.send(0, [{ value: utf8(`v${at}`) }])
    await topic.tier({ upTo: log.hot.committedOffsets() })
  }
  let seen = store.calls.length
  /** Manifests and lists that were read since this was asked last. */
  const reads = (): string[] => {
    const some = store.calls.slice(seen)
    seen = store.calls.length
    return some.filter(({ op, key }) => op === 'get' && key.endsWith('.avro')).map(({ key }) => key)
  }
  return { log, topic, reads }
}

it('reads, scans, counts and seeks read each manifest once, and after a commit of others only what is new', async () => {
  const { log, topic, reads } = await tiered()
  expect(await readAll(topic, 0)).toHaveLength(COMMITS)
  expect(reads()).toHaveLength(1 + COMMITS)
  const everyWay = async (): Promise<void> => {
    expect(await readAll(topic, 0)).toHaveLength(COMMITS)
    expect(await topic.scan({}).toArray()).toHaveLength(COMMITS)
    expect(await topic.scan({ where: eq('_kafka_offset', 2n) }).count()).toBe(1)
    expect(await topic.offsetSince!({ partition: 0, timestamp: 0n, to: 100n })).toBeDefined()
  }
  await everyWay()
  expect(reads()).toEqual([])

  await foreignAppend(log, [{ partition: null, offset: null }])
  await topic.refresh()
  reads()
  expect(await readAll(topic, 0)).toHaveLength(COMMITS)
  const [list, manifest, ...others] = reads()
  expect([list, manifest]).toEqual([expect.stringContaining('/snap-'), expect.stringMatching(/-m0\.avro$/)])
  expect(others).toEqual([])
})
