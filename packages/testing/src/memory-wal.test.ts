import { defaultLimits, type Section, type SectionHeader, type WalLocation, type WalWriter } from '@moulin/core'
import { batchesIn, encodeBatch } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { hookedStore } from './hooked-store.ts'
import { memoryWal } from './memory-wal.ts'
import { virtualRuntime } from './virtual-runtime.ts'

const LOG_ID = '6b1f3a52-5f5e-4b7a-9a53-3d6d1c1f0a11'

/** A batch of `recordCount` records, with offsets from 0 on. */
function section(partition: number, recordCount = 1, more: Partial<Section> = {}): Section {
  const records = Array.from({ length: recordCount }, (_, n) => {
    return { offset: BigInt(n), timestamp: 0n, key: null, value: null, headers: [] }
  })
  const batches = encodeBatch({ baseOffset: 0n, records, timestampType: 'create' })
  const ids = { topicId: 't', incarnation: 0, valueSchemaId: 0, keySchemaId: 0, appendedMs: 7 }
  return { ...ids, partition, recordCount, batches, ...more }
}

interface Told {
  readonly header: SectionHeader
  readonly location: WalLocation
}

async function writer(
  wal: ReturnType<typeof memoryWal>,
  told: Told[] = [],
  nextOffset: () => bigint = () => 0n,
): Promise<WalWriter> {
  return wal.openWriter({
    runtime: virtualRuntime({ seed: 1 }),
    limits: defaultLimits,
    logId: LOG_ID,
    store: hookedStore(),
    takeover: 'refuse',
    mustExist: false,
    nextOffset,
    beforeRecovery: async () => {},
    isLive: () => true,
    recover: (header, location) => void told.push({ header, location }),
  })
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('memoryWal', () => {
  it('has several flushes under way, and acks in the order of the calls whichever comes first', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const wal = await writer(memoryWal({ seed, maxInFlight: 3 }))
      const acks: string[] = []
      const segments = new Set<string>()
      const appends: Promise<unknown>[] = []
      for (let n = 0; n < 12; n++) {
        const append = wal.append(section(n % 2, 2)).then(({ baseOffset, lastOffset, location }) => {
          acks.push(`${n % 2} ${baseOffset}-${lastOffset}`)
          segments.add(location.segment)
        })
        appends.push(append)
        await turn()
      }
      await Promise.all(appends)
      expect(acks).toEqual(Array.from({ length: 12 }, (_, n) => `${n % 2} ${(n >> 1) * 2}-${(n >> 1) * 2 + 1}`))
      expect(segments.size).toBeGreaterThan(3)
      await wal.close()
    }
  })

  it('asks the log where a partition goes on of which it has never had anything', async () => {
    const wal = await writer(memoryWal({ seed: 1 }), [], () => 40n)
    const [first, second] = await Promise.all([wal.append(section(0, 2)), wal.append(section(0, 3))])
    expect([first.baseOffset, second.lastOffset]).toEqual([40n, 44n])
    const offsets = [...batchesIn(await wal.read(second.location))].map(({ header }) => header.baseOffset)
    expect(offsets).toEqual([42n])
  })

  it('keeps the offsets of a section that moves, and finds it where it was appended last', async () => {
    const place = memoryWal({ seed: 2 })
    const wal = await writer(place)
    const [a, b] = await Promise.all([wal.append(section(0)), wal.append(section(0))])
    expect(wal.sparse(0.5)).toEqual([])
    await wal.release([b.location])
    expect(wal.sparse(0.5)).toEqual([a.location.segment])
    const c = await wal.append(section(0))
    const moved = await wal.append(section(0, 1, { baseOffset: 0n, lastOffset: 0n, frees: true }))
    expect([c.baseOffset, moved.baseOffset]).toEqual([2n, 0n])
    await wal.close()

    const told: Told[] = []
    const again = await writer(place, told)
    expect(told.map(({ header, location }) => [header.baseOffset, location.segment])).toEqual([
      [0n, moved.location.segment],
      [2n, c.location.segment],
    ])
    await expect(again.read(a.location)).rejects.toMatchObject({ code: 'RELEASED' })
    expect((await again.append(section(0))).baseOffset).toBe(3n)
    expect(again.epoch).toBe(2n)
  })
})
