export { serveTier } from './encode/serve-tier.ts'
export { icebergTier } from './iceberg-tier.ts'
export type { IcebergTierOptions } from './iceberg-tier.ts'
