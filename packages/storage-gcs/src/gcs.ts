import { bucketStore, checkOptions, invalid, systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { gcsBucket } from './gcs-bucket.ts'
import { clientOf } from './gcs-client.ts'
import { gcsOptionTable } from './gcs-options.ts'
import type { GcsOptions } from './gcs-options.ts'
import { STEP_BYTES } from './gcs-upload.ts'

const MIB = 1024 * 1024

/**
 * A bucket of Google Cloud Storage as an `ObjectStore` with all capabilities. Its root is `gs://bucket/prefix/`, which engines open as it
 * stands. An object's tag is its generation, which never comes back.
 *
 * Every write of a create or a swap carries an attempt id in the object's user metadata, by which an answer that was lost is settled: see
 * `settledWrite`. Requests are sent once; lay `retry` of `@moulin/storage` over it. Google takes about one write a second of one name: more
 * are `unavailable` code `SLOW_DOWN`, with `retryAfterMs`.
 *
 * The SDK cannot stop a request that has begun: after an abort or the deadline nobody waits for it, and it may still take effect, which the
 * outcome `unknown` says.
 *
 * Nothing is asked of the service here: a wrong bucket or credentials show at the first call.
 *
 * @throws `invalid` for a bad option.
 *
 * @example
 * const store = gcs({ bucket: 'lake', prefix: 'orders/' })
 * const local = gcs({ bucket: 'lake', apiEndpoint: 'http://localhost:4443' })
 */
export function gcs(options: GcsOptions): ObjectStore {
  checkOptions('gcs', options, gcsOptionTable)
  const { bucket, prefix = '', client, runtime = systemRuntime() } = options
  checkOwnClient(options)
  checkBucket(bucket)
  const name = `gcs(${bucket}/${prefix})`
  const { storageClass, kmsKeyName, userProject } = options
  const requests = gcsBucket({
    name,
    bucket,
    client: client ?? clientOf(options),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(kmsKeyName === undefined ? {} : { kmsKeyName }),
    ...(userProject === undefined ? {} : { userProject }),
  })
  return bucketStore(requests, {
    name,
    bucketRoot: `gs://${bucket}/`,
    bucketAliases: [],
    prefix,
    durability: options.durability ?? 'region',
    listOrder: options.listOrder ?? 'bytes',
    runtime,
    deadlineMs: options.deadlineMs ?? 30_000,
    partBytes: options.partBytes ?? 8 * MIB,
    minPartBytes: STEP_BYTES,
    partStepBytes: STEP_BYTES,
    // A session knows no parts, only bytes: Google's limit is that of the object.
    maxParts: Infinity,
    parallelParts: 1,
    maxPutBytes: options.maxPutBytes ?? 1024 * MIB,
    // Left to single deletes: the SDK has no batch.
    maxBatchKeys: 1,
    attemptIds: options.userMetadata !== 'dropped',
  })
}

/** @throws `invalid` code `BUCKET`. */
export function checkBucket(bucket: string): void {
  if (/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(bucket)) return
  const message = `gcs: ${JSON.stringify(bucket)} is no name of a bucket: 3 to 222 small letters, digits, dots, hyphens and underscores. A path in it is given as prefix.`
  throw invalid('BUCKET', message, { context: { bucket } })
}

/** What a client was made with cannot be changed by an option, which would be passed over. */
function checkOwnClient(options: GcsOptions): void {
  if (options.client === undefined) return
  for (const name of ['projectId', 'apiEndpoint', 'credentials', 'token', 'userAgent'] as const) {
    if (options[name] === undefined) continue
    throw invalid('OPTION', `gcs: ${name} is given with the client, or without one: leave it out here.`)
  }
}
