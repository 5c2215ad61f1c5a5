import {
  checkOptions,
  closed,
  type ColumnBatch,
  corrupt,
  defaultLimits,
  exhausted,
  internal,
  isKind,
  option,
  type OptionTable,
  type Runtime,
  systemRuntime,
  throwIfAborted,
  waitFor,
} from '@moulin/core'
import type { ThreadEnd } from '../threads/started-thread.ts'
import { type ThreadPool, threadPool } from '../threads/thread-pool.ts'
import { decodeRowGroup, type DecodeTask } from './decode/decode-row-group.ts'
import type { DecodeCalls } from './serve-decodes.ts'

export interface ParquetWorkersOptions {
  /** Worker threads; 0 decodes in the calling thread, without a deadline. They start when they are first needed. */
  readonly threads: number
  /** Wall time for one row group, from the moment a worker has its bytes. Default {@link Limits.decodeDeadlineMs}. */
  readonly deadlineMs?: number
  /** JavaScript heap of one worker, in MiB. Default 1 024. */
  readonly maxHeapMiB?: number
  /** Bytes of tasks under way; further ones wait. Default {@link Limits.maxWorkerBytes}. */
  readonly memoryBytes?: number
  /** See {@link PooledDecodesOptions.inlineBytes}. */
  readonly inlineBytes?: number
  /** Default: the machine's own. */
  readonly runtime?: Runtime
}

export interface PooledDecodesOptions {
  /** Default {@link Limits.decodeDeadlineMs}. */
  readonly deadlineMs?: number
  /**
   * Tasks with at most so many loaded bytes, and no more than some thousand rows, are decoded in the calling thread: going
   * to another one and back takes longer. Default 16 KiB, which is some 0.3 ms; 0: none.
   */
  readonly inlineBytes?: number
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

const DEFAULT_INLINE_BYTES = 16 * 1024
const MAX_INLINE_ROWS = 4096
/** Compressed bytes are told; decoded ones are a few times as many. */
const DECODED_RATIO = 4

const decodesTable: OptionTable<PooledDecodesOptions> = {
  deadlineMs: option.milliseconds(1),
  inlineBytes: option.integer('bytes', 0),
}
const workersTable: OptionTable<ParquetWorkersOptions> = {
  ...decodesTable,
  threads: option.required(option.integer('threads', 0, 1024)),
  maxHeapMiB: option.integer('MiB', 1),
  memoryBytes: option.positiveBytes,
  runtime: option.runtimeOf('clock', 'timers', 'logger', 'threads'),
}

/** Threads that decode and do nothing else. @throws `invalid` for a negative or fractional number of threads. */
export function parquetWorkers(options: ParquetWorkersOptions): ParquetWorkers {
  checkOptions('parquetWorkers', options, workersTable)
  const { threads, maxHeapMiB, memoryBytes, runtime = systemRuntime(), ...decodes } = options
  if (threads === 0) return inProcess
  const source = (): URL => new URL(import.meta.resolve('@moulin/format/worker'))
  const pool = threadPool<DecodeCalls>({
    threads,
    source,
    runtime,
    calls: ['decode'],
    name: 'moulin-parquet',
    ...(maxHeapMiB === undefined ? {} : { maxHeapMiB }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  })
  return { ...pooledDecodes(pool, decodes), close: () => pool.close() }
}

/** Decodes in a pool that may have other work too; closing it closes nothing, since the pool belongs to its maker. */
export function pooledDecodes(pool: ThreadPool<DecodeCalls>, options: PooledDecodesOptions = {}): ParquetWorkers {
  checkOptions('pooledDecodes', options, decodesTable)
  const { deadlineMs = defaultLimits.decodeDeadlineMs, inlineBytes = DEFAULT_INLINE_BYTES } = options
  return {
    threads: pool.threads,
    async decode(task, { signal } = {}) {
      throwIfAborted(signal)
      const bytes = loadedBytes(task)
      if (bytes <= inlineBytes && task.rows.end - task.rows.start <= MAX_INLINE_ROWS) return decodeRowGroup(task)
      if (pool.startFailure !== undefined) return decodeRowGroup(task)
      try {
        // One that runs already is left to its worker, which stays under its deadline; only the answer is dropped.
        return await waitFor(inPool(pool, task, bytes, deadlineMs, signal), signal)
      } catch (error) {
        // Threads that cannot start say nothing of the bytes; this one can decode them, only without a deadline.
        if (pool.startFailure === undefined || isKind(error, 'aborted') || isKind(error, 'closed')) throw error
        return decodeRowGroup(task)
      }
    },
    close: () => Promise.resolve(),
  }
}

const inProcess: ParquetWorkers = {
  threads: 0,
  async decode(task, options) {
    throwIfAborted(options?.signal)
    return decodeRowGroup(task)
  },
  close: () => Promise.resolve(),
}

async function inPool(
  pool: ThreadPool<DecodeCalls>,
  task: DecodeTask,
  bytes: number,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<ColumnBatch> {
  const endError = (end: ThreadEnd): Error => errorOf(end, task)
  const grant = await pool.budget.acquire(bytes * (1 + DECODED_RATIO), signal === undefined ? {} : { signal })
  try {
    const lease = await pool.lease('task', { signal, endError })
    try {
      // Copied, since the bytes may be the store's own: into one buffer that goes over, and comes back if it may.
      const memory = pool.buffers.take(bytes)
      let at = 0
      const ranges = task.ranges.map((range) => {
        const own = memory.subarray(at, (at += range.bytes.length))
        own.set(range.bytes)
        return { ...range, bytes: own }
      })
      return await lease.call('decode', { ...task, ranges }, { lent: [memory.buffer], deadlineMs })
    } finally {
      lease.release()
    }
  } finally {
    grant.release()
  }
}

function loadedBytes({ ranges }: DecodeTask): number {
  let bytes = 0
  for (const range of ranges) bytes += range.bytes.length
  return bytes
}

function errorOf(end: ThreadEnd, { file, rowGroup }: DecodeTask): Error {
  const context = { file, rowGroup }
  const where = `decoding row group ${rowGroup} of ${file}`
  switch (end.why) {
    case 'closed':
      return poolClosed()
    case 'memory':
      return exhausted('PARQUET_MEMORY', `The worker ${where} ran out of memory.`, { context, cause: end.cause })
    case 'deadline': {
      const { deadlineMs } = end
      const message = `Row group ${rowGroup} of ${file} was not decoded within ${deadlineMs} ms; it is taken for damaged.`
      return corrupt('PARQUET_DEADLINE', message, { context: { ...context, deadlineMs } })
    }
    case 'died': {
      const { isReady, reason, cause } = end
      return isReady
        ? corrupt('PARQUET_WORKER', `The worker ${where} died: ${reason}.`, { context, cause })
        : internal('PARQUET_WORKER', `A decoding worker did not start: ${reason}.`, { cause })
    }
  }
}

function poolClosed(): Error {
  return closed('PARQUET_WORKERS_CLOSED', 'The decoding workers are closed.')
}
