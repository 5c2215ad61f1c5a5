import { seededRandom } from '@moulin/testing'
import { alterations } from './alterations.ts'
import { changes } from './changes.ts'
import { histories } from './histories.ts'
import { housekeeping } from './housekeeping.ts'
import type { Feature, Operation } from './operation.ts'
import type { Args } from './predicates.ts'

export const operations: readonly Operation[] = [...housekeeping, ...changes, ...alterations, ...histories]

/** What a step does, by the seed alone. */
export interface Step {
  readonly operation: Operation
  readonly args: Args
  /** What the log does before: records that are sent, and whether they go to the table, and from the write-ahead tier. */
  readonly sends: number
  readonly tiers: boolean
  readonly releases: boolean
  /** The log is opened anew. */
  readonly reopens: boolean
}

/**
 * The list of operations that a seed fixes: those that a log with these features reads, in rounds, so that each comes once before
 * it comes again.
 */
export function stepsOf(seed: number, count: number, features: ReadonlySet<Feature>): Step[] {
  const random = seededRandom(seed)
  const possible = operations.filter(({ needs }) => needs === undefined || features.has(needs))
  const round: Operation[] = []
  const drawn = (): Operation => {
    if (round.length === 0)
      round.push(...possible.flatMap((each) => Array.from({ length: each.times ?? 1 }, () => each)))
    return round.splice(random.below(round.length), 1)[0]!
  }
  return Array.from({ length: count }, (_, at) => ({
    operation: drawn(),
    args: [random.below(1000), random.below(1000), random.below(1000), random.below(1000)] as const,
    sends: at === 0 ? 60 : random.below(24),
    tiers: at === 0 || random.chance(0.7),
    releases: at === 0 || random.chance(0.7),
    reopens: random.chance(0.1),
  }))
}
