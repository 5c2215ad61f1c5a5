import { costOf } from '@moulin/storage'
import type { PriceTable, StoreUsage } from '@moulin/storage'
import type { Estimate } from './doctor-report.ts'

/** Of 365.25 days, a twelfth. */
const MONTH_SECONDS = 2_629_800
const MIB = 1024 * 1024
const GIB = 1024 * MIB

/**
 * What a commit of one partition asks of a store, with its checkpoint and the release of its write-ahead data: the mean of commits 200 to
 * 400 of a topic, rounded up. A test counts them anew.
 */
export const requestsOfCommit: Readonly<StoreUsage['requests']> = {
  get: 18,
  head: 12,
  list: 1.1,
  put: 7.1,
  delete: 3.1,
}

/** When a commit is due: the defaults of `freshnessMs` and of the limit `commitBytes`. */
const QUIET_SECONDS = 600
const BUSY_SECONDS = 60
const BUSY_BYTES = 8 * MIB
const COMMIT_BYTES = 128 * MIB
/** Above it a file goes in parts: one request each, one to begin and one to end. */
const PART_BYTES = 8 * MIB

export interface Load {
  /** Records a second. */
  readonly rate: number
  readonly recordBytes: number
}

/** What a month of this load asks for. Bytes are counted as they come: Parquet makes fewer of them. */
export function estimateOf({ rate, recordBytes }: Load, prices: PriceTable | undefined): Estimate {
  const perSecond = rate * recordBytes
  const betweenCommits = Math.min(
    QUIET_SECONDS,
    Math.max(BUSY_SECONDS, BUSY_BYTES / perSecond),
    COMMIT_BYTES / perSecond,
  )
  // No commit without a record.
  const commits = Math.min(Math.ceil(MONTH_SECONDS / betweenCommits), Math.ceil(rate * MONTH_SECONDS))
  const fileBytes = perSecond * betweenCommits
  const moreParts = fileBytes > PART_BYTES ? Math.ceil(fileBytes / PART_BYTES) + 1 : 0
  const { get, head, list, put, delete: deletes } = requestsOfCommit
  const times = (requests: number): number => Math.ceil(commits * requests)
  const sentBytes = Math.ceil(perSecond * MONTH_SECONDS)
  const requests = {
    get: times(get),
    head: times(head),
    list: times(list),
    put: times(put + moreParts),
    delete: times(deletes),
  }
  const usage = { requests, sentBytes, receivedBytes: 0 }
  return {
    recordsPerSecond: rate,
    recordBytes,
    commits,
    usage,
    cost: prices === undefined ? null : costOf(usage, prices),
    keptPerMonth: prices === undefined ? null : (sentBytes / GIB) * prices.perGiBMonth,
  }
}
