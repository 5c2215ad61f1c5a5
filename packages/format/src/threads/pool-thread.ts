import { fromErrorData, guardedLogger } from '@moulin/core'
import type { Runtime, Thread, ThreadEnded, Timer } from '@moulin/core'
import { asThreadMessage, type CallMessage } from './thread-calls.ts'

/** Why a thread is no more. */
export type ThreadEnd =
  | { readonly why: 'died'; readonly isReady: boolean; readonly reason: string; readonly cause: unknown }
  | { readonly why: 'memory'; readonly cause: unknown }
  | { readonly why: 'deadline'; readonly deadlineMs: number }
  | { readonly why: 'closed' }

/** Makes the error of a call whose thread ended, in the words of whoever called. */
export type EndError = (end: ThreadEnd) => Error

export interface PoolThreadOptions {
  readonly source: URL
  readonly name: string
  readonly maxHeapMiB: number
  readonly runtime: Runtime
  /** What it will be asked. One that answers something else is another module. */
  readonly calls: readonly string[]
  /** Memory that comes back. */
  returned(buffer: ArrayBuffer): void
  /** The thread is gone; called once, before its calls fail. */
  ended(end: ThreadEnd): void
}

export interface ThreadCall {
  readonly kind: string
  readonly request: unknown
  /** Goes over with the request, and comes back. */
  readonly lent: readonly ArrayBuffer[]
  /** Wall time from the moment a thread that listens has the request; afterwards it is ended. */
  readonly deadlineMs?: number | undefined
  readonly endError: EndError
}

interface Pending {
  readonly call: ThreadCall
  timer: Timer | undefined
  resolve(reply: unknown): void
  reject(error: Error): void
}

/** Within this time a thread says that it listens. One that does not is no worker of ours, or hangs before it is one. */
const HELLO_MS = 10_000

/** One worker thread. Calls are answered in order; it keeps the process open only while one is under way. */
export class PoolThread {
  readonly #options: PoolThreadOptions
  readonly #thread: Thread
  readonly #pending: Pending[] = []
  readonly #hello: Timer
  #isReady = false
  #end: ThreadEnd | undefined

  constructor(options: PoolThreadOptions) {
    this.#options = options
    const { source, name, maxHeapMiB, runtime } = options
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
    this.#hello = runtime.timers.after(HELLO_MS, () => void this.#missesHello())
    queueMicrotask(() => {
      const waiting = early!
      early = undefined
      for (const take of waiting) take()
    })
  }

  call(call: ThreadCall): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(call.endError(this.#end))
    return new Promise((resolve, reject) => {
      const { kind, request, lent } = call
      // First, since it throws for what cannot be cloned, and then nothing is pending.
      this.#thread.post({ kind, request, lent } satisfies CallMessage, lent)
      const pending: Pending = { call, timer: undefined, resolve, reject }
      this.#pending.push(pending)
      this.#thread.ref()
      if (this.#isReady) this.#startTimer(pending)
    })
  }

  /** Ends the thread; its calls fail with what their `endError` makes of it. */
  async terminate(end: ThreadEnd): Promise<void> {
    this.#over(end)
    await this.#thread.terminate()
  }

  #startTimer(pending: Pending): void {
    const { deadlineMs } = pending.call
    if (deadlineMs === undefined || pending.timer !== undefined) return
    pending.timer = this.#options.runtime.timers.after(deadlineMs, () => {
      this.#terminateUnasked({ why: 'deadline', deadlineMs })
    })
  }

  #take(value: unknown): void {
    const message = asThreadMessage(value)
    if (this.#end !== undefined || message === undefined) return
    if (message.kind === 'ready') {
      const missing = this.#options.calls.filter((call) => !message.calls.includes(call))
      if (missing.length > 0) return this.#giveUp(`its module is another one, which knows no call ${missing[0]}`)
      this.#isReady = true
      this.#hello.cancel()
      for (const pending of this.#pending) this.#startTimer(pending)
      return
    }
    const pending = this.#isReady ? this.#pending.shift() : undefined
    if (pending === undefined) return
    pending.timer?.cancel()
    for (const buffer of message.returned) this.#options.returned(buffer)
    if (this.#pending.length === 0) this.#thread.unref()
    if (message.kind === 'done') pending.resolve(message.reply)
    else pending.reject(fromErrorData(message.error))
  }

  async #missesHello(): Promise<void> {
    // It may be this thread that did nothing for so long: then the word waits to be heard.
    await this.#options.runtime.timers.turn()
    if (!this.#isReady) this.#giveUp(`its module has not said within ${HELLO_MS} ms that it listens`)
  }

  #giveUp(reason: string, cause?: Error): void {
    this.#terminateUnasked({ why: 'died', isReady: this.#isReady, reason, cause })
  }

  /** As {@link terminate}, where nobody waits for it: its calls have failed, and a thread that does not go is told of. */
  #terminateUnasked(end: ThreadEnd): void {
    const { runtime, name } = this.#options
    this.terminate(end).catch((error: unknown) => {
      guardedLogger(runtime.logger).warn({ err: error, name }, 'A worker thread could not be ended')
    })
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
    for (const { call, timer, reject } of this.#pending.splice(0)) {
      timer?.cancel()
      reject(call.endError(end))
    }
  }
}
