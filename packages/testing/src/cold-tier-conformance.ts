import { checkOptions, option } from '@moulin/core'
import type { OptionTable } from '@moulin/core'
import { attachChecks } from './cold-tier-checks-attach.ts'
import { commitChecks } from './cold-tier-checks-commit.ts'
import { judgeChecks } from './cold-tier-checks-judge.ts'
import { readChecks } from './cold-tier-checks-read.ts'
import { releaseChecks } from './cold-tier-checks-release.ts'
import { repairChecks } from './cold-tier-checks-repair.ts'
import { scanChecks } from './cold-tier-checks-scan.ts'
import type { ColdTierCheck, ColdTierClaims } from './cold-tier-checks.ts'
import { ColdTierLog } from './cold-tier-log.ts'
import type { ColdTierSubject, ColdTierWay, ColdTierWays } from './cold-tier-log.ts'
import { declareCases } from './test-runner.ts'
import type { ConformanceCase, TestRunner } from './test-runner.ts'
import { within } from './within.ts'

export interface ColdTierConformanceConfig<S extends ColdTierSubject = ColdTierSubject> extends ColdTierWays<S> {
  /** Default: `ColdTier`. */
  readonly name?: string
  /** A tier with nothing in it, anew for every check. */
  create(): S | Promise<S>
  /** What the tier claims. Default: no Arrow. */
  readonly capabilities?: Partial<ColdTierClaims>
  /** After each check, for what was created and for each that was opened anew; the suite closes the tiers itself. */
  close?(subject: S): void | Promise<void>
  /** What the tier does not promise although it is no capability: the name of the check, and the reason. */
  readonly cannot?: Readonly<Record<string, string>>
  /** Of one check, of the machine's own time. Default 60 000; more for a tier that is far away. */
  readonly timeoutMs?: number
}

const optionTable: OptionTable<ColdTierConformanceConfig> = {
  name: option.text,
  create: option.required(option.callback),
  capabilities: option.nested<Partial<ColdTierClaims>>({ arrow: option.flag }),
  close: option.callback,
  cannot: option.recordOf(option.text),
  reopen: option.callback,
  loseCommit: option.callback,
  holdCommit: option.callback,
  hide: option.callback,
  rollBack: option.callback,
  timeoutMs: option.integer('ms', 1),
}

/** All promises of core's `ColdTier`, one check each, in the order of their running. */
export const coldTierChecks: readonly ColdTierCheck[] = [
  ...attachChecks,
  ...commitChecks,
  ...readChecks,
  ...scanChecks,
  ...releaseChecks,
  ...repairChecks,
  ...judgeChecks,
]

const DEFAULT_TIMEOUT_MS = 60_000

/**
 * Declares one test per promise of core's `ColdTier`. What the tier does not claim, and what needs a way that was not given, is declared as
 * skipped, with the reason in its name.
 */
export function coldTierConformance<S extends ColdTierSubject>(
  runner: TestRunner,
  config: ColdTierConformanceConfig<S>,
): void {
  checkOptions('coldTierConformance', config, optionTable as OptionTable<ColdTierConformanceConfig<S>>)
  const { name = 'ColdTier', timeoutMs = DEFAULT_TIMEOUT_MS } = config
  declareCases(runner, name, coldTierConformanceChecks(config), timeoutMs)
}

/** The same as data, for a runner of another shape. Each run makes a tier of its own. */
export function coldTierConformanceChecks<S extends ColdTierSubject>(
  config: ColdTierConformanceConfig<S>,
): readonly ConformanceCase[] {
  checkOptions('coldTierConformanceChecks', config, optionTable as OptionTable<ColdTierConformanceConfig<S>>)
  const claims: ColdTierClaims = { arrow: false, ...config.capabilities }
  const cases: ConformanceCase[] = []
  for (const check of coldTierChecks) {
    const run = (): Promise<void> => runOnce(check, config)
    const skipped = config.cannot?.[check.name] ?? unclaimed(check, claims) ?? noWay(check, config)
    if (skipped === undefined) cases.push({ name: check.name, run })
    // A tier that has more than the check is about has nothing to be told.
    else if (check.without === undefined) cases.push({ name: check.name, skipped, run })
  }
  return cases
}

function unclaimed({ needs, without }: ColdTierCheck, claims: ColdTierClaims): string | undefined {
  if (needs !== undefined && !claims[needs]) return `no ${needs}`
  return without !== undefined && claims[without] ? `has ${without}` : undefined
}

function noWay({ by = [] }: ColdTierCheck, ways: { readonly [W in ColdTierWay]?: unknown }): string | undefined {
  const missing = by.filter((way) => ways[way] === undefined)
  return missing.length === 0 ? undefined : `no way to ${missing.join(', ')}`
}

async function runOnce<S extends ColdTierSubject>(
  check: ColdTierCheck,
  config: ColdTierConformanceConfig<S>,
): Promise<void> {
  const timeoutMs = config.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const opened = [await within(timeoutMs, config.create())]
  const log = ColdTierLog.over(opened[0]!, config, opened)
  const closeAll = async (): Promise<void> => {
    for (const subject of opened) {
      await subject.tier.close()
      await config.close?.(subject)
    }
  }
  try {
    await within(timeoutMs, check.run(log))
  } finally {
    await within(timeoutMs, closeAll())
  }
}
