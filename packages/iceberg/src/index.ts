export { planAppend } from './manifests/append.ts'
export type { AppendPlan, AppendRequest } from './manifests/append.ts'
export { planExpiry } from './metadata/expiry.ts'
export type { ExpiryOptions, ExpiryPlan } from './metadata/expiry.ts'
export { toInt64 } from './metadata/int64.ts'
export {
  ancestors,
  currentSchema,
  currentSnapshot,
  currentSpec,
  isAncestor,
  propertyOf,
  schemaById,
  snapshotById,
} from './metadata/metadata-lookup.ts'
export { newTableMetadata, partitionSpecOf } from './metadata/new-table.ts'
export type { NewTable } from './metadata/new-table.ts'
export { checkRequirements } from './metadata/requirements.ts'
export { allFields, fieldsById, icebergFields, lastColumnId, typeOfIceberg } from './metadata/schema-mapping.ts'
export { checkTableMetadata, parseTableMetadata, tableMetadataBytes } from './metadata/table-metadata.ts'
export { applyUpdates, previousVersionsMax } from './metadata/updates.ts'
export type { ApplyOptions } from './metadata/updates.ts'
export { columnRuns } from './partitions/column-runs.ts'
export type { ColumnRuns } from './partitions/column-runs.ts'
export { columnTransformer } from './partitions/column-transformer.ts'
export type { ColumnTransformer } from './partitions/column-transformer.ts'
export { dataFileMetrics } from './manifests/data-file-metrics.ts'
export type { DataFileMetrics, MetricsOptions } from './manifests/data-file-metrics.ts'
export type { DataFile, ManifestEntry, ManifestFile, PartitionSummary } from './manifests/data-file.ts'
export { compareDatum, partitionTupleKey } from './values/datum.ts'
export type { Datum, PartitionValue } from './values/datum.ts'
export { readManifest, writeManifest } from './manifests/manifest.ts'
export type { ReadManifestOptions, WriteManifestRequest } from './manifests/manifest.ts'
export { readManifestList, writeManifestList } from './manifests/manifest-list.ts'
export type { ReadManifestListOptions, WriteManifestListRequest } from './manifests/manifest-list.ts'
export { bindPartitionSpec, checkPartitionSpec, specById } from './partitions/partition-fields.ts'
export type { BoundPartitionField, BoundPartitionSpec } from './partitions/partition-fields.ts'
export { bindExpression } from './scan/predicate.ts'
export type { BoundColumn, LeafOp, Predicate, PredicateLeaf } from './scan/predicate.ts'
export { projectPredicate } from './scan/projection.ts'
export { manifestMightMatch, metricsMightMatch, partitionMightMatch, rowGroupMightMatch } from './scan/pruning.ts'
export type { RowGroupBounds } from './scan/pruning.ts'
export { compilePredicate } from './scan/row-predicate.ts'
export type { RowPredicate } from './scan/row-predicate.ts'
export { planScan } from './scan/scan-plan.ts'
export type { FileScanTask, PlanScanOptions } from './scan/scan-plan.ts'
export { decodeSingleValue, encodeSingleValue } from './values/single-value.ts'
export { parseTransform, transformResultType, valueTransform } from './partitions/transform.ts'
export type { Transform, TransformKind, ValueTransform } from './partitions/transform.ts'
