import { checkOptions, option } from '@moulin/core'
import type { OptionTable, Wal } from '@moulin/core'
import type { SequencerCheck } from './sequencer-checks.ts'
import { sequencerChecks } from './sequencer-checks.ts'
import type { SequencerPlace, SequencerWay } from './sequencer-trial.ts'
import { SequencerTrial } from './sequencer-trial.ts'
import { declareCases } from './test-runner.ts'
import type { ConformanceCase, TestRunner } from './test-runner.ts'
import { within } from './within.ts'

export interface SequencerConformanceConfig {
  /** Default: `Sequencer`. */
  readonly name?: string
  /** A sequencer over a place where no log has been, anew for every check. */
  create(): SequencerPlace | Promise<SequencerPlace>
  /** Who gives offsets to the sections of its Wal. Default `given`: the sequencer. */
  readonly offsets?: Wal['offsets']
  /** What its places can be made to do. Default: nothing, and checks that need it are skipped. */
  readonly ways?: readonly SequencerWay[]
  /** What the sequencer does not promise: the name of the check, and the reason. */
  readonly cannot?: Readonly<Record<string, string>>
  /** Of one check. Default 60 000. */
  readonly timeoutMs?: number
}

const optionTable: OptionTable<SequencerConformanceConfig> = {
  name: option.text,
  create: option.required(option.callback),
  offsets: option.oneOf('given', 'assigned'),
  ways: option.listOf(option.oneOf('join', 'fill', 'fail')),
  cannot: option.recordOf(option.text),
  timeoutMs: option.integer('ms', 1),
}

const DEFAULT_TIMEOUT_MS = 60_000

/** Declares one test per promise of core's `Sequencer`; what its places cannot be made to do, as skipped, with the reason. */
export function sequencerConformance(runner: TestRunner, config: SequencerConformanceConfig): void {
  checkOptions('sequencerConformance', config, optionTable)
  const { name = 'Sequencer', timeoutMs = DEFAULT_TIMEOUT_MS } = config
  declareCases(runner, name, sequencerConformanceChecks(config), timeoutMs)
}

/** The same as data, for a runner of another shape. Each run makes a place of its own. */
export function sequencerConformanceChecks(config: SequencerConformanceConfig): readonly ConformanceCase[] {
  checkOptions('sequencerConformanceChecks', config, optionTable)
  const { timeoutMs = DEFAULT_TIMEOUT_MS, offsets = 'given', ways = [], cannot = {} } = config
  const runOnce = async (check: SequencerCheck): Promise<void> => {
    const trial = new SequencerTrial(await within(timeoutMs, config.create()), offsets)
    try {
      await within(timeoutMs, check.run(trial))
    } finally {
      await within(timeoutMs, trial.end())
    }
  }
  return sequencerChecks.map((check) => {
    const { name, needs } = check
    const run = (): Promise<void> => runOnce(check)
    const missing = needs === undefined || ways.includes(needs) ? undefined : `no way to ${needs}`
    const skipped = cannot[name] ?? missing
    return skipped === undefined ? { name, run } : { name, skipped, run }
  })
}
