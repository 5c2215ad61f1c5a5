import {
  and,
  eq,
  gte,
  heeding,
  INT64_MAX,
  INT64_MIN,
  invalid,
  isNull,
  or,
  throwIfAborted,
  waitFor,
  type ColdTopic,
  type Expression,
  type OffsetForOptions,
} from '@moulin/core'
import { offsetSince } from '@moulin/format'
import { chosenPartitions, whileOpen } from './topic-call.ts'
import type { TopicState } from '../topics/topic-state.ts'

/** What a record without a timestamp has; its row has null. */
const NO_TIMESTAMP = -1n
const MICROS_PER_MS = 1000n

/** What a search found: an offset whose record is not older, or else the end below which there is none. */
export interface FoundOffset {
  readonly offset: bigint
  readonly isFound: boolean
}

/** The first offset whose record is not older. See `Topic.offsetFor`. */
export async function offsetFor(
  topic: TopicState,
  timestamp: bigint,
  { partition, signal }: OffsetForOptions,
): Promise<bigint | undefined> {
  const [chosen, ...others] = chosenPartitions(topic, partition)
  if (others.length > 0) throw noPartition(topic, others.length)
  return whileOpen(topic, signal, async () => {
    const { offset, isFound } = await firstNotOlder(topic, chosen!, timestamp, signal)
    return isFound ? offset : undefined
  })
}

function noPartition({ record }: TopicState, others: number): Error {
  const message = `Topic ${record.name} has partitions 0 to ${others}: say which of them the offset is wanted of.`
  return invalid('PARTITION', message, { context: { topic: record.name } })
}

/**
 * The first offset of a partition whose record is not older than `timestamp`, or the high watermark.
 * Timestamps are the producers' and need not rise, so this looks at every section; tables prune by bounds.
 */
export async function firstNotOlder(
  topic: TopicState,
  partition: number,
  timestamp: bigint,
  signal: AbortSignal | undefined,
): Promise<FoundOffset> {
  const hot = topic.hot.partitions[partition]!
  const { released } = hot
  const inTable = released > 0n ? await firstInTable(topic, { partition, timestamp, to: released }, signal) : undefined
  if (inTable !== undefined) return { offset: inTable, isFound: true }
  for (let offset = released; offset < hot.highWatermark;) {
    throwIfAborted(signal)
    const read = await topic.core.hot.read(hot, offset, signal)
    if (read === undefined) return firstNotOlder(topic, partition, timestamp, signal)
    const { lastOffset, aborted } = read.section
    const next = lastOffset + 1n
    const found = offsetSince(read.batches, timestamp, { from: offset, to: next }, aborted)
    if (found !== undefined) return { offset: found, isFound: true }
    offset = next
  }
  return { offset: hot.highWatermark, isFound: false }
}

interface TableSearch {
  readonly partition: number
  readonly timestamp: bigint
  readonly to: bigint
}

/** Like {@link PartitionCursor}: what goes wrong with a table that can be mended, or was attached anew meanwhile, is tried once more. */
async function firstInTable(
  topic: TopicState,
  search: TableSearch,
  signal: AbortSignal | undefined,
): Promise<bigint | undefined> {
  const cold = await waitFor(topic.coldForReleased(), signal)
  try {
    return await firstIn(cold, search, signal)
  } catch (error) {
    await waitFor(topic.mend(error, cold), signal)
    return firstIn(await waitFor(topic.coldForReleased(), signal), search, signal)
  }
}

function firstIn(cold: ColdTopic, search: TableSearch, signal: AbortSignal | undefined): Promise<bigint | undefined> {
  const call = signal === undefined ? {} : { signal }
  return cold.offsetSince === undefined
    ? scanned(cold, search, call)
    : waitFor(cold.offsetSince({ ...search, ...call }), signal)
}

/** Of a tier that does not find by itself: every row that is late enough. */
async function scanned(
  cold: ColdTopic,
  { partition, timestamp, to }: TableSearch,
  call: { readonly signal?: AbortSignal },
): Promise<bigint | undefined> {
  if (timestamp * MICROS_PER_MS > INT64_MAX) return undefined
  let first: bigint | undefined
  const rows = cold.scan({ columns: ['_kafka_offset'], where: notOlder(partition, timestamp), ...call })
  for await (const row of heeding(rows, call.signal)) {
    const offset = row['_kafka_offset'] as bigint
    if (offset < to && (first === undefined || offset < first)) first = offset
  }
  return first
}

/** As microseconds: there are times that no Date has. */
function notOlder(partition: number, timestamp: bigint): Expression {
  const isHere = eq('_kafka_partition', partition)
  const least = timestamp * MICROS_PER_MS
  if (least < INT64_MIN) return isHere
  const isLater = gte('_kafka_timestamp', least)
  return and(isHere, timestamp > NO_TIMESTAMP ? isLater : or(isLater, isNull('_kafka_timestamp')))
}
