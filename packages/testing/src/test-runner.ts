/** What a conformance suite needs of a test runner: vitest, node:test, mocha and jest all have it. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: {
    (name: string, body: () => Promise<void>): unknown
    /** Shows a check that this implementation does not promise, with the reason in its name. */
    readonly skip: (name: string, body: () => Promise<void>) => unknown
  }
}
