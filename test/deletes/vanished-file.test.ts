/** A file of ours that vanishes while deletes by value of a stranger are about it. */
import { describe, expect, it } from 'vitest'
import { tableOf } from '../../packages/lake/src/foreign.test-support.ts'
import { readAll } from '../../packages/lake/src/lake.test-support.ts'
import { commit, everything, sendTo, world } from '../../packages/lake/src/look/missing-files.test-support.ts'
import { commitDeletes, newEquality } from './foreign-deletes.ts'

describe('a file of ours that vanishes beside newer deletes by value', () => {
  it.each([true, false])('is put back, and they go on to apply (seen before it vanished: %s)', async (isSeen) => {
    const made = await world()
    const { log, store, topic } = made
    sendTo(log, 0, 4)
    await commit(made)
    log.hot.release(await topic.releasable({ upTo: everything(topic) }))
    sendTo(log, 0, 5)
    sendTo(log, 1, 6)
    const gone = await commit(made)
    const { metadata } = await tableOf(log)
    const field = metadata.schemas.at(-1)!.fields.find(({ name }) => name === '_kafka_offset')!
    await commitDeletes({ store, catalog: log.catalog, table: log.info.table }, 'by-offset', (at) => [
      newEquality(`${at}-e.parquet`, [field], [[1n], [5n]]),
    ])
    if (isSeen) await topic.scan({}).count()
    for (const key of gone) await store.delete(key)
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([4n, 0n, 0n])
    // Nor is what comes after it held up.
    sendTo(log, 1, 1)
    await topic.tier({ upTo: log.hot.committedOffsets() })
    expect(await topic.repair!()).toBe(true)
    expect(topic.missingFiles!()).toEqual([])
    expect(await topic.releasable({ upTo: everything(topic) })).toEqual([9n, 7n, 0n])
    log.hot.release(everything(topic))
    expect((await readAll(topic, 0)).map(({ offset }) => offset)).toEqual([0n, 2n, 3n, 4n, 6n, 7n, 8n])
    expect((await readAll(topic, 1)).map(({ offset }) => offset)).toEqual([0n, 2n, 3n, 4n, 6n])
  })
})
