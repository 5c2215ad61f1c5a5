import type { Lineage, LoadedTable } from '@moulin/core'
import { currentSnapshot } from '@moulin/iceberg'
import type { FieldIds } from './field-ids.ts'
import type { LedgerEntry } from './ledger.ts'
import type { Marker } from './marker.ts'
import type { MissingFiles } from '../look/missing-files.ts'
import type { TableColumns } from './table-layout.ts'

/** The table at one moment, found intact or plausible. */
export interface TableState {
  readonly lineage: Lineage
  readonly loaded: LoadedTable
  readonly marker: Marker
  /** Objects that the marker names in the log's store. */
  readonly objects: readonly string[]
  /** What the next marker says of field ids; undefined while they are those that we asked for. */
  readonly fieldIds: FieldIds | undefined
  /** Of the topic's present incarnation, by partition. */
  readonly entries: readonly LedgerEntry[]
  readonly columns: TableColumns
  /** Others have committed on top of ours. */
  readonly isForeign: boolean
  /** As was known when this was asked for. Plans leave these files out, and tell whose offsets they may have. */
  readonly missing: MissingFiles
}

/** Id of the table's current snapshot; null while it has none. */
export function snapshotIdOf({ metadata }: LoadedTable): bigint | null {
  const snapshot = currentSnapshot(metadata)
  return snapshot === undefined ? null : BigInt(snapshot['snapshot-id'])
}
