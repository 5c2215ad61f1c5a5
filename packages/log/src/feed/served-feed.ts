import { aborted, corrupt, invalid, isMoulinError, messageOf, toErrorData } from '@moulin/core'
import type { Codec, ProducerRecord, Runtime, ThreadPort } from '@moulin/core'
import { codecFormats } from '@moulin/format'
import { AsyncSource } from '../produce/async-source.ts'
import { ByteGate } from '../produce/byte-gate.ts'
import { Collector } from '../produce/collector.ts'
import type { ProducerBatch } from '../produce/producer-batch.ts'
import { RecordInput } from '../produce/record-input.ts'
import { Turns } from '../produce/turns.ts'
import type { FeedCodec, FeedSetup, FromFeed, SignedFromFeed } from './feed-messages.ts'
import { feedRecords, type ImportFeed } from './feed-records.ts'

export interface FeedParts {
  /** The time of records that have none, and lingering. */
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>
  readonly importFeed: ImportFeed
}

/**
 * One thread's share of a feed: takes its records, one after the other, as `sendAll` does, and posts their batches. After an error or
 * {@link stop} it takes nothing more.
 */
export class ServedFeed {
  readonly #port: ThreadPort
  readonly #parts: FeedParts
  readonly #setup: FeedSetup
  /** Bytes of batches that are not known to be durable. */
  readonly #gate: ByteGate
  readonly #turns: Turns
  /** Fires when nothing more is taken; the feed has its signal. */
  readonly #stopping = new AbortController()
  #collector: Collector | undefined
  #source: AsyncSource<ProducerRecord> | undefined
  #hasFailed = false
  /** As {@link #stopping} says, which would cost more to ask for each record. */
  #isStopped = false

  constructor(port: ThreadPort, parts: FeedParts, setup: FeedSetup) {
    this.#port = port
    this.#parts = parts
    this.#setup = setup
    this.#gate = new ByteGate(setup.unackedBytes)
    this.#turns = new Turns(parts.runtime)
  }

  /** Posts at last that it has ended, once the feed has cleaned up. Never rejects. */
  async run(): Promise<void> {
    try {
      const { signal } = this.#stopping
      const accept = this.#accepting()
      await this.#takeAll(await feedRecords(this.#setup, this.#parts.importFeed, signal), accept)
      if (!this.#isStopped) this.#collector!.leaveAll()
    } catch (error) {
      this.#fail(error)
    }
    await this.#source?.leave()
    this.#post({ kind: 'ended' })
  }

  /** So many bytes of its batches are. */
  durable(bytes: number): void {
    this.#gate.give(bytes)
  }

  stop(): void {
    // What has been collected is not handed over any more.
    this.#collector?.dropAll()
    const reason = this.#stopped()
    this.#isStopped = true
    this.#stopping.abort(reason)
    this.#source?.stop(reason)
  }

  /** Takes one record. A promise only where it has to wait, or when it is time to hear what this thread is told. */
  #accepting(): (record: ProducerRecord) => Promise<void> | undefined {
    const { topic, partitions, limits, value, key, batchBytes, lingerMs, compression } = this.#setup
    const { timestampBeforeMaxMs, timestampAfterMaxMs } = this.#setup
    const { runtime } = this.#parts
    const input = new RecordInput({
      ...{ topic, partitions, limits, timestampBeforeMaxMs, timestampAfterMaxMs, clock: runtime.clock },
      valueCodec: restored(value),
      keyCodec: restored(key),
    })
    const collector = new Collector({
      ...{ runtime, limits, input, partitions, lingerMs, batchBytes, compression },
      checkOpen: () => this.#checkGoesOn(),
      took: (bytes) => this.#gate.hold(bytes),
      closed: (bytes) => this.#gate.letGo(bytes),
      left: (batch) => this.#handOver(batch),
    })
    this.#collector = collector
    const take = (record: ProducerRecord): Promise<void> | undefined => {
      this.#checkGoesOn()
      const hasLeft = collector.leaveIfFull(collector.add(input.open(record)))
      return hasLeft || this.#turns.isDue() ? this.#turns.take() : undefined
    }
    // One that waits may still be read then: the feed is not asked for the next.
    const later = async (record: ProducerRecord): Promise<void> => {
      await this.#gate.pass(() => {}, this.#stopping.signal)
      await take(record)
    }
    return (record) => (this.#gate.isOpen ? take(record) : later(record))
  }

  async #takeAll(
    records: Iterable<ProducerRecord> | AsyncIterable<ProducerRecord>,
    accept: (record: ProducerRecord) => Promise<void> | undefined,
  ): Promise<void> {
    if (!(Symbol.asyncIterator in records)) {
      for (const record of records) {
        const waiting = accept(record)
        if (waiting !== undefined) await waiting
      }
      return
    }
    this.#source = new AsyncSource(records)
    for (;;) {
      this.#checkGoesOn()
      const next = await this.#source.next()
      if (next.done === true) return
      const waiting = accept(next.value)
      if (waiting !== undefined) await waiting
    }
  }

  #handOver({ partition, builder, bytes, firstMs }: ProducerBatch): void {
    try {
      const { recordCount } = builder
      // In memory of its own, and all of that.
      const batches = builder.finish() as Uint8Array<ArrayBuffer>
      const ageMs = this.#parts.runtime.clock.monotonic() - firstMs
      this.#post({ kind: 'batch', partition, batches, recordCount, bytes, ageMs }, [batches.buffer])
    } catch (error) {
      this.#fail(error)
    }
  }

  #checkGoesOn(): void {
    if (this.#isStopped) throw this.#stopped()
  }

  #stopped(): Error {
    return aborted('FEED_STOPPED', `Topic ${this.#setup.topic}: nothing more is taken from this feed.`)
  }

  /** What came before the error goes out, and then the error. */
  #fail(error: unknown): void {
    if (this.#hasFailed || this.#isStopped) return
    this.#hasFailed = true
    this.#collector?.leaveAll()
    const { topic, thread, threads } = this.#setup
    const threw = `Topic ${topic}: the feed threw in thread ${thread} of ${threads}: ${messageOf(error)}`
    const ours = isMoulinError(error) ? error : invalid('FEED_FAILED', threw, { cause: error })
    const data = toErrorData(ours)
    // It may hold what cannot be cloned.
    const ways = [{ error: data, cause: ours.cause }, { error: data }, { error: { ...data, context: {} } }]
    ways.find((way) => this.#isPosted({ kind: 'failed', ...way }))
    this.stop()
  }

  #isPosted(message: FromFeed): boolean {
    try {
      this.#post(message)
      return true
    } catch {
      return false
    }
  }

  #post(message: FromFeed, moved: readonly ArrayBuffer[] = []): void {
    const { token } = this.#setup
    this.#port.postMessage({ ...message, token } satisfies SignedFromFeed, moved)
  }
}

function restored(codec: FeedCodec | undefined): Codec | undefined {
  if (codec === undefined) return undefined
  const { format, definition } = codec
  const found = codecFormats.find((known) => known.format === format)
  if (found !== undefined) return found.restore(definition)
  throw corrupt('WORKER_VERSION', `The threads of a feed know no codec ${format}: their module is of another version.`)
}
