import { describe, expect, it } from 'vitest'
import { memoryWalPlace } from './memory-wal-place.ts'
import { sequencerChecks } from './sequencer-checks.ts'
import { sequencerConformance, sequencerConformanceChecks } from './sequencer-conformance.ts'
import type { SequencerPlace } from './sequencer-trial.ts'
import { sharedSequencer } from './shared-sequencer.ts'
import { wrongSequencers } from './wrong-sequencers.ts'

const ways = ['join'] as const
const inMemory = (): SequencerPlace => {
  const sequencer = sharedSequencer()
  return { wal: memoryWalPlace({ seed: 7 }), sequencer, join: () => sequencer.join() }
}

sequencerConformance(
  { describe, it },
  { name: 'sharedSequencer over memoryWal', create: inMemory, offsets: 'assigned', ways },
)

describe('sequencerConformance', () => {
  /** Checks that kill a wrong sequencer, by its name. */
  const killers = new Map<string, readonly string[]>()
  const wrong = wrongSequencers.filter(({ needs = 'join' }) => needs === 'join')

  it.each(wrong)('rejects a sequencer that $name', async ({ name, breaks, wrap }) => {
    const by: string[] = []
    killers.set(name, by)
    const checks = sequencerConformanceChecks({ create: () => wrap(inMemory()), offsets: 'assigned', ways })
    for (const { name: check, skipped, run } of checks) {
      if (skipped === undefined) await run().catch(() => by.push(check))
    }
    expect(by).toEqual([breaks])
  })

  it('shows which check killed which', () => {
    const lines = [...killers].map(([name, by]) => `${name}: killed by ${by.join(', ')}`)
    console.log(lines.join('\n'))
    expect(lines.length).toBe(wrong.length)
  })

  it('has checks of different names, and a wrong sequencer for each', () => {
    const names = sequencerChecks.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(new Set(wrongSequencers.map(({ breaks }) => breaks))).toEqual(new Set(names))
  })
})
