import { basename, dirname, join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import { corrupt, type Files, invalid, notFound, placeOf, systemRuntime, tableFiles } from '@moulin/core'
import type { BucketPlace, ObjectStore } from '@moulin/core'
import { type RangeReader, storeRangeReader } from '@moulin/format'
import type { FileVerdict } from '@moulin/format/second-opinion'
import { planScan } from '@moulin/iceberg'
import { fileSystem } from '@moulin/storage'
import type { StorageOptions } from './store-adapters.ts'
import { layeredStore, urlOf } from './store-adapters.ts'

/** A data file that two readers were asked about, or why one of them did not begin. */
export interface VerifiedFile {
  readonly file: string
  readonly verdict: FileVerdict | undefined
  readonly error: unknown
}

/**
 * Reads a Parquet file, or every live data file of a table (its folder, by path or URL), with our reader and with
 * hyparquet: see `verifyFile` of `@moulin/format/second-opinion`. Read-only; an error of one file does not end the others.
 * @throws `not-found` for a place that is not there; `invalid` for a folder that is no table's; what loading the table throws.
 */
export async function* verifyPlace(
  place: string | URL,
  { storage, ...options }: { readonly maxDifferences?: number; readonly storage?: StorageOptions } = {},
): AsyncGenerator<VerifiedFile, void, undefined> {
  const { verifyFile } = await import('@moulin/format/second-opinion')
  const verified = async (reader: RangeReader): Promise<VerifiedFile> => {
    try {
      return { file: reader.name, verdict: await verifyFile(reader, options), error: undefined }
    } catch (error) {
      return { file: reader.name, verdict: undefined, error }
    }
  }
  const where = placeOf('verify', place)
  if (where.kind !== 'folder') {
    for await (const reader of filesInBucket(where, storage ?? {})) yield await verified(reader)
    return
  }
  if (storage !== undefined)
    throw invalid('OPTION', 'verify: storage is of a bucket, and a folder has none: leave it out.', {
      context: { option: 'storage' },
    })
  const path = where.dir
  const { files } = systemRuntime()
  const stat = await files.stat(path)
  if (stat === undefined)
    throw notFound('NO_FILE', `There is nothing at ${path}: name a Parquet file or the folder of a table.`)
  if (stat.kind === 'directory') {
    for await (const reader of filesOfFolder(await files.realpath(path), files)) yield await verified(reader)
    return
  }
  const handle = await files.open(path, 'read')
  try {
    yield await verified({
      size: stat.size,
      name: path,
      async read(start, end) {
        const bytes = await handle.read(start, end - start)
        if (bytes.length === end - start) return bytes
        throw corrupt('FILE_SIZE', `${path} ends before byte ${end}; it had ${stat.size} bytes when it was opened.`)
      },
    })
  } finally {
    await handle.close()
  }
}

/** The table's folder is `<namespace>/<name>` below a store, as engines open it by path. */
async function* filesOfFolder(path: string, files: Files): AsyncGenerator<RangeReader, void, undefined> {
  const [namespace, root] = [basename(dirname(path)), dirname(dirname(path))]
  const metadataFolder = await files.stat(join(path, 'metadata'))
  if (metadataFolder?.kind !== 'directory' || namespace === '' || root === dirname(path)) throw noTable(path)
  yield* filesOfTable(fileSystem({ root, files }), namespace, basename(path))
}

/** A file, or all of a table, by the same rule. */
async function* filesInBucket(
  place: BucketPlace,
  storage: StorageOptions,
): AsyncGenerator<RangeReader, void, undefined> {
  const runtime = systemRuntime()
  const names = place.prefix.split('/').slice(0, -1)
  const [namespace, name] = names.slice(-2)
  if (namespace === undefined || name === undefined) throw noTable(urlOf(place))
  const prefix = names
    .slice(0, -2)
    .map((each) => `${each}/`)
    .join('')
  const store = await layeredStore('verify', { place: { ...place, prefix }, storage, runtime })
  const file = await store.head(`${namespace}/${name}`)
  if (file !== undefined) {
    const location = `${store.root}${file.key}`
    yield { ...storeRangeReader(tableFiles(store), location, file.size), name: location }
    return
  }
  yield* filesOfTable(store, namespace, name)
}

async function* filesOfTable(
  store: ObjectStore,
  namespace: string,
  name: string,
): AsyncGenerator<RangeReader, void, undefined> {
  const catalog = objectStoreCatalog({ store, prefix: '', runtime: systemRuntime(), access: 'read-only' })
  const { metadata } = await catalog.loadTable({ namespace: [namespace], name })
  const located = tableFiles(store)
  for await (const { file } of planScan({ tableFiles: located, metadata })) {
    const reader = storeRangeReader(located, file.filePath, Number(file.fileSizeBytes))
    yield { ...reader, name: file.filePath }
  }
}

function noTable(path: string): Error {
  const message = `${path} is no folder of a table: it has no folder metadata. A log's tables lie below its folder tables/.`
  return invalid('NO_TABLE', message, { context: { path } })
}
