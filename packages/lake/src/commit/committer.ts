import { conflict, isKind, throwIfAborted } from '@moulin/core'
import type { CallOptions, TableGuard, TierResult } from '@moulin/core'
import { CommitSender } from './commit-sender.ts'
import { Repairs } from './repairs.ts'
import type { RepairParts } from './repairs.ts'
import type { Written } from './commit-sender.ts'
import { encodeCommit } from './encode-commit.ts'
import type { TierRange } from '../encode/encode-shards.ts'
import type { ForgottenFiles } from '../forgotten/forgotten-files.ts'
import { allDone, beforeCommit } from '../table/table-objects.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import { checkEpoch } from '../table/topic-table.ts'
import type { TableState } from '../table/table-state.ts'

export interface CommitterParts extends RepairParts {
  readonly guard: TableGuard
  readonly retry: RetryLimits
}

/** Retries are bounded by time and bytes, never by count. */
export interface RetryLimits {
  /** From the first attempt of a call to the start of its last. */
  readonly retryMs: number
  /** Data file bytes that one call may encode again after lost races. */
  readonly retryBytes: number
  /** Data files older than this are not committed any more: orphan removal may think them dead. */
  readonly reuseMs: number
}

/**
 * Moves committed records into the table: plan, staged record, data files, one commit, read back, delete the record.
 * One run at a time. Exactly once rests on the marker, which commits with the data, and on the catalog's compare-and-set.
 */
export class Committer {
  readonly #parts: CommitterParts
  readonly #sender: CommitSender
  readonly #repairs: Repairs
  /** A commit that lost its race: its files are committed by the next attempt, of whichever call, or discarded. */
  #lost: Written | undefined

  constructor(parts: CommitterParts) {
    this.#parts = parts
    this.#sender = new CommitSender(parts)
    this.#repairs = new Repairs(parts, this.#sender)
  }

  /** What commits have left behind of snapshots that they forgot. */
  get forgotten(): ForgottenFiles {
    return this.#sender.forgotten
  }

  /** Settles what earlier writers of the topic left behind. */
  attach(state: TableState): Promise<void> {
    return this.#sender.attach(state)
  }

  /** Moves everything below `upTo` that is committed. `asOfMs`: see `TierOptions`. */
  run(upTo: readonly bigint[], signal: AbortSignal | undefined, asOfMs?: number): Promise<TierResult> {
    return this.#parts.guard.run(this.#parts.table.identifier, () => this.#run(upTo, signal, asOfMs))
  }

