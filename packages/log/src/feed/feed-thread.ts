import { fromErrorData, invalid, unavailable, type Timer } from '@moulin/core'
import { StartedThread, type ThreadEnd } from '@moulin/format'
import { FEED_CALL, fromFeed, type BatchMessage, type ToFeed } from './feed-messages.ts'
import type { FeedPlan } from './feed-plan.ts'

export interface FeedThreadEvents {
  batch(message: BatchMessage): void
  /** Why it gives nothing more. It may still be cleaning up. */
  failed(error: Error): void
  /** It is gone, or about to be, which {@link FeedThread.gone} tells; called once. */
  over(): void
}

/** JavaScript heap of a thread, in MiB: what the engine itself takes for the bound. Batches lie outside of it. */
const MAX_HEAP_MIB = 4096
/**
 * How long a thread may take until it listens, where each has a core. To load its module takes it half a second of one, and no other thread
 * does its work instead: two of them were not ready in 10 s on a machine that was overloaded.
 */
const HELLO_MS = 30_000
/** How long a thread that is told to stop may take for it. */
const STOP_MS = 1_000

/** One thread of a feed, as this side sees it. It keeps the process open until it is gone. */
export class FeedThread {
  /** Resolves once it is gone. Never rejects. */
  readonly gone: Promise<void>
  readonly #plan: FeedPlan
  readonly #number: number
  readonly #events: FeedThreadEvents
  readonly #thread: StartedThread
  #owedBytes = 0
  #grace: Timer | undefined
  #isOver = false
  #left!: () => void

  /** @throws what the door to threads says where it has none. */
  constructor(plan: FeedPlan, number: number, events: FeedThreadEvents) {
    this.#plan = plan
    this.#number = number
    this.#events = events
    this.gone = new Promise((resolve) => (this.#left = resolve))
    this.#thread = new StartedThread({
      source: plan.worker(),
      name: 'moulin-feed',
      maxHeapMiB: MAX_HEAP_MIB,
      runtime: plan.runtime,
      calls: [FEED_CALL],
      helloMs: HELLO_MS * Math.ceil(plan.threads / plan.runtime.process.cores),
      ready() {},
      message: (value) => this.#take(value),
      ended: (end) => this.#ended(end),
    })
    this.#thread.ref()
    this.#post({ kind: 'begin', setup: { ...plan.setup, thread: number } })
  }

  /** So many bytes of its batches are durable. It hears of all that one flush brought at once. */
  durable(bytes: number): void {
    const isFirst = this.#owedBytes === 0
    this.#owedBytes += bytes
    if (isFirst) void this.#giveBack()
  }

  /** Nothing more is taken from it. It ends by itself, or is ended. */
  stop(): void {
    if (this.#isOver || this.#grace !== undefined) return
    this.#post({ kind: 'stop' })
    this.#grace = this.#plan.runtime.timers.after(STOP_MS, () => this.#end(), { ref: true })
  }

  async #giveBack(): Promise<void> {
    await this.#plan.runtime.timers.turn()
    const bytes = this.#owedBytes
    this.#owedBytes = 0
    if (!this.#isOver) this.#post({ kind: 'durable', bytes })
  }

  #post(message: ToFeed): void {
    this.#thread.post(message)
  }

  #take(value: unknown): void {
    const message = fromFeed(value, this.#plan.setup.token)
    if (message === undefined || this.#isOver) return
    if (message.kind === 'batch') return this.#events.batch(message)
    if (message.kind === 'ended') return this.#end()
    this.#events.failed(fromErrorData(message.error, message.cause))
  }

  /** It has nothing more to do, has had its time, or is no more. */
  #end(): void {
    this.#over()
    void this.#thread.terminateUnasked({ why: 'closed' }).then(this.#left)
  }

  #ended(end: ThreadEnd): void {
    if (this.#isOver) return
    this.#events.failed(this.#deathOf(end))
    // It may be on its way only: one that did not say in time that it listens, say.
    this.#end()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#grace?.cancel()
    this.#events.over()
  }

  #deathOf(end: ThreadEnd): Error {
    const { setup, threads } = this.#plan
    const cause = 'cause' in end ? end.cause : undefined
    const reason = end.why === 'died' ? end.reason : 'its heap was full'
    if (end.why === 'died' && !end.isReady) {
      const message = `Topic ${setup.topic}: the threads of a feed do not start: ${reason.split('\n', 1)[0]!.replace(/\.?$/, '.')} Give producer() fewer threads where it has more than cores; in a bundle keep @moulin/log external, or pass its worker as the option feedWorker (docs/bundlers.md).`
      return invalid('WORKER_START', message, { cause })
    }
    const message = `Topic ${setup.topic}: thread ${this.#number} of the ${threads} of a feed died (${reason}); what it had collected and not handed over is not stored.`
    return unavailable('WORKER_DIED', message, { outcome: 'unknown', cause })
  }
}
