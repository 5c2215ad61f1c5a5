import { jsonChecks, jsonInt64 } from '@moulin/core'
import type { JsonValue } from '@moulin/core'

/**
 * What the table answers for in one (incarnation, partition), cumulative.
 * Always `frontier − start = rows + control + aborted + skipped`; what retention removed later stays counted in `rows`.
 */
export interface LedgerEntry {
  readonly incarnation: number
  readonly partition: number
  /** First offset that the table is responsible for. */
  readonly start: bigint
  /** Exclusive: the first one that it is not. */
  readonly frontier: bigint
  /** Offset of the last row; null if there is none. */
  readonly lastRow: bigint | null
  readonly rows: bigint
  /** Offsets of transaction markers. */
  readonly control: bigint
  /** Offsets of records of aborted transactions. */
  readonly aborted: bigint
  /** Offsets without a row for any other reason. */
  readonly skipped: bigint
  /** Exact sum of the signed `_kafka_crc`; 0 where rows carry none. */
  readonly checksum: bigint
  /** Rows of `rows` that retention of our own removed since, and their part of `checksum`. */
  readonly expired: bigint
  readonly expiredChecksum: bigint
}

/** What one commit adds to an entry. */
export interface LedgerGain {
  readonly partition: number
  /** Exclusive. */
  readonly frontier: bigint
  readonly lastRow: bigint | null
  readonly rows: bigint
  readonly control: bigint
  readonly aborted: bigint
  readonly checksum: bigint
}

const check = jsonChecks('MARKER')
const removed = { expired: 0n, expiredChecksum: 0n }

export function emptyEntry(incarnation: number, partition: number, start: bigint): LedgerEntry {
  const none = { lastRow: null, rows: 0n, control: 0n, aborted: 0n, skipped: 0n, checksum: 0n }
  return { ...removed, incarnation, partition, start, frontier: start, ...none }
}

/** The entry after a commit; offsets that gave no row, marker or aborted record count as skipped. */
export function grow(entry: LedgerEntry, gain: LedgerGain): LedgerEntry {
  return {
    ...entry,
    frontier: gain.frontier,
    lastRow: gain.lastRow ?? entry.lastRow,
    rows: entry.rows + gain.rows,
    control: entry.control + gain.control,
    aborted: entry.aborted + gain.aborted,
    skipped: entry.skipped + (gain.frontier - entry.frontier - gain.rows - gain.control - gain.aborted),
    checksum: entry.checksum + gain.checksum,
  }
}

/** Why the numbers of an entry contradict each other, or undefined. */
export function entryFault(entry: LedgerEntry): string | undefined {
  const { start, frontier, lastRow, rows, control, aborted, skipped, expired } = entry
  const at = `incarnation ${entry.incarnation}, partition ${entry.partition}`
  if (rows < 0n || control < 0n || aborted < 0n || skipped < 0n) return `${at} has a negative count`
  if (frontier - start !== rows + control + aborted + skipped) {
    return `${at} spans ${frontier - start} offsets but accounts for ${rows + control + aborted + skipped}`
  }
  if ((lastRow === null) !== (rows === 0n)) return `${at} has ${rows} rows and last row ${lastRow}`
  if (expired < 0n || expired > rows) return `${at} has ${rows} rows, ${expired} of them expired`
  if (lastRow !== null && (lastRow < start || lastRow >= frontier)) return `${at} has its last row out of range`
  return undefined
}

/**
 * `[incarnation, partition, start, frontier, lastRow, rows, control, aborted, skipped, checksum, expired,
 * expiredChecksum]`: short, see the marker's limit. A later format adds elements behind these.
 */
export function entryToJson(entry: LedgerEntry): JsonValue {
  const { incarnation, partition, start, frontier, lastRow, rows, control, aborted, skipped, checksum } = entry
  const { expired, expiredChecksum } = entry
  const numbers = [start, frontier, lastRow, rows, control, aborted, skipped, checksum, expired, expiredChecksum]
  return [incarnation, partition, ...numbers.map((number) => (number === null ? null : number.toString()))]
}

/** Elements behind the known ones are ignored. @throws `corrupt`. */
export function entryFromJson(json: JsonValue | undefined): LedgerEntry {
  const entry = check.array(json, 'a ledger entry')
  const int64 = (index: number): bigint => jsonInt64(entry[index], `number ${index} of a ledger entry`)
  return {
    incarnation: Number(int64(0)),
    partition: Number(int64(1)),
    start: int64(2),
    frontier: int64(3),
    lastRow: entry[4] === null ? null : int64(4),
    rows: int64(5),
    control: int64(6),
    aborted: int64(7),
    skipped: int64(8),
    // A sum of many 32-bit numbers stays far inside 64 bits.
    checksum: int64(9),
    expired: int64(10),
    expiredChecksum: int64(11),
  }
}
