import { defaultLimits, type Thread, type ThreadOptions } from '@moulin/core'
import { virtualRuntime, type VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import type { BatchMessage, ToFeed } from './feed-messages.ts'
import { FeedRun } from './feed-run.ts'

interface Started {
  readonly run: FeedRun
  readonly runtime: VirtualRuntime
  /** What each thread was told. */
  readonly told: ToFeed[][]
  says(thread: number, ...messages: readonly object[]): void
}

/** Threads that do nothing by themselves. */
async function started(threads = 2, { isReady = true, terminate = async () => {} } = {}): Promise<Started> {
  const own = virtualRuntime({ seed: 1 })
  const all: ThreadOptions[] = []
  const told: ToFeed[][] = []
  const start = (_: URL, options: ThreadOptions): Thread => {
    const heard: ToFeed[] = []
    all.push(options)
    told.push(heard)
    return {
      post: (value) => void heard.push(value as ToFeed),
      ref() {},
      unref() {},
      async terminate() {
        await terminate()
        options.ended({ why: 'exit', code: 1 })
      },
    }
  }
  const runtime = { ...own, threads: { start } } as VirtualRuntime
  const setup = {
    ...{ token: 'mine', module: 'data:,feed', threads, topic: 'orders', partitions: 2, limits: defaultLimits },
    ...{ timestampBeforeMaxMs: -1, timestampAfterMaxMs: -1, value: undefined, key: undefined },
    ...{ batchBytes: 65_536, lingerMs: 5, compression: 'none' as const, unackedBytes: 1_000 },
  }
  const run = new FeedRun({ runtime, worker: () => new URL('file:///worker.js'), threads, setup })
  const says = (thread: number, ...messages: readonly object[]): void => {
    for (const message of messages) all[thread]!.message({ token: 'mine', ...message })
  }
  await own.timers.turn()
  for (let thread = 0; isReady && thread < threads; thread++) says(thread, { kind: 'ready', calls: ['feed'] })
  return { run, runtime, told, says }
}

const batch = (recordCount: number): BatchMessage => ({
  ...{ kind: 'batch', partition: 0, batches: new Uint8Array(9), recordCount, bytes: 100, ageMs: 3 },
})

const takenFrom = async (run: FeedRun, count: number): Promise<number[]> => {
  const taken: number[] = []
  for (let n = 0; n < count; n++) taken.push((await run.next()).value!.recordCount)
  return taken
}

describe('FeedRun', () => {
  it('gives the batches of each thread in their order, however many wait, and ends when all have and are gone', async () => {
    const { run, says, told } = await started()
    says(0, batch(1), batch(2))
    says(1, batch(11), { kind: 'ended' })
    says(0, batch(3), batch(4), { kind: 'ended' })
    expect(await takenFrom(run, 5)).toEqual([1, 2, 11, 3, 4])
    expect(await run.next()).toEqual({ done: true, value: undefined })
    await run.gone
    expect(told.map((messages) => messages.map(({ kind }) => kind))).toEqual([['begin'], ['begin']])
  })

  it('gives what a thread may hold again as its batches become durable, at once for those of one turn', async () => {
    const { run, says, told, runtime } = await started(1)
    says(0, batch(1), batch(2), batch(3))
    const built = [await run.next(), await run.next(), await run.next()].map(({ value }) => value!)
    built[0]!.durable()
    built[1]!.durable()
    await runtime.timers.turn()
    built[2]!.durable()
    await runtime.timers.turn()
    expect(told[0]!.slice(1)).toEqual([200, 100].map((bytes) => ({ kind: 'durable', bytes })))
    // From when its first record was accepted.
    expect(built[0]!.firstMs).toBe(runtime.clock.monotonic() - 3)
    await run.return()
  })

  it('ends with the first error, once what came before has been taken; what others hand over later is not', async () => {
    const { run, says, told, runtime } = await started()
    const error = {
      kind: 'invalid',
      code: 'MINE',
      message: 'Mine.',
      outcome: 'rejected',
      retryable: false,
      context: {},
    }
    says(1, batch(11))
    says(0, batch(1), { kind: 'failed', error, cause: 7 })
    says(1, batch(12), { kind: 'failed', error: { ...error, code: 'LATER' } })
    expect(told.map((messages) => messages.at(-1))).toEqual([{ kind: 'stop' }, { kind: 'stop' }])
    expect(await takenFrom(run, 2)).toEqual([11, 1])
    await expect(run.next()).rejects.toMatchObject({ code: 'MINE', cause: 7 })
    says(0, { kind: 'ended' })
    await runtime.clock.advance(1_000)
    await run.gone
    expect(runtime.clock.waiting).toBe(0)
  })

  it('stops all threads when it is left, and gives a thread one second to end', async () => {
    const { run, says, told, runtime } = await started()
    says(0, batch(1))
    const waiting = run.next().then(() => run.next())
    await runtime.timers.turn()
    await run.return()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(told.map((messages) => messages.at(-1))).toEqual([{ kind: 'stop' }, { kind: 'stop' }])
    says(0, batch(2), { kind: 'ended' })
    let isGone = false
    void run.gone.then(() => (isGone = true))
    await runtime.clock.advance(999)
    expect(isGone).toBe(false)
    await runtime.clock.advance(1)
    await run.gone
    expect(await run.next()).toEqual({ done: true, value: undefined })
  })

  it('gives more threads than there are cores as many times as long to begin, and is left by none before it is gone', async () => {
    const dying = Promise.withResolvers<void>()
    const { run, runtime } = await started(6, { isReady: false, terminate: () => dying.promise })
    expect(runtime.process.cores).toBe(2)
    const failed = run.next().catch((error: unknown) => error)
    let [hasFailed, isGone] = [false, false]
    void failed.then(() => (hasFailed = true))
    void run.gone.then(() => (isGone = true))
    await runtime.clock.advance(89_999)
    expect(hasFailed).toBe(false)
    await runtime.clock.advance(1)
    expect(await failed).toMatchObject({ code: 'WORKER_START', message: expect.stringContaining('90000 ms') as string })
    await runtime.clock.advance(2_000)
    expect(isGone).toBe(false)
    dying.resolve()
    await run.gone
    expect(runtime.clock.waiting).toBe(0)
  })
})
