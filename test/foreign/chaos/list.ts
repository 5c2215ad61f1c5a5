import { seededRandom } from '@moulin/testing'
import { alterations } from './alterations.ts'
import { changes } from './changes.ts'
import { histories } from './histories.ts'
import { housekeeping } from './housekeeping.ts'
import { damages } from './damages.ts'
import { losses } from './losses.ts'
import type { Feature, Operation } from './operation.ts'
import type { LogWork } from './our-side.ts'
import type { Args } from './predicates.ts'

export const operations: readonly Operation[] = [
  ...housekeeping,
  ...changes,
  ...alterations,
  ...histories,
  ...damages,
  ...losses,
]

/** What a step does, by the seed alone; the log works first. */
export interface Step extends LogWork {
  readonly operation: Operation
  readonly args: Args
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
  return Array.from({ length: count }, (_, at) => {
    const step: Step = {
      operation: drawn(),
      args: [random.below(1000), random.below(1000), random.below(1000), random.below(1000)],
      sends: at === 0 ? 60 : random.below(24),
      tiers: at === 0 || random.chance(0.7),
      releases: at === 0 || random.chance(0.7),
      reopens: random.chance(0.1),
    }
    if (step.operation.isHeld !== true) return step
    return { ...step, sends: Math.max(step.sends, 9), tiers: true, releases: false }
  })
}
