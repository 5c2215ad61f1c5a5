import { Worker } from 'node:worker_threads'
import { fromErrorData } from '@moulin/core'
import type { Runtime, Timer } from '@moulin/core'
import type { CallMessage, ThreadMessage } from './thread-calls.ts'

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
  readonly #worker: Worker
  readonly #pending: Pending[] = []
  #isReady = false
  #end: ThreadEnd | undefined

  constructor(options: PoolThreadOptions) {
    this.#options = options
    const { source, name, maxHeapMiB } = options
    this.#worker = new Worker(source, { name, resourceLimits: { maxOldGenerationSizeMb: maxHeapMiB } })
    this.#worker.on('message', (message: ThreadMessage) => this.#take(message))
    this.#worker.on('error', (error) => this.#died(error, error.message))
    this.#worker.on('exit', (code) => this.#died(undefined, `it exited with code ${code}`))
    this.#worker.unref()
  }

  call(call: ThreadCall): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(call.endError(this.#end))
    return new Promise((resolve, reject) => {
      const { kind, request, lent } = call
      // First, since it throws for what cannot be cloned, and then nothing is pending.
      this.#worker.postMessage({ kind, request, lent } satisfies CallMessage, [...lent])
      const pending: Pending = { call, timer: undefined, resolve, reject }
      this.#pending.push(pending)
      this.#worker.ref()
      if (this.#isReady) this.#startTimer(pending)
    })
  }

  /** Ends the thread; its calls fail with what their `endError` makes of it. */
  async terminate(end: ThreadEnd): Promise<void> {
    this.#over(end)
    await this.#worker.terminate()
  }

  #startTimer(pending: Pending): void {
    const { deadlineMs } = pending.call
    if (deadlineMs === undefined || pending.timer !== undefined) return
    pending.timer = this.#options.runtime.timers.after(deadlineMs, () => {
      void this.terminate({ why: 'deadline', deadlineMs })
    })
  }

  #take(message: ThreadMessage): void {
    if (this.#end !== undefined) return
    if (message.kind === 'ready') {
      this.#isReady = true
      for (const pending of this.#pending) this.#startTimer(pending)
      return
    }
    const pending = this.#pending.shift()!
    pending.timer?.cancel()
    for (const buffer of message.returned) this.#options.returned(buffer)
    if (this.#pending.length === 0) this.#worker.unref()
    if (message.kind === 'done') pending.resolve(message.reply)
    else pending.reject(fromErrorData(message.error))
  }

  #died(cause: Error | undefined, reason: string): void {
    const isMemory = (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
    this.#over(isMemory ? { why: 'memory', cause } : { why: 'died', isReady: this.#isReady, reason, cause })
  }

  #over(end: ThreadEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#options.ended(end)
    for (const { call, timer, reject } of this.#pending.splice(0)) {
      timer?.cancel()
      reject(call.endError(end))
    }
  }
}
