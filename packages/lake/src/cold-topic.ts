import { closed, invalid, SharedWork, throwIfAborted, waitFor } from '@moulin/core'
import type { CallOptions, ColdTopic, TierResult } from '@moulin/core'
import { audit } from './audit/audit.ts'
import { isVanished } from './live/data-files.ts'
import { coldRead, coldReadAt } from './replay/cold-read.ts'
import type { ColdReadParts } from './replay/cold-read.ts'
import { coldOffsetSince } from './replay/timestamp-seek.ts'
import { releasable } from './look/held-records.ts'
import { vanished } from './look/vanished.ts'
import type { Committer } from './commit/committer.ts'
import { lacksSchema, schemaMissing } from './table/table-layout.ts'
import { summaryKeys } from './table/system-columns.ts'
import { snapshotIdOf } from './table/table-state.ts'
import type { TableState } from './table/table-state.ts'
import { unionScan } from './scan/union-scan.ts'

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
    .map(({ 'timestamp-ms': time, summary }) => Math.max(Number(time), Number(summary[summaryKeys.committed]) || 0))
  return times.length === 0 ? undefined : Math.min(...times)
}

/** What became of the work: whoever gave it up, as the last one, hears of a commit that had been sent by then. */
async function ended<T>(work: SharedWork<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await work.wait(signal)
  } catch (error) {
    if (!work.isAbandoned) throw error
    return await work.done
  }
}

/** Work that is done once at a time: calls that are made meanwhile share it. */
function oneAtATime<T>(work: (signal: AbortSignal) => Promise<T>): {
  run(signal: AbortSignal | undefined): Promise<T>
  ended(): Promise<void>
} {
  let running: SharedWork<T> | undefined
  const ended = async (): Promise<void> => {
    await running?.done.catch(() => undefined)
  }
  return {
    async run(signal) {
      while (running?.isAbandoned === true) await waitFor(ended(), signal)
      running ??= new SharedWork((shared) =>
        work(shared).finally(() => {
          running = undefined
        }),
      )
      return await running.wait(signal)
    },
    ended,
  }
}

/** One topic's history in its table. */
export function coldTopic(parts: ColdTopicParts): ColdTopic {
  const { table, committer } = parts
  let running: { readonly upTo: readonly bigint[]; readonly work: SharedWork<TierResult> } | undefined
  let isClosed = false

  const check = (): void => {
    if (isClosed) throw closed('CLOSED', `The cold tier of topic ${parts.info.name} is closed.`)
  }
  const callOf = (signal: AbortSignal | undefined): CallOptions => (signal === undefined ? {} : { signal })

  async function tier({ upTo, signal, asOfMs }: Parameters<ColdTopic['tier']>[0]): Promise<TierResult> {
    check()
    throwIfAborted(signal)
    if (committer === undefined) throw invalid('READ_ONLY', 'A read-only log moves nothing into its tables.')
    if (lacksSchema(parts.info)) throw schemaMissing(parts.info)
    // Calls that ask for no more than the one under way share its commit; others follow it, one after the other.
    while (running !== undefined) {
      const { work, upTo: target } = running
      const isCovered = upTo.every((offset, partition) => offset <= target[partition]!)
      if (isCovered && !work.isAbandoned) return await ended(work, signal)
      await waitFor(
        work.done.catch(() => undefined),
        signal,
      )
      check()
    }
    const work = new SharedWork((shared) =>
      committer.run(upTo, shared, asOfMs).finally(() => {
        running = undefined
      }),
    )
    running = { upTo, work }
    return await ended(work, signal)
  }

  const cleanUps = oneAtATime(async (signal) => committer?.forgotten.cleanUp({ signal }))
  const repairs = oneAtATime(async (signal) => (await committer?.repair({ signal })) ?? false)

  return {
    frontier: () => table.state.entries.map(({ frontier }) => frontier),
    snapshotId: () => snapshotIdOf(table.state.loaded),
    committedAtMs: () => committedAtMs(table.state),
    lineage: () => table.state.lineage,
    async refresh(options = {}) {
      check()
      await table.load(options)
    },
    tier,
    async releasable({ upTo, signal }) {
      check()
      const call = callOf(signal)
      return await releasable(parts, await parts.look.below(upTo, call), call)
    },
    missingFiles: () => [...table.missing.keys()],
    async *read({ partition, from, to, signal }) {
      check()
      yield* parts.reads.counted((tally) => coldRead({ ...parts, tally }, { partition, from, to }, callOf(signal)))
    },
    async *readAt(positions, options = {}) {
      check()
      yield* parts.reads.counted((tally) => coldReadAt({ ...parts, tally }, positions, options))
    },
    async offsetSince({ signal, ...seek }) {
      check()
      return await coldOffsetSince(parts, seek, callOf(signal))
    },
    scan: (options) => {
      check()
      return unionScan(parts, options)
    },
    async audit(options = {}) {
      check()
      const call = callOf(options.signal)
      const state = await table.load(call)
      try {
        return await audit(parts, state, options)
      } catch (error) {
        throw isVanished(error) ? await vanished(parts, state, error, call) : error
      }
    },
    cleanUpDueMs: () => committer?.forgotten.dueMs(),
    async cleanUp(options = {}) {
      check()
      await cleanUps.run(options.signal)
    },
    repairDueMs: () => (lacksSchema(parts.info) ? undefined : committer?.repairDueMs()),
    async repair(options = {}) {
      check()
      if (lacksSchema(parts.info)) throw schemaMissing(parts.info)
      return await repairs.run(options.signal)
    },
    async close() {
      isClosed = true
      await running?.work.done.catch(() => undefined)
      await cleanUps.ended()
      await repairs.ended()
    },
  }
}
