import { fenced, unavailable, type Clock } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { atWallTime, Chore, Scheduler } from './chore.ts'

describe('a chore that is due at a wall time', () => {
  it.each([-5, 0, 40])(
    'is done once that has come, on a clock that moves on with every look at it: in %i ms',
    async (waitMs) => {
      const runtime = virtualRuntime({ seed: 1 })
      let looks = 0
      const clock: Clock = {
        now: () => runtime.clock.now(),
        monotonic: () => runtime.clock.monotonic() + ++looks / 1024,
      }
      let wallMs: number | undefined = clock.now() + waitMs
      let runs = 0
      const work = {
        name: 'Test',
        isWanted: () => wallMs !== undefined,
        due: () => atWallTime(clock, wallMs!),
        run: async () => {
          runs++
          wallMs = undefined
        },
      }
      const scheduler = new Scheduler({ ...runtime, clock }, [new Chore(clock, work, () => {})])
      scheduler.evaluate()
      expect(runs).toBe(waitMs <= 0 ? 1 : 0)
      await runtime.clock.advance(45)
      expect(runs).toBe(1)
      scheduler.stop()
    },
  )
})

describe('a chore that fails', () => {
  /** Work that is tried once a minute while it is wanted, and fails. */
  function failing(fail: () => Error = () => unavailable('DOWN', 'The store is down.')) {
    const runtime = virtualRuntime({ seed: 1 })
    let runs = 0
    const world = { isWanted: true, runs: () => runs, runtime }
    const work = {
      name: 'Test',
      isWanted: () => world.isWanted,
      run: () => chore.attempt(() => Promise.reject(fail())).catch(() => runs++),
    }
    const chore: Chore = new Chore(runtime.clock, work, () => scheduler.evaluate())
    const scheduler = new Scheduler(runtime, [chore])
    scheduler.evaluate()
    return { ...world, chore, scheduler, wants: (isWanted: boolean) => (world.isWanted = isWanted) }
  }

  it('is tried again and shown while it is wanted; what is settled otherwise is neither', async () => {
    const { chore, runs, runtime, scheduler, wants } = failing()
    await runtime.clock.advance(3_500)
    expect(runs()).toBe(3)
    expect(chore.failing).toMatchObject({ lastError: { code: 'DOWN' }, retries: 2 })
    wants(false)
    expect(chore.failing).toEqual({ lastError: null, failingSinceMs: null, retries: 0 })
    await runtime.clock.advance(3_600_000)
    expect(runs()).toBe(3)
    scheduler.stop()
  })

  it('does not show what was settled when other work is wanted, though nobody looked between', async () => {
    const { chore, runtime, scheduler, wants } = failing()
    await runtime.clock.advance(0)
    wants(false)
    scheduler.evaluate()
    wants(true)
    expect(chore.failing).toEqual({ lastError: null, failingSinceMs: null, retries: 0 })
    scheduler.evaluate()
    await runtime.clock.advance(1_000)
    expect(chore.failing).toMatchObject({ lastError: { code: 'DOWN' }, retries: 0 })
    scheduler.stop()
  })

  it('stays failed once it was fenced, wanted or not', async () => {
    const { chore, runs, runtime, scheduler, wants } = failing(() => fenced('FENCED', 'A newer writer is here.'))
    await runtime.clock.advance(60_000)
    expect(runs()).toBe(1)
    wants(false)
    scheduler.evaluate()
    expect(chore.failing).toMatchObject({ lastError: { code: 'FENCED' } })
    scheduler.stop()
  })
})
