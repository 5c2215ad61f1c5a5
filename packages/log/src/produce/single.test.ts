import {
  memoryWalPlace,
  sequencerConformance,
  sequencerConformanceChecks,
  sharedSequencer,
  simulatedWalPlace,
  wrongSequencers,
} from '@moulin/testing'
import type { Section, WalWriter } from '@moulin/core'
import type { SequencerPlace, SequencerWay, WalPlace } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fileWal } from '../wal/file/file-wal.ts'
import { single } from './single.ts'

const onDisk = (): WalPlace => simulatedWalPlace({ seed: 9, wal: (dir) => fileWal({ dir, segmentBytes: 64 * 1024 }) })
const shared = (wal: WalPlace): SequencerPlace => {
  const sequencer = sharedSequencer()
  return { wal, sequencer, join: () => sequencer.join() }
}

sequencerConformance(
  { describe, it },
  { name: 'single over fileWal', create: () => ({ wal: onDisk(), sequencer: single() }), ways: ['fill', 'fail'] },
)
sequencerConformance(
  { describe, it },
  {
    name: 'single over memoryWal',
    create: () => ({ wal: memoryWalPlace({ seed: 9 }), sequencer: single() }),
    offsets: 'assigned',
  },
)
sequencerConformance(
  { describe, it },
  { name: 'sharedSequencer over fileWal', create: () => shared(onDisk()), ways: ['join', 'fill', 'fail'] },
)

describe('sequencerConformance', () => {
  /** Checks that kill a wrong sequencer, by its name. */
  const killers = new Map<string, readonly string[]>()

  it.each(wrongSequencers)('rejects a sequencer that $name', async ({ name, breaks, needs, wrap }) => {
    const by: string[] = []
    killers.set(name, by)
    const isShared = needs === 'join'
    const create = (): SequencerPlace => (isShared ? shared(onDisk()) : { wal: onDisk(), sequencer: single() })
    const ways: readonly SequencerWay[] = isShared ? ['join', 'fill', 'fail'] : ['fill', 'fail']
    for (const { name: check, skipped, run } of sequencerConformanceChecks({ create: () => wrap(create()), ways })) {
      if (skipped === undefined) await run().catch(() => by.push(check))
    }
    expect(by).toEqual([breaks])
  })

  it('shows which check killed which', () => {
    const lines = [...killers].map(([name, by]) => `${name}: killed by ${by.join(', ')}`)
    console.log(lines.join('\n'))
    expect(lines.length).toBe(wrongSequencers.length)
  })
})

it('ends where its follower does not take what is durable, in the ack that it would have been', async () => {
  const bytes = new Uint8Array(100)
  const given: Section[] = []
  const wal = {
    rejections: 0,
    async append(section: Section) {
      given.push(section)
      const location = { segment: 'one', position: 0, sizeBytes: 100 }
      return { baseOffset: section.baseOffset!, lastOffset: section.lastOffset!, location, durability: 'disk' as const }
    },
  } as unknown as WalWriter
  const session = single().open({ wal, offsets: 'given', nextOffset: () => 0n })
  const failures: Error[] = []
  session.follow({
    add() {
      throw new Error('a gap')
    },
    failed: (error) => void failures.push(error),
  })
  const section = { topicId: 't', incarnation: 0, partition: 0, recordCount: 1, valueSchemaId: 0, keySchemaId: 0 }
  const next = (): Promise<unknown> => session.append({ ...section, appendedMs: 0, batches: bytes, patch: () => {} })
  await expect(next()).rejects.toThrow('a gap')
  await expect(next()).rejects.toMatchObject({ code: 'SEQUENCER_FAILED' })
  expect([given.length, failures.length]).toEqual([1, 1])
})
