import { describe, expect, it } from 'vitest'
import { opened, thrown } from './bucket.test-support.ts'

describe('deletes of a bucket that refuses batches', () => {
  it('are single requests, each with a deadline of its own', async () => {
    const { bucket, store, runtime } = opened({ deadlineMs: 1_000 })
    const keys = Array.from({ length: 60 }, (_, at) => `k-${at}`)
    bucket.deleteBatch = () => Promise.resolve(undefined)
    const asked: string[] = []
    let underWay = 0
    let most = 0
    // All of them together last far longer than one may.
    bucket.delete = async (key) => {
      asked.push(key)
      most = Math.max(most, ++underWay)
      await runtime.timers.sleep(900)
      underWay--
      if (key.endsWith('7')) throw thrown(503)
    }
    let isOver = false
    const over = store.deleteMany(keys).finally(() => (isOver = true))
    for (let step = 0; step < 20 && !isOver; step++) await runtime.clock.advance(450)
    const { failed } = await over
    expect(failed.map(({ key }) => key)).toEqual(keys.filter((key) => key.endsWith('7')))
    expect(failed[0]!.error).toMatchObject({ code: 'STORE_FAILED' })
    expect(asked.toSorted()).toEqual(keys.map((key) => `a b/${key}`).toSorted())
    expect(most).toBe(8)
  })
})
