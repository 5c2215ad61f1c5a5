import { unavailable } from '@moulin/core'
import type { ThreadPort } from '@moulin/core'
import { serveCalls, threadPool } from '@moulin/format'
import type { ThreadEnd, ThreadLease } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { seededRandom } from './seeded-random.ts'
import { virtualClock } from './virtual-clock.ts'
import { virtualRuntime } from './virtual-runtime.ts'
import { virtualThreads } from './virtual-threads.ts'

type Calls = {
  readonly count: { readonly request: undefined; readonly reply: number }
  readonly sum: { readonly request: Uint8Array; readonly reply: number }
  readonly fail: { readonly request: string; readonly reply: never }
  readonly hang: { readonly request: undefined; readonly reply: never }
}

const source = new URL('virtual:counter')
const endError = (end: ThreadEnd): Error => unavailable('ENDED', end.why === 'died' ? `died: ${end.reason}` : end.why)

/** Each thread counts for itself. */
function serve(port: ThreadPort): void {
  let calls = 0
  serveCalls<Calls>(port, {
    count: () => ++calls,
    sum: (bytes) => bytes.reduce((sum, byte) => sum + byte, 0),
    fail: (code) => {
      throw unavailable(code, 'It failed.', { context: { at: 7 } })
    },
    hang: () => new Promise<never>(() => {}),
  })
}

const lease = (
  threads: number,
  runtime = virtualRuntime({ seed: 1, serveThread: serve }),
): Promise<ThreadLease<Calls>[]> => {
  const pool = threadPool<Calls>({ threads, source, runtime })
  return Promise.all(Array.from({ length: threads }, () => pool.lease('task', { endError })))
}

describe('virtualThreads', () => {
  it('answers as threads do: a state each, errors by their brand, memory gone over', async () => {
    const [one, two] = await lease(2)
    expect(await Promise.all([one!.call('count', undefined), one!.call('count', undefined)])).toEqual([1, 2])
    expect(await two!.call('count', undefined)).toBe(1)
    await expect(one!.call('fail', 'DOWN')).rejects.toMatchObject({ kind: 'unavailable', code: 'DOWN' })
    const bytes = new Uint8Array(100).fill(3)
    const sum = one!.call('sum', bytes, { lent: [bytes.buffer] })
    expect(bytes.byteLength).toBe(0)
    expect(await sum).toBe(300)
    await expect(one!.call('count', (() => {}) as never)).rejects.toThrow('could not be cloned')
    expect(await one!.call('count', undefined)).toBe(3)
  })

  it('copies what is not moved when it is sent, not when it arrives', async () => {
    const [one] = await lease(1)
    const bytes = new Uint8Array(10).fill(1)
    const sum = one!.call('sum', bytes)
    bytes.fill(9)
    expect(await sum).toBe(10)
  })

  it('dies when it is told, and is replaced', async () => {
    const runtime = virtualRuntime({ seed: 1, serveThread: serve })
    const pool = threadPool<Calls>({ threads: 1, source, runtime })
    const first = await pool.lease('task', { endError })
    await first.call('count', undefined)
    const hanging = first.call('hang', undefined)
    runtime.killThreads()
    await expect(hanging).rejects.toThrow('died: The virtual thread was killed.')
    first.release()
    expect(await (await pool.lease('task', { endError })).call('count', undefined)).toBe(1)
  })

  it.each(['before the call arrives', 'while its answer is on its way'])(
    'tells nobody that its process is gone %s',
    async (when) => {
      let calls = 0
      const runtime = virtualRuntime({
        seed: 1,
        serveThread: (port) =>
          serveCalls<Pick<Calls, 'count'>>(port, {
            count: () => {
              if (++calls === 2) runtime.exit()
              return calls
            },
          }),
      })
      const [one] = await lease(1, runtime)
      await one!.call('count', undefined)
      let told = 0
      const count = (): void => void told++
      one!.call('count', undefined).then(count, count)
      if (when.startsWith('before')) runtime.exit()
      await runtime.clock.advance(60_000)
      for (let turns = 0; turns < 5; turns++) await runtime.timers.turn()
      expect([calls, told]).toEqual([when.startsWith('before') ? 1 : 2, 0])
    },
  )

  it('ends at a deadline of virtual time', async () => {
    const runtime = virtualRuntime({ seed: 1, serveThread: serve })
    const [one] = await lease(1, runtime)
    await one!.call('count', undefined)
    const hanging = one!.call('hang', undefined, { deadlineMs: 500 })
    const failed = expect(hanging).rejects.toThrow('deadline')
    await runtime.clock.advance(500)
    await failed
  })

  it('ends by what its module throws', async () => {
    const serveThread = (): void => {
      throw new Error('no such thing here')
    }
    const [one] = await lease(1, virtualRuntime({ seed: 1, serveThread }))
    await expect(one!.call('count', undefined)).rejects.toThrow('died: no such thing here')
  })

  it('takes the time that it is given, in an order that the seed replays', async () => {
    const run = async (seed: number): Promise<string[]> => {
      const clock = virtualClock()
      const runtime = virtualRuntime({ seed, clock })
      const { bytes } = seededRandom(seed)
      const threads = virtualThreads({ serve, timers: clock.timers(), delayMs: () => bytes(1)[0]! })
      const leases = await lease(3, { ...runtime, threads })
      const seen: string[] = []
      leases.forEach((one, index) => {
        for (let n = 0; n < 3; n++)
          void one.call('count', undefined).then((count) => seen.push(`${index}:${count}@${clock.monotonic()}`))
      })
      await runtime.clock.advance(0)
      expect(seen).toEqual([])
      await runtime.clock.advance(10_000)
      return seen
    }
    const [first, again, other] = [await run(1), await run(1), await run(2)]
    expect(first).toHaveLength(9)
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
    // Each thread answers in the order of its calls.
    for (const index of [0, 1, 2])
      expect(first.filter((line) => line.startsWith(`${index}:`)).map((line) => line.slice(2, 3))).toEqual([
        '1',
        '2',
        '3',
      ])
  })
})
