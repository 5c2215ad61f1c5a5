/** The door by which worker threads are made. */
export interface Threads {
  /**
   * Starts a thread that runs a module. It does not keep the process open until {@link Thread.ref} says so.
   * @throws what the system says where it has no such module, or no thread left; a module that fails later is told by `ended`.
   */
  start(module: URL, options: ThreadOptions): Thread
}

/** The callbacks may come before {@link Threads.start} has returned, but within no call of the thread. */
export interface ThreadOptions {
  /** Seen in profilers. */
  readonly name: string
  /** JavaScript heap, in MiB; beyond it the thread ends. */
  readonly maxHeapMiB: number
  /** What the thread has posted, each once and in order. */
  message(value: unknown): void
  /** It has posted what cannot be read here. */
  unreadable(error: Error): void
  /** The thread is gone, by itself or by {@link Thread.terminate}. The first call counts. */
  ended(end: ThreadEnded): void
}

export type ThreadEnded =
  /** Its heap was full. */
  | { readonly why: 'memory'; readonly cause: Error }
  /** It threw what nobody caught. */
  | { readonly why: 'error'; readonly cause: Error }
  | { readonly why: 'exit'; readonly code: number }

/** A thread, from outside. */
export interface Thread {
  /** Sends a copy of the value; `moved` memory goes over instead. @throws for a value that cannot be cloned: nothing is sent. */
  post(value: unknown, moved: readonly ArrayBuffer[]): void
  /** From now on it keeps the process open. */
  ref(): void
  unref(): void
  /** Ends it, whatever it does. Resolves once it is gone; rejects where the system could not end it. */
  terminate(): Promise<void>
}

/** What a thread's own module has of whoever started it; `parentPort` of `node:worker_threads` is one. */
export interface ThreadPort {
  postMessage(value: unknown, moved?: readonly ArrayBuffer[]): void
  on(event: 'message', take: (value: unknown) => void): unknown
}
