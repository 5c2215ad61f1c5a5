import { conflict, isMoulinError, throwIfAborted } from '@moulin/core'
import type { CallOptions, Catalog, LoadedTable, TableGuard, TierResult } from '@moulin/core'
import { planAppend } from '@moulin/iceberg'
import { CommitAttempt } from './commit-attempt.ts'
import type { ReadBack } from './commit-attempt.ts'
import { expiryOf, nameForgotten } from './commit-expiry.ts'
import { CommitLeftovers } from './commit-leftovers.ts'
import { encodeCommit } from './encode-commit.ts'
import type { EncodedCommit, EncodeParts } from './encode-commit.ts'
import type { TierRange } from './encode-shards.ts'
import type { FileLook } from './file-look.ts'
import type { ForgottenCommit } from './forgotten-commit.ts'
import { ForgottenFiles } from './forgotten-files.ts'
import { grow } from './ledger.ts'
import { markerKey, mergeLedger, sha256, writeMarker } from './marker.ts'
import type { Marker } from './marker.ts'
import { isReachable } from './reachable.ts'
import { putStaged } from './staged-commit.ts'
import { summaryKeys } from './system-columns.ts'
import { beforeCommit, keyUnder, putUnnamed } from './table-objects.ts'
import { checkEpoch, markerOn, snapshotIdOf } from './topic-table.ts'
import type { TableState, TopicTable } from './topic-table.ts'

export interface CommitterParts extends EncodeParts {
  readonly catalog: Catalog
  readonly guard: TableGuard
  readonly table: TopicTable
  readonly look: FileLook
  readonly retry: RetryLimits
  readonly ownCommits: Set<string>
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

/** Data files that are stored, with what they were planned against. */
interface Written extends EncodedCommit {
  readonly id: string
  readonly ranges: readonly TierRange[]
  readonly state: TableState
  readonly atMs: number
  attempts: number
  /** Of the attempt that the staged record names. */
  snapshotId: bigint
  /** Name of its ledger where that is an object. */
  ledger?: string | undefined
  /** Which snapshots the attempt forgets; undefined for none. */
  forgets?: ForgottenCommit | undefined
}

/**
 * Moves committed records into the table: plan, staged record, data files, one commit, read back, delete the record.
 * One run at a time. Exactly once rests on the marker, which commits with the data, and on the catalog's compare-and-set.
 */
export class Committer {
  readonly #parts: CommitterParts
  /** A commit that was sent and whose outcome is not known. Nothing else is done before it is. */
  #pending: { readonly attempt: CommitAttempt; readonly written: Written } | undefined
  readonly #leftovers: CommitLeftovers
  /** What commits have left behind of snapshots that they forgot. */
  readonly forgotten: ForgottenFiles

  constructor(parts: CommitterParts) {
    this.#parts = parts
    this.forgotten = new ForgottenFiles(parts)
    this.#leftovers = new CommitLeftovers({ ...parts, markers: parts.table.markers })
  }

  /** Settles what earlier writers of the topic left behind. */
  async attach(state: TableState): Promise<void> {
    await this.#leftovers.attach(state)
    await this.forgotten.attach()
  }

  /** Moves everything below `upTo` that is committed. */
  run(upTo: readonly bigint[], signal: AbortSignal | undefined): Promise<TierResult> {
    return this.#parts.guard.run(this.#parts.table.identifier, () => this.#run(upTo, signal))
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
          await this.#stage(plan, state)
        } catch (error) {
          throw beforeCommit(error)
        }
        if ((await this.#commit(state, plan)) === 'committed') return counted
        await this.#discardWritten(plan)
        if (clock.monotonic() - startMs > this.#parts.retry.retryMs) throw this.#contention(round, 0)
      }
    })
  }

