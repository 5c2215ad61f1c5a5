import { invalid, rangesWithin, throwIfAborted, type FetchedBatches, type FetchOptions } from '@moulin/core'
import { BatchTake } from './batch-take.ts'
import { chosenPartitions, logClosed, whileOpen } from './topic-call.ts'
import { cursorFor } from './topic-reader.ts'
import { FIRST_OFFSET } from '../topics/topic-options.ts'
import type { TopicState } from '../topics/topic-state.ts'

const MIN_BYTES = 1
const MAX_BYTES = 1024 * 1024
const MAX_WAIT_MS = 500

/** Raw batches of one partition. See `Topic.fetch`. */
export async function fetchBatches(topic: TopicState, options: FetchOptions): Promise<FetchedBatches> {
  chosenPartitions(topic, options.partition)
  return whileOpen(topic, options.signal, () => {
    checkRange(topic, options)
    return fetched(topic, options)
  })
}

async function fetched(topic: TopicState, options: FetchOptions): Promise<FetchedBatches> {
  const { partition, from: baseOffset, isolation = 'read-committed', signal } = options
  const { minBytes = MIN_BYTES, maxBytes = MAX_BYTES, maxWaitMs = MAX_WAIT_MS } = options
  const isCommitted = isolation === 'read-committed'
  const take = new BatchTake({ from: baseOffset, maxBytes, isCommitted })
  const deadline = new Deadline(topic, minBytes === 0 ? 0 : maxWaitMs, signal)
  const cursor = cursorFor(topic, partition, { from: baseOffset, to: undefined }, signal)
  // Anew each time: the end moves, and an adopted table begins another incarnation.
  const end = (): bigint => {
    const { highWatermark, stableOffset } = topic.hot.partitions[partition]!
    return isCommitted ? stableOffset : highWatermark
  }
  try {
    for (;;) {
      while (!take.isFull && cursor.offset < end()) {
        const run = await cursor.nextRun()
        if (topic.core.closing.aborted) throw logClosed()
        if (run === undefined) take.pass(cursor.offset)
        else take.add(run, end())
      }
      // It ends the deadline, too: what came all the same is not what was asked for any more.
      throwIfAborted(signal)
      if (take.isFull || take.bytes >= minBytes || deadline.isOver) break
      if (topic.core.hot.failure !== undefined) {
        if (take.nextOffset > baseOffset) break
        throw topic.core.hot.failure
      }
      await deadline.waitForMore()
      throwIfAborted(signal)
      if (topic.core.closing.aborted) throw logClosed()
    }
    const { highWatermark, stableOffset } = topic.hot.partitions[partition]!
    const { nextOffset, fidelity, unreadable } = take
    const aborted = rangesWithin(take.aborted, { from: baseOffset, to: nextOffset })
    const places = { start: FIRST_OFFSET, highWatermark, stableOffset }
    return { partition, baseOffset, nextOffset, batches: take.joined(), ...places, aborted, fidelity, unreadable }
  } finally {
    deadline.end()
    await cursor.close()
  }
}

/** Until when a fetch waits. The clock runs from its making; the signal ends it, too. */
class Deadline {
  readonly #topic: TopicState
  readonly #over = new AbortController()
  readonly #timer: { cancel(): void } | undefined
  readonly #signal: AbortSignal | undefined
  readonly #end = (): void => this.#over.abort()

  constructor(topic: TopicState, waitMs: number, signal: AbortSignal | undefined) {
    this.#topic = topic
    this.#signal = signal
    signal?.addEventListener('abort', this.#end, { once: true })
    if (waitMs === 0) this.#end()
    else this.#timer = topic.core.runtime.timers.after(waitMs, this.#end, { ref: true })
  }

  get isOver(): boolean {
    return this.#over.signal.aborted
  }

  /** Resolves when there may be more records, and when it is over. */
  waitForMore(): Promise<void> {
    return this.#topic.hot.wakeups.wait(this.#over.signal)
  }

  end(): void {
    this.#timer?.cancel()
    this.#signal?.removeEventListener('abort', this.#end)
  }
}

function checkRange({ record, hot, core }: TopicState, { partition, from }: FetchOptions): void {
  const { highWatermark } = hot.partitions[partition]!
  // Beside a writer the end is not known for certain: it may have moved.
  const isAbove = core.access === 'read-write' && from > highWatermark
  if (from >= FIRST_OFFSET && !isAbove) return
  throw invalid(
    'OFFSET_RANGE',
    `Topic ${record.name}, partition ${partition}: offset ${from} is not in ${FIRST_OFFSET} to ${highWatermark}; fetch from one that is.`,
    { context: { topic: record.name, partition, offset: from, start: FIRST_OFFSET, highWatermark } },
  )
}
