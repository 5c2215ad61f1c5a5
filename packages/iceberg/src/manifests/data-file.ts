import type { PartitionValue } from '../values/datum.ts'

/**
 * A data file as a manifest describes it. Maps are by field id; an id that is missing is not known.
 * Spec: "Manifests", `data_file`.
 */
export interface DataFile {
  /** 0: data. Files of deletes are `unsupported`. */
  readonly content: 0
  /** Absolute URI. */
  readonly filePath: string
  readonly fileFormat: 'PARQUET'
  readonly specId: number
  /** In the order of the spec's fields. */
  readonly partition: readonly PartitionValue[]
  readonly recordCount: bigint
  readonly fileSizeBytes: bigint
  readonly columnSizes: ReadonlyMap<number, bigint>
  /** With nulls and NaNs. */
  readonly valueCounts: ReadonlyMap<number, bigint>
  readonly nullValueCounts: ReadonlyMap<number, bigint>
  readonly nanValueCounts: ReadonlyMap<number, bigint>
  /** Single-value serialization; at or below all values but nulls and NaNs. */
  readonly lowerBounds: ReadonlyMap<number, Uint8Array>
  /** At or above. */
  readonly upperBounds: ReadonlyMap<number, Uint8Array>
  /** Where row groups begin, rising. */
  readonly splitOffsets: readonly bigint[]
  readonly sortOrderId: number | undefined
}

/** Spec: "Manifests", `manifest_entry`. */
export interface ManifestEntry {
  readonly status: 'existing' | 'added' | 'deleted'
  /** Snapshot that added the file, or, if its status is deleted, deleted it. */
  readonly snapshotId: bigint
  /** Data sequence number. Undefined only before the commit: an added file takes that of its manifest. */
  readonly sequenceNumber: bigint | undefined
  readonly fileSequenceNumber: bigint | undefined
  readonly file: DataFile
}

/** A manifest as a manifest list describes it; a count that is undefined may be anything. Spec: "Manifest lists". */
export interface ManifestFile {
  /** Absolute URI. */
  readonly path: string
  readonly sizeBytes: bigint
  readonly specId: number
  readonly content: 'data' | 'deletes'
  readonly sequenceNumber: bigint
  readonly minSequenceNumber: bigint
  readonly addedSnapshotId: bigint
  readonly addedFiles: number | undefined
  readonly existingFiles: number | undefined
  readonly deletedFiles: number | undefined
  readonly addedRows: bigint | undefined
  readonly existingRows: bigint | undefined
  readonly deletedRows: bigint | undefined
  /** One per field of the spec. */
  readonly partitions: readonly PartitionSummary[] | undefined
}

/** Spec: "Manifest lists", `field_summary`. Bounds in single-value serialization of the field's result type. */
export interface PartitionSummary {
  readonly containsNull: boolean
  readonly containsNan: boolean | undefined
  readonly lowerBound: Uint8Array | undefined
  readonly upperBound: Uint8Array | undefined
}
