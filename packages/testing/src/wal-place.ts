import type { ObjectStore, Runtime, Wal } from '@moulin/core'

/** Where a Wal is judged: a machine, anew for each check, whose processes find the same Wal. */
export interface WalPlace {
  /** The log's own: no end of a process takes anything from it. */
  readonly store: ObjectStore
  /** Begins another process. */
  start(): WalProcess
  /**
   * Ends all processes at once, with the loss of whatever an ack does not survive: for `disk` a loss of power, for `memory` the end of
   * the processes. May leave a part of what was being written.
   */
  crash(): void
  /** Lets some of the place's time pass. Left out: it passes by itself. */
  pass?(): Promise<void>
  /** There is no room for a section of 200 kB any more; or again. Claimed by the way `fill`. */
  fill?(isFull: boolean): void
  /** The next flush ends so that nobody knows what is stored. Claimed by the way `fail`. */
  fail?(): void
  /** After the check. */
  close?(): Promise<void>
}

/** A process that may open the Wal. */
export interface WalProcess {
  readonly wal: Wal
  readonly runtime: Runtime
  /** Ends it without a word; what it wrote stays for the others. Claimed by the way `kill`. */
  kill?(): void
  /** Holds all that it does to the storage, and all that it hears of it, as SIGSTOP would. Claimed by the way `pause`. */
  pause?(): void
  resume?(): void
}

/** What the place, or its processes, can be made to do. Checks that need it are skipped where it is not claimed. */
export type WalWay = 'kill' | 'pause' | 'fill' | 'fail'

export const walWays: readonly WalWay[] = ['kill', 'pause', 'fill', 'fail']
