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
