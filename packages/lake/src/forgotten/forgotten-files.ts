import { corrupt, isMoulinError, throwIfAborted } from '@moulin/core'
import type { CallOptions, ColdContext, ColdTopicInfo, TableFiles } from '@moulin/core'
import { deadFiles } from './dead-files.ts'
import { deleteForgotten, keyOfForgotten, listForgotten, loadForgotten } from './forgotten-commit.ts'
import type { ForgottenCommit } from './forgotten-commit.ts'
import { ManifestLists } from './manifest-lists.ts'
import { listStaged } from '../commit/staged-commit.ts'
import type { StagedCommit } from '../commit/staged-commit.ts'
import { mayMean } from '../table/may-mean.ts'
import { deleteAll, folderOf, inTurn } from '../table/table-objects.ts'
import { checkEpoch } from '../table/topic-table.ts'
import type { TableState } from '../table/table-state.ts'
import type { TopicTable } from '../table/topic-table.ts'

export interface ForgottenParts {
  readonly tableFiles: TableFiles
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly table: TopicTable
}

/** Files stay so long after their snapshot was forgotten, for those who read it still. */
const KEPT_MS = 2 * 3_600_000
/** What a record must wait for whose own commit is not settled. */
const UNSETTLED_MS = 600_000
/** Records of one pass: what is deleted is found again, at most so much of it, after a fault. */
const PASS_RECORDS = 8

/** A record that waits for its time, which is monotonic: whatever the wall clock does meanwhile, the wait stays as long as it was. */
interface Waiting {
  /** Undefined until it has been read. */
  record: ForgottenCommit | undefined
  /** When its files may go; undefined until it has been read for the first time. */
  dueMs: number | undefined
  notBeforeMs: number
  /** The commit was read back by this process. */
  readonly isSettled: boolean
  /** It was due, and something that its snapshots name cannot be read. */
  fault?: Error
}

/**
 * Deletes what the snapshots that our commits have forgotten leave behind: two hours later, and only what nothing in the
 * table as it is then names. In memory is what the records say; after a restart they are listed once and go on.
 */
export class ForgottenFiles {
  readonly #parts: ForgottenParts
  /** By commit. */
  readonly #waiting = new Map<string, Waiting>()
  /** A record that cannot be read may be a young one: until then nothing goes that it might name. */
  #heldUntilMs = -Infinity
  /** Of live snapshots and forgotten ones: our own commits need not be read again. */
  readonly lists: ManifestLists = new ManifestLists()

  constructor(parts: ForgottenParts) {
    this.#parts = parts
  }

  /** Finds what earlier writers of the topic have left: one list. */
  async attach(): Promise<void> {
    const { context, info } = this.#parts
    for (const commit of await listForgotten(context.store, info.id)) {
      this.#waiting.set(commit, { record: undefined, dueMs: undefined, notBeforeMs: -Infinity, isSettled: false })
    }
  }

  /** After its commit was read back. */
  remember(record: ForgottenCommit): void {
    const dueMs = this.#parts.context.runtime.clock.monotonic() + KEPT_MS
    this.#waiting.set(record.commit, { record, dueMs, notBeforeMs: -Infinity, isSettled: true })
  }

