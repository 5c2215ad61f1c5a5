import { closed, invalid, isKind, throwIfAborted } from '@moulin/core'
import type { CallOptions, ColdTopic, TierResult } from '@moulin/core'
import { audit } from './audit.ts'
import { coldRead, coldReadAt } from './cold-read.ts'
import type { ColdReadParts } from './cold-read.ts'
import type { Committer } from './committer.ts'
import type { TableState } from './topic-table.ts'
import { unionScan } from './union-scan.ts'

export interface ColdTopicParts extends ColdReadParts {
  /** Undefined for a read-only log. */
  readonly committer: Committer | undefined
}

/**
 * When the marker's snapshot was made. Once it has expired, the earliest later one stands for it: a bound from above, which gives
 * a longer grace, never a shorter one.
 */
function committedAtMs({ loaded, marker }: TableState): number | undefined {
  const { snapshot, sequence } = marker
  if (snapshot === null || sequence === null) return undefined
  const times = (loaded.metadata.snapshots ?? [])
    .filter((kept) => BigInt(kept['sequence-number'] ?? 0) >= sequence)
    .map((kept) => Number(kept['timestamp-ms']))
  return times.length === 0 ? undefined : Math.min(...times)
}

/** One topic's history in its table. */
export function coldTopic(parts: ColdTopicParts): ColdTopic {
  const { table, committer } = parts
  let running: { readonly upTo: readonly bigint[]; readonly result: Promise<TierResult> } | undefined
  let cleaning: Promise<void> | undefined
  let isClosed = false

  const check = (): void => {
    if (isClosed) throw closed('CLOSED', `The cold tier of topic ${parts.info.name} is closed.`)
  }
  const callOf = (signal: AbortSignal | undefined): CallOptions => (signal === undefined ? {} : { signal })

  async function tier(upTo: readonly bigint[], signal: AbortSignal | undefined): Promise<TierResult> {
    check()
    throwIfAborted(signal)
    if (committer === undefined) throw invalid('READ_ONLY', 'A read-only log moves nothing into its tables.')
    // Calls that ask for no more than the one under way share its commit; others follow it, one after the other.
    while (running !== undefined) {
      const { result, upTo: target } = running
      const isCovered = upTo.every((offset, partition) => offset <= target[partition]!)
      try {
        const shared = await result
        if (isCovered) return shared
      } catch (error) {
        // That the other caller gave up is no answer to this one.
        if (isCovered && !isKind(error, 'aborted')) throw error
      }
      throwIfAborted(signal)
      check()
    }
    const result = committer.run(upTo, signal).finally(() => {
      running = undefined
    })
    running = { upTo, result }
    return await result
  }

  return {
    frontier: () => table.state.entries.map(({ frontier }) => frontier),
    committedAtMs: () => committedAtMs(table.state),
    lineage: () => table.state.lineage,
    async refresh(options = {}) {
      check()
      await table.load(options)
    },
    tier: ({ upTo, signal }) => tier(upTo, signal),
    async release(options = {}) {
      check()
      const { entries } = await table.load(options)
      return entries.map(({ frontier }) => frontier)
    },
    async *read({ partition, from, to, signal }) {
      check()
      yield* coldRead(parts, { partition, from, to }, callOf(signal))
    },
    async *readAt(positions, options = {}) {
      check()
      yield* coldReadAt(parts, positions, options)
    },
    scan: (options) => {
      check()
      return unionScan(parts, options)
    },
    async audit(options = {}) {
      check()
      return await audit(parts, await table.load(options), options)
    },
    cleanUpDueMs: () => committer?.forgotten.dueMs(),
    async cleanUp(options = {}) {
      check()
      cleaning ??= committer?.forgotten.cleanUp(options).finally(() => {
        cleaning = undefined
      })
      await cleaning
    },
    async close() {
      isClosed = true
      await running?.result.catch(() => undefined)
      await cleaning?.catch(() => undefined)
    },
  }
}
