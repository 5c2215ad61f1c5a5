import { getIfThere, isKind, isSameLocation, keyOf, tableText, unsupported, uriOf } from '@moulin/core'
import type { ObjectStore, TableIdentifier, TableMetadata } from '@moulin/core'
import { parseTableMetadata } from '@moulin/iceberg'
import { isDropped } from './dropped-table.ts'
import { noMetadata } from './next-metadata.ts'
import type { TableFolder } from './version-files.ts'
import { withSignal } from './version-files.ts'

export interface MetadataToRegister {
  readonly metadata: TableMetadata
  readonly key: string
  readonly sizeBytes: number
}

/**
 * The metadata that a table of this folder may begin with.
 * @throws `not-found` code `FILE_VANISHED`; `unsupported` code `TABLE_LOCATION` for that of a table which lies elsewhere.
 */
export async function metadataToRegister(
  table: TableIdentifier,
  folder: TableFolder,
  metadataLocation: string,
  signal: AbortSignal | undefined,
): Promise<MetadataToRegister> {
  const { store, path } = folder
  const location = uriOf(store, path)
  const key = keyInStore(store, metadataLocation)
  if (key === undefined) throw notItsFolder(table, location, metadataLocation, 'lies outside of the store')
  const object = await getIfThere(store, key, withSignal(signal))
  if (object === undefined || isDropped(object.bytes)) throw noMetadata(metadataLocation)
  const metadata = parseTableMetadata(object.bytes, key)
  if (isSameLocation(metadata.location, location)) return { metadata, key, sizeBytes: object.bytes.length }
  throw notItsFolder(table, location, metadataLocation, `is of a table at ${metadata.location}`)
}

function keyInStore(store: ObjectStore, location: string): string | undefined {
  try {
    return keyOf(store, location)
  } catch (error) {
    if (isKind(error, 'invalid')) return undefined
    throw error
  }
}

function notItsFolder(table: TableIdentifier, location: string, metadataLocation: string, why: string): Error {
  const name = tableText(table)
  const message = `${metadataLocation} cannot become the table ${name}, whose folder is ${location}: it ${why}. A table's folder is its name.`
  return unsupported('TABLE_LOCATION', message, { context: { table: name, location, metadataLocation } })
}
