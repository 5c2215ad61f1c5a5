import type { Clock } from '@moulin/core'
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
        due: () => (wallMs === undefined ? Infinity : atWallTime(clock, wallMs)),
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
