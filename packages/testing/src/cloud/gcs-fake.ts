import { checkOptions } from '@moulin/core'
import { gcsAccount } from './gcs-account.ts'
import { answerGcs } from './gcs-dispatch.ts'
import type { FakeToken, GcsFakeOptions } from './gcs-options.ts'
import { gcsFakeTable, standardToken } from './gcs-options.ts'
import { gcsOperationOf } from './gcs-route.ts'
import type { GcsBucket, GcsUpload } from './gcs-state.ts'
import type { SeenRequest } from './http-fake.ts'
import { httpFake } from './http-fake.ts'
import { bucketIn } from './object-bucket.ts'
import type { FakeObject } from './object-bucket.ts'
import type { SparsePiece } from './object-content.ts'
import { sparseContent } from './object-content.ts'
import type { FakeLifecycleRule } from './lifecycle-rule.ts'

/** A server that speaks as Google Cloud Storage, and what a test can see of it and do to it. */
export interface GcsFake {
  /** For `apiEndpoint` of a client. */
  readonly endpoint: string
  /** The first token that is let in. */
  readonly token: string
  /** What came, in order. */
  readonly requests: readonly SeenRequest[]
  forgetRequests(): void
  /** Those of a bucket, in its order. @throws `not-found` code `BUCKET`. */
  objects(bucket: string): readonly FakeObject[]
  /** Bytes of an object; undefined where there is none. */
  read(bucket: string, key: string): Uint8Array | undefined
  /** Resumable uploads that are neither complete nor cancelled. */
  uploads(bucket: string): readonly GcsUpload[]
  /** Puts an object that may be larger than memory: zeros but for the pieces. */
  putSparse(bucket: string, key: string, size: number, pieces?: readonly SparsePiece[]): void
  createBucket(bucket: string): void
  /** With all that is in it; what is on its way to it hears that there is none. */
  deleteBucket(bucket: string): void
  setVersioning(bucket: string, status: 'Enabled' | 'Suspended' | undefined): void
  setLifecycle(bucket: string, rules: readonly FakeLifecycleRule[]): void
  /** From now on 401 for all tokens that are known. */
  expireTokens(): void
  /** One more. */
  addToken(token: FakeToken): void
  close(): Promise<void>
}

/**
 * Starts a server on loopback that speaks enough of Google's JSON API for the vendor's own SDK: objects in one request or by resumable
 * sessions, ranges, preconditions, lists, copies, requester pays. Bodies are held against the checksums that come with them, and conditions
 * are decided when a body is whole. It keeps everything in memory; it has no older generations, no ACLs, no batches.
 *
 * @example
 * const fake = await gcsFake({ buckets: ['lake'] })
 * const client = new Storage({ apiEndpoint: fake.endpoint, projectId: 'test', retryOptions: { autoRetry: false } })
 *
 * @throws `invalid` code `OPTION`.
 */
export async function gcsFake(options: GcsFakeOptions = {}): Promise<GcsFake> {
  checkOptions('gcsFake', options, gcsFakeTable)
  const account = gcsAccount(options)
  const { settings, tokens, buckets, createBucket } = account
  const [first = standardToken] = tokens.values()
  const bucketNamed = (name: string): GcsBucket => bucketIn(buckets, name)

  const server = await httpFake({
    clock: settings.clock,
    handle: (request) => answerGcs(account, request),
    operationOf: gcsOperationOf,
  })
  return {
    endpoint: server.url,
    token: first.token,
    requests: server.requests,
    forgetRequests: server.forgetRequests,
    objects: (bucket) => bucketNamed(bucket).objects.objects(),
    read(bucket, key) {
      const content = bucketNamed(bucket).objects.get(key)?.content
      return content?.slice(0, content.size)
    },
    uploads: (bucket) => [...bucketNamed(bucket).uploads.values()],
    putSparse(bucket, key, size, pieces = []) {
      const headers = { contentType: 'application/octet-stream' }
      const object = { content: sparseContent(size, pieces), etag: '', headers, metadata: {}, checksums: {} }
      bucketNamed(bucket).objects.put(key, object)
    },
    createBucket,
    deleteBucket: (bucket) => void buckets.delete(bucketNamed(bucket).objects.name),
    setVersioning: (bucket, status) => void (bucketNamed(bucket).versioning = status),
    setLifecycle: (bucket, rules) => void (bucketNamed(bucket).lifecycle = rules),
    expireTokens() {
      for (const [word, token] of tokens) tokens.set(word, { ...token, expiresMs: settings.clock.now() })
    },
    addToken: (token) => void tokens.set(token.token, token),
    close: server.close,
  }
}
