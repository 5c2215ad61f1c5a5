import { checkOptions, closed, option, tableIdentifier } from '@moulin/core'
import type { ColdTier, ColdTopic, OptionTable } from '@moulin/core'
import { adoptMemoryTable } from './memory-adoption.ts'
import { MemoryHistory } from './memory-history.ts'
import { memoryScan } from './memory-rows.ts'
import { judgeMemoryTable } from './memory-verdict.ts'
import { MemoryTopic } from './memory-topic.ts'

export interface MemoryTierOptions {
  /** Default: a new one, that ends with the tier. The tiers of several processes in turn, or beside each other, share one. */
  readonly history?: MemoryHistory
}

/** A cold tier, and what it writes to. */
export interface MemoryTier extends ColdTier {
  readonly history: MemoryHistory
}

const optionTable: OptionTable<MemoryTierOptions> = { history: option.door('a MemoryHistory', ['load', 'commit']) }

/**
 * A cold tier that is as unlike a table as the door allows: record batches in arrays, as they came, with a frontier, a ledger and an audit
 * of its own; no file, no catalog, no store, no columns, and nothing of ours but core. Calls of `tier` come one after the other and share nothing. It keeps every
 * promise of {@link ColdTier} but one that it says it lacks: Arrow output is `unsupported` by name.
 */
export function memoryTier(options: MemoryTierOptions = {}): MemoryTier {
  checkOptions('memoryTier', options, optionTable)
  const history = options.history ?? new MemoryHistory()
  const topics = new Set<ColdTopic>()
  const writer = {}
  let isClosed = false
  const check = (): void => {
    if (isClosed) throw closed('CLOSED', 'The cold tier is closed.')
  }
  return {
    name: 'memoryTier',
    history,
    async plan({ table }) {
      tableIdentifier(table)
    },
    async attach(info, context) {
      check()
      tableIdentifier(info.table)
      const topic = await MemoryTopic.attach({ history, info, context, writer })
      topics.add(topic)
      return topic
    },
    async adopt(info, context, request) {
      check()
      return adoptMemoryTable({ history, info, context, writer }, request)
    },
    async judge(info, context, options = {}) {
      check()
      tableIdentifier(info.table)
      return judgeMemoryTable({ history, info, context, writer }, options)
    },
    scanHot: (info, context, scan) =>
      memoryScan(
        { info, context, runs: () => MemoryTopic.hotRuns({ history, info, context, writer }, scan.signal) },
        scan,
      ),
    async close() {
      isClosed = true
      await Promise.all([...topics].map((topic) => topic.close()))
      topics.clear()
    },
  }
}
