/** What is read of vitest's JSON report. */
export interface TestReport {
  readonly testResults: readonly {
    readonly name: string
    /** Why the file did not load. */
    readonly message?: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** Errors that say nothing of what is tested beside engines of others: time has run out, or an engine ended or refused. */
const trouble = /^(?:TestTimeoutError|EngineError)\b/

/**
 * The tests that failed by their own judgement: not by a hook. Beside engines of others not by their time or by an engine, either;
 * elsewhere, where the same tests have just passed, time that runs out is what a bug looks like that hangs.
 */
export function violations({ testResults }: TestReport, ofEngines: boolean): readonly string[] {
  return testResults.flatMap(({ assertionResults }) =>
    assertionResults
      .filter(({ failureMessages }) => failureMessages.some((message) => !ofEngines || !trouble.test(message)))
      .map(({ fullName }) => fullName),
  )
}

/** Why a run is no proof that a bug was caught; undefined: it is one. */
export function noCatch(code: number | null, report: TestReport | undefined, ofEngines: boolean): string | undefined {
  if (report === undefined) return `vitest ended with ${code} and no report`
  if (violations(report, ofEngines).length > 0) return undefined
  if (code === 0) return 'all its tests pass'
  const troubles = report.testResults.flatMap(({ message = '', assertionResults }) => [
    ...(message === '' ? [] : [message]),
    ...assertionResults.flatMap(({ failureMessages }) => failureMessages),
  ])
  return `no test says so by itself: ${troubles[0] ?? 'a hook, or something beside the tests, failed'}`
}
