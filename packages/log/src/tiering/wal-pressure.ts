import type { Failing, WalFull } from '@moulin/core'
import type { Room } from '../produce/admission.ts'

/** A topic, as far as it can make room. */
export interface ReliefTopic {
  /** Since when, by wall time, the oldest data waits that could be released now; undefined when there is none, or it was tried in vain a moment ago. */
  readonly oldestConfirmedMs: number | undefined
  readonly isReleasing: boolean
  /** Something that may make room is under way. */
  readonly isBusy: boolean
  /** What keeps its write-ahead data. */
  readonly holding: readonly Holding[]
  /** Does what is due by now. */
  evaluate(): void
}

/** Bytes of the write-ahead tier, and what keeps them there. */
export interface Holding {
  readonly bytes: number
  readonly reason: string
}

/** Watches how much the write-ahead tier holds. */
export interface WalPressure extends Room {
  /** Looks at the disk of the write-ahead tier, as it does by itself again and again. Never rejects. */
  measure(): Promise<void>
  /** Why producers wait; null while they do not. */
  readonly walFull: WalFull | null
  /** Called after each durable section. */
  appended(bytes: number): void
  /** Called after something has ended that may have made room. */
  ended(): void
  /** What a topic is to do for room, besides what is due anyway. */
  wants(topic: ReliefTopic): 'nothing' | 'release' | 'tier'
  /** Of the disk, where little of it is left, as it was last looked at; else Infinity: a commit is not to take all of it. */
  readonly freeBytes: number
  /** More is held than is to be, or little of the disk is left. */
  readonly isRoomWanted: boolean
  /** Producers wait. */
  readonly isFull: boolean
  /**
   * Begins the work as soon as there is room, in this very turn where there is; those that wait begin in the order of their calls.
   * @throws `exhausted` code `WAL_FULL` after `maxBlockMs`; `aborted`; what the work throws.
   */
  enter<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
  /** What went wrong with checkpoints that are written by themselves. */
  readonly failing: Failing
  stop(): void
}
