import { isKind } from '@moulin/core'
import type { ColdContext, ColdTopicInfo, TableFiles } from '@moulin/core'
import { deleteForgotten } from '../forgotten/forgotten-commit.ts'
import type { MarkerStore } from '../table/marker-store.ts'
import { isReachable } from './reachable.ts'
import { deleteStaged, listStaged, stagedElsewhere } from './staged-commit.ts'
import type { StagedCommit } from './staged-commit.ts'
import { summaryKeys } from '../table/system-columns.ts'
import { canonicalIn, discardObjects, folderOf } from '../table/table-objects.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import type { TableState } from '../table/table-state.ts'

export interface LeftoverParts {
  readonly tableFiles: TableFiles
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly markers: MarkerStore
}

/** What may be there of a commit that did not happen. */
export interface Leftover {
  readonly id: string
  /** Of locations. */
  readonly prefixes: readonly string[]
  /** Name of its ledger, where that is an object. */
  readonly ledger: string | undefined
}

const COLLECT_MS = 3_600_000
/** Objects of lost attempts that are remembered: some hundred bytes each. */
const MAX_UNDELETED = 1000

/**
 * Finds out what became of commits that earlier writers of the topic staged, and removes what is in no table: files of
 * commits that did not happen, and ledgers out of use. Nothing is deleted but what bears the commit's own id.
 */
export class CommitLeftovers {
  readonly #parts: LeftoverParts
  /** Staged by earlier writers, not in the table; may still land while main is where they expect it. */
  #unsettled: StagedCommit[] = []
  /** Of commits that never happened, where the store did not let them be removed: tried again after the next commit. */
  readonly #undiscarded = new Map<string, Leftover>()
  /** Objects of attempts that lost their race, where the store did not let them be removed: tried again after the next commit. */
  readonly #undeleted: string[] = []
  #collectedAt: number | undefined

  constructor(parts: LeftoverParts) {
    this.#parts = parts
  }

  /** Commits whose outcome nobody knows yet. */
  get unsettled(): ReadonlySet<string> {
    return new Set(this.#unsettled.map(({ commit }) => commit))
  }

  /** Of this writer, given up by it: its record stays until main has moved. */
  leave(staged: StagedCommit): void {
    this.#unsettled.push(staged)
  }

  /** @throws `unsupported` or `corrupt` for a record of the topic that cannot be settled: it and its files stay. */
  async attach(state: TableState): Promise<void> {
    this.#unsettled = await listStaged(this.#parts.context.store, this.#parts.info.id)
    await this.#settle(state)
  }

  /** After a commit was read back. */
  async committed(id: string, state: TableState): Promise<void> {
    const { context, info } = this.#parts
    await this.#quietly(() => deleteStaged(context.store, info.id, id))
    await this.#quietly(() => this.#settle(state))
    for (const leftover of [...this.#undiscarded.values()]) await this.discard(leftover)
    const undeleted = this.#undeleted.splice(0)
    if (undeleted.length > 0) await this.#deleteAttempts(undeleted)
    if (state.objects.length > 0) await this.#quietly(() => this.#collectLedgers(state))
  }

  /** Removes what one attempt wrote that is known never to happen; the commit's data files stay for the next. */
  async discardAttempt(
    id: string,
    { objects, ledger, forgets }: { objects: readonly string[]; ledger: string | undefined; forgets: boolean },
  ): Promise<void> {
    const { context, info, markers } = this.#parts
    // Those before it wait for a commit: who loses races does not ask again for all that is left at each.
    await this.#deleteAttempts(objects)
    await this.#quietly(() => markers.discard(ledger, id))
    if (forgets) await this.#quietly(() => deleteForgotten(context.store, info.id, id))
  }

  async #deleteAttempts(objects: readonly string[]): Promise<void> {
    const { tableFiles } = this.#parts
    // What lies elsewhere by now is out of reach for good.
    const ours = objects.filter((location) => canonicalIn(tableFiles, location) !== undefined)
    let left: readonly string[] = ours
    await this.#quietly(async () => {
      const { failed } = await tableFiles.deleteMany(ours)
      left = failed.map(({ location }) => location)
      if (failed.length > 0) throw failed[0]!.error
    })
    this.#undeleted.push(...left)
    // The oldest are left to whoever looks for orphans.
    this.#undeleted.splice(0, Math.max(0, this.#undeleted.length - MAX_UNDELETED))
  }

