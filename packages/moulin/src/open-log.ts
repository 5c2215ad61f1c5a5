import type { Log } from '@moulin/core'
import { invalid, placeOf } from '@moulin/core'
import { openLog as openComposedLog } from '@moulin/log'
import type { OpenLogOptions } from '@moulin/log'
import { openBucket } from './bucket-log.ts'
import { openFolder } from './embedded.ts'
import type { PlaceOptions } from './place-options.ts'

/**
 * Opens a log by its place, or one composed from parts.
 *
 * A folder, by path or `file:` URL: see {@link openFolder}. A bucket, `s3://bucket/prefix`, `gs://bucket/prefix` or
 * `az://account/container/prefix`: tables, catalog and the log's own objects lie there, and `wal` is required. Its adapter is a package of
 * its own, `@moulin/storage-s3`, `-gcs` or `-azure`, which is to be installed beside this one. The store is tried out before anything else
 * is written (about 130 requests below `log/probe/`), and calls are tried again by `retry` of `@moulin/storage`.
 *
 * @throws what {@link openFolder} throws; `invalid` code `WAL_NOT_NAMED` for a bucket without `wal`; `unsupported` code `ADAPTER_MISSING`
 * with the package to install, or with the lie of a store that is not safe to write to; `unavailable` code `CREDENTIALS`,
 * `BUCKET_MISSING`, `FORBIDDEN`; `corrupt` code `OTHER_LOG` where the write-ahead data is of another log than the bucket's.
 *
 * @example
 * const log = await openLog('./lake')
 * const cloud = await openLog('s3://bucket/lake', { wal: fileWal({ dir: './wal' }), storage: { region: 'eu-west-1' } })
 */
export function openLog(place: string | URL, options?: PlaceOptions): Promise<Log>
export function openLog(options: OpenLogOptions): Promise<Log>
export async function openLog(where: string | URL | OpenLogOptions, options?: PlaceOptions): Promise<Log> {
  const isComposed = typeof where === 'object' && where !== null && !(where instanceof URL)
  if (!isComposed) return openPlace(where, options === undefined ? {} : options)
  if (options === undefined) return openComposedLog(where)
  throw invalid('OPTION', 'openLog: a log composed from parts takes one object: put the options into it.')
}

async function openPlace(where: string | URL, options: PlaceOptions): Promise<Log> {
  const place = placeOf('openLog', where)
  if (place.kind !== 'folder') return openBucket(place, options)
  for (const name of ['wal', 'storage'] as const) {
    if (options?.[name] === undefined) continue
    const message = `openLog: ${name} belongs to a log in a bucket; a folder holds its own write-ahead data. Leave it out, or compose the log: openLog({ store, wal, tier }).`
    throw invalid('OPTION', message, { context: { option: name } })
  }
  return openFolder(where, options)
}
