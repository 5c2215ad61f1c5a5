/** What one commit has done so far. */
export interface Change {
  readonly nowMs: number
  readonly lastAdded: { schemaId?: number; specId?: number; sortOrderId?: number }
  readonly addedSnapshotIds: Set<bigint>
}
