import type { Runtime } from '@moulin/core'

export interface ParquetWorkersOptions {
  /** Worker threads; 0 decodes in the calling thread, without a deadline. */
  readonly threads: number
  /** Wall time for one row group, from the moment its bytes are there. Default {@link Limits.decodeDeadlineMs}. */
  readonly deadlineMs?: number
  readonly runtime: Runtime
}

/** Threads that decode row groups, shared by any number of open files. */
export interface ParquetWorkers {
  readonly threads: number
  /** Ends the threads; reads in flight fail with `closed`. May be called twice. */
  close(): Promise<void>
}
