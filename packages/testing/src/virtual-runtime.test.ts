import { isKind } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { processTable } from './process-table.ts'
import { seededRandom } from './seeded-random.ts'
import { virtualClock } from './virtual-clock.ts'
import { virtualRuntime } from './virtual-runtime.ts'

describe('virtualRuntime', () => {
  it('runs due timers in order of time, then of making, and lets what follows from each run first', async () => {
    const { clock, timers } = virtualRuntime({ seed: 1 })
    const start = clock.now()
    const seen: string[] = []
    const note = (what: string): void => void seen.push(`${what}@${clock.now() - start}`)
    timers.after(20, () => note('b'))
    timers.after(10, () => {
      note('a')
      timers.after(5, () => note('nested'))
      void (async () => {
        for (let i = 0; i < 50; i++) await Promise.resolve()
        note('microtask')
      })()
    })
    timers.after(20, () => note('c'))
    timers.after(31, () => note('late'))
    await clock.advance(30)
    expect(seen).toEqual(['a@10', 'microtask@10', 'nested@15', 'b@20', 'c@20'])
    expect(clock.monotonic()).toBe(30)
    expect(clock.waiting).toBe(1)
  })

  it('wakes sleepers by time or by their signal', async () => {
    const { clock, timers } = virtualRuntime({ seed: 1 })
    const controller = new AbortController()
    const woken: string[] = []
    void timers.sleep(100).then(() => woken.push('time'))
    const stopped = timers.sleep(100, controller.signal)
    controller.abort()
    await expect(stopped).rejects.toSatisfy((error) => isKind(error, 'aborted'))
    await clock.advance(99)
    expect(woken).toEqual([])
    await clock.advance(1)
    expect(woken).toEqual(['time'])
    expect(clock.waiting).toBe(0)
  })

  it('cancels timers, and drops those of a process that is gone', async () => {
    const clock = virtualClock()
    const [one, two] = [virtualRuntime({ seed: 1, clock }), virtualRuntime({ seed: 2, clock })]
    const seen: string[] = []
    one.timers.after(1, () => seen.push('cancelled')).cancel()
    one.timers.after(1, () => seen.push('one'))
    two.timers.after(1, () => seen.push('two'))
    one.exit()
    one.timers.after(1, () => seen.push('from the grave'))
    await clock.advance(5)
    expect(seen).toEqual(['two'])
  })

  it('lets the wall clock jump without moving durations', () => {
    const { clock } = virtualRuntime({ seed: 1, startMs: 1_000 })
    clock.jump(-500)
    expect([clock.now(), clock.monotonic()]).toEqual([500, 0])
  })

  it('says who is alive on a shared machine', async () => {
    const processes = processTable()
    const one = virtualRuntime({ seed: 1, processes })
    const two = virtualRuntime({ seed: 2, processes })
    expect(two.process.pid).not.toBe(one.process.pid)
    expect(await two.process.startTimeOf(one.process.pid)).toBe(one.process.startTime)
    one.exit()
    expect(await two.process.startTimeOf(one.process.pid)).toBeUndefined()
    processes.reboot()
    const three = virtualRuntime({ seed: 3, processes })
    expect(three.process.pid).toBe(one.process.pid)
    expect(three.process.bootId).not.toBe(one.process.bootId)
    expect(three.process.startTime).not.toBe(one.process.startTime)
  })

  it('captures logs', () => {
    const { logger, logs } = virtualRuntime({ seed: 1, startMs: 5 })
    logger.warn({ epoch: 3 }, 'Fenced.')
    expect(logs).toEqual([{ level: 'warn', fields: { epoch: 3 }, message: 'Fenced.', atMs: 5 }])
  })
})

describe('seededRandom', () => {
  it('draws the same for the same seed, and differently for another', () => {
    const draws = (seed: number): unknown[] => {
      const random = seededRandom(seed)
      return [random.uuid(), random.int63(), random.bytes(7), random.below(1000), random.fork().below(1000)]
    }
    expect(draws(5)).toEqual(draws(5))
    expect(draws(5)).not.toEqual(draws(6))
  })

  it('keeps to the shapes that core promises', () => {
    const random = seededRandom(9)
    const seen = new Set<string>()
    for (let i = 0; i < 500; i++) {
      const uuid = random.uuid()
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      seen.add(uuid)
      const id = random.int63()
      expect(id > 0n && id < 2n ** 63n).toBe(true)
      expect(random.below(3)).toBeLessThan(3)
    }
    expect(seen.size).toBe(500)
  })
})
