import { corrupt, unsupported } from '@moulin/core'
import type { TableMetadata } from '@moulin/core'

/** Versions of the table format that are written. */
export type FormatVersion = 2 | 3

/** Spec: "Row Lineage", what format version 3 begins with. */
export const FIRST_ROW_ID = 0

/** @throws `unsupported` code `FORMAT_VERSION` for a version that is read at most. */
export function writtenVersion(metadata: Pick<TableMetadata, 'format-version'>): FormatVersion {
  const { 'format-version': version } = metadata
  if (version === 2 || version === 3) return version
  const message = `The table has format version ${version}: 2 and 3 are written. Upgrade the table first.`
  throw unsupported('FORMAT_VERSION', message, { context: { formatVersion: version } })
}

/** What the next snapshot of a table of version 3 counts row ids from. @throws `corrupt` where the table does not say. */
export function nextRowId(metadata: Pick<TableMetadata, 'next-row-id'>): bigint {
  const { 'next-row-id': next } = metadata
  // To begin at 0 would give ids a second time.
  if (next !== undefined && next !== null) return BigInt(next)
  throw corrupt('METADATA', 'The metadata of the table is of format version 3 and lacks next-row-id.')
}