  /**
   * Commits the marker that goes with what was counted, in a snapshot of ours without files: that vouches for the marker, and
   * moves main, so that no commit which is still under way can land behind it.
   */
  adopt<T extends { readonly state: TableState }>(count: () => Promise<T>, { signal }: CallOptions): Promise<T> {
    return this.#parts.guard.run(this.#parts.table.identifier, async () => {
      const { clock, random } = this.#parts.context.runtime
      const startMs = clock.monotonic()
      for (let round = 0; ; round++) {
        const counted = await count()
        // It may have waited for other work on the table.
        throwIfAborted(signal)
        const { state } = counted
        const nothing = { ranges: [], files: [], gains: [], sizeBytes: 0, attempts: 0 }
        const plan = { ...nothing, id: random.uuid(), state, atMs: clock.monotonic(), snapshotId: random.int63() }
        this.#parts.ownCommits.add(plan.id)
        try {
          await this.#sender.stage(plan, state)
        } catch (error) {
          throw beforeCommit(error)
        }
        const outcome = await this.#sender.send(state, plan)
        if (outcome === 'committed') return counted
        if (outcome === 'lost') await this.#sender.discard(plan)
        if (clock.monotonic() - startMs > this.#parts.retry.retryMs) throw this.#contention(round, 0)
      }
    })
  }

  async #run(
    upTo: readonly bigint[],
    signal: AbortSignal | undefined,
    asOfMs: number | undefined,
  ): Promise<TierResult> {
    const { context, table, retry } = this.#parts
    const { clock, timers, random } = context.runtime
    const startMs = clock.monotonic()
    let spentBytes = 0
    await this.#settleEarlier()
    for (let round = 0; ; round++) {
      const state = await this.#loadAsWriter(signal)
      if (this.#lost !== undefined && !this.#isReusable(this.#lost, state, upTo)) await this.#discardLost()
      let written = this.#lost
      if (written === undefined) {
        const ranges = this.#rangesOf(state, upTo)
        if (ranges.length === 0) return resultOf(state, 0n)
        written = await this.#write(state, ranges, signal)
        spentBytes += written.sizeBytes
      }
      // What becomes of it is the sender's to see to, unless it loses again.
      this.#lost = undefined
      // What was encoded for an earlier call lacks what was sent since.
      const isWhole = this.#rangesOf(state, upTo).every(({ partition, to }) =>
        written.ranges.some((range) => range.partition === partition && range.to === to),
      )
      written.asOfMs = isWhole ? asOfMs : undefined
      const outcome = await this.#sender.send(state, written)
      if (outcome === 'committed') {
        return resultOf(
          table.state,
          written.gains.reduce((sum, { rows }) => sum + rows, 0n),
        )
      }
      this.#lost = outcome === 'lost' ? written : undefined
      if (clock.monotonic() - startMs > retry.retryMs || spentBytes > retry.retryBytes) {
        if (this.#lost !== undefined) await this.#discardLost()
        throw this.#contention(round, spentBytes)
      }
      // The first two retries at once; then longer and longer, up to a second, at random.
      if (round >= 2) await timers.sleep(backoffMs(round - 2, random.bytes(1)[0]!), signal)
    }
  }

  /** A commit of an earlier call whose answer was lost may have done part of the work already. */
  async #settleEarlier(): Promise<void> {
    const earlier = await this.#sender.settleEarlier()
    if (earlier === undefined) return
    const { outcome, written } = earlier
    const isRepair = written.replaces !== undefined
    if (outcome === 'committed') {
      if (isRepair) await this.#repairs.cameLate()
      return
    }
    if (outcome === 'stranded') return
    // A repair begins with a new look.
    if (isRepair) await this.#sender.discard(written)
    else this.#lost = written
  }

  /** When files that have vanished are to be put back: wall time; undefined where none have. */
  repairDueMs(): number | undefined {
    return this.#repairs.dueMs()
  }

  /** Puts back out of the write-ahead tier what files of ours had that are not there any more. True: some, since it last said so. */
  repair(call: CallOptions): Promise<boolean> {
    return this.#parts.guard.run(this.#parts.table.identifier, async () => {
      await this.#settleEarlier()
      return await this.#repairs.run(() => this.#loadAsWriter(call.signal), call)
    })
  }

  async #discardLost(): Promise<void> {
    const written = this.#lost!
    this.#lost = undefined
    await this.#sender.discard(written)
  }

  #contention(round: number, spentBytes: number): Error {
    const message = `Other writers of table ${this.#parts.info.table} came first ${round + 1} times; tiering tries again later.`
    return conflict('COMMIT_CONTENTION', message, { retryable: true, context: { rounds: round + 1, spentBytes } })
  }

  async #loadAsWriter(signal: AbortSignal | undefined): Promise<TableState> {
    const { table } = this.#parts
    try {
      throwIfAborted(signal)
      const state = await table.load(signal === undefined ? {} : { signal })
      checkEpoch(this.#parts, state.marker)
      await table.checkTierable(state, signal === undefined ? {} : { signal })
      return state
    } catch (error) {
      // No call of this writer's gets as far as this again.
      if (isKind(error, 'fenced') && this.#lost !== undefined) await this.#discardLost()
      throw error
    }
  }

  #rangesOf(state: TableState, upTo: readonly bigint[]): TierRange[] {
    const committed = this.#parts.context.hot.committedOffsets()
    return state.entries.flatMap(({ partition, frontier: from }) => {
      const wanted = upTo[partition] ?? from
      const to = wanted < committed[partition]! ? wanted : committed[partition]!
      return to > from ? [{ partition, from, to }] : []
    })
  }

  /** Files may be committed on another table state only where that changes nothing of what they mean. */
  #isReusable(written: Written, state: TableState, upTo: readonly bigint[]): boolean {
    const { context, retry } = this.#parts
    const isOurs = state.marker.epoch === context.epoch || state.marker.commit === written.state.marker.commit
    const isYoung = context.runtime.clock.monotonic() - written.atMs < retry.reuseMs
    const planned = written.state.loaded.metadata
    const { metadata } = state.loaded
    return (
      isOurs &&
      isYoung &&
      metadata['table-uuid'] === planned['table-uuid'] &&
      metadata['current-schema-id'] === planned['current-schema-id'] &&
      metadata['default-spec-id'] === planned['default-spec-id'] &&
      state.entries.every(({ frontier }, partition) => frontier === written.state.entries[partition]!.frontier) &&
      written.ranges.every(({ partition, to }) => to <= (upTo[partition] ?? 0n))
    )
  }

  async #write(state: TableState, ranges: readonly TierRange[], signal: AbortSignal | undefined): Promise<Written> {
    const { context, tableFiles } = this.#parts
    const { clock, random } = context.runtime
    const id = random.uuid()
    this.#parts.ownCommits.add(id)
    const dataPrefix = tableFiles.under(state.loaded.metadata.location, `data/${id}-`)
    const plan = { id, ranges, state, atMs: clock.monotonic(), attempts: 0, snapshotId: random.int63() }
    try {
      // Encoding goes ahead; the first file waits until the record is there.
      const staged = this.#sender.stage(plan, state)
      const encoded = encodeCommit(this.#parts, state, { id, ranges, dataPrefix, staged }, signal)
      await allDone([staged, encoded])
      return { ...plan, ...(await encoded) }
    } catch (error) {
      await this.#sender.discard({ ...plan, ledger: undefined })
      throw beforeCommit(error)
    }
  }
}

function resultOf({ loaded, entries }: TableState, rows: bigint): TierResult {
  return { snapshotId: snapshotIdOf(loaded), rows: Number(rows), frontier: entries.map(({ frontier }) => frontier) }
}

function backoffMs(round: number, chance: number): number {
  const most = Math.min(1000, 10 * 2 ** Math.min(round, 10))
  return Math.ceil((most * (128 + chance / 2)) / 256)
}
