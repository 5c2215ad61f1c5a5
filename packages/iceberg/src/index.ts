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
