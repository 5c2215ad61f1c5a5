import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { type ErrorData, systemRuntime, type Thread, type ThreadOptions, unavailable } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import { afterEach, describe, expect, it } from 'vitest'
import type { ThreadEnd } from './started-thread.ts'
import { type LeaseKind, type ThreadLease, type ThreadPool, threadPool, type ThreadPoolOptions } from './thread-pool.ts'

type Calls = {
  readonly echo: { readonly request: unknown; readonly reply: unknown }
  readonly count: { readonly request: undefined; readonly reply: number }
  readonly sum: { readonly request: Uint8Array; readonly reply: { readonly total: number; readonly own: Uint8Array } }
  readonly keep: { readonly request: Uint8Array; readonly reply: Uint8Array }
  readonly fail: { readonly request: string; readonly reply: never }
  readonly die: { readonly request: undefined; readonly reply: never }
  readonly hang: { readonly request: undefined; readonly reply: never }
  readonly swell: { readonly request: undefined; readonly reply: never }
  readonly unclonable: { readonly request: undefined; readonly reply: unknown }
}

const serve = new URL('./serve-calls.ts', import.meta.url)
const core = import.meta.resolve('@moulin/core')
const source = moduleOf(`
  import { parentPort } from 'node:worker_threads'
  import { corrupt } from ${JSON.stringify(core)}
  import { serveCalls } from ${JSON.stringify(serve.href)}
  let calls = 0
  serveCalls(parentPort, {
    echo: (request) => request,
    count: async () => ++calls,
    sum: (bytes) => ({ total: bytes.reduce((sum, byte) => sum + byte, 0), own: new Uint8Array([7]) }),
    keep: (bytes) => bytes,
    fail: (code) => { throw corrupt(code, 'It is broken.', { context: { at: 7 } }) },
    die: () => process.exit(3),
    hang: () => { for (;;); },
    swell: () => { const all = []; for (;;) all.push(new Array(100_000).fill('x' + all.length)) },
    unclonable: () => () => {},
  })`)