  async #run(upTo: readonly bigint[], signal: AbortSignal | undefined): Promise<TierResult> {
    const { context, table, retry } = this.#parts
    const { clock, timers, random } = context.runtime
    const startMs = clock.monotonic()
    let written: Written | undefined
    let spentBytes = 0
    // A commit of an earlier call whose answer was lost may have moved part of this already.
    if (this.#pending !== undefined) {
      const { written: earlier } = this.#pending
      if ((await this.#settlePending()) === 'lost') written = earlier
    }
    for (let round = 0; ; round++) {
      const state = await this.#loadAsWriter(signal)
      if (written !== undefined && !this.#isReusable(written, state, upTo)) {
        await this.#discardWritten(written)
        written = undefined
      }
      if (written === undefined) {
        const ranges = this.#rangesOf(state, upTo)
        if (ranges.length === 0) return resultOf(state, 0n)
        written = await this.#write(state, ranges, signal)
        spentBytes += written.sizeBytes
      }
      if ((await this.#commit(state, written)) === 'committed') {
        return resultOf(
          table.state,
          written.gains.reduce((sum, { rows }) => sum + rows, 0n),
        )
      }
      if (clock.monotonic() - startMs > retry.retryMs || spentBytes > retry.retryBytes) {
        await this.#discardWritten(written)
        throw this.#contention(round, spentBytes)
      }
      // The first two retries at once; then longer and longer, up to a second, at random.
      if (round >= 2) await timers.sleep(backoffMs(round - 2, random.bytes(1)[0]!), signal)
    }
  }

  #contention(round: number, spentBytes: number): Error {
    const message = `Other writers of table ${this.#parts.info.table} came first ${round + 1} times; tiering tries again later.`
    return conflict('COMMIT_CONTENTION', message, { retryable: true, context: { rounds: round + 1, spentBytes } })
  }

  async #loadAsWriter(signal: AbortSignal | undefined): Promise<TableState> {
    const { table } = this.#parts
    throwIfAborted(signal)
    const state = await table.load(signal === undefined ? {} : { signal })
    checkEpoch(this.#parts, state.marker)
    await table.checkTierable(state, signal === undefined ? {} : { signal })
    return state
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
    const { context, store } = this.#parts
    const { clock, random } = context.runtime
    const id = random.uuid()
    this.#parts.ownCommits.add(id)
    const dataPrefix = keyUnder(store, state.loaded.metadata.location, `data/${id}-`)
    const plan = { id, ranges, state, atMs: clock.monotonic(), attempts: 0, snapshotId: random.int63() }
    try {
      // Encoding goes ahead; the first file waits until the record is there.
      const staged = this.#stage(plan, state)
      const encoded = encodeCommit(this.#parts, state, { id, ranges, dataPrefix, staged }, signal)
      await allDone([staged, encoded])
      return { ...plan, ...(await encoded) }
    } catch (error) {
      await this.#leftovers.discard({ id, prefixes: this.#prefixes(state, id, plan.snapshotId), ledger: undefined })
      throw beforeCommit(error)
    }
  }

  /** The keys of all objects of a commit begin with one of these: data files, manifests, manifest list. */
  #prefixes({ loaded }: TableState, id: string, snapshotId: bigint): string[] {
    const { store } = this.#parts
    const { location } = loaded.metadata
    return [`data/${id}-`, `metadata/${id}-`, `metadata/snap-${snapshotId}-`].map((path) =>
      keyUnder(store, location, path),
    )
  }

  async #stage(plan: Pick<Written, 'id' | 'ranges' | 'snapshotId' | 'ledger'>, state: TableState): Promise<void> {
    const { context, info } = this.#parts
    await putStaged(context.store, {
      commit: plan.id,
      topic: info.id,
      table: info.table,
      tableUuid: state.loaded.metadata['table-uuid'],
      epoch: context.epoch,
      parent: snapshotIdOf(state.loaded),
      objectPrefixes: this.#prefixes(state, plan.id, plan.snapshotId),
      ledger: plan.ledger,
      ranges: plan.ranges,
    })
  }

  /** One attempt. `lost`: it did not happen and never will; the data files are still there. */
  async #commit(state: TableState, written: Written): Promise<'committed' | 'lost'> {
    const { catalog, context, store, table } = this.#parts
    const { clock, random } = context.runtime
    try {
      // The record names the main snapshot that the attempt asserts: that is what proves it dead one day.
      if (written.attempts > 0) {
        written.snapshotId = random.int63()
        written.ledger = undefined
        await this.#stage(written, state)
      }
      const { snapshotId } = written
      const marker = this.#nextMarker(state, written, snapshotId)
      const { text, ...objects } = writeMarker(marker, context.limits.markerBytes)
      // Named by the record before it is there: whatever happens, somebody knows of it.
      written.ledger = objects.ledger?.name
      if (written.ledger !== undefined) await this.#stage(written, state)
      await table.markers.put({ text, ...objects })
      const plan = await planAppend({
        table: state.loaded,
        store,
        files: written.files,
        snapshotId,
        commitId: written.id,
        attempt: written.attempts++,
        summary: this.#summary(written, text),
        properties: { [markerKey(marker.topic)]: text },
        expire: expiryOf(state, this.#leftovers.unsettled, this.#parts),
        nowMs: clock.now(),
        limits: context.limits,
      })
      const objectKeys = plan.objects.map(({ key }) => key)
      const stored = plan.objects.map(({ key, bytes }) => putUnnamed(store, key, bytes, {}))
      const named = nameForgotten(this.#parts, state, written, plan.expiredSnapshotIds)
      await allDone([...stored, named.then((forgets) => (written.forgets = forgets))])
      const attempt = new CommitAttempt({
        catalog,
        runtime: context.runtime,
        limits: context.limits,
        identifier: table.identifier,
        commit: plan.commit,
        commitId: written.id,
        snapshotId,
        parent: snapshotIdOf(state.loaded),
        objectKeys,
        ask: () => table.ask(),
        hasTrace: (loaded) => this.#hasTrace(loaded, written),
      })
      this.#pending = { attempt, written }
      this.forgotten.lists.set(plan.snapshot['manifest-list'], plan.manifests)
    } catch (error) {
      await this.#discardWritten(written)
      throw beforeCommit(error)
    }
    return await this.#settlePending()
  }

  // Expiry may have taken the commit's snapshot before anybody answered. What it wrote must not be removed then.
  async #hasTrace(loaded: LoadedTable, { id, state, snapshotId }: Written): Promise<boolean> {
    const { info, store } = this.#parts
    if (markerOn(loaded, info.id)?.includes(id) === true) return true
    const prefixes = this.#prefixes(state, id, snapshotId)
    return isReachable({ store, metadata: loaded.metadata, prefixes })
  }

