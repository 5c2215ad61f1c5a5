import { isKind, isMoulinError, type ColdTopic, type EarlierRange } from '@moulin/core'
import type { HotTopic } from '../hot/hot-log.ts'
import type { LogCore } from '../log-core.ts'
import type { TopicRecord } from '../stored/topic-store.ts'

/** What tiering needs of its topic. */
export interface TieredTopic {
  readonly core: LogCore
  readonly record: TopicRecord
  readonly hot: HotTopic
  /** The table's side, if it has been attached. */
  readonly attached: ColdTopic | undefined
  /** Why nothing is accepted any more. */
  readonly refusal: Error | undefined
  /** When the table is to be looked at, on the monotonic clock. */
  readonly lookDueMs: number
  /** Attaches the table, once. An error leaves it to the next call. `isByItself`: nobody asked for it. @throws `invalid` without a cold tier. */
  cold(isByItself?: boolean): Promise<ColdTopic>
  /** Does something with the table; where its history proves broken, once more after `onBroken` has mended it. */
  withTable<T>(work: (cold: ColdTopic) => Promise<T>): Promise<T>
  /** Detaches the table: the next use attaches it anew. */
  detach(): Promise<void>
  /** What the write-ahead tier keeps of earlier incarnations. */
  earlier(): EarlierRange[]
  noTier(): Error
}

/** The log is older than its table: nothing is accepted, and no retry helps. */
export function isLogBehind(error: unknown): boolean {
  return isKind(error, 'conflict', 'LOG_BEHIND_TABLE')
}

const refusing: ReadonlySet<string> = new Set(['conflict', 'unsupported', 'not-found', 'exists', 'corrupt', 'invalid'])

/** What a table refuses stays until it answers otherwise; that it did not answer says nothing of it. */
export function refusalIn(error: unknown, before: Error | undefined): Error | undefined {
  if (error === undefined) return undefined
  return isMoulinError(error) && refusing.has(error.kind) && !isLogBehind(error) ? error : before
}
