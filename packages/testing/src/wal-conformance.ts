import { checkOptions, option } from '@moulin/core'
import type { Durability, OptionTable, Wal } from '@moulin/core'
import { expectEqual } from './assertions.ts'
import { declareCases } from './test-runner.ts'
import type { ConformanceCase, TestRunner } from './test-runner.ts'
import type { WalCheck, WalClaims } from './wal-checks.ts'
import { unclaimedOfWal } from './wal-checks.ts'
import { appendChecks } from './wal-checks-append.ts'
import { failureChecks } from './wal-checks-failure.ts'
import { fenceChecks } from './wal-checks-fence.ts'
import { readerChecks } from './wal-checks-reader.ts'
import { recoveryChecks } from './wal-checks-recovery.ts'
import { releaseChecks } from './wal-checks-release.ts'
import type { WalPlace, WalWay } from './wal-place.ts'
import { WalTrial } from './wal-trial.ts'
import { within } from './within.ts'

export interface WalConformanceConfig {
  /** Default: `Wal`. */
  readonly name?: string
  /** A place where no log has been, anew for every check. */
  create(): WalPlace | Promise<WalPlace>
  /** What an ack survives. Default `disk`. */
  readonly durability?: Durability
  /** Who gives offsets. Default `given`. */
  readonly offsets?: Wal['offsets']
  /** What its places can be made to do. Default: nothing, and checks that need it are skipped. */
  readonly ways?: readonly WalWay[]
  /** What the Wal does not promise although it is no claim: the name of the check, and the reason. */
  readonly cannot?: Readonly<Record<string, string>>
  /** Of one check. Default 60 000; more for storage that is far away. */
  readonly timeoutMs?: number
}

const optionTable: OptionTable<WalConformanceConfig> = {
  name: option.text,
  create: option.required(option.callback),
  durability: option.oneOf('memory', 'disk', 'zone', 'region'),
  offsets: option.oneOf('given', 'assigned'),
  ways: option.listOf(option.oneOf('kill', 'pause', 'fill', 'fail')),
  cannot: option.recordOf(option.text),
  timeoutMs: option.integer('ms', 1),
}

/** All promises of core's `Wal`, one check each, in the order of their running. */
export const walChecks: readonly WalCheck[] = [
  ...appendChecks,
  ...recoveryChecks,
  ...fenceChecks,
  ...releaseChecks,
  ...failureChecks,
  ...readerChecks,
]

const DEFAULT_TIMEOUT_MS = 60_000

/**
 * Declares one test per promise of core's `Wal`, writer and reader. What the Wal does not claim, or its places cannot be made to
 * do, is declared as skipped, with the reason in its name.
 */
export function walConformance(runner: TestRunner, config: WalConformanceConfig): void {
  checkOptions('walConformance', config, optionTable)
  const { name = 'Wal', timeoutMs = DEFAULT_TIMEOUT_MS } = config
  declareCases(runner, name, walConformanceChecks(config), timeoutMs)
}

/** The same as data, for a runner of another shape. Each run makes a place of its own. */
export function walConformanceChecks(config: WalConformanceConfig): readonly ConformanceCase[] {
  checkOptions('walConformanceChecks', config, optionTable)
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = config
  const claims: WalClaims = {
    durability: config.durability ?? 'disk',
    offsets: config.offsets ?? 'given',
    ways: config.ways ?? [],
  }
  const runs = (run: (trial: WalTrial) => Promise<void>) => async (): Promise<void> => {
    const trial = new WalTrial(await within(timeoutMs, config.create()), claims.offsets)
    try {
      await within(timeoutMs, run(trial))
    } finally {
      await within(timeoutMs, trial.end())
    }
  }
  const claimed = async (trial: WalTrial): Promise<void> => {
    const { durability, offsets } = trial.place.start().wal
    expectEqual({ durability, offsets }, { durability: claims.durability, offsets: claims.offsets }, 'its claims')
  }
  const cases: ConformanceCase[] = [{ name: 'claims what the suite was told of', run: runs(claimed) }]
  for (const check of walChecks) {
    const run = runs((trial) => check.run(trial))
    const skipped = config.cannot?.[check.name] ?? unclaimedOfWal(check, claims)
    cases.push(skipped === undefined ? { name: check.name, run } : { name: check.name, skipped, run })
  }
  return cases
}
