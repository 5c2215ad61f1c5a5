import { Worker } from 'node:worker_threads'
import { closed, fromErrorData, unavailable } from '@moulin/core'
import type { BatchRun } from '@moulin/core'
import type { EncodedFile } from './partition-writers.ts'
import type { OffsetRange, RowTally } from './row-builder.ts'
import { builtInParts, TierTask } from './tier-task.ts'
import type { TierParts, TierSetup } from './tier-task.ts'
import type { WorkerReply, WorkerRequest } from './worker-messages.ts'

/** Threads that turn records into data files. */
export interface TierWorkers {
  /** Begins a task; waits for a free thread. `parts` that are not built in run in this thread instead. */
  begin(setup: TierSetup, parts: TierParts): Promise<TierSession>
  /** Ends the threads; tasks in flight fail with `closed`. Idempotent. */
  close(): Promise<void>
}

/** One {@link TierTask}, wherever it runs. After an error it is over. */
export interface TierSession {
  add(run: BatchRun, range: OffsetRange): Promise<readonly EncodedFile[]>
  finish(): Promise<{ readonly files: readonly EncodedFile[]; readonly tallies: ReadonlyMap<number, RowTally> }>
  /** Gives the thread back. Idempotent; also after an error. */
  release(): void
}

// The built package has the worker beside it as JavaScript.
const workerSource = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)

/** `threads: 0` runs all in the calling thread and gives the same bytes. `source` is for tests. */
export function tierWorkers(threads: number, source: URL = workerSource): TierWorkers {
  const pool = new WorkerPool(threads, source)
  return {
    async begin(setup, parts) {
      const isBuiltIn = parts.factory === builtInParts.factory && isCovered(setup, builtInParts)
      if (threads === 0 || !isBuiltIn) return localSession(new TierTask(setup, parts))
      const thread = await pool.take()
      try {
        await thread.call({ kind: 'begin', setup })
      } catch (error) {
        pool.give(thread)
        throw error
      }
      return remoteSession(thread, () => pool.give(thread))
    },
    close: () => pool.close(),
  }
}

function isCovered({ values }: TierSetup, { formats }: TierParts): boolean {
  return values === undefined || formats.some(({ format }) => format === values.format)
}

function localSession(task: TierTask): TierSession {
  return {
    add: async (run, range) => task.add(run, range),
    finish: async () => task.finish(),
    release() {},
  }
}

function remoteSession(thread: Thread, give: () => void): TierSession {
  let isOver = false
  return {
    async add(run, range) {
      // The bytes may be a view of the log's own memory, which must not go over: the copy does.
      const batches = new Uint8Array(run.batches)
      const reply = await thread.call({ kind: 'add', run: { ...run, batches }, range }, [batches.buffer])
      return (reply as Extract<WorkerReply, { kind: 'added' }>).files
    },
    async finish() {
      const reply = await thread.call({ kind: 'finish' })
      return reply as Extract<WorkerReply, { kind: 'finished' }>
    },
    release() {
      if (isOver) return
      isOver = true
      give()
    },
  }
}

/** One worker thread; calls are answered in order. */
class Thread {
  readonly #worker: Worker
  readonly #waiting: { resolve: (reply: WorkerReply) => void; reject: (error: Error) => void }[] = []
  #death: Error | undefined

  constructor(source: URL) {
    this.#worker = new Worker(source, { name: 'moulin-tier' })
    this.#worker.on('message', (reply: WorkerReply) => {
      const call = this.#waiting.shift()!
      if (reply.kind === 'failed') call.reject(fromErrorData(reply.error))
      else call.resolve(reply)
      if (this.#waiting.length === 0) this.#worker.unref()
    })
    this.#worker.on('error', (cause) => this.#die(cause))
    this.#worker.on('exit', (code) => this.#die(undefined, code))
    this.#worker.unref()
  }

  get isDead(): boolean {
    return this.#death !== undefined
  }

  call(request: WorkerRequest, transfer: ArrayBuffer[] = []): Promise<WorkerReply> {
    if (this.#death !== undefined) return Promise.reject(this.#death)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      // A process waits for its commit, not for an idle thread.
      this.#worker.ref()
      this.#worker.postMessage(request, transfer)
    })
  }

  async end(): Promise<void> {
    this.#fail(closed('CLOSED', 'The cold tier was closed while it encoded data files.'))
    await this.#worker.terminate()
  }

  #die(cause: unknown, code?: number): void {
    const why = cause instanceof Error ? cause.message : `exit code ${code}`
    const message = `The thread that encoded data files died (${why}); nothing was committed, the next call starts another.`
    this.#fail(unavailable('WORKER_DIED', message, { cause }))
  }

  #fail(error: Error): void {
    this.#death ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(this.#death)
  }
}

class WorkerPool {
  readonly #threads: number
  readonly #source: URL
  readonly #idle: Thread[] = []
  readonly #busy = new Set<Thread>()
  readonly #queue: (() => void)[] = []
  #isClosed = false

  constructor(threads: number, source: URL) {
    this.#threads = threads
    this.#source = source
  }

  async take(): Promise<Thread> {
    while (this.#idle.length === 0 && this.#busy.size >= this.#threads && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#queue.push(resolve))
    }
    if (this.#isClosed) throw closed('CLOSED', 'The cold tier is closed.')
    const thread = this.#idle.pop() ?? new Thread(this.#source)
    this.#busy.add(thread)
    return thread
  }

  give(thread: Thread): void {
    this.#busy.delete(thread)
    if (!thread.isDead && !this.#isClosed) this.#idle.push(thread)
    this.#queue.shift()?.()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const wake of this.#queue.splice(0)) wake()
    const threads = [...this.#idle.splice(0), ...this.#busy]
    await Promise.all(threads.map((thread) => thread.end()))
  }
}
