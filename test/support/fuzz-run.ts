import type { LaneReport } from './fuzz-lane.ts'
import { watchedLane } from './watched-lane.ts'

/** Inputs of one process: a leak across them would show in its peak. */
const SHARE = 2500

export interface FuzzRun {
  /** Of the lane: a module that calls `runFuzzLane`. */
  readonly script: string
  readonly folder: string
  readonly seed: number
  readonly inputs: number
  /** What is known of an input that ended a process. */
  readonly told?: (position: string) => string
}

/** Runs all inputs, in two processes at a time. It ends early where one of them finds a flaw. */
export async function fuzzRun({ script, folder, seed, inputs, told }: FuzzRun): Promise<LaneReport> {
  const errors: Record<string, number> = {}
  let sum: LaneReport = { understood: 0, errors, refused: 0, slowestMillis: 0, slowest: '', flaws: [] }
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < inputs && sum.flaws.length === 0) {
      const from = next
      next += SHARE
      const report = await watchedLane<LaneReport>(script, folder, [seed, from, Math.min(SHARE, inputs - from)], told)
      for (const [error, count] of Object.entries(report.errors)) errors[error] = (errors[error] ?? 0) + count
      const { slowestMillis, slowest } = report.slowestMillis > sum.slowestMillis ? report : sum
      const understood = sum.understood + report.understood
      const refused = sum.refused + report.refused
      sum = { understood, errors, refused, slowestMillis, slowest, flaws: [...sum.flaws, ...report.flaws] }
    }
  }
  await Promise.all([lane(), lane()])
  return sum
}