  /** When the first record is due, wall time; undefined while there is none. One that was not read yet is due at once. */
  dueMs(): number | undefined {
    if (this.#waiting.size === 0) return undefined
    const { clock } = this.#parts.context.runtime
    const now = clock.monotonic()
    let first = Infinity
    for (const waiting of this.#waiting.values()) first = Math.min(first, this.#dueOf(waiting))
    return clock.now() + Math.max(0, first - now)
  }

  /**
   * Deletes what is due. Cut off anywhere, the next call goes on: files first, the record last.
   * @throws `corrupt` code `FORGOTTEN_FILES`, when all else is done, while something that was due cannot be read: its record
   * and what leads to it stay, and are tried again as late as a new record would be.
   */
  async cleanUp(call: CallOptions): Promise<void> {
    const { clock, logger } = this.#parts.context.runtime
    await this.#readAll(call)
    const now = clock.monotonic()
    const isDue = ([, waiting]: [string, Waiting]): boolean => this.#dueOf(waiting) <= now
    if (![...this.#waiting].some(isDue)) return
    const state = await this.#parts.table.load(call)
    checkEpoch(this.#parts, state.marker)
    const staged = await this.#staged()
    for (const [commit, waiting] of this.#waiting) {
      if (!waiting.isSettled && staged.some((one) => one.commit === commit)) waiting.notBeforeMs = now + UNSETTLED_MS
    }
    let files = 0
    let records = 0
    for (;;) {
      throwIfAborted(call.signal)
      const waiting = [...this.#waiting].sort(([, a], [, b]) => timeOf(a) - timeOf(b))
      const due = waiting.filter(isDue).slice(0, PASS_RECORDS)
      if (due.length === 0) break
      const commits = new Set(due.map(([commit]) => commit))
      const isLater = ([commit, { fault }]: [string, Waiting]): boolean => !commits.has(commit) && fault === undefined
      const later = waiting.filter(isLater).map(([, { record }]) => record!)
      files += await this.#delete(
        due.map(([, { record }]) => record!),
        later,
        { state, staged },
        call,
      )
      records += due.length
    }
    logger.info({ topic: this.#parts.info.name, files, records }, 'removed files of snapshots that had expired')
    this.#checkRead()
  }

  #checkRead(): void {
    const left = [...this.#waiting].filter(([, { fault }]) => fault !== undefined)
    if (left.length === 0) return
    const { id, name, table } = this.#parts.info
    const [commit, { fault }] = left[0]!
    const message =
      `Files of expired snapshots of topic ${name}, table ${table}, stay: what leads to them cannot be read ` +
      `(${left.length} records in log/forgotten). Put it right, or give them up by deleting ${keyOfForgotten(id, commit)}: ${fault!.message}`
    throw corrupt('FORGOTTEN_FILES', message, { context: { topic: name, table, records: left.length }, cause: fault })
  }

  async #delete(
    due: readonly ForgottenCommit[],
    later: readonly ForgottenCommit[],
    { state, staged }: { readonly state: TableState; readonly staged: readonly StagedCommit[] },
    call: CallOptions,
  ): Promise<number> {
    const { context, info, tableFiles } = this.#parts
    const { metadata } = state.loaded
    // Of another table, which this one has replaced: what lies in its location is not ours to remove.
    const ofTable = (records: readonly ForgottenCommit[]): ForgottenCommit[] =>
      records.filter(({ tableUuid }) => tableUuid === metadata['table-uuid'])
    const dead = await deadFiles(
      {
        tableFiles,
        metadata,
        forgotten: ofTable(due).flatMap(({ snapshots }) => snapshots),
        later: ofTable(later).flatMap(({ snapshots }) => snapshots),
        lists: this.lists,
      },
      call,
    )
    const folder = folderOf(tableFiles, metadata.location)
    const prefixes = staged
      .flatMap(({ objectPrefixes }) => objectPrefixes)
      .flatMap((prefix) => mayMean(tableFiles, folder, prefix))
    const isStaged = (file: string): boolean => prefixes.some((prefix) => file.startsWith(prefix))
    let count = 0
    // What is found through what: an object goes after all that only it names.
    for (const files of [dead.files, [...dead.manifests, ...dead.statistics], dead.manifestLists]) {
      count += await deleteAll(
        tableFiles,
        files.filter((file) => !isStaged(file)),
        call,
      )
    }
    for (const { commit, snapshots } of due) {
      const fault = snapshots
        .map(({ manifestList }) => dead.unread.get(manifestList))
        .find((found) => found !== undefined)
      if (fault !== undefined) {
        const notBeforeMs = context.runtime.clock.monotonic() + KEPT_MS
        // Read again before it is tried again: somebody may have given it up.
        Object.assign(this.#waiting.get(commit)!, { record: undefined, fault, notBeforeMs })
        continue
      }
      await deleteForgotten(context.store, info.id, commit)
      this.#waiting.delete(commit)
    }
    return count
  }

  // Of every writer: what a commit on its way may come to name stays.
  async #staged(): Promise<StagedCommit[]> {
    const { context, info } = this.#parts
    const staged = await listStaged(context.store, info.id)
    return staged.filter(({ commit }) => this.#waiting.get(commit)?.isSettled !== true)
  }

  async #readAll(call: CallOptions): Promise<void> {
    const { context, info } = this.#parts
    const unread = [...this.#waiting].filter(([, { record }]) => record === undefined)
    await inTurn(
      unread,
      async ([commit, waiting]) => {
        try {
          const record = await loadForgotten(context.store, info.id, commit)
          if (record === undefined) this.#waiting.delete(commit)
          else Object.assign(waiting, { record, dueMs: waiting.dueMs ?? this.#dueOfRead(record) })
        } catch (error) {
          if (!isMoulinError(error) || !(error.kind === 'corrupt' || error.kind === 'unsupported')) throw error
          // It stays, with all that it names.
          this.#waiting.delete(commit)
          this.#heldUntilMs = context.runtime.clock.monotonic() + KEPT_MS
          context.runtime.logger.warn({ topic: info.name, err: error }, 'files of expired snapshots stay')
        }
      },
      call,
    )
  }

  #dueOf({ dueMs = -Infinity, notBeforeMs }: Waiting): number {
    return Math.max(dueMs, notBeforeMs, this.#heldUntilMs)
  }

  // Of another process wall time alone tells how long it has waited. Of a clock that was wrong nobody waits longer than for a new one.
  #dueOfRead({ timeMs }: ForgottenCommit): number {
    const { clock } = this.#parts.context.runtime
    return clock.monotonic() + Math.min(KEPT_MS, Math.max(0, timeMs + KEPT_MS - clock.now()))
  }
}

// The oldest first: that is only an order.
const timeOf = ({ record }: Waiting): number => record?.timeMs ?? 0
