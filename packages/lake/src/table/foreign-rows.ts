import { and, gt, gte, eq, or } from '@moulin/core'
import type { CallOptions, ColdTopicInfo, Expression, ObjectStore } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { DataFiles } from './data-files.ts'
import { readIdentities } from '../places/identity-rows.ts'
import type { TableState } from './table-state.ts'

export interface ForeignRowsParts {
  readonly store: ObjectStore
  readonly files: DataFiles
  readonly info: ColdTopicInfo
}

/**
 * Looks for rows that claim offsets which the marker does not know of: at or above a frontier, or of an incarnation yet
 * to come. Our own files have none, so only what others wrote can; a commit on top of them would give one offset two rows.
 */
export class ForeignRows {
  readonly #parts: ForeignRowsParts
  /** Files that were read and hold none: a frontier never falls, so neither will they. */
  readonly #clean = new Set<string>()

  constructor(parts: ForeignRowsParts) {
    this.#parts = parts
  }

  /** A sentence that names the first such row, or undefined. */
  async above(state: TableState, options: CallOptions): Promise<string | undefined> {
    const { store, files, info } = this.#parts
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
    for await (const { file } of planScan({ store, metadata: loaded.metadata, where, ...options })) {
      if (this.#clean.has(file.filePath)) continue
      const parquet = await files.open(file, options)
      for (let rowGroup = 0; rowGroup < parquet.rowGroups.length; rowGroup++) {
        const rows = await readIdentities(parquet, rowGroup, columns, options)
        for (let row = 0; row < rows.length; row++) {
          if (!rows.isKnown(row) || rows.incarnation(row) < info.incarnation) continue
          const partition = rows.partition(row)
          const frontier = rows.incarnation(row) === info.incarnation ? entries[partition]?.frontier : undefined
          if (frontier !== undefined && rows.offset(row) < frontier) continue
          const limit = frontier === undefined ? 'which the log does not have' : `at or above the frontier ${frontier}`
          return `${file.filePath} holds partition ${partition} offset ${rows.offset(row)}, ${limit}`
        }
      }
      this.#clean.add(file.filePath)
    }
    return undefined
  }
}
