import { corrupt } from '@moulin/core'
import { readAvroFile } from '@moulin/format'
import { intAt, longAt, recordShape, required, rowAt } from './avro-records.ts'
import type { ManifestFile } from './data-file.ts'
import { dataFileIds, entryIds, manifestFieldIds } from './manifest-schema.ts'

/** How many files and rows are added, existing and deleted. */
export type ManifestCounts = Pick<
  ManifestFile,
  'addedFiles' | 'existingFiles' | 'deletedFiles' | 'addedRows' | 'existingRows' | 'deletedRows'
>

/** Whether the manifest list says all six. */
export function hasCounts(manifest: ManifestCounts): boolean {
  const { addedFiles, existingFiles, deletedFiles, addedRows, existingRows, deletedRows } = manifest
  return ![addedFiles, existingFiles, deletedFiles, addedRows, existingRows, deletedRows].includes(undefined)
}

/** Counts the entries of a manifest of data or of deletes. @throws `corrupt`; `exhausted`. */
export function manifestCounts(bytes: Uint8Array, path: string): ManifestCounts {
  const what = `The manifest ${path}`
  const { schema, records } = readAvroFile(bytes, { what })
  const entry = recordShape(schema, `An entry of ${what}`, manifestFieldIds)
  const file = recordShape(entry.types.get(entryIds.dataFile), `A file in ${what}`, manifestFieldIds)
  // By status: existing, added, deleted.
  const files = [0, 0, 0]
  const rows = [0n, 0n, 0n]
  for (const record of records) {
    const status = required(intAt, entry, record, entryIds.status)
    if (!(status in files)) throw corrupt('MANIFEST_STATUS', `${what} has an entry of unknown status.`)
    files[status]!++
    rows[status]! += required(longAt, file, required(rowAt, entry, record, entryIds.dataFile), dataFileIds.recordCount)
  }
  return {
    existingFiles: files[0],
    addedFiles: files[1],
    deletedFiles: files[2],
    existingRows: rows[0],
    addedRows: rows[1],
    deletedRows: rows[2],
  }
}
