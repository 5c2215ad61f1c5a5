import { and, eq, gte, throwIfAborted, waitFor } from '@moulin/core'
import { batchesIn, readRecords } from '@moulin/format'
import type { TopicState } from '../topics/topic-state.ts'

/** Milliseconds that a Date can hold. */
const DATE_MAX_MS = 8_640_000_000_000_000n

/**
 * The first offset of a partition whose record is not older than `timestamp`; the high watermark when there is none.
 * Timestamps are the producers' and need not rise, so this looks at every section; tables prune by bounds.
 */
export async function firstNotOlder(
  topic: TopicState,
  partition: number,
  timestamp: bigint,
  signal: AbortSignal | undefined,
): Promise<bigint> {
  const hot = topic.hot.partitions[partition]!
  const { released } = hot
  const inTable = released > 0n ? await firstInTable(topic, partition, timestamp, signal) : undefined
  if (inTable !== undefined && inTable < released) return inTable
  for (let offset = released; offset < hot.highWatermark;) {
    throwIfAborted(signal)
    const read = await topic.core.hot.read(hot, offset, signal)
    if (read === undefined) return firstNotOlder(topic, partition, timestamp, signal)
    const { section, batches } = read
    const found = firstInSection(batches, offset, timestamp)
    if (found !== undefined) return found
    offset = section.lastOffset + 1n
  }
  return hot.highWatermark
}

function firstInSection(batches: Uint8Array, from: bigint, timestamp: bigint): bigint | undefined {
  for (const { header, position } of batchesIn(batches)) {
    if (header.maxTimestamp < timestamp) continue
    const record = readRecords(batches, position).find(
      (candidate) => candidate.offset >= from && candidate.timestamp >= timestamp,
    )
    if (record !== undefined) return record.offset
  }
  return undefined
}

async function firstInTable(
  topic: TopicState,
  partition: number,
  timestamp: bigint,
  signal: AbortSignal | undefined,
): Promise<bigint | undefined> {
  if (timestamp > DATE_MAX_MS) return undefined
  const from = timestamp < -DATE_MAX_MS ? -DATE_MAX_MS : timestamp
  const cold = await waitFor(topic.coldForReleased(), signal)
  const where = and(eq('_kafka_partition', partition), gte('_kafka_timestamp', new Date(Number(from))))
  const rows = cold.scan({ columns: ['_kafka_offset'], where, ...(signal === undefined ? {} : { signal }) })
  let first: bigint | undefined
  for await (const row of rows) {
    const offset = row['_kafka_offset'] as bigint
    if (first === undefined || offset < first) first = offset
  }
  return first
}
