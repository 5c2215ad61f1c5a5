import { counterOf, errorType, hasOutcome, histogramOf } from '@moulin/core'
import type { Catalog, ColdContext, ColdTopicInfo, Counter, Histogram, LoadedTable, TableFiles } from '@moulin/core'
import { planAppend, planReplace } from '@moulin/iceberg'
import type { CommitPlan, ReplaceRequest } from '@moulin/iceberg'
import { CommitAttempt } from './commit-attempt.ts'
import type { ReadBack } from './commit-attempt.ts'
import { expiryOf, nameForgotten } from './commit-expiry.ts'
import { CommitLeftovers } from './commit-leftovers.ts'
import type { EncodedCommit } from './encode-commit.ts'
import type { TierRange } from '../encode/encode-shards.ts'
import type { FileLook } from '../look/file-look.ts'
import type { ForgottenCommit } from '../forgotten/forgotten-commit.ts'
import { ForgottenFiles } from '../forgotten/forgotten-files.ts'
import { grow } from '../table/ledger.ts'
import { markerKey, mergeLedger, sha256, writeMarker } from '../table/marker.ts'
import type { Marker } from '../table/marker.ts'
import { isReachable } from './reachable.ts'
import { putStaged } from './staged-commit.ts'
import type { StagedCommit } from './staged-commit.ts'
import type { OwnCommits } from '../table/own-commits.ts'
import { summaryKeys } from '../table/system-columns.ts'
import { allDone, beforeCommit, putUnnamed } from '../table/table-objects.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import { markerOn } from '../table/topic-table.ts'
import type { TableState } from '../table/table-state.ts'
import type { TopicTable } from '../table/topic-table.ts'

export interface CommitSenderParts {
  readonly catalog: Catalog
  readonly tableFiles: TableFiles
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly table: TopicTable
  readonly look: FileLook
  readonly ownCommits: OwnCommits
}

/** Data files that are stored, with what they were planned against. */
export interface Written extends EncodedCommit {
  readonly id: string
  readonly ranges: readonly TierRange[]
  readonly state: TableState
  readonly atMs: number
  /** The files that these take the place of; undefined: of none. */
  readonly replaces?: Pick<ReplaceRequest, 'removed' | 'sequenceNumber'>
  attempts: number
  /** The time that its snapshot is to bear; undefined: that of the attempt. */
  asOfMs?: number | undefined
  /** Of the attempt that the staged record names. */
  snapshotId: bigint
  /** Name of its ledger where that is an object. */
  ledger?: string | undefined
  /** Which snapshots the attempt forgets; undefined for none. */
  forgets?: ForgottenCommit | undefined
}

/**
 * How much earlier than its commit a snapshot may say that it is: as much as Iceberg lets the clocks of a table's writers differ, so that
 * nobody who goes by the times of snapshots is misled by more than he is anyway.
 */
const EARLIER_MS = 60_000

type StagedPlan = Pick<Written, 'id' | 'ranges' | 'snapshotId' | 'ledger'>
type SendOutcome = 'committed' | 'lost' | 'stranded'

/**
 * Sends commits, one after the other: staged record, marker, metadata, one commit, read back, delete the record. What one
 * leaves behind is found and removed by it, too.
 */
export class CommitSender {
  readonly #parts: CommitSenderParts
  /** A commit that was sent and whose outcome is not known. Nothing else is done before it is. */
  #pending: { readonly attempt: CommitAttempt; readonly written: Written; readonly state: TableState } | undefined
  readonly #leftovers: CommitLeftovers
  readonly #durations: Histogram
  readonly #conflicts: Counter
  /** What commits have left behind of snapshots that they forgot. */
  readonly forgotten: ForgottenFiles

  constructor(parts: CommitSenderParts) {
    const { meter } = parts.context.runtime
    this.#parts = parts
    this.#durations = histogramOf(meter, 'moulin.commit.duration')
    this.#conflicts = counterOf(meter, 'moulin.commit.conflicts')
    this.forgotten = new ForgottenFiles(parts)
    this.#leftovers = new CommitLeftovers({ ...parts, markers: parts.table.markers })
  }

  /** Settles what earlier writers of the topic left behind. */
  async attach(state: TableState): Promise<void> {
    await this.#leftovers.attach(state)
    await this.forgotten.attach()
  }

  /** Finds out what became of a commit of an earlier call whose answer was lost; undefined: there is none. */
  async settleEarlier(): Promise<{ readonly outcome: SendOutcome; readonly written: Written } | undefined> {
    if (this.#pending === undefined) return undefined
    const { written } = this.#pending
    return { outcome: await this.#settlePending(), written }
  }

  /** The locations of all objects of a commit begin with one of these: data files, manifests, manifest list. */
  #prefixes({ loaded }: TableState, id: string, snapshotId: bigint): string[] {
    const { tableFiles } = this.#parts
    const { location } = loaded.metadata
    return [`data/${id}-`, `metadata/${id}-`, `metadata/snap-${snapshotId}-`].map((path) =>
      tableFiles.under(location, path),
    )
  }

  /** Names the objects of a commit before any of them is there. */
  async stage(plan: StagedPlan, state: TableState): Promise<void> {
    await putStaged(this.#parts.context.store, this.#recordOf(plan, state))
  }

  #recordOf(plan: StagedPlan, state: TableState): StagedCommit {
    const { context, info } = this.#parts
    return {
      commit: plan.id,
      topic: info.id,
      table: info.table,
      tableUuid: state.loaded.metadata['table-uuid'],
      epoch: context.epoch,
      parent: snapshotIdOf(state.loaded),
      objectPrefixes: this.#prefixes(state, plan.id, plan.snapshotId),
      ledger: plan.ledger,
      ranges: plan.ranges,
    }
  }

  /**
   * One attempt. `lost`: it did not happen and never will; the data files are still there. `stranded`: it did not happen, and will not once
   * another commit has; nothing of it may be used again, or removed.
   * @throws with outcome `unknown` when nobody can tell yet: {@link settleEarlier} goes on with it.
   */
  async send(state: TableState, written: Written): Promise<SendOutcome> {
    const { clock } = this.#parts.context.runtime
    const topic = { 'messaging.destination.name': this.#parts.info.name }
    const beganMs = clock.monotonic()
    const took = (outcome: string, more = {}): void =>
      this.#durations.record((clock.monotonic() - beganMs) / 1000, {
        ...topic,
        'moulin.commit.outcome': outcome,
        ...more,
      })
    try {
      const outcome = await this.#send(state, written)
      took(outcome)
      if (outcome !== 'committed') this.#conflicts.add(1, topic)
      return outcome
    } catch (error) {
      took('failed', { 'error.type': errorType(error) })
      throw error
    }
  }

