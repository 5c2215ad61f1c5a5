import type { ColdTopic } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import type { HotTopic } from '../hot/hot-log.ts'
import { TopicRelease } from './topic-release.ts'
import type { TieredTopic } from './tiered-topic.ts'

const GRACE_MS = 60_000

interface World {
  readonly release: TopicRelease
  readonly advance: (ms: number) => Promise<void>
  readonly nowMs: () => number
  readonly confirmed: () => HotTopic['confirmed']
  readonly released: () => readonly bigint[]
  /** Done while the table is asked. */
  asked: () => void
}

/** A topic of one partition with 100 records, of which the table has all; its wall clock is half a millisecond late. */
function world(): World {
  const { clock, logger } = virtualRuntime({ seed: 1 })
  const nowMs = (): number => clock.now() + 0.5
  const partition = {
    released: 0n,
    highWatermark: 100n,
    releasable: (offset: bigint) => offset,
    youngestBelow: () => 0,
  }
  const hot = { partitions: [partition], pins: new Set(), confirmed: undefined } as unknown as HotTopic
  const made = { asked: () => {} }
  const cold = {
    releasable: async ({ upTo }: { upTo: readonly bigint[] }) => {
      made.asked()
      return upTo
    },
  } as unknown as ColdTopic
  const checkpoints = {
    write: async () => {},
    release: async (_: HotTopic, [upTo]: readonly bigint[]) => void (partition.released = upTo!),
  }
  const topic = {
    core: {
      runtime: { clock: { now: nowMs, monotonic: () => clock.monotonic() }, logger },
      graceMs: GRACE_MS,
      checkpoints,
    },
    hot,
    record: { name: 'orders' },
    attached: cold,
    cold: async () => cold,
    withTable: async <T>(work: (table: ColdTopic) => Promise<T>) => work(cold),
  } as unknown as TieredTopic
  return Object.assign(made, {
    release: new TopicRelease(topic),
    advance: (ms: number) => clock.advance(ms),
    nowMs,
    confirmed: () => hot.confirmed,
    released: () => [partition.released],
  })
}

describe('the grace of what the table has', () => {
  it('begins anew for all of it, at a time that a checkpoint takes', async () => {
    const { release, advance, confirmed, released, nowMs } = world()
    release.confirm([10n])
    await advance(GRACE_MS - 1)
    release.confirm([20n])
    await release.beginAnew()
    expect(confirmed()).toEqual({ frontier: [10n], sinceMs: Math.trunc(nowMs()) })
    await advance(GRACE_MS - 1)
    await release.releaseDue(false)
    expect(released()).toEqual([0n])
    await advance(1)
    await release.releaseDue(false)
    expect(released()).toEqual([20n])
  })

  it('does not end for what came later, before it ends for what came first', async () => {
    const { release, advance, released } = world()
    release.confirm([10n])
    // As it is of a commit that an earlier process has made, before a file of the one before was put back.
    release.confirm([20n], GRACE_MS)
    await advance(1)
    await release.releaseDue(false)
    expect(released()).toEqual([0n])
    await advance(GRACE_MS)
    await release.releaseDue(false)
    expect(released()).toEqual([20n])
  })

  it('that begins anew while the table is asked whether it answers keeps all of it', async () => {
    const made = world()
    const { release, advance, released } = made
    release.confirm([10n])
    await advance(GRACE_MS)
    made.asked = () => void release.beginAnew()
    await release.releaseDue(false)
    expect(released()).toEqual([0n])
    // Whoever asks for it has it, grace or not.
    await release.releaseAll()
    expect(released()).toEqual([10n])
  })
})
