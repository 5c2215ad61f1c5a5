import type { Clock } from '@moulin/core'
import type { ChecksumName } from './checksums.ts'
import type { FakeAnswer, FakeRequest } from './http-fake.ts'
import type { FakeListOrder } from './key-order.ts'
import type { FakeLifecycleRule } from './lifecycle-rule.ts'
import type { FakeObject, ObjectBucket } from './object-bucket.ts'

/** How a fake behaves: the options of `s3Fake`, with their defaults. */
export interface S3Settings {
  readonly clock: Pick<Clock, 'now'>
  readonly region: string
  readonly listOrder: FakeListOrder
  readonly minPartBytes: number
  readonly minChunkBytes: number
  readonly maxPutBytes: number
  readonly dropMetadata: boolean
  readonly ignoreConditions: boolean
  readonly overtaken: 'precondition' | 'conflict'
}

export interface S3Bucket {
  readonly objects: ObjectBucket
  readonly uploads: Map<string, S3Upload>
  /** Answers of uploads that are complete: a second call gets the same. */
  readonly completed: Map<string, FakeAnswer>
  readonly requesterPays: boolean
  /** Of S3 Express. */
  readonly isDirectory: boolean
  versioning: 'Enabled' | 'Suspended' | undefined
  lifecycle: readonly FakeLifecycleRule[]
}

export interface S3Upload {
  readonly id: string
  readonly key: string
  readonly startedMs: number
  readonly metadata: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** What its creation asked for. */
  readonly checksum: { readonly name: ChecksumName; readonly type: 'COMPOSITE' | 'FULL_OBJECT' } | undefined
  readonly parts: Map<number, S3Part>
}

export interface S3Part {
  readonly bytes: Uint8Array
  readonly etag: string
  readonly modifiedMs: number
  readonly checksums: Readonly<Partial<Record<ChecksumName, string>>>
}

/** A request about one object. */
export interface S3Call {
  readonly request: FakeRequest
  readonly settings: S3Settings
  readonly key: string
  /** Looks anew each time, for it may be gone by now. Throws `NoSuchBucket`. */
  bucket(): S3Bucket
  /** Of a copy's source. */
  bucketNamed(name: string): S3Bucket
  /** What the key held when the request came in, its body still on the way. */
  readonly atStart: FakeObject | undefined
  nextUploadId(): string
  /** One that says nothing of the bytes. */
  nextTag(): string
}
