import { invalid, messageOf } from '@moulin/core'
import type { BatchMessage } from './feed-messages.ts'
import type { FeedPlan } from './feed-plan.ts'
import { FeedThread } from './feed-thread.ts'

/** A batch that a thread has built, without its offsets. */
export interface BuiltBatch {
  readonly partition: number
  readonly batches: Uint8Array
  readonly recordCount: number
  /** What it takes of `maxUnackedBytes`. */
  readonly bytes: number
  /** When its first record was accepted, on this thread's monotonic clock, the way here left out. */
  readonly firstMs: number
  /** It is durable: its thread may go on by as much. */
  durable(): void
}

interface Waiting {
  resolve(result: IteratorResult<BuiltBatch, undefined>): void
  reject(error: Error): void
}

const over: IteratorReturnResult<undefined> = { done: true, value: undefined }

/**
 * The batches of one `sendFeed`, as its threads hand them over: of each thread in its order. It ends once all threads have, and are gone;
 * with the first error of a thread, once what came before it has been taken. Whatever ends it, the threads are told to stop.
 */
export class FeedRun implements AsyncIterableIterator<BuiltBatch, undefined> {
  /** Resolves once no thread is left. Never rejects. */
  readonly gone: Promise<void>
  readonly #plan: FeedPlan
  readonly #threads: FeedThread[] = []
  #running = 0
  #built: BuiltBatch[] = []
  #failure: Error | undefined
  /** Nobody takes anything any more. */
  #isLeft = false
  #waiting: Waiting | undefined

  constructor(plan: FeedPlan) {
    this.#plan = plan
    try {
      for (let number = 0; number < plan.threads; number++) this.#start(number)
    } catch (cause) {
      // No such module, or the system has no thread left.
      const { topic } = plan.setup
      const why = `Topic ${topic}: of the ${plan.threads} threads of a feed ${this.#running} started: ${messageOf(cause)}`
      this.#fail(invalid('WORKER_START', `${why} Give producer() fewer threads, or see docs/bundlers.md.`, { cause }))
    }
    this.gone = Promise.all(this.#threads.map((thread) => thread.gone)).then(() => {})
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<BuiltBatch, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#serve()
    })
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#isLeft = true
    this.#built = []
    this.#stop()
    this.#serve()
    return over
  }

  #start(number: number): void {
    const { clock } = this.#plan.runtime
    const thread = new FeedThread(this.#plan, number, {
      batch: ({ ageMs, ...message }: BatchMessage) => {
        if (this.#failure !== undefined || this.#isLeft) return
        const firstMs = clock.monotonic() - ageMs
        this.#built.push({ ...message, firstMs, durable: () => thread.durable(message.bytes) })
        this.#serve()
      },
      failed: (error) => this.#fail(error),
      over: () => {
        this.#running--
        this.#serve()
      },
    })
    this.#threads.push(thread)
    this.#running++
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined || this.#isLeft) return
    this.#failure = error
    this.#stop()
    this.#serve()
  }

  #stop(): void {
    for (const thread of this.#threads) thread.stop()
  }

  /** Tells whoever waits what there is to tell. */
  #serve(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    const built = this.#built.shift()
    if (built !== undefined) waiting.resolve({ done: false, value: built })
    else if (this.#isLeft) waiting.resolve(over)
    else if (this.#failure !== undefined) waiting.reject(this.#failure)
    else if (this.#running === 0) void this.gone.then(() => waiting.resolve(over))
    else return
    this.#waiting = undefined
  }
}
