import { Worker } from 'node:worker_threads'
import {
  aborted,
  closed,
  type ColumnBatch,
  corrupt,
  defaultLimits,
  type ErrorData,
  exhausted,
  fromErrorData,
  internal,
  invalid,
  type Runtime,
  throwIfAborted,
  type Timer,
} from '@moulin/core'
import { decodeRowGroup, type DecodeTask } from './decode/decode-row-group.ts'

export interface ParquetWorkersOptions {
  /** Worker threads; 0 decodes in the calling thread, without a deadline. They start when they are first needed. */
  readonly threads: number
  /** Wall time for one row group, from the moment a worker has its bytes. Default {@link Limits.decodeDeadlineMs}. */
  readonly deadlineMs?: number
  /** JavaScript heap of one worker, in MiB. Default 1 024. */
  readonly maxHeapMiB?: number
  readonly runtime: Runtime
}

/** Threads that decode row groups, shared by any number of open files. */
export interface ParquetWorkers {
  readonly threads: number
  /**
   * Decodes one task, first come, first served; {@link ParquetFile.read} calls it. A worker that does not answer within
   * the deadline, or dies, is replaced, and only its own task fails.
   * @throws `corrupt` for damaged bytes and at the deadline, `exhausted` when the worker ran out of memory, each naming
   * file and row group; `unsupported`; `aborted`; `closed`.
   */
  decode(task: DecodeTask, options?: { readonly signal?: AbortSignal }): Promise<ColumnBatch>
  /** Ends the threads; tasks in flight and waiting fail with `closed`. May be called twice. */
  close(): Promise<void>
}

/** What a worker says: that it listens, or how a task ended. */
export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly batch: ColumnBatch }
  | { readonly kind: 'failed'; readonly error: ErrorData }

/** @throws `invalid` for a negative or fractional number of threads. */
export function parquetWorkers(options: ParquetWorkersOptions): ParquetWorkers {
  if (!Number.isInteger(options.threads) || options.threads < 0)
    throw invalid('THREADS', `threads is ${options.threads}; it must be a whole number from 0.`)
  return options.threads === 0 ? inProcess : new WorkerPool(options)
}

const inProcess: ParquetWorkers = {
  threads: 0,
  async decode(task, options) {
    throwIfAborted(options?.signal)
    return await decodeRowGroup(task)
  },
  close: () => Promise.resolve(),
}

interface Job {
  readonly task: DecodeTask
  settle(result: { readonly batch: ColumnBatch } | { readonly error: Error }): void
}

interface Slot {
  readonly worker: Worker
  isReady: boolean
  job: Job | undefined
  timer: Timer | undefined
}

class WorkerPool implements ParquetWorkers {
  readonly threads: number
  readonly #options: ParquetWorkersOptions
  readonly #slots = new Set<Slot>()
  readonly #queue: Job[] = []
  #isClosed = false

  constructor(options: ParquetWorkersOptions) {
    this.threads = options.threads
    this.#options = options
  }

