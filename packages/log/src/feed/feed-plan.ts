import { unsupported, type Codec, type Runtime } from '@moulin/core'
import { codecFormats } from '@moulin/format'
import type { FeedCodec, FeedSetup } from './feed-messages.ts'

/** What a producer's `sendFeed` is going to do. */
export interface FeedPlan {
  readonly runtime: Runtime
  /** The module that the threads run. */
  readonly worker: () => URL
  readonly threads: number
  /** For each thread, but for its number. */
  readonly setup: Omit<FeedSetup, 'thread'>
}

/** What a feed's threads are to know of a topic. */
export interface FeedTarget extends Pick<FeedSetup, 'timestampBeforeMaxMs' | 'timestampAfterMaxMs'> {
  readonly valueCodec: Codec | undefined
  readonly keyCodec: Codec | undefined
  /** The module that they run; default `@moulin/log/worker`. */
  readonly worker: URL | undefined
}

export interface FeedPlanOptions {
  readonly feed: URL
  readonly threads: number
  readonly runtime: Runtime
  /** Of all threads together. */
  readonly maxUnackedBytes: number
  readonly batching: Pick<FeedSetup, 'topic' | 'partitions' | 'limits' | 'lingerMs' | 'batchBytes' | 'compression'>
}

// By the package's own name: a bundle that left the package out finds it where it is installed.
const workerSource = (): URL => new URL(import.meta.resolve('@moulin/log/worker'))

/** @throws `unsupported` code `FEED_CODEC` for a codec that a thread could not have. */
export function feedPlan(target: FeedTarget, options: FeedPlanOptions): FeedPlan {
  const { feed, threads, runtime, maxUnackedBytes, batching } = options
  const { valueCodec, keyCodec, worker, timestampBeforeMaxMs, timestampAfterMaxMs } = target
  return {
    runtime,
    worker: () => worker ?? workerSource(),
    threads,
    setup: {
      ...batching,
      token: runtime.random.uuid(),
      timestampBeforeMaxMs,
      timestampAfterMaxMs,
      module: feed.href,
      threads,
      value: crossing(valueCodec, batching.topic),
      key: crossing(keyCodec, batching.topic),
      unackedBytes: Math.max(1, Math.floor(maxUnackedBytes / threads)),
    },
  }
}

/** Code does not cross: a thread finds the format among those that this package brings along, none of which knows a registry. */
function crossing(codec: Codec | undefined, topic: string): FeedCodec | undefined {
  if (codec === undefined) return undefined
  const { format, definition, registry } = codec
  if (registry === undefined && codecFormats.some((known) => known.format === format)) return { format, definition }
  const known = codecFormats.map((each) => each.format).join(', ')
  const named = registry === undefined ? format : `${format} by the registry ${registry.wire}`
  throw unsupported(
    'FEED_CODEC',
    `Topic ${topic}: the codec ${named} cannot go to the threads of a feed, which have ${known} alone. Send from this thread with sendAll, or encode in the feed for a topic without a codec.`,
    { context: { topic, format } },
  )
}
