import { guardedLogger } from '@moulin/core'
import type { Runtime, Thread, ThreadEnded, Timer } from '@moulin/core'
import { readyCalls } from './thread-calls.ts'

/** Why a thread is no more. */
export type ThreadEnd =
  | { readonly why: 'died'; readonly isReady: boolean; readonly reason: string; readonly cause: unknown }
  | { readonly why: 'memory'; readonly cause: unknown }
  | { readonly why: 'deadline'; readonly deadlineMs: number }
  | { readonly why: 'closed' }

export interface StartedThreadOptions {
  readonly source: URL
  readonly name: string
  readonly maxHeapMiB: number
  readonly runtime: Runtime
  /** What its module must know. One that says it knows something else is another module. */
  readonly calls: readonly string[]
  /** How long it may take to say that it listens; in milliseconds; default 10 000. */
  readonly helloMs?: number
  /** It has said that it listens. */
  ready(): void
  /** What it has said since then. */
  message(value: unknown): void
  /** The thread is gone; called once. */
  ended(end: ThreadEnd): void
}

/** Within this time a thread says that it listens. One that does not is no worker of ours, or hangs before it is one. */
const HELLO_MS = 10_000

/** A worker thread from its start to its end, whichever way that comes. */
export class StartedThread {
  readonly #options: StartedThreadOptions
  readonly #thread: Thread
  readonly #hello: Timer
  #isReady = false
  #end: ThreadEnd | undefined

  constructor(options: StartedThreadOptions) {
    this.#options = options
    const { source, name, maxHeapMiB, runtime, helloMs = HELLO_MS } = options
    // What it says within `start` waits until whoever starts it has it.
    let early: (() => void)[] | undefined = []
    const heard = (take: () => void): void => void (early === undefined ? take() : early.push(take))
    this.#thread = runtime.threads.start(source, {
      name,
      maxHeapMiB,
      message: (message) => heard(() => this.#take(message)),
      unreadable: (error) => heard(() => this.#giveUp(`its answer cannot be read (${error.message})`, error)),
      ended: (end) => heard(() => this.#died(end)),
    })
    this.#hello = runtime.timers.after(helloMs, () => void this.#missesHello(helloMs))
    queueMicrotask(() => {
      const waiting = early!
      early = undefined
      for (const take of waiting) take()
    })
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Why it is gone; undefined while it lives. */
  get end(): ThreadEnd | undefined {
    return this.#end
  }

  /** Sends a copy; `moved` memory goes over instead. @throws for a value that cannot be cloned: nothing is sent. */
  post(value: unknown, moved: readonly ArrayBuffer[] = []): void {
    this.#thread.post(value, moved)
  }

  /** From now on it keeps the process open. */
  ref(): void {
    this.#thread.ref()
  }

  unref(): void {
    this.#thread.unref()
  }

  /** Ends it, whatever it does, and says so at once. Resolves once it is gone; rejects where the system could not end it. */
  async terminate(end: ThreadEnd): Promise<void> {
    this.#over(end)
    await this.#thread.terminate()
  }

  /** As {@link terminate}, where nobody waits for it: one that does not go is told of. Never rejects. */
  async terminateUnasked(end: ThreadEnd): Promise<void> {
    const { runtime, name } = this.#options
    try {
      await this.terminate(end)
    } catch (error) {
      guardedLogger(runtime.logger).warn({ err: error, name }, 'A worker thread could not be ended')
    }
  }

  #take(value: unknown): void {
    if (this.#end !== undefined) return
    // Once it listens, whatever its module runs may say so again.
    if (this.#isReady) return this.#options.message(value)
    const known = readyCalls(value)
    if (known === undefined) return
    const missing = this.#options.calls.filter((call) => !known.includes(call))
    if (missing.length > 0) return this.#giveUp(`its module is another one, which knows no call ${missing[0]}`)
    this.#isReady = true
    this.#hello.cancel()
    this.#options.ready()
  }

  async #missesHello(helloMs: number): Promise<void> {
    // It may be this thread that did nothing for so long: then the word waits to be heard.
    await this.#options.runtime.timers.turn()
    if (!this.#isReady) this.#giveUp(`its module has not said within ${helloMs} ms that it listens`)
  }

  #giveUp(reason: string, cause?: Error): void {
    void this.terminateUnasked({ why: 'died', isReady: this.#isReady, reason, cause })
  }

  #died(end: ThreadEnded): void {
    if (end.why === 'memory') return this.#over(end)
    const died = { why: 'died', isReady: this.#isReady } as const
    const isError = end.why === 'error'
    const reason = isError ? end.cause.message : `it exited with code ${end.code}`
    this.#over({ ...died, reason, cause: isError ? end.cause : undefined })
  }

  #over(end: ThreadEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#hello.cancel()
    this.#options.ended(end)
  }
}