function moduleOf(text: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(text)}`)
}

const endError = (end: ThreadEnd): Error => unavailable('ENDED', end.why === 'died' ? `died: ${end.reason}` : end.why)
const pools: ThreadPool<Calls>[] = []
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
})

function pool(options: Partial<ThreadPoolOptions> = {}): ThreadPool<Calls> {
  const made = threadPool<Calls>({ threads: 1, source, runtime: systemRuntime(), ...options })
  pools.push(made)
  return made
}

const deadThread: Thread = { post() {}, ref() {}, unref() {}, async terminate() {} }

const lease = (of: ThreadPool<Calls>, kind: LeaseKind = 'task', signal?: AbortSignal): Promise<ThreadLease<Calls>> =>
  of.lease(kind, { signal, endError })

/** Whether the promise settles in the next few turns. */
async function settles(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false
  promise.catch(() => {}).finally(() => (isSettled = true))
  for (let turns = 0; turns < 5; turns++) await turn()
  return isSettled
}

describe('threadPool', () => {
  it('answers calls in order, with one state per thread', async () => {
    const one = await lease(pool())
    expect(await Promise.all([one.call('count', undefined), one.call('count', undefined)])).toEqual([1, 2])
    expect(await one.call('echo', { big: 1n, map: new Map([[1, 'x']]) })).toEqual({ big: 1n, map: new Map([[1, 'x']]) })
  })

  it('moves memory there and back, and uses it again', async () => {
    const threads = pool()
    const one = await lease(threads)
    const sent = threads.buffers.take(100_000).fill(1)
    const { total, own } = await one.call('sum', sent, { lent: [sent.buffer] })
    expect([total, own]).toEqual([100_000, new Uint8Array([7])])
    expect(sent.buffer.byteLength).toBe(0)
    expect(threads.buffers.keptBytes).toBe(131_072)
    const again = threads.buffers.take(100_000)
    await expect(one.call('fail', 'X', { lent: [again.buffer] })).rejects.toMatchObject({ code: 'X' })
    expect(threads.buffers.keptBytes).toBe(131_072)
    const kept = threads.buffers.take(100_000).fill(5)
    expect(await one.call('keep', kept, { lent: [kept.buffer] })).toEqual(new Uint8Array(100_000).fill(5))
    expect(threads.buffers.keptBytes).toBe(0)
  })

  it('fails a call with the error of its handler, and keeps the thread', async () => {
    const one = await lease(pool())
    const expected: Partial<ErrorData> = { kind: 'corrupt', code: 'BROKEN', context: { at: 7 } }
    await expect(one.call('fail', 'BROKEN')).rejects.toMatchObject(expected)
    await expect(one.call('unclonable', undefined)).rejects.toMatchObject({ kind: 'internal' })
    await expect(one.call('echo', () => {})).rejects.toThrow('could not be cloned')
    await expect(one.call('nothing' as 'echo', 1)).rejects.toMatchObject({ code: 'CALL' })
    expect(await one.call('count', undefined)).toBe(1)
  })

  it('fails all calls of a thread that dies, and of no other, and starts another', async () => {
    const threads = pool({ threads: 2 })
    const [bad, good] = await Promise.all([lease(threads, 'session'), lease(threads, 'session')])
    await good.call('count', undefined)
    const failed = [bad.call('die', undefined), bad.call('count', undefined)]
    for (const call of failed) await expect(call).rejects.toThrow('died: it exited with code 3')
    await expect(bad.call('count', undefined)).rejects.toMatchObject({ code: 'ENDED' })
    bad.release()
    expect(await good.call('count', undefined)).toBe(2)
    expect(threads.stats).toMatchObject({ busy: 1, idle: 0 })
    expect(await (await lease(threads, 'session')).call('count', undefined)).toBe(1)
  })

  it('says when a thread cannot start', async () => {
    const threads = pool({ source: moduleOf(`throw new Error('no such thing')`) })
    for (let attempt = 0; attempt < 2; attempt++) {
      const one = await lease(threads)
      await expect(one.call('count', undefined)).rejects.toThrow('died: no such thing')
      one.release()
    }
  })

  it.each([
    ['says nothing', 'setInterval(() => {}, 1_000)'],
    ['never comes to an end', 'for (;;);'],
    ['says what is not ours', `for (const word of words) parentPort.postMessage(word); setInterval(() => {}, 1_000)`],
    [
      'answers without a hello',
      `parentPort.on('message', () => parentPort.postMessage({ kind: 'done', returned: [] }))`,
    ],
  ])('gives up a module that %s', async (_, text) => {
    const runtime = virtualRuntime({ seed: 1 })
    const words = `
      import { parentPort } from 'node:worker_threads'
      const words = [1, null, 'ready', [], { kind: 'ready' }, { kind: 'ready', calls: [1] }, { kind: 'done' },
        { kind: 'failed', returned: [] }, { kind: 'done', returned: [1] }, { kind: 'failed', error: null, returned: [] }];`
    const threads = pool({ runtime, source: moduleOf(`${words}${text}`) })
    const one = await lease(threads)
    const call = one.call('count', undefined)
    const failed = expect(call).rejects.toThrow('died: its module has not said within 10000 ms that it listens')
    await systemRuntime().timers.sleep(100)
    await runtime.clock.advance(9_999)
    expect(await settles(call)).toBe(false)
    await runtime.clock.advance(1)
    await failed
    expect(threads.startFailure).toMatchObject({ code: 'WORKER_DIED' })
    one.release()
    expect(threads.stats).toMatchObject({ busy: 0, idle: 0 })
  })

  it('gives up a module that knows other calls, at once', async () => {
    const threads = pool({ calls: ['count', 'decode', 'echo'] })
    await expect((await lease(threads)).call('count', undefined)).rejects.toThrow('knows no call decode')
    expect(threads.startFailure).toBeDefined()
  })

  it.each<[string, (options: ThreadOptions) => void, string]>([
    ['ends', ({ ended }) => ended({ why: 'exit', code: 3 }), 'died: it exited with code 3'],
    ['answers what cannot be read', ({ unreadable }) => unreadable(new Error('odd')), 'cannot be read (odd)'],
    ['knows other calls', ({ message }) => message({ kind: 'ready', calls: [] }), 'knows no call count'],
  ])('says why of a thread that %s before it has been started', async (_, early, why) => {
    const runtime = virtualRuntime({ seed: 1 })
    const start = (_module: URL, options: ThreadOptions): Thread => {
      early(options)
      return deadThread
    }
    const threads = pool({ runtime: { ...runtime, threads: { start } }, calls: ['count'] })
    for (let attempt = 0; attempt < 2; attempt++) {
      const one = await lease(threads)
      await expect(one.call('count', undefined)).rejects.toThrow(why)
      one.release()
      expect(threads.stats).toMatchObject({ busy: 0, idle: 0 })
    }
    expect(threads.startFailure).toBeDefined()
  })

  it('hears what a thread says before it has been started', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const start = (_module: URL, { message }: ThreadOptions): Thread => {
      message({ kind: 'ready', calls: ['count'] })
      return { ...deadThread, post: () => queueMicrotask(() => message({ kind: 'done', reply: 7, returned: [] })) }
    }
    const one = await lease(pool({ runtime: { ...runtime, threads: { start } }, calls: ['count'] }))
    const call = one.call('count', undefined)
    await runtime.clock.advance(10_000)
    expect(await call).toBe(7)
    expect(await one.call('count', undefined)).toBe(7)
  })

  it('lives through a thread that cannot be ended, and tells of it', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const lines: unknown[] = []
    const logger = { ...runtime.logger, warn: (fields: object, message: string) => void lines.push(fields, message) }
    const started: ThreadOptions[] = []
    const stuck = { ...deadThread, terminate: () => Promise.reject(new Error('it stays')) }
    const start = (_module: URL, options: ThreadOptions): Thread => {
      started.push(options)
      return stuck
    }
    const threads = threadPool<Calls>({ threads: 2, source, runtime: { ...runtime, logger, threads: { start } } })
    const [late, odd, idle] = [await lease(threads), await lease(threads), lease(threads)]
    for (const { message } of started) message({ kind: 'ready', calls: [] })
    const calls = [late.call('hang', undefined, { deadlineMs: 5 }), odd.call('count', undefined)]
    const failed = ['deadline', 'cannot be read (odd)'].map((why, i) => expect(calls[i]).rejects.toThrow(why))
    await runtime.clock.advance(5)
    started[1]!.unreadable(new Error('odd'))
    await Promise.all(failed)
    // A rejection that nobody takes ends the process, and this run.
    for (let turns = 0; turns < 5; turns++) await turn()
    const line = [expect.objectContaining({ err: new Error('it stays') }), 'A worker thread could not be ended']
    expect(lines).toEqual([...line, ...line])
    await idle
    threads.buffers.give(new ArrayBuffer(65_536))
    await expect(threads.close()).rejects.toThrow('it stays')
    expect(threads.buffers.keptBytes).toBe(0)
  })

  it('passes over words between the answers that are not ours', async () => {
    const loud = `
      import { parentPort } from 'node:worker_threads'
      import { serveCalls } from ${JSON.stringify(serve.href)}
      let calls = 0
      parentPort.postMessage({ kind: 'done', reply: 9, returned: [] })
      serveCalls(parentPort, { count: () => { parentPort.postMessage({ kind: 'trace', calls: 1 }); return ++calls } })
      parentPort.postMessage({ kind: 'done', reply: 9 })`
    const one = await lease(pool({ source: moduleOf(loud) }))
    expect(await Promise.all([one.call('count', undefined), one.call('count', undefined)])).toEqual([1, 2])
  })

  it('ends a thread at the deadline, and the deadline alone', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const threads = pool({ runtime })
    const one = await lease(threads)
    await one.call('count', undefined)
    const hanging = one.call('hang', undefined, { deadlineMs: 500 })
    await runtime.clock.advance(499)
    expect(await settles(hanging)).toBe(false)
    await runtime.clock.advance(1)
    await expect(hanging).rejects.toThrow('deadline')
    one.release()
    const next = await lease(threads)
    expect(await next.call('count', undefined, { deadlineMs: 500 })).toBe(1)
    await runtime.clock.advance(10_000)
    expect(await next.call('count', undefined)).toBe(2)
  })

  it('begins the deadline only when the thread listens', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const one = await lease(pool({ runtime }))
    const counted = one.call('count', undefined, { deadlineMs: 500 })
    await runtime.clock.advance(9_000)
    expect(await counted).toBe(1)
  })

  it('tells memory from other deaths', async () => {
    const one = await lease(pool({ maxHeapMiB: 32 }))
    await expect(one.call('swell', undefined)).rejects.toThrow('memory')
  })

  it('hands a thread to one holder at a time, in the order of the calls', async () => {
    const threads = pool()
    const first = await lease(threads, 'session')
    const second = lease(threads, 'session')
    const third = lease(threads, 'session')
    expect(await settles(second)).toBe(false)
    expect(threads.stats).toMatchObject({ busy: 1, queued: 2 })
    first.release()
    first.release()
    ;(await second).release()
    ;(await third).release()
    expect(threads.stats).toMatchObject({ busy: 0, idle: 1, queued: 0 })
  })

  it('has one more thread for tasks while sessions hold all', async () => {
    const threads = pool()
    const session = await lease(threads, 'session')
    const task = await lease(threads)
    const next = lease(threads)
    expect(await settles(next)).toBe(false)
    expect(await task.call('count', undefined)).toBe(1)
    task.release()
    expect(await (await next).call('count', undefined)).toBe(2)
    const waiting = lease(threads, 'session')
    session.release()
    // The task holds the one thread that there should be.
    expect(await settles(waiting)).toBe(false)
    ;(await next).release()
    ;(await waiting).release()
  })

  it('serves tasks before further sessions, but the first session before them', async () => {
    const threads = pool({ threads: 2 })
    const tasks = await Promise.all([lease(threads), lease(threads)])
    const order: string[] = []
    const note = (name: string, waiting: Promise<ThreadLease<Calls>>): Promise<ThreadLease<Calls>> =>
      waiting.then((held) => {
        order.push(name)
        return held
      })
    const waiting = [
      note('task', lease(threads)),
      note('session 1', lease(threads, 'session')),
      note('session 2', lease(threads, 'session')),
    ]
    for (const task of tasks) {
      task.release()
      await turn()
    }
    expect(order).toEqual(['session 1', 'task'])
    ;(await waiting[0]!).release()
    await Promise.all(waiting)
    expect(order).toEqual(['session 1', 'task', 'session 2'])
  })

  it('stops waiting at the signal', async () => {
    const threads = pool()
    const stop = new AbortController()
    const held = await lease(threads)
    const waiting = lease(threads, 'task', stop.signal)
    stop.abort()
    await expect(waiting).rejects.toMatchObject({ kind: 'aborted' })
    await expect(lease(threads, 'task', stop.signal)).rejects.toMatchObject({ kind: 'aborted' })
    held.release()
    expect(threads.stats).toMatchObject({ busy: 0, queued: 0 })
  })

  it('fails what runs and what waits when it is closed', async () => {
    const threads = pool()
    const held = await lease(threads)
    await held.call('count', undefined)
    const running = held.call('hang', undefined)
    const waiting = lease(threads)
    const memory = threads.budget.acquire(1)
    const checks = [running, waiting].map((promise) => expect(promise).rejects.toThrow('closed'))
    await Promise.all([...checks, threads.close(), threads.close()])
    held.release()
    await memory
    await expect(lease(threads)).rejects.toThrow('closed')
    await expect(threads.budget.acquire(1)).rejects.toMatchObject({ kind: 'closed' })
    expect(threads.stats).toMatchObject({ busy: 0, idle: 0, queued: 0 })
  })

  it('refuses odd numbers', () => {
    for (const threads of [0, -1, 0.5]) expect(() => pool({ threads })).toThrow('threads')
    expect(() => pool({ memoryBytes: 0 })).toThrow('memoryBytes')
  })

  it('does not hold the process open with an idle thread', async () => {
    const program = `
      const { systemRuntime } = await import(${JSON.stringify(core)})
      const { threadPool } = await import(${JSON.stringify(new URL('./thread-pool.ts', import.meta.url).href)})
      const pool = threadPool({ threads: 1, runtime: systemRuntime(), source: new URL(${JSON.stringify(source.href)}) })
      const lease = await pool.lease('task', { endError: () => new Error('ended') })
      console.log(await lease.call('count', undefined))
      lease.release()`
    const args = ['--conditions=moulin-source', '--no-warnings', '--input-type=module', '-e', program]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(output).toBe('1\n')
  })
})
