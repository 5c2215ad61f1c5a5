import type { BucketFacts, LifecycleRule } from '@moulin/core'
import type { Finding } from './doctor-report.ts'
import { fault, good, untold, warning } from './doctor-report.ts'

/** What a log and its tables keep below the place for as long as they live. */
const kept = ['log/', 'tables/', 'moulin.json'] as const

/** What the bucket does by itself to what lies below `prefix`. */
export function bucketFindings(facts: BucketFacts | undefined, prefix: string): Finding[] {
  if (facts === undefined)
    return [untold('versioning', 'the adapter cannot tell'), untold('lifecycle', 'the adapter cannot tell')]
  const { versioning, lifecycle, uploadsEndDays } = facts
  const soft = softDeleteFindings(facts)
  if (lifecycle === undefined)
    return [
      versioningFinding(versioning, false),
      ...soft,
      untold('lifecycle', 'these credentials, or this adapter, may not look at the rules'),
    ]
  const rules = lifecycle.flatMap((rule) => ruleFindings(rule, prefix))
  const old = lifecycle.some((rule) => rule.oldVersionDays !== undefined && covers(rule.prefix, prefix))
  const ends =
    uploadsEndDays !== undefined ||
    lifecycle.some((rule) => rule.abortUploadsDays !== undefined && covers(rule.prefix, prefix))
  const uploads = ends
    ? 'uploads that nobody completes are removed'
    : 'no rule removes uploads that a crash left: they cost until one does'
  return [
    versioningFinding(versioning, old),
    ...soft,
    ...(rules.length > 0 ? rules : [good('lifecycle', `no rule deletes what lies here; ${uploads}`)]),
  ]
}

function softDeleteFindings({ softDeleteDays }: BucketFacts): Finding[] {
  if (softDeleteDays === undefined) return []
  const says = `on: what a log or a table deletes or overwrites costs for ${softDeleteDays} days more: turn it off where nobody needs it`
  return [warning('soft delete', 'SOFT_DELETE', says)]
}

function versioningFinding(versioning: BucketFacts['versioning'], isCleaned: boolean): Finding {
  switch (versioning) {
    case undefined:
      return untold('versioning', 'these credentials, or this adapter, may not look')
    case 'off':
      return good('versioning', 'off')
    case 'suspended':
      return warning('versioning', 'VERSIONING', 'suspended: old versions from before are kept and cost')
    case 'on':
      if (isCleaned) return good('versioning', 'on, and a rule removes old versions')
      return warning(
        'versioning',
        'VERSIONING',
        'on: what a log or a table deletes stays as an old version and costs: add a rule that removes them',
      )
  }
}

function ruleFindings({ id, prefix: of, expirationDays, isArchiving }: LifecycleRule, prefix: string): Finding[] {
  const isProbe = of.startsWith(`${prefix}log/probe/`)
  const met = isProbe
    ? []
    : kept.filter((name) => covers(of, prefix + name) || (isFolder(name) && of.startsWith(prefix + name)))
  if (met.length === 0) return []
  const what = `rule ${JSON.stringify(id)} over ${JSON.stringify(of)}`
  const when = expirationDays === 0 ? 'on a day' : `after ${expirationDays} days`
  const next = `take ${met.join(', ')} of this place out of it`
  return [
    ...(expirationDays === undefined
      ? []
      : [
          fault(
            'lifecycle',
            'EXPIRATION',
            `${what} deletes ${met.join(', ')} ${when}, which are needed as long as the log lives: ${next}`,
          ),
        ]),
    ...(isArchiving === true
      ? [fault('lifecycle', 'ARCHIVING', `${what} moves ${met.join(', ')} where nothing can be read at once: ${next}`)]
      : []),
  ]
}

const isFolder = (name: string): boolean => name.endsWith('/')
const covers = (of: string, key: string): boolean => key.startsWith(of)
