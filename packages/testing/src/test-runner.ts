/** What a conformance suite needs of a test runner: vitest, node:test, mocha and jest all have it. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: {
    /** The suite ends what takes longer by itself; the time is for runners that would be less patient. */
    (name: string, body: () => Promise<void>, timeoutMs?: number): unknown
    /** Shows a check that this implementation does not promise, with the reason in its name. */
    readonly skip: (name: string, body: () => Promise<void>) => unknown
  }
}

/** One test of a conformance suite as data, for a runner of another shape. */
export interface ConformanceCase {
  readonly name: string
  /** Why this implementation is not asked, where it is not. */
  readonly skipped?: string
  /** Rejects when the promise is broken, or takes longer than the suite allows. */
  run(): Promise<void>
}

/**
 * One test a case, and what an implementation does not promise or cannot be made to do as a skipped one: it is seen in every run that
 * nobody asked for it, and why.
 */
export function declareCases(
  { describe, it }: TestRunner,
  suite: string,
  cases: readonly ConformanceCase[],
  timeoutMs: number,
): void {
  // A runner that is as patient as the suite would be first in saying so, and less clear.
  const patienceMs = timeoutMs + 5_000
  describe(suite, () => {
    for (const { name, skipped, run } of cases) {
      if (skipped === undefined) it(name, run, patienceMs)
      else it.skip(`${name} (not here: ${skipped})`, async () => {})
    }
  })
}
