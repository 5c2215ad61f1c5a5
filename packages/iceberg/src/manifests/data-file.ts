import type { PartitionValue } from '../values/datum.ts'

/**
 * A data file as a manifest describes it. Maps are by field id; an id that is missing is not known.
 * Spec: "Manifests", `data_file`.
 */
export interface DataFile {
  /** 0: data. */
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
  /** Format version 3: the `_row_id` of its first row; undefined for a file of an earlier version. Spec: "Row Lineage". */
  readonly firstRowId?: bigint | undefined
}

/**
 * A file of deletes as a manifest describes it: positions in data files, the deletion vector of one data file, or values of rows.
 * Spec: "Delete Formats"; "Manifests", `data_file`.
 */
export interface DeleteFile {
  readonly content: 'positions' | 'vector' | 'equality'
  /** Absolute URI; of a vector, the Puffin file that holds it beside others. */
  readonly filePath: string
  readonly specId: number
  /** In the order of the spec's fields. */
  readonly partition: readonly PartitionValue[]
  /** Positions, or rows. */
  readonly recordCount: bigint
  readonly fileSizeBytes: bigint
  readonly nullValueCounts: ReadonlyMap<number, bigint>
  readonly nanValueCounts: ReadonlyMap<number, bigint>
  readonly lowerBounds: ReadonlyMap<number, Uint8Array>
  readonly upperBounds: ReadonlyMap<number, Uint8Array>
  /** Data sequence number: which data files it is about. */
  readonly sequenceNumber: bigint
  /** Of `equality`: the fields that a row is compared by; else empty. */
  readonly equalityIds: readonly number[]
  /** The one data file that it is about: always of a vector, perhaps of positions. Absolute URI. */
  readonly referencedDataFile: string | undefined
  /** Of a vector: where its blob lies in the file, in bytes. */
  readonly blob: { readonly offset: bigint; readonly sizeBytes: bigint } | undefined
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
  /** Format version 3, of data: what entries without one of their own count theirs from. Spec: "First Row ID Inheritance". */
  readonly firstRowId?: bigint | undefined
}

/** Spec: "Manifest lists", `field_summary`. Bounds in single-value serialization of the field's result type. */
export interface PartitionSummary {
  readonly containsNull: boolean
  readonly containsNan: boolean | undefined
  readonly lowerBound: Uint8Array | undefined
  readonly upperBound: Uint8Array | undefined
}
