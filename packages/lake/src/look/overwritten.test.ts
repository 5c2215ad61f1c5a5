/** Data files that somebody overwrites while they are read. */
import { conflict } from '@moulin/core'
import type { ColdTopic, ObjectStore } from '@moulin/core'
import { hookedStore } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { readAll, recordsOf, testLog } from '../lake.test-support.ts'
import type { TestLog } from '../lake.test-support.ts'

const COUNT = 12

/** A process that has opened no file yet, of a table with one; `overwritten` reads of ranges of it fail from now on. */
async function world(): Promise<{
  log: TestLog
  topic: ColdTopic
  state: { overwritten: number; grown: number }
}> {
  const state = { overwritten: 0, grown: 0 }
  const base = hookedStore()
  const store: ObjectStore = {
    ...base,
    async getRanges(key, ranges, options) {
      if (key.endsWith('.parquet') && state.overwritten-- > 0) throw conflict('OVERWRITTEN', 'It was overwritten.')
      return base.getRanges(key, ranges, options)
    },
    async head(key, options) {
      const info = await base.head(key, options)
      return info && key.endsWith('.parquet') ? { ...info, size: info.size + state.grown } : info
    },
  }
  const log = testLog({ store: store as typeof base })
  const writer = await log.attach()
  const values = Array.from({ length: COUNT }, (_, at) => log.runtime.random.bytes(70_000 + at))
  log.hot.send(
    0,
    values.map((value) => ({ value })),
  )
  await writer.tier({ upTo: log.hot.committedOffsets() })
  return { log, topic: await log.reopen().attach(), state }
}

const reads: Record<string, (topic: ColdTopic) => Promise<number>> = {
  read: async (topic) => (await readAll(topic, 0)).length,
  async readAt(topic) {
    let found = 0
    const positions = Array.from({ length: COUNT }, (_, at) => ({ partition: 0, offset: BigInt(at) }))
    for await (const run of topic.readAt(positions)) found += recordsOf(run).length
    return found
  },
  scan: async (topic) => (await topic.scan({ columns: ['_kafka_value', '_kafka_offset'] }).toArray()).length,
}

describe.each(Object.entries(reads))('%s of a file that is overwritten', (_name, read) => {
  it('goes on when that is over', async () => {
    const { topic, state } = await world()
    state.overwritten = 1
    expect(await read(topic)).toBe(COUNT)
    expect(state.overwritten).toBeLessThan(1)
  })

  it('takes the write-ahead copy where the file is another one by then', async () => {
    const { topic, state } = await world()
    Object.assign(state, { overwritten: Infinity, grown: 1 })
    expect(await read(topic)).toBe(COUNT)
    expect(topic.missingFiles!()).toHaveLength(1)
  })

  it('can be tried again while nobody knows', async () => {
    const { topic, state } = await world()
    state.overwritten = Infinity
    await expect(read(topic)).rejects.toMatchObject({ kind: 'unavailable', code: 'FILE_OVERWRITTEN', retryable: true })
    expect(topic.missingFiles!()).toEqual([])
    state.overwritten = 0
    expect(await read(topic)).toBe(COUNT)
  })
})
