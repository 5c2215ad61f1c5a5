import { describe, expect, it } from 'vitest'
import { noCatch, violations } from './judgement.ts'
import type { TestReport } from './judgement.ts'

/** As vitest writes it: a test by name, with what failed in it. */
function report(tests: Readonly<Record<string, readonly string[] | 'skipped'>>, message = ''): TestReport {
  const assertionResults = Object.entries(tests).map(([fullName, failed]) => {
    if (failed === 'skipped') return { fullName, status: 'skipped', failureMessages: [] }
    return { fullName, status: failed.length > 0 ? 'failed' : 'passed', failureMessages: failed }
  })
  return { testResults: [{ name: 'some.test.ts', message, assertionResults }] }
}

const assertion = 'AssertionError: expected 1 to be 2\n    at some.test.ts:1:1'
const timeout = 'TestTimeoutError: Test timed out in 50ms.\nIf this is a long-running test…'
const engine = 'EngineError: MOULIN_SEED=1, step 3: The engine ended over SELECT 1'

describe('a planted bug', () => {
  it('is caught by a test that fails by itself, whatever else failed beside it', () => {
    for (const ofEngines of [true, false])
      expect(noCatch(1, report({ one: [], two: [assertion] }), ofEngines)).toBeUndefined()
    expect(noCatch(1, report({ one: [timeout], two: ['Error: MOULIN_SEED=1, step 3: a gap'] }), true)).toBeUndefined()
    expect(violations(report({ one: [timeout], two: [assertion], three: 'skipped' }), true)).toEqual(['two'])
  })

  it('may be one that hangs, where nobody waits for engines of others', () => {
    expect(noCatch(1, report({ one: [timeout] }), false)).toBeUndefined()
    expect(noCatch(1, report({ one: 'skipped' }), false)).toContain('a hook')
    expect(noCatch(1, report({}, 'Cannot find module'), false)).toContain('Cannot find module')
  })

  it.each([
    ['every test passes', 0, report({ one: [] }), 'all its tests pass'],
    ['the file does not load', 1, report({}, 'Cannot find module'), 'Cannot find module'],
    ['a hook fails, and its tests are left out', 1, report({ one: 'skipped' }), 'a hook'],
    ['the time of a test is over', 1, report({ one: [timeout] }), 'timed out'],
    ['an engine of others ends', 1, report({ one: [engine] }), 'The engine ended'],
    ['something fails beside the tests', 1, report({ one: [] }), 'beside the tests'],
    ['there is no report', 137, undefined, 'vitest ended with 137'],
  ] as const)('is not where %s', (_what, code, found, says) => {
    expect(noCatch(code, found, true)).toContain(says)
  })
})
