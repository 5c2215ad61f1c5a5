import { checkOptions, option, unavailable } from '@moulin/core'
import type { OptionTable, Thread, ThreadEnded, ThreadPort, Threads, Timers } from '@moulin/core'

export interface VirtualThreadsOptions {
  /** What a thread that runs the module does with its port, as the module itself would: `serveTier` of `@moulin/lake`. */
  readonly serve: (port: ThreadPort, module: URL) => void
  readonly timers: Pick<Timers, 'turn' | 'sleep'>
  /** Virtual milliseconds that the next message takes. Default: one turn of the event loop, and no time. */
  readonly delayMs?: () => number
}

/** Threads whose work runs in this one, message by message, so that a simulator owns its order, its time and its end. */
export interface VirtualThreads extends Threads {
  readonly living: number
  /** They die, each as if by an error that nobody caught. */
  kill(): void
  /** They are gone with their process: nobody is told, and nothing arrives any more. */
  drop(): void
}

const optionTable: OptionTable<VirtualThreadsOptions> = {
  serve: option.required(option.callback),
  timers: option.required(option.door('Timers', ['turn', 'sleep'])),
  delayMs: option.callback,
}

/** As with real ones, values are cloned, memory that is moved is gone where it was, and messages arrive later, in order. */
export function virtualThreads(options: VirtualThreadsOptions): VirtualThreads {
  checkOptions('virtualThreads', options, optionTable)
  const { serve, timers, delayMs } = options
  const living = new Set<VirtualThread>()
  const arrive = (): Promise<void> => (delayMs === undefined ? timers.turn() : timers.sleep(delayMs()))
  return {
    start(module, { message, ended }) {
      const thread = new VirtualThread(arrive, message, (end) => {
        living.delete(thread)
        if (end !== undefined) ended(end)
      })
      living.add(thread)
      thread.begin((port) => serve(port, module))
      return thread
    },
    get living() {
      return living.size
    },
    kill() {
      const cause = unavailable('THREAD_KILLED', 'The virtual thread was killed.')
      for (const thread of [...living]) thread.end({ why: 'error', cause })
    },
    drop() {
      for (const thread of [...living]) thread.end(undefined)
    },
  }
}

class VirtualThread implements Thread {
  readonly #arrive: () => Promise<void>
  readonly #ended: (end: ThreadEnded | undefined) => void
  readonly #toOwner: (value: unknown) => void
  #inward: Promise<void> = Promise.resolve()
  #outward: Promise<void> = Promise.resolve()
  #take: (value: unknown) => void = () => {}
  #isOver = false

  constructor(
    arrive: () => Promise<void>,
    toOwner: (value: unknown) => void,
    ended: (end: ThreadEnded | undefined) => void,
  ) {
    this.#arrive = arrive
    this.#toOwner = toOwner
    this.#ended = ended
  }

  begin(serve: (port: ThreadPort) => void): void {
    const port: ThreadPort = {
      postMessage: (value, moved = []) => {
        const message = cloned(value, moved)
        this.#outward = this.#outward.then(this.#arrive).then(() => {
          if (!this.#isOver) this.#toOwner(message)
        })
      },
      on: (_, take) => (this.#take = take),
    }
    this.#next(() => serve(port))
  }

  post(value: unknown, moved: readonly ArrayBuffer[]): void {
    const message = cloned(value, moved)
    this.#next(() => this.#take(message))
  }

  ref(): void {}

  unref(): void {}

  async terminate(): Promise<void> {
    this.end({ why: 'exit', code: 1 })
  }

  /** `undefined`: nobody is told. */
  end(end: ThreadEnded | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#ended(end)
  }

  #next(work: () => void): void {
    this.#inward = this.#inward.then(this.#arrive).then(() => {
      if (this.#isOver) return
      try {
        work()
      } catch (error) {
        this.end({ why: 'error', cause: error as Error })
      }
    })
  }
}

const cloned = (value: unknown, moved: readonly ArrayBuffer[]): unknown =>
  structuredClone(value, { transfer: [...moved] })
