import { unsupported } from '@moulin/core'
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
