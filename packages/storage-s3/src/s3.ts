import { bucketStore, checkOptions, invalid, MAX_REQUEST_BYTES, systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { s3Bucket } from './s3-bucket.ts'
import { clientOf } from './s3-client.ts'
import { s3OptionTable } from './s3-options.ts'
import type { S3Options } from './s3-options.ts'

const MIB = 1024 * 1024

/**
 * A bucket of Amazon S3, or of a store that speaks like it, as an `ObjectStore` with all capabilities. Its root is `s3://bucket/prefix/`,
 * which engines open as it stands; `s3a:` and `s3n:` mean the same.
 *
 * Every write of a create or a swap carries an attempt id in the object's user metadata, by which an answer that was lost is settled: see
 * `settledWrite`. Requests are sent once; lay `retry` of `@moulin/storage` over it.
 *
 * Nothing is asked of the service here: a wrong bucket, region or key shows at the first call.
 *
 * @throws `invalid` for a bad option.
 *
 * @example
 * const store = s3({ bucket: 'lake', region: 'eu-west-1', prefix: 'orders/' })
 * const local = s3({ bucket: 'lake', endpoint: 'http://localhost:8333', listOrder: 'none', credentials })
 */
export function s3(options: S3Options): ObjectStore {
  checkOptions('s3', options, s3OptionTable)
  const { bucket, prefix = '', client, runtime = systemRuntime() } = options
  checkOwnClient(options)
  checkBucket(bucket)
  checkEncryption(options.encryption)
  const isDirectory = bucket.endsWith('--x-s3')
  const name = `s3(${bucket}/${prefix})`
  const { storageClass, encryption, requesterPays } = options
  const requests = s3Bucket({
    name,
    bucket,
    isDirectory,
    client: client ?? clientOf(options),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(encryption === undefined ? {} : { encryption }),
    ...(requesterPays === undefined ? {} : { requesterPays }),
  })
  return bucketStore(requests, {
    name,
    bucketRoot: `s3://${bucket}/`,
    bucketAliases: [`s3a://${bucket}/`, `s3n://${bucket}/`],
    prefix,
    durability: options.durability ?? (isDirectory ? 'zone' : 'region'),
    listOrder: options.listOrder ?? (isDirectory ? 'none' : 'bytes'),
    runtime,
    deadlineMs: options.deadlineMs ?? 30_000,
    partBytes: options.partBytes ?? 8 * MIB,
    minPartBytes: 5 * MIB,
    maxParts: 10_000,
    parallelParts: options.parallelParts ?? 4,
    maxPutBytes: options.maxPutBytes ?? MAX_REQUEST_BYTES,
    maxBatchKeys: 1_000,
    attemptIds: options.userMetadata !== 'dropped',
  })
}

/** @throws `invalid` code `BUCKET`. */
export function checkBucket(bucket: string): void {
  if (/^[a-z0-9][a-z0-9._-]{1,254}$/i.test(bucket)) return
  const message = `s3: ${JSON.stringify(bucket)} is no name of a bucket: 3 to 63 letters, digits, dots and hyphens. A path in it is given as prefix.`
  throw invalid('BUCKET', message, { context: { bucket } })
}

function checkEncryption(encryption: S3Options['encryption']): void {
  if (encryption?.type !== 'AES256' || (encryption as { readonly keyId?: unknown }).keyId === undefined) return
  throw invalid(
    'OPTION',
    "s3: encryption.keyId is that of a KMS key, and AES256 has none: say type 'aws:kms', or leave it out.",
  )
}

/** What a client was made with cannot be changed by an option, which would be passed over. */
function checkOwnClient(options: S3Options): void {
  if (options.client === undefined) return
  for (const name of ['region', 'endpoint', 'pathStyle', 'credentials', 'userAgent'] as const) {
    if (options[name] === undefined) continue
    throw invalid('OPTION', `s3: ${name} is given with the client, or without one: leave it out here.`)
  }
}
