import type { OurSide } from './our-side.ts'
import type { Model } from './model.ts'
import type { Args } from './predicates.ts'
import type { Refusal } from './refusals.ts'
import type { Stranger } from './stranger.ts'

/** What the log must be able to read for an operation to be among those of a run. */
export type Feature = 'row-level deletes' | 'evolution' | 'format 3'

/**
 * `broken`: a commit of ours is not in the table's history any more. `nothing`: there was nothing to do it to. `refused`: the engine
 * does not do it, and has changed nothing.
 */
export type Outcome = 'done' | 'nothing' | 'refused' | 'broken'

/** Something that strangers do to a table, and what it means. */
export interface Operation {
  readonly name: string
  /** Drawn so many times a round; default once. */
  readonly times?: number
  readonly needs?: Feature
  /** What engines say that do not do it to such a table. */
  readonly refusals?: readonly Refusal[]
  /**
   * Where others work at the same time: `no commits` but its own are to come beside it; `quiet`: nothing is sent, either, since it looks at the
   * log in between. Default: neither.
   */
  readonly wants?: 'no commits' | 'quiet'
  /** The write-ahead tier has what the log committed last before it, and no reader beside it holds that back. */
  readonly isHeld?: true
  /** Readers beside it may be refused with these codes; default none. */
  readonly refusesReaders?: readonly string[]
  readonly work: (scene: Scene, args: Args) => Promise<Outcome | void>
}

export interface Scene {
  readonly stranger: Stranger
  readonly model: Model
  readonly ours: OurSide
  /** What the log must be able to read. */
  readonly features: ReadonlySet<Feature>
  /** Milliseconds since the epoch: what is older and named by nothing will be named by nothing. */
  readonly now: () => number
}