  async #send(state: TableState, written: Written): Promise<SendOutcome> {
    const { catalog, context, table, tableFiles } = this.#parts
    const { random } = context.runtime
    try {
      // The record names the main snapshot that the attempt asserts: that is what proves it dead one day.
      if (written.attempts > 0) {
        written.snapshotId = random.int63()
        written.ledger = undefined
        await this.stage(written, state)
        // A newer writer may have found the record of the lost attempt, and deleted what it names. This one it leaves alone.
        await context.checkFence()
      }
      const { snapshotId } = written
      const marker = this.#nextMarker(state, written, snapshotId)
      const { text, ...objects } = writeMarker(marker, context.limits.markerBytes)
      // Named by the record before it is there: whatever happens, somebody knows of it.
      written.ledger = objects.ledger?.name
      if (written.ledger !== undefined) await this.stage(written, state)
      await table.markers.put({ text, ...objects })
      const plan = await this.#plan(state, written, { [markerKey(marker.topic)]: text })
      const stored = plan.objects.map(({ location, bytes }) => putUnnamed(tableFiles, location, bytes, {}))
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
        planned: state.loaded,
        objects: plan.objects.map(({ location }) => location),
        ask: () => table.ask(),
        hasTrace: (loaded) => this.#hasTrace(loaded, written),
      })
      if (written.replaces !== undefined) await context.renewGrace?.()
      this.#pending = { attempt, written, state }
      this.forgotten.lists.set(plan.snapshot['manifest-list'], plan.manifests)
    } catch (error) {
      await this.discard(written)
      throw beforeCommit(error)
    }
    return await this.#settlePending()
  }

  #plan(state: TableState, written: Written, properties: Readonly<Record<string, string>>): Promise<CommitPlan> {
    const { context, info, tableFiles } = this.#parts
    const nowMs = Math.floor(context.runtime.clock.now())
    const snapshotMs = Math.floor(Math.max(nowMs - EARLIER_MS, Math.min(nowMs, written.asOfMs ?? nowMs)))
    const request = {
      table: state.loaded,
      tableFiles,
      snapshotId: written.snapshotId,
      commitId: written.id,
      attempt: written.attempts++,
      summary: {
        ...this.#summary(written, properties[markerKey(info.id)]!),
        ...(snapshotMs < nowMs ? { [summaryKeys.committed]: String(nowMs) } : {}),
      },
      properties,
      expire: expiryOf(state, this.#leftovers.unsettled, this.#parts),
      nowMs,
      snapshotMs,
      limits: context.limits,
    }
    const { files, replaces } = written
    return replaces === undefined
      ? planAppend({ ...request, files })
      : planReplace({ ...request, ...replaces, added: files })
  }

  // Expiry may have taken the commit's snapshot before anybody answered. What it wrote must not be removed then.
  async #hasTrace(loaded: LoadedTable, { id, state, snapshotId }: Written): Promise<boolean> {
    const { info, tableFiles } = this.#parts
    if (markerOn(loaded, info.id)?.includes(id) === true) return true
    const prefixes = this.#prefixes(state, id, snapshotId)
    return isReachable({ tableFiles, metadata: loaded.metadata, prefixes })
  }

  /** Finds out what became of the commit that is under way. @throws with outcome `unknown` when nobody can tell yet. */
  async #settlePending(): Promise<SendOutcome> {
    const { attempt, written, state: planned } = this.#pending!
    const { table } = this.#parts
    let outcome: ReadBack | 'lost' | 'stranded'
    try {
      outcome = await attempt.settle()
    } catch (error) {
      // Refused for another reason than a lost race: it never happened, and trying again gives the same answer.
      if (hasOutcome(error, 'rejected')) {
        this.#pending = undefined
        await this.discard(written)
      }
      throw error
    }
    if (outcome === 'stranded') {
      this.#pending = undefined
      this.#leftovers.leave(this.#recordOf(written, planned))
      return 'stranded'
    }
    if (outcome === 'lost') {
      this.#pending = undefined
      const { ledger, forgets } = written
      await this.#leftovers.discardAttempt(written.id, {
        objects: attempt.objects,
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

  /** Removes what was stored for a commit that never happened. */
  discard({ id, state, snapshotId, ledger }: Pick<Written, 'id' | 'state' | 'snapshotId' | 'ledger'>): Promise<void> {
    this.#parts.ownCommits.delete(id)
    return this.#leftovers.discard({ id, prefixes: this.#prefixes(state, id, snapshotId), ledger })
  }
}
