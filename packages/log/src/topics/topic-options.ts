import {
  INT64_MIN,
  invalid,
  option,
  shown,
  type AdoptTableOptions,
  type AuditOptions,
  type JudgeTableOptions,
  type FetchOptions,
  type OffsetForOptions,
  type OptionTable,
  type Position,
  type ReadOptions,
  type ScanOptions,
  type TierOptions,
} from '@moulin/core'
import type { AppendRequest } from '../produce/batch-appender.ts'

/** What the calls of a topic take. */

/** The first readable offset of every partition. */
export const FIRST_OFFSET = 0n

const offset = option.int64('an offset')
const timestampCheck = option.int64('milliseconds since the epoch', INT64_MIN)

export const readTable: OptionTable<ReadOptions> = {
  partition: option.integer('', 0),
  from: option.anyOf(
    option.oneOf('earliest', 'latest'),
    // One below 0 is out of the partition's range, which the read says itself.
    option.int64('an offset', INT64_MIN),
    option.nested<{ readonly timestamp: bigint }>({
      timestamp: option.required(timestampCheck),
    }),
  ),
  to: option.anyOf(option.oneOf('end'), offset),
  incarnation: option.integer('', 0),
  onBadValue: option.oneOf('yield', 'throw'),
  signal: option.abortSignal,
}

export const fetchTable: OptionTable<FetchOptions> = {
  partition: option.required(option.integer('', 0)),
  // One below 0 is out of the partition's range, which the fetch says itself.
  from: option.required(option.int64('an offset', INT64_MIN)),
  minBytes: option.integer('bytes', 0),
  maxBytes: option.positiveBytes,
  maxWaitMs: option.milliseconds(),
  isolation: option.oneOf('read-committed', 'read-uncommitted'),
  signal: option.abortSignal,
}

export const offsetForTable: OptionTable<OffsetForOptions> = {
  partition: option.integer('', 0),
  signal: option.abortSignal,
}

/** @throws `invalid` code `TIMESTAMP`. */
export function checkTimestamp(what: string, timestamp: unknown): void {
  const { accepts, expected } = timestampCheck
  if (accepts(timestamp)) return
  throw invalid('TIMESTAMP', `${what}: the timestamp is ${shown(timestamp)}; it must be ${expected}.`)
}

export const tierTable: OptionTable<TierOptions> = {
  asOfMs: option.milliseconds(),
  signal: option.abortSignal,
}

export const scanTable: OptionTable<ScanOptions> = {
  columns: option.listOf(option.text),
  where: option.objectOf('an expression, such as eq(column, value)'),
  signal: option.abortSignal,
}

export const auditTable: OptionTable<AuditOptions> = {
  deep: option.flag,
  onProgress: option.callback,
  signal: option.abortSignal,
}

export const adoptionTable: OptionTable<AdoptTableOptions> = {
  expectedSnapshotId: option.anyOf(option.int64('a snapshot id', INT64_MIN), option.nothing),
  signal: option.abortSignal,
}

export const verdictTable: OptionTable<JudgeTableOptions> = {
  plan: option.flag,
  files: option.flag,
  signal: option.abortSignal,
}

export const appendTable: OptionTable<AppendRequest> = {
  partition: option.required(option.integer('', 0)),
  batches: option.required(option.bytes),
  signal: option.abortSignal,
}

/** @throws `invalid` code `POSITION` with the first that is none. */
export function checkPositions(what: string, positions: readonly Position[]): void {
  const isPosition = (position: unknown): boolean =>
    typeof position === 'object' &&
    position !== null &&
    typeof (position as Position).offset === 'bigint' &&
    Number.isInteger((position as Position).partition)
  const bad = Array.isArray(positions) ? positions.findIndex((position) => !isPosition(position)) : 0
  if (bad < 0) return
  throw invalid(
    'POSITION',
    `${what}: position ${bad} is none; give an array of { partition, offset }, the offset a bigint.`,
  )
}
