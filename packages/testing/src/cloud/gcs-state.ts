import type { FakeAnswer, FakeRequest } from './http-fake.ts'
import type { NewObject, ObjectBucket } from './object-bucket.ts'
import type { GcsSettings } from './gcs-options.ts'
import type { FakeLifecycleRule } from './lifecycle-rule.ts'

export interface GcsBucket {
  readonly objects: ObjectBucket
  /** Open ones, by their id. */
  readonly uploads: Map<string, GcsUpload>
  /** Of uploads that are complete, what their last chunk was told: it is told again. */
  readonly completed: Map<string, FakeAnswer>
  /** When each name was written or deleted last. */
  readonly writtenMs: Map<string, number>
  readonly requesterPays: boolean
  versioning: 'Enabled' | 'Suspended' | undefined
  lifecycle: readonly FakeLifecycleRule[]
}

/** A resumable upload: a session, whose bytes come in order. */
export interface GcsUpload {
  readonly id: string
  readonly key: string
  readonly startedMs: number
  /** What its beginning said of the object, and under which conditions. */
  readonly about: ObjectWords
  readonly query: ReadonlyMap<string, string>
  readonly chunks: Uint8Array[]
  /** Of all chunks. */
  bytes: number
}

/** What a client may say of an object. */
export interface ObjectWords extends Pick<NewObject, 'metadata' | 'headers'> {
  /** In base64: what the bytes must have. */
  readonly crc32c: string | undefined
  readonly md5: string | undefined
}

/** A request about a bucket, or an object in it. */
export interface GcsCall {
  readonly request: FakeRequest
  readonly settings: GcsSettings
  /** Looks anew each time, for it may be gone by now. Throws the refusal. */
  bucket(): GcsBucket
  readonly bucketName: string
  /** '' for none. */
  readonly key: string
  nextUploadId(): string
}
