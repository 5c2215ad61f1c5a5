import { corrupt } from '@moulin/core'
import { readAvroFile } from '@moulin/format'
import { intAt, longAt, recordShape, required, rowAt, textAt } from './avro-records.ts'
import type { ManifestFile } from './data-file.ts'
import { dataFileIds, entryIds, manifestFieldIds } from './manifest-schema.ts'
import { checkManifestVersion } from './read-manifest.ts'

/** A live file of a manifest: of rows or of deletes, of any file format, encrypted or not. */
export interface NamedFile {
  readonly filePath: string
  /** Data sequence number. Undefined: the manifest does not say it. */
  readonly sequenceNumber: bigint | undefined
}

const [EXISTING, ADDED, DELETED] = [0, 1, 2]

/**
 * What a manifest of data or of deletes names, for those who ask for names only: nothing of the files has to be understood.
 * @throws `corrupt`; `unsupported` for a format version beyond 3; `exhausted`.
 * Spec: "Manifests".
 */
export function readManifestNames(bytes: Uint8Array, manifest: ManifestFile): NamedFile[] {
  const what = `The manifest ${manifest.path}`
  if (BigInt(bytes.length) !== manifest.sizeBytes)
    throw corrupt('MANIFEST_LENGTH', `${what} has ${bytes.length} bytes; its manifest list says ${manifest.sizeBytes}.`)
  const { schema, metadata, records } = readAvroFile(bytes, { what })
  checkManifestVersion(metadata, what)
  const entry = recordShape(schema, `An entry of ${what}`, manifestFieldIds)
  const dataFile = recordShape(entry.types.get(entryIds.dataFile), `A data file in ${what}`, manifestFieldIds)
  const files: NamedFile[] = []
  for (const record of records) {
    const status = required(intAt, entry, record, entryIds.status)
    if (status === DELETED) continue
    if (status !== ADDED && status !== EXISTING)
      throw corrupt('MANIFEST_STATUS', `${what} has an entry of unknown status.`)
    const file = required(rowAt, entry, record, entryIds.dataFile)
    // Added files inherit it, and all of version 1, which knew none.
    const isInherited = status === ADDED || manifest.sequenceNumber === 0n
    const sequenceNumber =
      longAt(entry, record, entryIds.sequenceNumber) ?? (isInherited ? manifest.sequenceNumber : undefined)
    files.push({ filePath: required(textAt, dataFile, file, dataFileIds.filePath), sequenceNumber })
  }
  return files
}
