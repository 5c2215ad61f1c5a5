import { assert } from '@moulin/core'
import type { ManifestFile } from '../manifests/data-file.ts'

/**
 * Gives manifests of data that have no first row id one, from `first` on, and says what the next snapshot begins with. Room is
 * kept for existing rows, too: files of a table that was of version 2 before have no ids yet. Others keep what they have.
 * Spec: "First Row ID Assignment".
 */
export function assignRowIds(
  manifests: readonly ManifestFile[],
  first: bigint,
): { readonly manifests: readonly ManifestFile[]; readonly next: bigint } {
  let next = first
  const assigned = manifests.map((manifest): ManifestFile => {
    if (manifest.content !== 'data' || manifest.firstRowId !== undefined) return manifest
    const { addedRows, existingRows } = manifest
    assert(addedRows !== undefined && existingRows !== undefined, 'the counts of a manifest are known')
    const firstRowId = next
    next += addedRows + existingRows
    return { ...manifest, firstRowId }
  })
  return { manifests: assigned, next }
}
