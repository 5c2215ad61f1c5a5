import { hasOutcome, isKind, sameInt64, tableText, unavailable } from '@moulin/core'
import type {
  Catalog,
  Int64,
  Limits,
  LoadedTable,
  MoulinError,
  Runtime,
  TableCommit,
  TableIdentifier,
} from '@moulin/core'
import { currentSnapshot } from '@moulin/iceberg'
import { summaryKeys } from '../table/system-columns.ts'
import type { Asked } from '../table/topic-table.ts'

export interface CommitAttemptParts {
  readonly catalog: Catalog
  readonly runtime: Runtime
  readonly limits: Limits
  readonly identifier: TableIdentifier
  readonly commit: TableCommit
  readonly commitId: string
  readonly snapshotId: bigint
  /** What it was planned on: the commit asserts the main snapshot of it. */
  readonly planned: LoadedTable
  /** Locations of the manifests and the manifest list of this attempt alone. */
  readonly objects: readonly string[]
  /** Called before each look at the table; comes with what the look found. */
  ask(): Asked
  /** Whether a table without the commit's snapshot still shows that the commit happened. */
  hasTrace(table: LoadedTable): Promise<boolean>
}

/** A table that has the commit. */
export interface ReadBack {
  readonly loaded: LoadedTable
  readonly asked: Asked
}

/** How long one call looks for the outcome of its commit before it says that nobody knows. */
const SETTLE_MS = 30_000

/**
 * One commit on its way through a catalog that may lose answers. After an unknown outcome nothing is cleaned up and
 * nothing re-planned until the table has been read back and searched for the commit:
 *
 * 1. the table has it, or has had it, and its snapshot has expired since: committed;
 * 2. main has moved, or numbers that its snapshot takes are taken: it can never land any more: lost;
 * 3. main is where the commit expects it: it may still be on its way. The very same commit is sent again: whichever of
 *    the two arrives first moves main, and with that the other one fails;
 * 4. main is there, and the commit is refused by now, for what others have done without moving main (a column, a spec, a tag): stranded.
 *    What they did they may undo, so it may land yet, until main moves: the next commit, planned anew, sees to that.
 */
export class CommitAttempt {
  readonly #parts: CommitAttemptParts
  #isSent = false
  /** It was refused when it was sent again. */
  #isRefused = false

  constructor(parts: CommitAttemptParts) {
    this.#parts = parts
  }

  get objects(): readonly string[] {
    return this.#parts.objects
  }

  /**
   * Sends the commit, or, if that was done before, goes on finding out. A table means: committed, and read back as this. Nothing that a
   * stranded one has stored may go before main has moved.
   * @throws outcome `rejected`: refused for good. Outcome `unknown`: call again later.
   */
  async settle(): Promise<ReadBack | 'lost' | 'stranded'> {
    const { clock, timers } = this.#parts.runtime
    if (!this.#isSent) {
      this.#isSent = true
      try {
        await this.#send()
      } catch (error) {
        // Rejected, and nobody else carries this commit yet: it never happened.
        if (hasOutcome(error, 'rejected')) {
          if (error.kind === 'conflict' || (await this.#isOutdated(error))) return 'lost'
          throw error
        }
      }
    }
    const startMs = clock.monotonic()
    for (let round = 0; ; round++) {
      let failure: unknown
      try {
        const found = await this.#search()
        if (found !== 'absent') return found
        if (this.#isRefused) return 'stranded'
        await this.#send()
        const seen = await this.#search()
        if (seen !== 'absent') return seen
      } catch (error) {
        failure = error
        if (hasOutcome(error, 'rejected') && (error.kind === 'invalid' || error.kind === 'conflict'))
          this.#isRefused = true
      }
      if (clock.monotonic() - startMs > SETTLE_MS) throw this.#unknown(failure)
      if (round > 0) await timers.sleep(Math.min(1000, 10 * 2 ** Math.min(round, 10)))
    }
  }

  async #send(): Promise<void> {
    const { catalog, identifier, commit, commitId, limits, snapshotId } = this.#parts
    // Another attempt of the same records is another change.
    await catalog.commitTable(identifier, commit, { limits, changeId: `${commitId}-${snapshotId}` })
  }

  async #search(): Promise<ReadBack | 'lost' | 'absent'> {
    const { catalog, hasTrace, identifier, planned } = this.#parts
    const asked = this.#parts.ask()
    let table: LoadedTable
    try {
      table = await catalog.loadTable(identifier)
    } catch (error) {
      // A dropped table takes no commit. What that means for the history is told by the next load.
      if (isKind(error, 'not-found')) return 'lost'
      throw error
    }
    if (this.#isIn(table)) return { loaded: table, asked }
    if (sameInt64(mainOf(table), mainOf(planned)) && !this.#isOvertaken(table)) return 'absent'
    return (await hasTrace(table)) ? { loaded: table, asked } : 'lost'
  }

  /**
   * Whether a commit that is wrong for the table by now was right for the one that it was planned on. What others do without moving main
   * (a snapshot aside, a tag, another format version) fails no requirement of it, and is a race that it lost all the same.
   */
  async #isOutdated(error: MoulinError): Promise<boolean> {
    if (error.kind !== 'invalid') return false
    const { catalog, identifier, planned } = this.#parts
    try {
      return (await catalog.loadTable(identifier)).metadataLocation !== planned.metadataLocation
    } catch {
      // Nobody can tell; but it never happened, and the next one is planned on what can be loaded.
      return true
    }
  }

  /** Sequence numbers and row ids are taken once. Only of a table's first snapshot do all catalogs not ask it. */
  #isOvertaken({ metadata }: LoadedTable): boolean {
    const { commit, planned } = this.#parts
    const snapshot = commit.updates.find((update) => update.action === 'add-snapshot')?.snapshot
    if (snapshot === undefined || mainOf(planned) === null) return false
    if (BigInt(snapshot['sequence-number']) <= BigInt(metadata['last-sequence-number'])) return true
    const { 'next-row-id': next } = metadata
    const first = snapshot['first-row-id']
    return next !== undefined && (first === undefined || BigInt(first) < BigInt(next))
  }

  #isIn({ metadata }: LoadedTable): boolean {
    const { commitId, snapshotId } = this.#parts
    return (metadata.snapshots ?? []).some(
      (snapshot) => sameInt64(snapshot['snapshot-id'], snapshotId) && snapshot.summary[summaryKeys.commit] === commitId,
    )
  }

  #unknown(cause: unknown): Error {
    const { commitId, identifier } = this.#parts
    const name = tableText(identifier)
    const message =
      `Whether commit ${commitId} of table ${name} happened is not known: the table cannot be read back. ` +
      'The next call finds out before it does anything else.'
    return unavailable('COMMIT_UNKNOWN', message, { outcome: 'unknown', context: { commit: commitId }, cause })
  }
}

function mainOf({ metadata }: LoadedTable): Int64 | null {
  return currentSnapshot(metadata)?.['snapshot-id'] ?? null
}
