import type { OpenTable, Topic } from 'moulin'
import type { Reading, Sent } from './readings.ts'

/** What the log does in the middle of an operation. */
export interface LogWork {
  /** Records that are sent. */
  readonly sends: number
  /** Whether they go to the table. */
  readonly tiers: boolean
  /** Whether the write-ahead tier lets go of them. */
  readonly releases: boolean
}

/** The log and who reads the table without it, as far as operations look at them. */
export interface OurSide {
  readonly topic: Topic<Reading>
  readonly table: OpenTable
  /** Of the last commit. */
  readonly snapshot: string
  /** All that the log says is what the model says; of records whose file is away, as `checkLog` has it. */
  check(away?: ReadonlySet<Sent>): Promise<void>
  /** Lets go of what the table has, as far as it does. */
  release(): Promise<void>
  /** Works, and leaves the table to strangers again. */
  work(work: LogWork): Promise<void>
  /** Whether the log has committed since strangers had the table last, without a call of the test. */
  hasCommitted(): Promise<boolean>
  /** A commit of ours that no call of the test has made is there: the table goes to strangers as it has left it. */
  committed(): Promise<void>
}
