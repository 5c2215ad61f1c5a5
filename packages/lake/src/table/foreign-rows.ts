import { and, gt, gte, eq, isUnreadable, or } from '@moulin/core'
import type { CallOptions, ColdTopicInfo, Expression, TableFiles } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { FileScanTask, ManifestRoom } from '@moulin/iceberg'
import { isOwnName } from '../live/data-files.ts'
import type { LiveFiles } from '../live/live-files.ts'
import { readIdentities } from '../places/identity-rows.ts'
import type { TableState } from './table-state.ts'

export interface ForeignRowsParts {
  readonly tableFiles: TableFiles
  readonly files: LiveFiles
  readonly manifests?: ManifestRoom | undefined
  readonly info: ColdTopicInfo
}

/**
 * Looks for rows that claim offsets which the marker does not know of: at or above a frontier, or of an incarnation yet
 * to come. Our own files have none, so only what others wrote can; a commit on top of them would give one offset two rows.
 */
export class ForeignRows {
  readonly #parts: ForeignRowsParts
  /** Files that were read and hold none, by what is deleted in them: a frontier never falls, so neither will they. */
  #clean = new Set<string>()

  constructor(parts: ForeignRowsParts) {
    this.#parts = parts
  }

  /** A sentence that names the first such row, or undefined. */
  async above(state: TableState, options: CallOptions): Promise<string | undefined> {
    const { tableFiles, manifests: room, info } = this.#parts
    const { entries, loaded, columns } = state
    const column = (name: string): string => columns.byName.get(name)!.name
    const beyond: Expression[] = entries.map(({ partition, frontier }) =>
      and(eq(column('_kafka_partition'), partition), gte(column('_kafka_offset'), frontier)),
    )
    const strange: Expression[] = [
      gt(column('_kafka_incarnation'), info.incarnation),
      gte(column('_kafka_partition'), entries.length),
    ]
    const where = or(...beyond, ...strange)
    const plan = { tableFiles, metadata: loaded.metadata, where, room, ...options }
    // Of those that are asked about now: files are compacted, and rows deleted, for as long as the log runs.
    const clean = new Set<string>()
    // What is deleted is asked for where a row is found: tiering rests on nobody's deletes but those.
    const found = await this.#in(planScan({ ...plan, withDeletes: false }), clean, state, options)
    if (found !== undefined) return await this.#in(planScan(plan), clean, state, options)
    this.#clean = clean
    return undefined
  }

  /** @param clean Is given the files that hold none. */
  async #in(
    tasks: AsyncIterable<FileScanTask>,
    clean: Set<string>,
    state: TableState,
    options: CallOptions,
  ): Promise<string | undefined> {
    const { files } = this.#parts
    for await (const task of tasks) {
      const key = await files.keyOf(task, state.loaded.metadata, options)
      try {
        const found = this.#clean.has(key) ? undefined : await this.#inFile(task, state, options)
        if (found !== undefined) return found
        clean.add(key)
      } catch (error) {
        // A file of ours need not be there to have none: what it lacks has its write-ahead copy, and a commit may put it back.
        if (!isOwnName(task.file.filePath) || !isUnreadable(error)) throw error
      }
    }
    return undefined
  }

  async #inFile(
    task: FileScanTask,
    { entries, loaded: { metadata }, columns }: TableState,
    options: CallOptions,
  ): Promise<string | undefined> {
    const { files, info } = this.#parts
    const file = await files.open(task, metadata, options)
    for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
      const rows = await readIdentities(file, rowGroup, columns, options)
      for (let row = 0; row < rows.length; row++) {
        if (!rows.isKnown(row) || rows.incarnation(row) < info.incarnation) continue
        const partition = rows.partition(row)
        const frontier = rows.incarnation(row) === info.incarnation ? entries[partition]?.frontier : undefined
        if (frontier !== undefined && rows.offset(row) < frontier) continue
        const limit = frontier === undefined ? 'which the log does not have' : `at or above the frontier ${frontier}`
        return `${task.file.filePath} holds partition ${partition} offset ${rows.offset(row)}, ${limit}`
      }
    }
    return undefined
  }
}
