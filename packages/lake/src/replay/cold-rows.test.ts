/** Rows of one row group that lie far from each other. */
import { schema, t } from '@moulin/core'
import type { Codec, ObjectStore } from '@moulin/core'
import { avro } from '@moulin/format'
import { hookedStore } from '@moulin/testing'
import { expect, it } from 'vitest'
import { recordsOf, testLog } from '../lake.test-support.ts'

const Note = schema({ text: t.string })
const codec = avro(Note) as Codec
const RECORDS = 24_000

it('are read side by side, a few at a time, and given in the order asked', async () => {
  let [now, most] = [0, 0]
  const inner = hookedStore()
  const counted = async <T>(read: () => Promise<T>): Promise<T> => {
    most = Math.max(most, ++now)
    // So that others may begin.
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    return await read().finally(() => now--)
  }
  const store: ObjectStore = {
    ...inner,
    get: (key, options) => counted(() => inner.get(key, options)),
    getRanges: (key, ranges, options) => counted(() => inner.getRanges(key, ranges, options)),
  }
  // Nothing that compresses, so that rows far from each other are in pages of their own.
  let seed = 7
  const noise = (): string => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0), seed.toString(36))
  const text = Array.from({ length: RECORDS }, (_, at) => `${at} ${Array.from({ length: 8 }, noise).join('')}`)
  const log = testLog({ codec, store, info: { partitions: 1, partitionBy: [] } })
  for (let from = 0; from < RECORDS; from += 4000) {
    log.hot.send(
      0,
      text.slice(from, from + 4000).map((each) => ({ value: codec.encode({ text: each }) })),
    )
  }
  const topic = await log.attach()
  await topic.tier({ upTo: [BigInt(RECORDS)] })

  const wanted = [20_000, 1, 12_000, 4_000, 16_001, 8_000, 2]
  const read = async (offsets: readonly number[]): Promise<string[]> => {
    const found: string[] = []
    for await (const run of topic.readAt(offsets.map((offset) => ({ partition: 0, offset: BigInt(offset) })))) {
      for (const { bytes } of recordsOf(run)) found.push((codec.decode(bytes!) as { text: string }).text)
    }
    return found
  }
  await read([5])
  most = 0
  expect(await read(wanted)).toEqual(wanted.map((offset) => text[offset]))
  // One request for the columns of a range, three at most for what it needs; four ranges at a time.
  expect(most).toBeGreaterThan(3)
  expect(most).toBeLessThanOrEqual(12)
})
