import { and, eq, gte, INT64_MIN, isNull, or } from '@moulin/core'
import type { BatchRun, ColdTopic, Expression, Scan, StoredRecord, TierResult } from '@moulin/core'
import { expectEqual, expectTrue } from './assertions.ts'
import type { ColdTierLog, ColdTierWay } from './cold-tier-log.ts'
import { ownRecords } from './cut-run.ts'
import { suiteRecordsOf } from './suite-hot.ts'

/** What a tier may lack. */
export interface ColdTierClaims {
  /** Scans give Arrow. */
  readonly arrow: boolean
}

/** One promise of core's `ColdTier`. Each run gets a tier with nothing in it. */
export interface ColdTierCheck {
  /** The promise in words: what tests are called, and what a wrong tier names. */
  readonly name: string
  /** Runs only where the tier claims this. */
  readonly needs?: keyof ColdTierClaims
  /** Runs only where it does not. */
  readonly without?: keyof ColdTierClaims
  /** Runs only where the suite was given these ways. */
  readonly by?: readonly ColdTierWay[]
  run(log: ColdTierLog): Promise<void>
}

const encoder = new TextEncoder()
export const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** So many records of one batch; their values count on. */
export function sendSome(log: ColdTierLog, partition: number, count: number): void {
  const first = log.hot.sent(partition).length
  log.hot.send(
    partition,
    Array.from({ length: count }, (_, at) => ({ key: utf8(`k${at}`), value: utf8(`${partition}:${first + at}`) })),
  )
}

/** Moves all there is, or what is below `upTo`. */
export function tiered(log: ColdTierLog, topic: ColdTopic, upTo?: readonly bigint[]): Promise<TierResult> {
  return log.call(topic.tier({ upTo: upTo ?? [...log.hot.committedOffsets()] }))
}

/**
 * How most checks open: the topic is attached, and each commit moves so many records, one batch of partition 0 or of each. With what the last
 * of them said.
 */
export async function committed(
  log: ColdTierLog,
  ...commits: readonly (number | readonly number[])[]
): Promise<TierResult & { readonly topic: ColdTopic }> {
  const topic = await log.attach()
  let last: TierResult = { snapshotId: topic.snapshotId(), rows: 0, frontier: topic.frontier() }
  for (const commit of commits) {
    const counts = typeof commit === 'number' ? [commit] : commit
    for (const [partition, count] of counts.entries()) if (count > 0) sendSome(log, partition, count)
    last = await tiered(log, topic)
  }
  return { topic, ...last }
}

export interface ReadRange {
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

/** The records of a range. The runs answer for all of it: each begins where the one before ended, and makes progress. */
export async function recordsIn(log: ColdTierLog, topic: ColdTopic, range: ReadRange): Promise<StoredRecord[]> {
  const { partition, from, to } = range
  const records: StoredRecord[] = []
  let next = from
  for (const run of await log.call(collected(topic.read(range)))) {
    expectEqual(run.partition, partition, 'the partition of a run')
    expectEqual(run.baseOffset, next, `where a run of [${from}, ${to}) begins`)
    expectTrue(run.nextOffset > run.baseOffset, `a run at ${run.baseOffset} makes progress`)
    records.push(...ownRecords(run, suiteRecordsOf))
    next = run.nextOffset
  }
  expectEqual(next, from > to ? from : to, `where the runs of [${from}, ${to}) end`)
  return records
}

/** Every record below the frontier is read as it was sent. */
export async function expectAllRead(log: ColdTierLog, topic: ColdTopic, frontier: readonly bigint[]): Promise<void> {
  for (const [partition, to] of frontier.entries()) {
    const from = log.info.startOffsets[partition]!
    const sent = log.hot.sent(partition).filter(({ offset }) => offset >= from && offset < to)
    const read = await recordsIn(log, topic, { partition, from, to })
    expectEqual(read, sent, `the records of partition ${partition} below ${to}`)
  }
}

/** `partition:offset` of every row of a scan, sorted. */
export async function placesOf(log: ColdTierLog, scan: Scan<Record<string, unknown>>): Promise<string[]> {
  return placesIn(await log.call(scan.toArray()))
}

export function placesIn(rows: readonly Record<string, unknown>[]): string[] {
  const named = rows as readonly { readonly _kafka_partition: number; readonly _kafka_offset: bigint }[]
  return named.map((row) => `${row._kafka_partition}:${row._kafka_offset}`).sort()
}

/** The same of what was sent below `ends`. */
export function sentPlaces(log: ColdTierLog, ends: readonly bigint[] = log.hot.committedOffsets()): string[] {
  return ends
    .flatMap((end, partition) => log.hot.sent(partition).filter(({ offset }) => offset < end))
    .map(({ partition, offset }) => `${partition}:${offset}`)
    .sort()
}

export interface TimeSearch {
  readonly partition: number
  readonly timestamp: bigint
  readonly to: bigint
}

/** The first offset that is not older: as the topic finds it, or as a log looks for it in the scan of one that has no better way. */
export async function offsetSince(log: ColdTierLog, topic: ColdTopic, search: TimeSearch): Promise<bigint | undefined> {
  if (topic.offsetSince !== undefined) return log.call(topic.offsetSince(search))
  const { partition, timestamp, to } = search
  const isHere = eq('_kafka_partition', partition)
  const least = timestamp * 1000n
  const isLater = gte('_kafka_timestamp', least)
  const isLate: Expression = timestamp > -1n ? isLater : or(isLater, isNull('_kafka_timestamp'))
  const where = least < INT64_MIN ? isHere : and(isHere, isLate)
  const rows = await log.call(topic.scan({ columns: ['_kafka_offset'], where }).toArray())
  const offsets = rows.map((row) => row['_kafka_offset'] as bigint).filter((offset) => offset < to)
  return offsets.reduce<bigint | undefined>(
    (least, one) => (least === undefined || one < least ? one : least),
    undefined,
  )
}

export const places = { columns: ['_kafka_partition', '_kafka_offset'] } as const

export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** What a run has at one place. */
export function recordAt(run: BatchRun, offset: bigint): StoredRecord | undefined {
  return suiteRecordsOf(run).find((record) => record.offset === offset)
}
