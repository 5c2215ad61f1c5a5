import { fromErrorData } from '@moulin/core'
import type { Runtime, Timer } from '@moulin/core'
import { StartedThread, type ThreadEnd } from './started-thread.ts'
import { asAnswer, type CallMessage } from './thread-calls.ts'

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

/** One worker thread. Calls are answered in order; it keeps the process open only while one is under way. */
export class PoolThread {
  readonly #options: PoolThreadOptions
  readonly #thread: StartedThread
  readonly #pending: Pending[] = []

  constructor(options: PoolThreadOptions) {
    this.#options = options
    const { source, name, maxHeapMiB, runtime, calls } = options
    this.#thread = new StartedThread({
      ...{ source, name, maxHeapMiB, runtime, calls },
      ready: () => {
        for (const pending of this.#pending) this.#startTimer(pending)
      },
      message: (value) => this.#take(value),
      ended: (end) => this.#over(end),
    })
  }

  call(call: ThreadCall): Promise<unknown> {
    const { end } = this.#thread
    if (end !== undefined) return Promise.reject(call.endError(end))
    return new Promise((resolve, reject) => {
      const { kind, request, lent } = call
      // First, since it throws for what cannot be cloned, and then nothing is pending.
      this.#thread.post({ kind, request, lent } satisfies CallMessage, lent)
      const pending: Pending = { call, timer: undefined, resolve, reject }
      this.#pending.push(pending)
      this.#thread.ref()
      if (this.#thread.isReady) this.#startTimer(pending)
    })
  }

  /** Ends the thread; its calls fail with what their `endError` makes of it. */
  terminate(end: ThreadEnd): Promise<void> {
    return this.#thread.terminate(end)
  }

  #startTimer(pending: Pending): void {
    const { deadlineMs } = pending.call
    if (deadlineMs === undefined || pending.timer !== undefined) return
    pending.timer = this.#options.runtime.timers.after(deadlineMs, () => {
      void this.#thread.terminateUnasked({ why: 'deadline', deadlineMs })
    })
  }

  #take(value: unknown): void {
    const message = asAnswer(value)
    const pending = message && this.#pending.shift()
    if (message === undefined || pending === undefined) return
    pending.timer?.cancel()
    for (const buffer of message.returned) this.#options.returned(buffer)
    if (this.#pending.length === 0) this.#thread.unref()
    if (message.kind === 'done') pending.resolve(message.reply)
    else pending.reject(fromErrorData(message.error))
  }

  #over(end: ThreadEnd): void {
    this.#options.ended(end)
    for (const { call, timer, reject } of this.#pending.splice(0)) {
      timer?.cancel()
      reject(call.endError(end))
    }
  }
}