  /**
   * Removes what a commit wrote that is known never to have happened. Objects first, the record last: whatever is left
   * over after a fault, the next writer finds the record and goes on.
   */
  async discard(leftover: Leftover): Promise<void> {
    const { context, info, markers, tableFiles } = this.#parts
    const { id, prefixes, ledger } = leftover
    this.#undiscarded.set(id, leftover)
    await this.#quietly(async () => {
      const count = await discardObjects(tableFiles, prefixes, id)
      await markers.discard(ledger, id)
      // What did not happen has forgotten nothing.
      await deleteForgotten(context.store, info.id, id)
      await deleteStaged(context.store, info.id, id)
      this.#undiscarded.delete(id)
      context.runtime.logger.info({ commit: id, objects: count }, 'removed the files of a commit that did not happen')
    })
  }

  /**
   * A staged commit is over when a retained snapshot names its files, or when main is not where it expects it any more.
   * The first is looked for in all manifests: a record that could not be deleted at its time must not take live files along.
   */
  async #settle(state: TableState): Promise<void> {
    const { context, info, tableFiles } = this.#parts
    const { metadata } = state.loaded
    const location = folderOf(tableFiles, metadata.location)
    const remaining: StagedCommit[] = []
    for (const staged of this.#unsettled) {
      const { commit, objectPrefixes: prefixes, ledger } = staged
      const isOfTable = metadata['table-uuid'] === staged.tableUuid
      const isElsewhere = !prefixes.every((prefix) => isBelow(canonicalIn(tableFiles, prefix), location))
      if (isElsewhere && isOfTable) throw stagedElsewhere(staged, location)
      if (state.marker.commit === commit) await deleteStaged(context.store, info.id, commit)
      else if (isOfTable && snapshotIdOf(state.loaded) === staged.parent) remaining.push(staged)
      // Of another table, which this one has replaced: what lies in its location is not ours to remove.
      else if (isElsewhere) await this.discard({ id: commit, prefixes: [], ledger })
      else {
        const isLive = await isReachable({ tableFiles, metadata, prefixes }).catch(unlessGone)
        // An old snapshot has lost its manifests: nobody can tell, and nothing else needs to know.
        if (isLive === undefined) remaining.push(staged)
        else if (isLive) await deleteStaged(context.store, info.id, commit)
        else await this.discard({ id: commit, prefixes, ledger })
      }
    }
    this.#unsettled = remaining
  }

  // At most once an hour: it lists the ledgers of the whole log.
  async #collectLedgers(state: TableState): Promise<void> {
    const { context, info, markers } = this.#parts
    const { clock, logger } = context.runtime
    const now = clock.monotonic()
    if (this.#collectedAt !== undefined && now - this.#collectedAt < COLLECT_MS) return
    this.#collectedAt = now
    const staged = (await listStaged(context.store, info.id)).map(({ ledger }) => ledger)
    const retained = (state.loaded.metadata.snapshots ?? []).map(({ summary }) => summary[summaryKeys.ledger])
    const kept = [...state.objects, ...staged, ...retained].filter((name) => name !== undefined)
    const count = await markers.collect(new Set(kept), clock.now())
    if (count > 0) logger.info({ topic: info.name, objects: count }, 'removed ledgers that no table names any more')
  }

  // Housekeeping after the fact: a fault there is told, and changes nothing of what the call did.
  async #quietly(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#parts.context.runtime.logger.warn({ error }, 'leftovers of a commit stay for now')
    }
  }
}

function unlessGone(error: unknown): undefined {
  if (!isKind(error, 'not-found')) throw error
}

// The names of a commit's objects stand right in the two folders of its table.
function isBelow(prefix: string | undefined, location: string): boolean {
  return prefix?.startsWith(location) === true && prefix.slice(location.length).split('/').length === 2
}
