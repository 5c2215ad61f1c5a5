import type { BatchRun, ColdContext, ColdTier, ColdTopic, ColdTopicInfo, HotSource, Scan } from '@moulin/core'
import { ownRecords } from './cut-run.ts'
import { suiteRecordsOf } from './suite-hot.ts'

/** A cold tier that is wrong in one way, made from a right one, and the check that must reject it: it and no other. */
export interface WrongTier {
  readonly name: string
  /** Name of the check in `coldTierChecks`. */
  readonly breaks: string
  wrap(tier: ColdTier): ColdTier
}

/** With what a topic was attached. */
export interface Attached {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
}

export type TopicChanges = (topic: ColdTopic, attached: Attached) => Partial<ColdTopic>

/** A tier whose topics do some calls otherwise. */
export function withTopics(changes: TopicChanges, more: Partial<ColdTier> = {}): (tier: ColdTier) => ColdTier {
  return (tier) => ({
    ...tier,
    async attach(info, context) {
      const topic = await tier.attach(info, context)
      return deriveTopic(topic, changes(topic, { info, context }))
    },
    ...more,
  })
}

/** A tier that is told something else of its log. */
export function withLog(change: (attached: Attached) => Partial<Attached>): (tier: ColdTier) => ColdTier {
  return (tier) => ({
    ...tier,
    attach(given, lent) {
      const { info = given, context = lent } = change({ info: given, context: lent })
      return tier.attach(info, context)
    },
  })
}

/** The hot tier with some calls done otherwise. */
export function deriveHot(hot: HotSource, changes: Partial<HotSource>): HotSource {
  return {
    committedOffsets: () => hot.committedOffsets(),
    releasedOffsets: () => hot.releasedOffsets(),
    recoveredOffsets: () => hot.recoveredOffsets(),
    pin: (from) => hot.pin(from),
    read: (request) => hot.read(request),
    ...changes,
  }
}

function deriveTopic(topic: ColdTopic, changes: Partial<ColdTopic>): ColdTopic {
  return {
    frontier: () => topic.frontier(),
    snapshotId: () => topic.snapshotId(),
    committedAtMs: () => topic.committedAtMs?.(),
    lineage: () => topic.lineage(),
    refresh: (options) => topic.refresh(options),
    tier: (request) => topic.tier(request),
    releasable: (request) => topic.releasable(request),
    missingFiles: () => topic.missingFiles?.() ?? [],
    read: (request) => topic.read(request),
    readAt: (positions, options) => topic.readAt(positions, options),
    ...(topic.offsetSince === undefined ? {} : { offsetSince: (request) => topic.offsetSince!(request) }),
    scan: (options) => topic.scan(options),
    audit: (options) => topic.audit(options),
    cleanUpDueMs: () => topic.cleanUpDueMs?.(),
    cleanUp: async (options) => topic.cleanUp?.(options),
    repairDueMs: () => topic.repairDueMs?.(),
    repair: async (options) => (await topic.repair?.(options)) ?? false,
    close: () => topic.close(),
    ...changes,
  }
}

/** The scan with what its rows are made into; whichever way they are asked for. */
export function deriveScan(
  scan: Scan<Record<string, unknown>>,
  change: (rows: AsyncIterable<Record<string, unknown>>) => AsyncIterable<Record<string, unknown>>,
): Scan<Record<string, unknown>> {
  const toArray = async (): Promise<Record<string, unknown>[]> => {
    const all: Record<string, unknown>[] = []
    for await (const row of change(scan)) all.push(row)
    return all
  }
  return {
    [Symbol.asyncIterator]: () => change(scan)[Symbol.asyncIterator](),
    async *batches() {
      yield await toArray()
    },
    toArray,
    count: async () => (await toArray()).length,
    toArrow: () => scan.toArrow(),
    arrowBatches: () => scan.arrowBatches(),
    toIpc: () => scan.toIpc(),
  }
}

/** A search by time over the rows of a scan. */
export function offsetSinceBy(
  choose: (rows: readonly TimedRow[], timestamp: bigint, to: bigint) => TimedRow | undefined,
): TopicChanges {
  return (topic) => ({
    async offsetSince({ partition, timestamp, to, signal }) {
      const columns = ['_kafka_partition', '_kafka_offset', '_kafka_timestamp']
      const rows = await topic.scan({ columns, ...(signal === undefined ? {} : { signal }) }).toArray()
      const timed = rows
        .filter((row) => row['_kafka_partition'] === partition)
        .map((row): TimedRow => {
          const time = row['_kafka_timestamp'] as Date | null
          return { offset: row['_kafka_offset'] as bigint, time: time === null ? -1n : BigInt(time.getTime()) }
        })
        .sort((a, b) => (a.offset < b.offset ? -1 : 1))
      const end = to < topic.frontier()[partition]! ? to : topic.frontier()[partition]!
      return choose(timed, timestamp, end)?.offset
    },
  })
}

export interface TimedRow {
  readonly offset: bigint
  readonly time: bigint
}

/** The first row twice, as after a commit that was made twice. */
export async function* doubled(rows: AsyncIterable<Record<string, unknown>>): AsyncGenerator<Record<string, unknown>> {
  let isFirst = true
  for await (const row of rows) {
    if (isFirst) yield row
    isFirst = false
    yield row
  }
}

export const hasRecords = (run: BatchRun): boolean => ownRecords(run, suiteRecordsOf).length > 0
