import { checkOptions, option } from '@moulin/core'
import type { OptionTable } from '@moulin/core'
import { tableFilesChecks } from './table-files-checks.ts'
import type { TableFilesPlace } from './table-files-checks.ts'
import { declareCases } from './test-runner.ts'
import type { ConformanceCase, TestRunner } from './test-runner.ts'
import { within } from './within.ts'

export interface TableFilesConformanceConfig {
  /** Default: `TableFiles`. */
  readonly name?: string
  /** The files of a table that has none, anew for every check. */
  create(): TableFilesPlace | Promise<TableFilesPlace>
  /** Of one check. Default 60 000. */
  readonly timeoutMs?: number
}

const optionTable: OptionTable<TableFilesConformanceConfig> = {
  name: option.text,
  create: option.required(option.callback),
  timeoutMs: option.integer('ms', 1),
}

const DEFAULT_TIMEOUT_MS = 60_000

/** Declares one test per promise of core's `TableFiles`. */
export function tableFilesConformance(runner: TestRunner, config: TableFilesConformanceConfig): void {
  checkOptions('tableFilesConformance', config, optionTable)
  const { name = 'TableFiles', timeoutMs = DEFAULT_TIMEOUT_MS } = config
  declareCases(runner, name, tableFilesConformanceChecks(config), timeoutMs)
}

/** The same as data, for a runner of another shape. */
export function tableFilesConformanceChecks(config: TableFilesConformanceConfig): readonly ConformanceCase[] {
  checkOptions('tableFilesConformanceChecks', config, optionTable)
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = config
  return tableFilesChecks.map(({ name, run }) => ({
    name,
    run: async () => within(timeoutMs, run(await within(timeoutMs, config.create()))),
  }))
}
