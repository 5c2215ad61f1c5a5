/** Commits of much, and of more than their data files find room for: the one that would free a small disk needs half of what it frees. */
import { objectStoreCatalog } from '@moulin/catalog'
import { isKind, type Log, type Topic } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import { fileSystem } from '@moulin/storage'
import { describe, expect, it } from 'vitest'
import { LAKE, machine, WAL, type Machine } from './log/machine.ts'

const MiB = 1024 * 1024

/** Everything on one disk, with default options. */
async function openHere({ runtime, clock }: Machine): Promise<Log> {
  const own = runtime()
  const store = fileSystem({ root: LAKE, files: own.files })
  const catalog = objectStoreCatalog({ store, runtime: own })
  const tier = icebergTier({ catalog, threads: 0 })
  return settled(clock, openLog({ store, wal: fileWal({ dir: WAL }), tier, runtime: own, takeover: 'newest' }))
}

/** The call's end, with as much virtual time as it takes. */
async function settled<T>(clock: Machine['clock'], call: Promise<T>): Promise<T> {
  let hasEnded = false
  const end = (): void => void (hasEnded = true)
  call.then(end, end)
  while (!hasEnded) await clock.advance(20)
  return call
}

async function fill(on: Machine, topic: Topic<Uint8Array>, log: Log, mostBytes: number): Promise<number> {
  const random = on.runtime().random
  const producer = topic.producer({ lingerMs: 0 })
  let sent = 0
  for (; sent * 32_000 < mostBytes && log.stats().walFull === null; sent++) {
    // Half a byte of chance in each.
    const value = random.bytes(32_000).map((byte) => byte & 15)
    const isTaken = await settled(
      on.clock,
      producer.send({ value }).then(
        () => true,
        // A commit may be taking the last of the disk just now.
        (error: unknown) => !isKind(error, 'exhausted', 'NO_SPACE') && Promise.reject(error as Error),
      ),
    )
    if (!isTaken) break
  }
  return sent
}

describe('a small disk full of records that compress by half', () => {
  it('frees itself by commits that find room, and takes more', async () => {
    const on = machine(5)
    on.disk.quotaBytes = 24 * MiB
    const log = await openHere(on)
    const topic = await settled(on.clock, log.ensureTopic<Uint8Array>('photos', { partitions: 2 }))
    const sent = await fill(on, topic, log, 40 * MiB)
    expect(sent * 32_000).toBeGreaterThan(20 * MiB)
    expect(sent * 32_000).toBeLessThan(24 * MiB)
    const isWorking = (): boolean => log.stats().walFull !== null || topic.stats().untieredBytes > MiB
    for (let waited = 0; isWorking() && waited < 300; waited++) await on.clock.advance(1_000)
    expect(log.stats().walFull).toBeNull()
    const released = topic.offsets().reduce((sum, partition) => sum + partition.released, 0n)
    expect(released).toBeGreaterThan(0n)
    expect(await fill(on, topic, log, 2 * MiB)).toBeGreaterThan(30)
    await settled(on.clock, log.close())
  }, 120_000)
})

describe('tier()', () => {
  it('moves all in several commits where there is much, and says how many rows in all', async () => {
    const on = machine(6)
    const own = on.runtime()
    const store = fileSystem({ root: LAKE, files: own.files })
    const tier = icebergTier({ catalog: objectStoreCatalog({ store, runtime: own }), threads: 0 })
    const limits = { commitBytes: 128 * 1024 }
    const wal = fileWal({ dir: WAL })
    const log = await settled(
      on.clock,
      openLog({ store, wal, tier, runtime: own, limits: { ...limits, maxUnackedBytes: MiB } }),
    )
    const topic = await settled(on.clock, log.ensureTopic<Uint8Array>('photos', { freshnessMs: 3_600_000 }))
    // One commit of the scheduler's own may be under way by then.
    const sent = await fill(on, topic, log, MiB)
    const { rows, frontier } = await settled(on.clock, topic.tier())
    expect(frontier).toEqual([BigInt(sent)])
    expect(rows).toBeLessThanOrEqual(sent)
    expect(topic.stats().untieredRecords).toBe(0)
    let largest = 0
    for await (const { size } of store.list({ prefix: 'tables/default/photos/data/' }))
      largest = Math.max(largest, size)
    expect(largest).toBeGreaterThan(0)
    expect(largest).toBeLessThan(2 * limits.commitBytes + 64 * 1024)
    await settled(on.clock, log.close())
  }, 60_000)
})
