import { checkOptions } from '@moulin/core'
import type { SeenRequest } from './http-fake.ts'
import { httpFake } from './http-fake.ts'
import { bucketIn } from './object-bucket.ts'
import type { FakeObject } from './object-bucket.ts'
import type { SparsePiece } from './object-content.ts'
import { sparseContent } from './object-content.ts'
import { s3Account } from './s3-account.ts'
import { answerS3 } from './s3-dispatch.ts'
import type { S3FakeOptions } from './s3-options.ts'
import { s3FakeTable, standardCredentials } from './s3-options.ts'
import { s3OperationOf } from './s3-route.ts'
import type { FakeCredentials } from './s3-signature.ts'
import type { FakeLifecycleRule } from './lifecycle-rule.ts'
import type { S3Bucket, S3Upload } from './s3-state.ts'

/** A server that speaks S3, and what a test can see of it and do to it. */
export interface S3Fake {
  /** For `endpoint` of a client, with `forcePathStyle`. */
  readonly endpoint: string
  readonly region: string
  /** The first pair that is let in. */
  readonly credentials: FakeCredentials
  /** What came, in order. */
  readonly requests: readonly SeenRequest[]
  forgetRequests(): void
  /** Those of a bucket, in its order. @throws `not-found` code `BUCKET`. */
  objects(bucket: string): readonly FakeObject[]
  /** Bytes of an object; undefined where there is none. */
  read(bucket: string, key: string): Uint8Array | undefined
  /** Uploads that are neither complete nor aborted. */
  uploads(bucket: string): readonly S3Upload[]
  /** Puts an object that may be larger than memory: zeros but for the pieces. */
  putSparse(bucket: string, key: string, size: number, pieces?: readonly SparsePiece[]): void
  createBucket(bucket: string): void
  /** With all that is in it; what is on its way to it hears `NoSuchBucket`. */
  deleteBucket(bucket: string): void
  setVersioning(bucket: string, status: 'Enabled' | 'Suspended' | undefined): void
  setLifecycle(bucket: string, rules: readonly FakeLifecycleRule[]): void
  /** From now on `ExpiredToken` for all pairs that are known. */
  expireCredentials(): void
  /** A pair more, or the same with another secret or token. */
  addCredentials(credentials: FakeCredentials): void
  close(): Promise<void>
}

/**
 * Starts a server on loopback that speaks enough S3 for the vendor's own SDKs, path style (or `bucket.localhost`): objects, ranges, conditions,
 * lists, multipart uploads, copies, deletes of many, sessions
 * of directory buckets (whose names end in `--x-s3`). Bodies are held against every checksum that comes with them and signatures worked out anew.
 * It keeps everything in memory; it has no versions, no ACLs, no policies.
 *
 * @example
 * const fake = await s3Fake({ buckets: ['lake'] })
 * const client = new S3Client({ endpoint: fake.endpoint, region: fake.region, credentials: fake.credentials, forcePathStyle: true })
 *
 * @throws `invalid` code `OPTION`.
 */
export async function s3Fake(options: S3FakeOptions = {}): Promise<S3Fake> {
  checkOptions('s3Fake', options, s3FakeTable)
  const account = s3Account(options)
  const { settings, pairs, buckets, createBucket } = account
  const [first = standardCredentials] = pairs.values()
  const bucketNamed = (name: string): S3Bucket => bucketIn(buckets, name)

  const server = await httpFake({
    clock: settings.clock,
    handle: (request) => answerS3(account, request),
    operationOf: s3OperationOf,
  })
  return {
    endpoint: server.url,
    region: settings.region,
    credentials: first,
    requests: server.requests,
    forgetRequests: server.forgetRequests,
    objects: (bucket) => bucketNamed(bucket).objects.objects(),
    read(bucket, key) {
      const content = bucketNamed(bucket).objects.get(key)?.content
      return content?.slice(0, content.size)
    },
    uploads: (bucket) => [...bucketNamed(bucket).uploads.values()],
    putSparse(bucket, key, size, pieces = []) {
      const content = sparseContent(size, pieces)
      const etag = `"sparse-${size}-1"`
      const headers = { 'content-type': 'binary/octet-stream' }
      bucketNamed(bucket).objects.put(key, { content, etag, headers, metadata: {}, checksums: {} })
    },
    createBucket,
    deleteBucket: (bucket) => void buckets.delete(bucketNamed(bucket).objects.name),
    setVersioning: (bucket, status) => void (bucketNamed(bucket).versioning = status),
    setLifecycle: (bucket, rules) => void (bucketNamed(bucket).lifecycle = rules),
    expireCredentials() {
      for (const [id, pair] of pairs) pairs.set(id, { ...pair, expiresMs: settings.clock.now() })
    },
    addCredentials: (pair) => void pairs.set(pair.accessKeyId, pair),
    close: server.close,
  }
}
