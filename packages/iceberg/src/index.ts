export { planAppend } from './append.ts'
export type { AppendPlan, AppendRequest } from './append.ts'
export { planExpiry } from './expiry.ts'
export type { ExpiryOptions, ExpiryPlan } from './expiry.ts'
export { toInt64 } from './int64.ts'
export {
  ancestors,
  currentSchema,
  currentSnapshot,
  currentSpec,
  isAncestor,
  propertyOf,
  schemaById,
  snapshotById,
} from './metadata-lookup.ts'
export { newTableMetadata, partitionSpecOf } from './new-table.ts'
export type { NewTable } from './new-table.ts'
export { checkRequirements } from './requirements.ts'
export { allFields, fieldsById, icebergFields, lastColumnId, typeOfIceberg } from './schema-mapping.ts'
export { checkTableMetadata, parseTableMetadata, tableMetadataBytes } from './table-metadata.ts'
export { applyUpdates, previousVersionsMax } from './updates.ts'
export type { ApplyOptions } from './updates.ts'
export { columnRuns } from './column-runs.ts'
export type { ColumnRuns } from './column-runs.ts'
export { columnTransformer } from './column-transformer.ts'
export type { ColumnTransformer } from './column-transformer.ts'
export { dataFileMetrics } from './data-file-metrics.ts'
export type { DataFileMetrics, MetricsOptions } from './data-file-metrics.ts'
export type { DataFile, ManifestEntry, ManifestFile, PartitionSummary } from './data-file.ts'
export { compareDatum, partitionTupleKey } from './datum.ts'
export type { Datum, PartitionValue } from './datum.ts'
export { readManifest, writeManifest } from './manifest.ts'
export type { ReadManifestOptions, WriteManifestRequest } from './manifest.ts'
export { readManifestList, writeManifestList } from './manifest-list.ts'
export type { ReadManifestListOptions, WriteManifestListRequest } from './manifest-list.ts'
export { bindPartitionSpec, checkPartitionSpec, specById } from './partition-fields.ts'
export type { BoundPartitionField, BoundPartitionSpec } from './partition-fields.ts'
export { bindExpression } from './predicate.ts'
export type { BoundColumn, LeafOp, Predicate, PredicateLeaf } from './predicate.ts'
export { projectPredicate } from './projection.ts'
export { manifestMightMatch, metricsMightMatch, partitionMightMatch, rowGroupMightMatch } from './pruning.ts'
export type { RowGroupBounds } from './pruning.ts'
export { compilePredicate } from './row-predicate.ts'
export type { RowPredicate } from './row-predicate.ts'
export { planScan } from './scan-plan.ts'
export type { FileScanTask, PlanScanOptions } from './scan-plan.ts'
export { decodeSingleValue, encodeSingleValue } from './single-value.ts'
export { parseTransform, transformResultType, valueTransform } from './transform.ts'
export type { Transform, TransformKind, ValueTransform } from './transform.ts'
