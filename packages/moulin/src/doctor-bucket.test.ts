import { describe, expect, it } from 'vitest'
import { bucketFindings } from './doctor-bucket.ts'

const verdicts = (facts: Parameters<typeof bucketFindings>[0]) =>
  bucketFindings(facts, 'lake/').map(({ check, verdict, code }) => [check, verdict, code])

describe('bucketFindings', () => {
  it('warns of soft delete, also where nobody may look at the rules', () => {
    const soft = ['soft delete', 'warning', 'SOFT_DELETE']
    expect(verdicts({ versioning: 'off', lifecycle: [], softDeleteDays: 7 })).toContainEqual(soft)
    expect(verdicts({ versioning: undefined, lifecycle: undefined, softDeleteDays: 7 })).toEqual([
      ['versioning', 'untold', null],
      soft,
      ['lifecycle', 'untold', null],
    ])
    expect(verdicts({ versioning: 'off', lifecycle: [] }).map(([check]) => check)).toEqual(['versioning', 'lifecycle'])
  })

  it('counts rules alone that reach what a log keeps', () => {
    const faults = (prefix: string) =>
      verdicts({ versioning: 'off', lifecycle: [{ id: 'tidy', prefix, expirationDays: 1 }] }).filter(
        ([, verdict]) => verdict === 'fault',
      ).length
    for (const prefix of [
      '',
      'la',
      'lake/',
      'lake/log/',
      'lake/log/topics/x',
      'lake/moulin.json',
      'lake/moulin',
      'lake/log/pro',
    ])
      expect(faults(prefix), prefix).toBe(1)
    for (const prefix of ['lake/moulin.json.bak', 'lake/log/probe/', 'lake/log/probe/0', 'lake/other/', 'lakes/'])
      expect(faults(prefix), prefix).toBe(0)
  })

  it('misses no rule over uploads where the service ends them by itself', () => {
    const says = (uploadsEndDays?: number) =>
      bucketFindings({ versioning: 'off', lifecycle: [], ...(uploadsEndDays ? { uploadsEndDays } : {}) }, '')[1]!.says
    expect(says()).toContain('no rule removes uploads')
    expect(says(7)).toContain('uploads that nobody completes are removed')
  })
})
