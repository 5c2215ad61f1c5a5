import {
  aborted,
  checkOptions,
  defaultLimits,
  gaugeOf,
  guardedLogger,
  internal,
  option,
  systemRuntime,
  throwIfAborted,
} from '@moulin/core'
import type { Gauge, OptionTable, Runtime } from '@moulin/core'
import { BufferPool } from './buffer-pool.ts'
import { MemoryBudget } from './memory-budget.ts'
import type { MemoryBudgetStats } from './memory-budget.ts'
import { PoolThread } from './pool-thread.ts'
import type { EndError } from './pool-thread.ts'
import type { ThreadCalls } from './thread-calls.ts'

export interface ThreadPoolOptions {
  /** Threads, at least 1. They start when they are first needed. */
  readonly threads: number
  /** The module that a thread runs; it ends in `serveCalls`. Or what finds it, when the first one starts. */
  readonly source: URL | (() => URL)
  /** Default: the machine's own. */
  readonly runtime?: Runtime
  /** Calls that the module must know; one that does not is taken for a thread that did not start. Default: none. */
  readonly calls?: readonly string[]
  /** Bytes of the pool's {@link ThreadPool.budget}. Default {@link Limits.maxWorkerBytes}. */
  readonly memoryBytes?: number
  /** JavaScript heap of one thread, in MiB; columns and files lie outside of it. Default 1 024. */
  readonly maxHeapMiB?: number
  /** Seen in profilers. */
  readonly name?: string
  /** Says what to do about a thread that did not start. */
  readonly startError?: (cause: Error) => Error
}

/**
 * - `session`: many calls that build on each other, such as the encoding of a data file.
 * - `task`: one call that somebody waits for, such as the decoding of some rows.
 */
export type LeaseKind = 'session' | 'task'

export interface LeaseOptions {
  readonly signal?: AbortSignal | undefined
  readonly endError: EndError
}

/**
 * Threads, each held by one session or task at a time, so that a thread that dies or is ended takes nothing else along;
 * it is replaced when next one is needed. Tasks go before sessions, except that one session may always run; and where
 * sessions hold all threads, tasks share one more, so that a reader does not wait for a whole file to be encoded.
 */
export interface ThreadPool<C extends ThreadCalls> {
  readonly threads: number
  /** Of all that is handed to the threads and of what they give back: whoever leases a thread counts it there. */
  readonly budget: MemoryBudget
  /** Recycled memory for what is handed over. */
  readonly buffers: BufferPool
  readonly stats: ThreadPoolStats
  /** Why a thread that was started in the last minute never said a word; undefined while there is no such thread. */
  readonly startFailure: Error | undefined
  /** Waits for a thread. @throws `aborted`; what `endError` makes of a closed pool. */
  lease(kind: LeaseKind, options: LeaseOptions): Promise<ThreadLease<C>>
  /**
   * Ends the threads; calls under way and waiting leases fail. May be called twice.
   * @throws what the door to threads says of one that it cannot end, once all others are gone.
   */
  close(): Promise<void>
}

export interface ThreadPoolStats extends MemoryBudgetStats {
  readonly busy: number
  readonly idle: number
  /** Leases in line. */
  readonly queued: number
}

/** A thread on loan. */
export interface ThreadLease<C extends ThreadCalls> {
  /**
   * Calls are answered in order. `lent` memory goes over with the request and comes back to {@link ThreadPool.buffers};
   * the caller must not look into it any more.
   * @throws what the handler throws; what `endError` makes of the thread's end.
   */
  call<K extends keyof C & string>(
    kind: K,
    request: C[K]['request'],
    options?: { readonly lent?: readonly ArrayBuffer[]; readonly deadlineMs?: number },
  ): Promise<C[K]['reply']>
  /** Gives the thread back, when nothing it was asked is unanswered. Idempotent. */
  release(): void
}

/** Recycled memory that is kept, of the bytes of the budget. */
const KEPT_SHARE = 0.25

const optionTable: OptionTable<ThreadPoolOptions> = {
  threads: option.required(option.integer('threads', 1, 1024)),
  source: option.required(option.anyOf(option.moduleUrl, option.callback)),
  runtime: option.runtimeOf('clock', 'timers', 'logger', 'threads'),
  calls: option.listOf(option.text),
  memoryBytes: option.positiveBytes,
  maxHeapMiB: option.integer('MiB', 1),
  name: option.text,
  startError: option.callback,
}

/** @throws `invalid` for a number of threads that is not a whole one from 1, or bytes that are not above 0. */
export function threadPool<C extends ThreadCalls>(options: ThreadPoolOptions): ThreadPool<C> {
  checkOptions('threadPool', options, optionTable)
  return new Pool<C>({ ...options, runtime: options.runtime ?? systemRuntime() })
}

interface Waiting {
  give(thread: PoolThread): void
  fail(error: Error): void
  /** The pool has no more threads to give. */
  close(): void
}

const DEFAULT_NAME = 'moulin'

/** For how long after a thread that did not start it is not worth starting another one. */
const START_AGAIN_MS = 60_000

type PoolOptions = ThreadPoolOptions & { readonly runtime: Runtime }

