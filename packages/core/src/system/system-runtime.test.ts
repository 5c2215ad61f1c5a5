import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { describe, expect, it, vi } from 'vitest'
import { isKind, unavailable } from '../model/errors.ts'
import type { Logger } from '../doors/runtime.ts'
import { systemRuntime } from './system-runtime.ts'

const { clock, random, timers, process: own } = systemRuntime()

describe('systemRuntime', () => {
  it('gives positive 63-bit ids and version 4 UUIDs', () => {
    for (let i = 0; i < 1000; i++) {
      const id = random.int63()
      expect(id >= 0n && id < 2n ** 63n).toBe(true)
    }
    expect(random.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(random.bytes(16)).toHaveLength(16)
  })

  it('sleeps until time or signal, whichever is first', async () => {
    const before = clock.monotonic()
    await timers.sleep(5)
    expect(clock.monotonic() - before).toBeGreaterThan(3)
    const stop = new AbortController()
    const sleeping = timers.sleep(60_000, stop.signal).catch((error: unknown) => error)
    stop.abort()
    expect(await sleeping).toSatisfy((error) => isKind(error, 'aborted'))
    expect(await timers.sleep(1, stop.signal).catch((e: unknown) => e)).toSatisfy((e) => isKind(e, 'aborted'))
  })

  it('a cancelled timer does not run', async () => {
    let runs = 0
    timers.after(1, () => runs++).cancel()
    timers.after(1, () => runs++)
    await timers.sleep(10)
    expect(runs).toBe(1)
  })

  it('waits longer than setTimeout can, and arms one timer for each 24.8 days of it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const armed = vi.spyOn(globalThis, 'setTimeout')
      const days = 86_400_000
      const done: string[] = []
      timers.after(40 * days, () => done.push('40 days'))
      void timers.sleep(2 ** 31).then(() => done.push('2^31 ms'))
      timers.after(Infinity, () => done.push('never'))
      timers.after(99 * days, () => done.push('cancelled')).cancel()
      await vi.advanceTimersByTimeAsync(2 ** 31 - 1)
      expect(done).toEqual([])
      await vi.advanceTimersByTimeAsync(1)
      expect(done).toEqual(['2^31 ms'])
      await vi.advanceTimersByTimeAsync(40 * days - 2 ** 31 - 1)
      expect(done).toEqual(['2^31 ms'])
      await vi.advanceTimersByTimeAsync(1)
      expect(done).toEqual(['2^31 ms', '40 days'])
      await vi.advanceTimersByTimeAsync(100 * days)
      expect(done).toHaveLength(2)
      expect(armed.mock.calls.length).toBeLessThan(15)
    } finally {
      vi.restoreAllMocks()
      vi.useRealTimers()
    }
  })

  it('knows this process by its start time, and that another one is gone', async () => {
    expect(await own.startTimeOf(own.pid)).toBe(own.startTime)
    expect(own.pidSpace).toMatch(process.platform === 'linux' ? /^pid:\[\d+\]$/ : /^one-space$/)
    const child = spawn('true')
    await once(child, 'exit')
    expect(await own.startTimeOf(child.pid!)).toBeUndefined()
  })
})

describe('the logger of a runtime that was given none', () => {
  const warnings = async (act: (logger: Logger) => void): Promise<(Error & { code?: string })[]> => {
    const found: (Error & { code?: string })[] = []
    const take = (warning: Error & { code?: string }): void => void found.push(warning)
    process.on('warning', take)
    act(systemRuntime().logger)
    await timers.turn()
    process.off('warning', take)
    return found
  }

  it('tells the first failure in the background, and no other', async () => {
    const found = await warnings((logger) => {
      logger.info({}, 'The log is open')
      logger.warn({ topic: 'a' }, 'A sentence that is about no failure')
      logger.warn({ err: unavailable('DOWN', 'The catalog is down.') }, 'Tiering failed')
      logger.error({ err: unavailable('DOWN', 'The catalog is down.') }, 'Tiering failed')
    })
    expect(found).toMatchObject([{ name: 'MoulinWarning', code: 'DOWN' }])
    expect(found[0]!.message).toMatch(/^Tiering failed: The catalog is down\. .*stats\(\)/)
  })
})