  /** Finds out what became of the commit that is under way. @throws with outcome `unknown` when nobody can tell yet. */
  async #settlePending(): Promise<'committed' | 'lost'> {
    const { attempt, written } = this.#pending!
    const { table } = this.#parts
    let outcome: ReadBack | 'lost'
    try {
      outcome = await attempt.settle()
    } catch (error) {
      // Refused for another reason than a lost race: it never happened, and trying again gives the same answer.
      if (isMoulinError(error) && error.outcome === 'rejected') {
        this.#pending = undefined
        await this.#discardWritten(written)
      }
      throw error
    }
    if (outcome === 'lost') {
      this.#pending = undefined
      const { ledger, forgets } = written
      await this.#leftovers.discardAttempt(written.id, {
        keys: attempt.objectKeys,
        ledger,
        forgets: forgets !== undefined,
      })
      return 'lost'
    }
    // Until its ledger was read back too: the next call goes on here, and the record of it is not forgotten.
    const state = await table.accept(outcome.loaded, outcome.asked)
    this.#pending = undefined
    // By our own reader, while the records still are in the write-ahead tier; before the record of the commit goes.
    await this.#parts.look.opened(written.files)
    if (written.forgets !== undefined) this.forgotten.remember(written.forgets)
    await this.#leftovers.committed(written.id, state)
    return 'committed'
  }

  #nextMarker(state: TableState, { id, gains }: Written, snapshot: bigint): Marker {
    const { info, context } = this.#parts
    const byPartition = new Map(gains.map((gain) => [gain.partition, gain]))
    const entries = state.entries.map((entry) => {
      const gain = byPartition.get(entry.partition)
      return gain === undefined ? entry : grow(entry, gain)
    })
    return {
      log: info.logId,
      topic: info.id,
      name: info.name,
      incarnation: info.incarnation,
      epoch: context.epoch,
      leaderEpoch: state.marker.leaderEpoch,
      commit: id,
      snapshot,
      sequence: BigInt(state.loaded.metadata['last-sequence-number']) + 1n,
      ledger: mergeLedger(state.marker, entries),
      fieldIds: state.fieldIds,
    }
  }

  #summary({ id, ledger }: Written, marker: string): Record<string, string> {
    const { info, context } = this.#parts
    return {
      [summaryKeys.log]: info.logId,
      [summaryKeys.topic]: info.id,
      [summaryKeys.commit]: id,
      [summaryKeys.epoch]: context.epoch.toString(),
      [summaryKeys.marker]: sha256(marker),
      ...(ledger === undefined ? {} : { [summaryKeys.ledger]: ledger }),
    }
  }

  #discardWritten({ id, state, snapshotId, ledger }: Written): Promise<void> {
    return this.#leftovers.discard({ id, prefixes: this.#prefixes(state, id, snapshotId), ledger })
  }
}

function resultOf({ loaded, entries }: TableState, rows: bigint): TierResult {
  return { snapshotId: snapshotIdOf(loaded), rows: Number(rows), frontier: entries.map(({ frontier }) => frontier) }
}

// Fails with the first error, but not before all have ended: what is still under way could not be removed.
async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(work)
  await Promise.all(work)
}

function backoffMs(round: number, chance: number): number {
  const most = Math.min(1000, 10 * 2 ** Math.min(round, 10))
  return Math.ceil((most * (128 + chance / 2)) / 256)
}