class Pool<C extends ThreadCalls> implements ThreadPool<C> {
  readonly threads: number
  readonly budget: MemoryBudget
  readonly buffers: BufferPool
  readonly #options: PoolOptions
  readonly #idle: PoolThread[] = []
  readonly #busy = new Map<PoolThread, LeaseKind>()
  readonly #gauges: readonly Gauge[]
  readonly #queues: Readonly<Record<LeaseKind, Waiting[]>> = { session: [], task: [] }
  #startFailed: { readonly error: Error; readonly atMs: number } | undefined
  #isClosed = false

  constructor(options: PoolOptions) {
    const memoryBytes = options.memoryBytes ?? defaultLimits.maxWorkerBytes
    this.threads = options.threads
    this.budget = new MemoryBudget(memoryBytes)
    this.buffers = new BufferPool(memoryBytes * KEPT_SHARE)
    this.#options = options
    const { runtime, name = DEFAULT_NAME } = options
    const attributes = { 'moulin.worker.pool': name }
    this.#gauges = [
      gaugeOf(runtime.meter, 'moulin.worker.waiting', (see) => see(this.stats.queued, attributes)),
      gaugeOf(runtime.meter, 'moulin.worker.busy', (see) => see(this.stats.busy, attributes)),
    ]
  }

  get stats(): ThreadPoolStats {
    const { session, task } = this.#queues
    return {
      ...this.budget.stats,
      busy: this.#busy.size,
      idle: this.#idle.length,
      queued: session.length + task.length,
    }
  }

  get startFailure(): Error | undefined {
    const failed = this.#startFailed
    const isRecent = failed !== undefined && this.#options.runtime.clock.monotonic() - failed.atMs < START_AGAIN_MS
    return isRecent ? failed.error : undefined
  }

  async lease(kind: LeaseKind, { signal, endError }: LeaseOptions): Promise<ThreadLease<C>> {
    throwIfAborted(signal)
    if (this.#isClosed) throw endError({ why: 'closed' })
    const queue = this.#queues[kind]
    const thread = await new Promise<PoolThread>((resolve, reject) => {
      const stop = (): void => {
        queue.splice(queue.indexOf(waiting), 1)
        const cause = signal?.reason as unknown
        reject(aborted('ABORTED', 'The wait for a thread was aborted by its signal.', { cause }))
      }
      const waiting: Waiting = {
        give: (found) => {
          signal?.removeEventListener('abort', stop)
          resolve(found)
        },
        fail: (error) => {
          signal?.removeEventListener('abort', stop)
          reject(error)
        },
        close: () => waiting.fail(endError({ why: 'closed' })),
      }
      signal?.addEventListener('abort', stop, { once: true })
      queue.push(waiting)
      this.#dispatch()
    })
    let isHeld = true
    return {
      call: (name, request, { lent = [], deadlineMs } = {}) =>
        thread.call({ kind: name, request, lent, deadlineMs, endError }),
      release: () => {
        if (!isHeld) return
        isHeld = false
        if (this.#busy.delete(thread)) this.#idle.push(thread)
        this.#dispatch()
      },
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const gauge of this.#gauges) gauge.close()
    this.budget.close()
    for (const queue of Object.values(this.#queues)) for (const { close } of queue.splice(0)) close()
    const threads = [...this.#idle, ...this.#busy.keys()]
    const ends = await Promise.allSettled(threads.map((thread) => thread.terminate({ why: 'closed' })))
    this.buffers.clear()
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  #dispatch(): void {
    for (let kind = this.#next(); kind !== undefined && !this.#isClosed; kind = this.#next()) {
      const waiting = this.#queues[kind].shift()!
      try {
        const thread = this.#idle.pop() ?? this.#start()
        this.#busy.set(thread, kind)
        waiting.give(thread)
      } catch (error) {
        // There is no such module, or the system has no thread left.
        this.#failedToStart(error as Error)
        waiting.fail(this.#startFailed!.error)
      }
    }
  }

  /** Who gets the next thread, if there is one for him. */
  #next(): LeaseKind | undefined {
    const { session, task } = this.#queues
    let sessions = 0
    for (const kind of this.#busy.values()) if (kind === 'session') sessions++
    const isFree = this.#busy.size < this.threads
    if (session.length > 0 && sessions === 0 && isFree) return 'session'
    if (task.length > 0 && (isFree || (sessions === this.threads && this.#busy.size === sessions))) return 'task'
    if (session.length > 0 && isFree) return 'session'
    return undefined
  }

  #start(): PoolThread {
    const { source, runtime, calls = [], maxHeapMiB = 1024, name = DEFAULT_NAME } = this.#options
    const thread = new PoolThread({
      source: typeof source === 'function' ? source() : source,
      name,
      maxHeapMiB,
      runtime,
      calls,
      returned: (buffer) => this.buffers.give(buffer),
      ended: (end) => {
        if (end.why === 'died' && !end.isReady) {
          this.#failedToStart(end.cause instanceof Error ? end.cause : internal('WORKER_DIED', end.reason))
        }
        this.#busy.delete(thread)
        const at = this.#idle.indexOf(thread)
        if (at >= 0) this.#idle.splice(at, 1)
        this.#dispatch()
      },
    })
    return thread
  }

  #failedToStart(cause: Error): void {
    const { runtime, startError } = this.#options
    const error = startError?.(cause) ?? cause
    this.#startFailed = { error, atMs: runtime.clock.monotonic() }
    guardedLogger(runtime.logger).warn({ err: error }, 'A worker thread did not start')
  }
}
