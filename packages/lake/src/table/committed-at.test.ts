import { currentSnapshot } from '@moulin/iceberg'
import { describe, expect, it } from 'vitest'
import { change, foreignAppend, tableOf } from '../foreign.test-support.ts'
import { testLog, utf8 } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

async function expire(log: TestLog, sequenceNumbers: readonly number[]): Promise<void> {
  const { metadata } = await tableOf(log)
  const ids = metadata
    .snapshots!.filter((snapshot) => sequenceNumbers.includes(Number(snapshot['sequence-number'])))
    .map((snapshot) => snapshot['snapshot-id'])
  expect(ids).toHaveLength(sequenceNumbers.length)
  await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': ids }])
}

describe('when the frontier was committed', () => {
  it('is the time of the marker’s snapshot, or of the earliest one kept since', async () => {
    const log = testLog()
    const { clock } = log.runtime
    const topic = await log.attach()
    expect(topic.committedAtMs?.()).toBeUndefined()
    const times: number[] = []
    for (const act of ['ours', 'ours', 'foreign', 'foreign', 'foreign']) {
      await clock.advance(70_000 + times.length)
      times.push(clock.now())
      if (act === 'ours') {
        log.hot.send(1, [{ value: utf8('neap') }])
        await topic.tier({ upTo: log.hot.committedOffsets() })
      } else await foreignAppend(log)
    }
    await clock.advance(70_000)
    const seen = async (): Promise<number | undefined> => (await log.reopen().attach()).committedAtMs?.()
    // Not the first of ours, which a later frontier has left behind.
    expect(await seen()).toBe(times[1])
    await topic.refresh()
    expect(topic.committedAtMs?.()).toBe(times[1])
    await expire(log, [1, 2])
    expect(await seen()).toBe(times[2])
    await expire(log, [3, 4])
    expect(await seen()).toBe(times[4])
  })

  it('is the time of the commit, though its snapshot bears an earlier one: by a minute at most', async () => {
    const log = testLog()
    const { clock } = log.runtime
    const topic = await log.attach()
    const commit = async (earlierMs: number): Promise<readonly [number, string | undefined]> => {
      await clock.advance(3_600_000)
      log.hot.send(1, [{ value: utf8('neap') }])
      await topic.tier({ upTo: log.hot.committedOffsets(), asOfMs: clock.now() - earlierMs })
      const { 'timestamp-ms': time, summary } = currentSnapshot((await tableOf(log)).metadata)!
      expect((await log.reopen().attach()).committedAtMs?.()).toBe(clock.now())
      return [clock.now() - Number(time), summary['moulin.committed-ms']]
    }
    expect(await commit(5000)).toEqual([5000, String(clock.now())])
    expect(await commit(3_000_000)).toEqual([60_000, String(clock.now())])
    expect(await commit(0)).toEqual([0, undefined])
    expect(await commit(-5000)).toEqual([0, undefined])
  })
})
