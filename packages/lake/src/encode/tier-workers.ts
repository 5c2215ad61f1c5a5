import { closed, invalid, isKind, unavailable } from '@moulin/core'
import type { BatchRun, MoulinError, Runtime } from '@moulin/core'
import { threadPool } from '@moulin/format'
import type { MemoryGrant, ThreadEnd, ThreadLease, ThreadPool } from '@moulin/format'
import type { EncodedFile } from './partition-writers.ts'
import type { OffsetRange, RowTally } from './row-builder.ts'
import { builtInParts, TierTask } from './tier-task.ts'
import type { TierParts, TierSetup } from './tier-task.ts'
import type { WorkerCalls } from './worker-messages.ts'

/** Threads that turn records into data files. */
export interface TierWorkers {
  /** Whether one more task could begin at once in a thread of its own. */
  readonly hasIdle: boolean
  /**
   * Begins a task; waits for a free thread. `parts` that are not built in run in this thread instead.
   * @throws `aborted`; `closed`; `unavailable` when the thread dies.
   */
  begin(
    setup: TierSetup,
    parts: TierParts,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<TierSession>
}

/** One {@link TierTask}, wherever it runs. After an error it is over. */
export interface TierSession {
  /**
   * Waits until the run may be handed over, within the memory budget, and resolves once it was; `files` follows when its
   * rows are in. The run's memory stays the caller's.
   */
  add(run: BatchRun, range: OffsetRange, options?: { readonly signal?: AbortSignal | undefined }): Promise<Added>
  /** Gives the thread back. */
  finish(): Promise<{ readonly files: readonly HeldFile[]; readonly tallies: ReadonlyMap<number, RowTally> }>
  /** Lets go of the thread and all memory. Idempotent; also after an error. */
  release(): void
}

export interface Added {
  /** The files that are full. */
  readonly files: Promise<readonly HeldFile[]>
}

/** A file whose bytes count against the memory budget until it is released. */
export interface HeldFile {
  readonly file: EncodedFile
  /** Idempotent. */
  release(): void
}

export type TierPool = ThreadPool<WorkerCalls>

export interface TierPoolOptions {
  /** At least 1. */
  readonly threads: number
  readonly memoryBytes?: number
  readonly runtime: Runtime
  /** The module that threads run; default `@moulin/lake/worker`. */
  readonly source?: URL | undefined
}

// By the package's own name: a bundle that left the package out finds it where it is installed.
const workerSource = (): URL => new URL(import.meta.resolve('@moulin/lake/worker'))

const calls: readonly (keyof WorkerCalls)[] = ['begin', 'add', 'finish', 'decode']

/** The threads of a cold tier, which encode and decode. */
export function tierPool(options: TierPoolOptions): TierPool {
  const { source = workerSource, ...rest } = options
  return threadPool<WorkerCalls>({ ...rest, source, calls, name: 'moulin-tier', startError: workerStartError })
}

/** Without a pool all runs in the calling thread and gives the same bytes. */
export function tierWorkers(pool: TierPool | undefined): TierWorkers {
  return {
    get hasIdle() {
      return pool !== undefined && pool.startFailure === undefined && pool.stats.busy < pool.threads
    },
    async begin(setup, parts, { signal } = {}) {
      const isBuiltIn = parts.factory === builtInParts.factory && isCovered(setup, builtInParts)
      const here = (): TierSession => localSession(new TierTask(setup, parts))
      if (pool === undefined || !isBuiltIn || pool.startFailure !== undefined) return here()
      let lease: ThreadLease<WorkerCalls> | undefined
      try {
        lease = await pool.lease('session', { signal, endError })
        await lease.call('begin', setup)
        return new PooledSession(pool, lease)
      } catch (error) {
        lease?.release()
        // Threads that cannot start say nothing of the records.
        if (pool.startFailure === undefined || isKind(error, 'aborted') || isKind(error, 'closed')) throw error
        return here()
      }
    },
  }
}

/** What `stats()` say of threads that cannot start, and of what to do. */
function workerStartError(cause: Error): MoulinError {
  const message = `Worker threads do not start, so the calling thread encodes and decodes, and sends wait for it: ${firstLine(cause)} In a bundle keep @moulin/lake external, or pass its worker as the option worker (docs/bundlers.md); threads: 0 wants none.`
  return invalid('WORKER_START', message, { cause })
}

const firstLine = ({ message }: Error): string => `${message.split('\n', 1)[0]!.replace(/\.?$/, '.')}`

function isCovered({ codecs }: TierSetup, { formats }: TierParts): boolean {
  return codecs.every((codec) => formats.some(({ format }) => format === codec.format))
}

function endError(end: ThreadEnd): MoulinError {
  if (end.why === 'closed') return closed('CLOSED', 'The cold tier was closed while it encoded data files.')
  const why = end.why === 'died' ? end.reason : end.why === 'memory' ? 'it ran out of memory' : 'it took too long'
  const message = `The thread that encoded data files died (${why}); nothing was committed, the next call starts another.`
  return unavailable('WORKER_DIED', message, { cause: 'cause' in end ? end.cause : undefined })
}

function localSession(task: TierTask): TierSession {
  const held = (files: readonly EncodedFile[]): HeldFile[] => files.map((file) => ({ file, release() {} }))
  return {
    add: async (run, range) => ({ files: Promise.resolve(held(task.add(run, range))) }),
    async finish() {
      const { files, tallies } = task.finish()
      return { files: held(files), tallies }
    },
    release() {},
  }
}

class PooledSession implements TierSession {
  readonly #pool: TierPool
  readonly #lease: ThreadLease<WorkerCalls>
  readonly #grants = new Set<MemoryGrant>()
  #isReleased = false

  constructor(pool: TierPool, lease: ThreadLease<WorkerCalls>) {
    this.#pool = pool
    this.#lease = lease
  }

  async add(
    run: BatchRun,
    range: OffsetRange,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Added> {
    const { length } = run.batches
    const grant = this.#hold(await this.#pool.budget.acquire(length, signal === undefined ? {} : { signal }))
    // The bytes may be a view of the log's own memory, which must not go over: a copy in used memory does.
    const batches = this.#pool.buffers.take(length)
    batches.set(run.batches)
    const files = this.#lease
      .call('add', { run: { ...run, batches }, range }, { lent: [batches.buffer] })
      .then((full) => this.#held(full))
      .finally(() => this.#letGo(grant))
    // Whoever hands over the next run may not have looked at this one yet.
    files.catch(() => {})
    return { files }
  }

  async finish(): Promise<{ readonly files: readonly HeldFile[]; readonly tallies: ReadonlyMap<number, RowTally> }> {
    const { files, tallies } = await this.#lease.call('finish', undefined)
    this.#lease.release()
    return { files: this.#held(files), tallies }
  }

  release(): void {
    this.#isReleased = true
    this.#lease.release()
    for (const grant of this.#grants) grant.release()
    this.#grants.clear()
  }

  #held(files: readonly EncodedFile[]): HeldFile[] {
    return files.map((file) => {
      const grant = this.#hold(this.#pool.budget.take(file.bytes.length))
      return { file, release: () => this.#letGo(grant) }
    })
  }

  #hold(grant: MemoryGrant): MemoryGrant {
    if (this.#isReleased) grant.release()
    else this.#grants.add(grant)
    return grant
  }

  #letGo(grant: MemoryGrant): void {
    this.#grants.delete(grant)
    grant.release()
  }
}
