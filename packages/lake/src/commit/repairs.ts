import { conflict, isUnreadable } from '@moulin/core'
import type { CallOptions } from '@moulin/core'
import type { DataFile } from '@moulin/iceberg'
import type { CommitSender, CommitSenderParts, Written } from './commit-sender.ts'
import { encodeCommit } from './encode-commit.ts'
import type { EncodeParts } from './encode-commit.ts'
import type { HeldParts } from '../look/rowless-offsets.ts'
import { allDone, beforeCommit, deleteAll } from '../table/table-objects.ts'
import type { TableState } from '../table/table-state.ts'
import { lackedColumns, sameOthers } from './others-values.ts'
import { sameRows, together, vanishedFiles } from './vanished-files.ts'
import type { VanishedFiles } from './vanished-files.ts'

export interface RepairParts extends EncodeParts, CommitSenderParts, Omit<HeldParts, 'tableFiles'> {}

/** What could not be put back is looked at again after this. */
const AGAIN_MS = 3_600_000

/**
 * Puts files in the place of those of ours that have vanished, while the write-ahead tier still has their records: the same rows, so the
 * ledger stays as it is, and with the data sequence number that they had. One commit for each commit that lost some, but where only several
 * together can be told from what else is gone ({@link together}).
 */
export class Repairs {
  readonly #parts: RepairParts
  readonly #sender: CommitSender
  /** Missing files that were looked at and not put back, with when they are looked at again: wall time. */
  #left = new Map<string, number>()
  /** A commit stands that no call has answered for: its answer came late, or another one failed after it. */
  #isUntold = false

  constructor(parts: RepairParts, sender: CommitSender) {
    this.#parts = parts
    this.#sender = sender
  }

  /** Wall time; undefined while nothing is missing, nor is to be told. */
  dueMs(): number | undefined {
    const { context, table } = this.#parts
    const now = context.runtime.clock.now()
    if (this.#isUntold) return now
    const times = [...table.missing.keys()].map((file) => this.#left.get(file) ?? now)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /**
   * A commit of an earlier call, of which nothing was heard, turns out to stand. That is done, whatever may be written down of it now: what
   * is not is the log's to do again.
   */
  async cameLate(): Promise<void> {
    this.#isUntold = true
    await this.#parts.context.renewGrace?.().catch(() => undefined)
  }

  /**
   * Puts back what can be. True: some files, by this call or by one before that could not say so. What the write-ahead tier holds of them
   * is read twice, and stays meanwhile.
   * @throws `conflict` where others came first: to be called again.
   */
  async run(load: () => Promise<TableState>, call: CallOptions): Promise<boolean> {
    const { hot } = this.#parts.context
    const pin = hot.pin(hot.releasedOffsets())
    try {
      return await this.#run(load, call)
    } finally {
      pin.release()
    }
  }

  async #run(load: () => Promise<TableState>, call: CallOptions): Promise<boolean> {
    const { context, look, table } = this.#parts
    // What was left may be back where it was.
    if (this.#isUntold || this.#left.size > 0) await look.again(call)
    let left: readonly VanishedFiles[] = []
    for (const pass of passes) {
      // What stood in the way of a commit may be back now; else it would fail again.
      if (pass === oncemore && !this.#isUntold) continue
      const tried = new Set<string>()
      for (;;) {
        const state = await load()
        left = state.missing.size === 0 ? [] : await this.#vanished(state, call)
        const next = pass(left).find((vanished) => !tried.has(namesOf(vanished).join('\n')))
        if (next === undefined) break
        tried.add(namesOf(next).join('\n'))
        if (!(await this.#replace(state, next, call))) continue
        this.#isUntold = true
        await look.again(call)
      }
    }
    this.#say(
      left,
      'Files that have vanished cannot be written anew with just the rows that they had: they stay missing',
    )
    const atMs = context.runtime.clock.now() + AGAIN_MS
    this.#left = new Map([...table.missing.keys()].map((file) => [file, atMs]))
    const hasRepaired = this.#isUntold
    this.#isUntold = false
    return hasRepaired
  }

  async #vanished(state: TableState, call: CallOptions): Promise<readonly VanishedFiles[]> {
    try {
      return await vanishedFiles(this.#parts, state, call)
    } catch (error) {
      // What names the files is gone as well.
      if (isUnreadable(error)) return []
      throw error
    }
  }

  async #replace(state: TableState, vanished: VanishedFiles, { signal }: CallOptions): Promise<boolean> {
    const { info, context, ownCommits, tableFiles } = this.#parts
    const { clock, random } = context.runtime
    const id = random.uuid()
    ownCommits.add(id)
    const { ranges, removed, sequenceNumber, without } = vanished
    const plan = { id, ranges, state, atMs: clock.monotonic(), attempts: 0, snapshotId: random.int63() }
    let files: readonly DataFile[] | undefined
    try {
      const dataPrefix = tableFiles.under(state.loaded.metadata.location, `data/${id}-`)
      const staged = this.#sender.stage(plan, state)
      const lost = removed.map(({ file }) => file)
      const lacks = lackedColumns(lost, state)
      const encoding = encodeCommit(this.#parts, state, { id, ranges, dataPrefix, staged, without, lacks }, signal)
      await allDone([staged, encoding])
      const encoded = await encoding
      files = sameRows(lost, encoded.files, state.columns)
      if (files !== undefined && !sameOthers(lost, files, state)) files = undefined
      const kept = new Set(files?.map(({ filePath }) => filePath))
      const others = encoded.files.filter(({ filePath }) => !kept.has(filePath)).map(({ filePath }) => filePath)
      if (files !== undefined) await deleteAll(tableFiles, others, {})
    } catch (error) {
      await this.#sender.discard({ ...plan, ledger: undefined })
      throw beforeCommit(error)
    }
    if (files === undefined) {
      await this.#sender.discard({ ...plan, ledger: undefined })
      return false
    }
    const listed = removed.map((task) => ({ file: task.file, sequenceNumber: task.sequenceNumber }))
    const replaces = { removed: listed, sequenceNumber }
    const written: Written = { ...plan, files, gains: [], sizeBytes: 0, replaces }
    const outcome = await this.#sender.send(state, written)
    if (outcome !== 'committed') {
      if (outcome === 'lost') await this.#sender.discard(written)
      const message = `Another writer of table ${info.table} came first; its files are put back in a while.`
      throw conflict('COMMIT_CONTENTION', message, { retryable: true, context: { table: info.table } })
    }
    this.#say([vanished], 'Files of the table that had vanished were written anew, out of the write-ahead tier')
    return true
  }

  #say(all: readonly VanishedFiles[], message: string): void {
    const { info, context } = this.#parts
    for (const vanished of all) {
      const fields = { topic: info.name, table: info.table, files: namesOf(vanished) }
      context.runtime.logger.warn(fields, message)
    }
  }
}

type Pass = (vanished: readonly VanishedFiles[]) => readonly VanishedFiles[]

const alone: Pass = (vanished) => vanished
const oncemore: Pass = (vanished) => vanished
/** In turn. */
const passes: readonly Pass[] = [alone, oncemore, together]

const namesOf = ({ removed }: VanishedFiles): string[] => removed.map(({ file }) => file.filePath)