  async decode(task: DecodeTask, options: { readonly signal?: AbortSignal } = {}): Promise<ColumnBatch> {
    const { signal } = options
    throwIfAborted(signal)
    if (this.#isClosed) throw poolClosed()
    return await new Promise<ColumnBatch>((resolve, reject) => {
      const job: Job = {
        task,
        settle: (result) => {
          signal?.removeEventListener('abort', stop)
          if ('batch' in result) resolve(result.batch)
          else reject(result.error)
        },
      }
      // A task that runs already is left to its worker, which stays under its deadline; only the answer is dropped.
      const stop = (): void => {
        const waiting = this.#queue.indexOf(job)
        if (waiting >= 0) this.#queue.splice(waiting, 1)
        const cause = signal?.reason as unknown
        job.settle({ error: aborted('ABORTED', 'The read was aborted by its signal.', { cause }) })
      }
      signal?.addEventListener('abort', stop, { once: true })
      this.#queue.push(job)
      this.#dispatch()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const job of this.#queue.splice(0)) job.settle({ error: poolClosed() })
    const slots = [...this.#slots]
    for (const slot of slots) this.#drop(slot, poolClosed())
    await Promise.all(slots.map(({ worker }) => worker.terminate()))
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const free = [...this.#slots].find(({ job }) => job === undefined)
      if (free === undefined && this.#slots.size >= this.threads) return
      const slot = free ?? this.#start()
      slot.job = this.#queue.shift()!
      slot.worker.ref()
      if (slot.isReady) this.#send(slot)
    }
  }

  #start(): Slot {
    const maxOldGenerationSizeMb = this.#options.maxHeapMiB ?? 1024
    const worker = new Worker(new URL(import.meta.resolve('@moulin/format/worker')), {
      name: 'moulin-parquet',
      resourceLimits: { maxOldGenerationSizeMb },
    })
    const slot: Slot = { worker, isReady: false, job: undefined, timer: undefined }
    this.#slots.add(slot)
    worker.on('message', (answer: WorkerAnswer) => this.#answered(slot, answer))
    worker.on('error', (error) => this.#died(slot, error))
    worker.on('exit', () => this.#died(slot, undefined))
    return slot
  }

  #send(slot: Slot): void {
    const { task } = slot.job!
    // Copies, since the bytes may be the store's own; they move to the worker without another one.
    const ranges = task.ranges.map(({ start, bytes }) => ({ start, bytes: new Uint8Array(bytes) }))
    slot.worker.postMessage(
      { ...task, ranges },
      ranges.map(({ bytes }) => bytes.buffer),
    )
    const deadlineMs = this.#options.deadlineMs ?? defaultLimits.decodeDeadlineMs
    slot.timer = this.#options.runtime.timers.after(deadlineMs, () => {
      const { file, rowGroup } = task
      const message = `Row group ${rowGroup} of ${file} was not decoded within ${deadlineMs} ms; it is taken for damaged.`
      this.#drop(slot, corrupt('PARQUET_DEADLINE', message, { context: { file, rowGroup, deadlineMs } }))
      void slot.worker.terminate()
      this.#dispatch()
    })
  }

  #answered(slot: Slot, answer: WorkerAnswer): void {
    if (!this.#slots.has(slot)) return
    if (answer.kind === 'ready') {
      slot.isReady = true
      if (slot.job !== undefined) this.#send(slot)
      return
    }
    const { job } = slot
    slot.timer?.cancel()
    slot.job = undefined
    slot.worker.unref()
    job?.settle(answer.kind === 'done' ? { batch: answer.batch } : { error: fromErrorData(answer.error) })
    this.#dispatch()
  }

  #died(slot: Slot, cause: Error | undefined): void {
    if (!this.#slots.has(slot)) return
    const { file, rowGroup } = slot.job?.task ?? { file: 'no file', rowGroup: -1 }
    const context = { file, rowGroup }
    const reason = cause === undefined ? 'it exited' : cause.message
    const isMemory = (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
    const where = `decoding row group ${rowGroup} of ${file}`
    if (!slot.isReady)
      this.#drop(slot, internal('PARQUET_WORKER', `A decoding worker did not start: ${reason}.`, { cause }))
    else if (isMemory)
      this.#drop(slot, exhausted('PARQUET_MEMORY', `The worker ${where} ran out of memory.`, { context, cause }))
    else this.#drop(slot, corrupt('PARQUET_WORKER', `The worker ${where} died: ${reason}.`, { context, cause }))
    this.#dispatch()
  }

  #drop(slot: Slot, error: Error): void {
    slot.timer?.cancel()
    this.#slots.delete(slot)
    slot.job?.settle({ error })
    slot.job = undefined
  }
}

function poolClosed(): Error {
  return closed('PARQUET_WORKERS_CLOSED', 'The decoding workers are closed.')
}
