import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory, meter, priceTables } from '@moulin/storage'
import type { StoreUsage } from '@moulin/storage'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { estimateOf, requestsOfCommit } from './doctor-estimate.ts'
import { fileWal, icebergTier, objectStoreCatalog, openLog } from './index.ts'

let dir = ''
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-estimate-'))))
afterEach(() => rm(dir, { recursive: true }))

it('knows what a commit asks of the store', async () => {
  const store = meter(memory())
  const tier = icebergTier({ catalog: objectStoreCatalog({ store, prefix: 'tables/' }), threads: 0 })
  const log = await openLog({ store, wal: fileWal({ dir }), tier, graceMs: 0 })
  const topic = await log.ensureTopic('rides')
  const producer = topic.producer({ lingerMs: 0 })
  const commit = async (): Promise<void> => {
    await producer.send({ value: Buffer.from('one') })
    await topic.tier()
    await log.releaseNow()
  }
  const [warm, counted] = [30, 20]
  for (let at = 0; at < warm; at++) await commit()
  const { requests: before } = store.usage()
  for (let at = 0; at < counted; at++) await commit()
  const { requests: after } = store.usage()
  await log.close()
  for (const kind of Object.keys(requestsOfCommit) as (keyof StoreUsage['requests'])[]) {
    const seen = (after[kind] - before[kind]) / counted
    // Commits that clean up come now and then, and ask for more.
    expect(Math.abs(requestsOfCommit[kind] - seen), `${kind}: ${seen}`).toBeLessThanOrEqual(1.2)
  }
})

it('counts the commits of quiet, busy and full topics, and parts of files', () => {
  const month = 2_629_800
  const commitsOf = (rate: number): number => estimateOf({ rate, recordBytes: 1_000 }, undefined).commits
  expect(commitsOf(1)).toBe(month / 600)
  // Nothing is committed where nothing came.
  expect(commitsOf(1 / 10_000)).toBe(263)
  expect(estimateOf({ rate: 1 / 10_000, recordBytes: 1_000 }, priceTables.s3).usage.requests.get).toBe(263 * 18)
  // 8 MiB are there after 83.9 s.
  expect(commitsOf(100)).toBe(Math.ceil(month / (8_388_608 / 100_000)))
  expect(commitsOf(1_000)).toBe(month / 60)
  expect(commitsOf(10_000)).toBe(Math.ceil(month / (134_217_728 / 10_000_000)))
  const { usage, cost, keptPerMonth } = estimateOf({ rate: 1, recordBytes: 1_000 }, priceTables.s3)
  expect(usage.requests).toEqual({ get: 4_383 * 18, head: 4_383 * 12, list: 4_822, put: 31_120, delete: 13_588 })
  expect(cost!.total).toBeCloseTo(((31_120 + 4_822) * 0.005 + 4_383 * 30 * 0.0004) / 1_000, 6)
  expect(keptPerMonth).toBeCloseTo((month * 1_000 * 0.023) / 2 ** 30, 6)
})
