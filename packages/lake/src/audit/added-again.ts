import { isUnreadable, rangesWithin } from '@moulin/core'
import type { CallOptions, OffsetRange, Snapshot, TableFiles } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { FileScanTask, LiveFile, ManifestRoom } from '@moulin/iceberg'
import { isOwnFile, isOwnName } from '../live/data-files.ts'
import type { TopicIds } from '../live/data-files.ts'
import { eachOnce } from '../live/listed-once.ts'
import type { LiveFiles } from '../live/live-files.ts'
import { fieldsOf, identitiesIn, identityNames } from '../places/identity-rows.ts'
import { placeOf } from '../places/place.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import { footerKeys, summaryKeys } from '../table/system-columns.ts'
import { listedName } from '../table/table-objects.ts'
import type { TableState } from '../table/table-state.ts'
import { OffsetCoverage } from './offset-coverage.ts'

export interface AddedAgainParts {
  readonly topic: TopicIds
  readonly tableFiles: TableFiles
  readonly files: LiveFiles
  readonly manifests?: ManifestRoom | undefined
}

/** Offsets with a row, by {@link placeOf}. */
export type Places = ReadonlyMap<string, OffsetCoverage>

/**
 * Files of the log that others took out of the table, or deleted rows of, and then added again: rows of them that the snapshot before did
 * not have, nor any other file has, have returned, whether or not an audit saw them gone. The table itself tells, as long as it keeps both
 * snapshots.
 */
export class AddedAgain {
  readonly #parts: AddedAgainParts
  readonly #state: TableState
  /** Snapshots whose files have been named before. */
  readonly #told: ReadonlySet<bigint>
  /** Of rows that never were away, and of those that may have been. */
  readonly #stayed: Places
  readonly #again: Places
  readonly #adders = new Set<bigint>()
  #before: { readonly id: bigint; readonly tasks: ReadonlyMap<string, FileScanTask> | undefined } | undefined

  constructor(parts: AddedAgainParts, state: TableState, told: readonly bigint[]) {
    this.#parts = parts
    this.#state = state
    this.#told = new Set(told)
    const coverages = (): Places =>
      new Map(
        state.marker.ledger.map(({ incarnation, partition, start, frontier }) => [
          placeOf(incarnation, partition),
          new OffsetCoverage(start, frontier),
        ]),
      )
    this.#stayed = coverages()
    this.#again = coverages()
  }

  /** Where the file's rows are to be noted; undefined where nobody else has ever committed. */
  async begin(listed: FileScanTask, file: Omit<LiveFile, 'read'>, call: CallOptions): Promise<Places | undefined> {
    if (!this.#state.isForeign) return undefined
    const adder = this.#adderOf(listed, file)
    if (adder === undefined) return this.#stayed
    const id = BigInt(adder['snapshot-id'])
    const before = await this.#taskBefore(adder, listed, call)
    if (before === 'unknown') return this.#stayed
    this.#adders.add(id)
    if (this.#told.has(id)) return this.#stayed
    if (before !== undefined) await this.#noteStayed(before, call)
    return this.#again
  }

  /** Snapshots that added files again. */
  get adders(): readonly bigint[] {
    return [...this.#adders]
  }

  /** Offsets of rows that have returned so: rising and apart. After all rows. */
  *returned({ incarnation, partition }: Pick<LedgerEntry, 'incarnation' | 'partition'>): Generator<OffsetRange> {
    if (this.#adders.size === 0) return
    const place = placeOf(incarnation, partition)
    const again = [...this.#again.get(place)!.runs()]
    if (again.length === 0) return
    for (const gap of this.#stayed.get(place)!.gaps()) yield* rangesWithin(again, gap)
  }

  /** The snapshot of somebody else that has added a file of the log; undefined: none, or it has expired. */
  #adderOf({ snapshotId }: FileScanTask, file: Omit<LiveFile, 'read'>): Snapshot | undefined {
    if (!isOwnFile(file, this.#parts.topic)) return undefined
    const { snapshots = [] } = this.#state.loaded.metadata
    const adder = snapshots.find((snapshot) => BigInt(snapshot['snapshot-id']) === snapshotId)
    return adder?.summary[summaryKeys.commit] === file.keyValue.get(footerKeys.commit) ? undefined : adder
  }

  /** The file as the snapshot before has it; undefined: it has not. */
  async #taskBefore(
    adder: Snapshot,
    { file }: FileScanTask,
    call: CallOptions,
  ): Promise<FileScanTask | undefined | 'unknown'> {
    const parent = adder['parent-snapshot-id']
    if (parent === undefined || parent === null) return undefined
    const id = BigInt(parent)
    if (this.#before?.id !== id) this.#before = { id, tasks: await this.#tasksOf(id, call) }
    const { tasks } = this.#before
    return tasks === undefined ? 'unknown' : tasks.get(listedName(this.#parts.tableFiles, file.filePath))
  }

  async #tasksOf(id: bigint, call: CallOptions): Promise<ReadonlyMap<string, FileScanTask> | undefined> {
    const { tableFiles, manifests: room } = this.#parts
    const { metadata } = this.#state.loaded
    const snapshot = (metadata.snapshots ?? []).find((one) => BigInt(one['snapshot-id']) === id)
    if (snapshot === undefined) return undefined
    try {
      const plan = planScan({ tableFiles, metadata, snapshotId: snapshot['snapshot-id'], room, ...call })
      const tasks = [...(await eachOnce(this.#parts, plan))].filter(({ file }) => isOwnName(file.filePath))
      return new Map(tasks.map((task) => [listedName(tableFiles, task.file.filePath), task]))
    } catch (error) {
      if (!isUnreadable(error)) throw error
      return undefined
    }
  }

  async #noteStayed(task: FileScanTask, call: CallOptions): Promise<void> {
    const { columns, loaded } = this.#state
    const types = fieldsOf(columns, identityNames)
    const file = await this.#parts.files.open(task, loaded.metadata, call)
    for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
      const rows = identitiesIn((await file.read({ rowGroup, types, ...call })).batch, columns)
      for (let row = 0; row < rows.length; row++) {
        if (!rows.isKnown(row)) continue
        this.#stayed.get(placeOf(rows.incarnation(row), rows.partition(row)))?.add(rows.offset(row))
      }
    }
  }
}
