import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TIMESTAMP_MS_MAX } from '@moulin/core'
import { seededRandom } from '@moulin/testing'
import { fileWal, icebergTier, memory, objectStoreCatalog, openLog, systemRuntime } from 'moulin'
import { expect, it } from 'vitest'

const records = 10_000
const seed = 20261125

// The default partition spec is the day of the timestamp: nearly every record has a day of its own.
it(
  `${records} records with timestamps all over the calendar (seed ${seed}) reach the table and come back`,
  { timeout: 240_000 },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'moulin-timestamps-'))
    const random = seededRandom(seed)
    const anyTime = (): bigint => (random.int63() % (2n * TIMESTAMP_MS_MAX + 1n)) - TIMESTAMP_MS_MAX
    const timestamps = Array.from({ length: records }, anyTime)
    // Small, so that the bound is met long before the end.
    const limits = { maxOpenWriters: 16, maxOpenWriterBytes: 1024 * 1024 }
    const runtime = systemRuntime()
    const store = memory()
    const tier = icebergTier({ catalog: objectStoreCatalog({ store, prefix: 'tables/', runtime }), threads: 0 })
    const log = await openLog({ store, wal: fileWal({ dir }), tier, runtime, limits })
    try {
      const topic = await log.ensureTopic('anytime', { timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1 })
      const before = process.memoryUsage().rss
      await topic
        .producer()
        .sendAll(timestamps.map((timestamp, i) => ({ value: Buffer.from(`value ${i}`), timestamp })))
      const { rows, frontier } = await topic.tier()
      expect({ rows, frontier }).toEqual({ rows: records, frontier: [BigInt(records)] })
      expect(process.memoryUsage().rss - before).toBeLessThan(1024 ** 3)
      await log.releaseNow()
      expect(log.stats()).toMatchObject({ untieredBytes: 0, wal: { liveSegments: 0 } })
      expect((await topic.audit()).clean).toBe(true)
      const places = [0, 1, 4_999, 9_998, 9_999]
      const found = []
      for await (const record of topic.readAt(places.map((at) => ({ partition: 0, offset: BigInt(at) })))) {
        found.push([record?.timestamp, Buffer.from(record!.bytes!).toString(), record?.fidelity])
      }
      expect(found).toEqual(places.map((at) => [timestamps[at], `value ${at}`, 'exact']))
    } finally {
      await log.close()
      await rm(dir, { recursive: true })
    }
  },
)
