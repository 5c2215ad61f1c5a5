import { objectStoreCatalog } from '@moulin/catalog'
import type { BucketPlace, Catalog, Log, ObjectStore, Runtime } from '@moulin/core'
import { checkOptions, invalid, isKind } from '@moulin/core'
import { openLog as openComposedLog } from '@moulin/log'
import { probeStore } from '@moulin/storage'
import { logOptionsOf, runtimeOf, tierOf } from './embedded-options.ts'
import type { PlaceOptions } from './place-options.ts'
import { bucketOptions } from './place-options.ts'
import type { StorageOptions } from './store-adapters.ts'
import { layeredStore, urlOf } from './store-adapters.ts'
import { unseenTier, unseenWal } from './unseen-hot.ts'

/**
 * Opens a log in a bucket: its own objects below `log/`, its tables below `tables/`, both in the catalog of the same place; the newest
 * records in the Wal that is named.
 */
export async function openBucket(place: BucketPlace, options: PlaceOptions): Promise<Log> {
  checkOptions('openLog', options, bucketOptions)
  const { wal } = options
  if (wal === undefined) throw withoutWal(place)
  const runtime = runtimeOf(options)
  const { storage = {}, access = 'read-write', signal } = options
  const open = async (given: StorageOptions): Promise<Log> => {
    const store = await layeredStore('openLog', { place, storage: given, runtime })
    return openComposedLog({
      ...logOptionsOf(options),
      store,
      wal,
      tier: tierOf(() => catalogOf(store, runtime, access), options),
      probe: (probed) =>
        probeStore(probed, { runtime, prefix: 'log/probe/', ...(signal === undefined ? {} : { signal }) }),
      runtime,
    })
  }
  try {
    return await open(storage)
  } catch (error) {
    // Nothing but the probe's own objects has been written by then.
    if (!isKind(error, 'unsupported', 'ATTEMPT_IDS_DROPPED')) throw error
    const fields = { store: urlOf(place) }
    runtime.logger.warn(fields, 'The store drops user metadata: a write whose answer is lost is settled by its bytes')
    return open({ ...storage, userMetadata: 'dropped' })
  }
}

/** Opens the tables of a log in a bucket, without its write-ahead data: records that are in no table are not seen. */
export async function openTables(place: BucketPlace, options: PlaceOptions): Promise<Log> {
  checkOptions('openLog', options, bucketOptions)
  const runtime = runtimeOf(options)
  const store = await layeredStore('openLog', { place, storage: options.storage ?? {}, runtime })
  const tier = unseenTier(tierOf(() => catalogOf(store, runtime, 'read-only'), options))
  return openComposedLog({ ...logOptionsOf(options), access: 'read-only', store, wal: unseenWal, tier, runtime })
}

/** Of the tables of a log in a bucket. */
export function catalogOf(store: ObjectStore, runtime: Runtime, access: 'read-write' | 'read-only'): Catalog {
  return objectStoreCatalog({ store, prefix: 'tables/', runtime, access })
}

function withoutWal(place: BucketPlace): Error {
  const message =
    `openLog: a log at ${urlOf(place)} needs its write-ahead tier by name, for a bucket holds none yet: wal: fileWal({ dir }) with a folder on a local disk. ` +
    'An ack then survives the process and the crash of this machine, but not the loss of its disk; what is in tables survives what the bucket survives.'
  return invalid('WAL_NOT_NAMED', message, { context: { option: 'wal' } })
}
