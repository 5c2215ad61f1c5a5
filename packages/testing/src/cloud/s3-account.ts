import { md5Of } from './checksums.ts'
import { objectBucket } from './object-bucket.ts'
import { s3Refusal } from './s3-answers.ts'
import type { S3FakeOptions } from './s3-options.ts'
import { settingsOf, standardCredentials } from './s3-options.ts'
import { isDirectoryBucket } from './s3-route.ts'
import type { FakeCredentials } from './s3-signature.ts'
import type { S3Bucket, S3Settings } from './s3-state.ts'

/** All that a fake holds: whom it lets in, and the buckets. */
export interface S3Account {
  readonly settings: S3Settings
  /** By access key. */
  readonly pairs: Map<string, FakeCredentials>
  readonly buckets: Map<string, S3Bucket>
  createBucket(name: string): void
  /** Throws the refusal `NoSuchBucket`. */
  bucketNamed(name: string): S3Bucket
  nextUploadId(): string
  /** One that says nothing of the bytes, in quotes. */
  nextTag(): string
  /** A pair with a token, as a directory bucket gives it out. */
  openSession(): FakeCredentials
}

/** Five minutes, as Amazon's. */
const SESSION_MS = 300_000

export function s3Account(options: S3FakeOptions): S3Account {
  const { requesterPays = [], credentials = [standardCredentials] } = options
  const settings = settingsOf(options)
  const pairs = new Map(credentials.map((pair) => [pair.accessKeyId, pair]))
  const buckets = new Map<string, S3Bucket>()
  let uploads = 0
  let sessions = 0
  let tags = 0

  const createBucket = (name: string): void => {
    const isDirectory = isDirectoryBucket(name)
    const objects = objectBucket({ name, clock: settings.clock, order: isDirectory ? 'none' : settings.listOrder })
    const state = { uploads: new Map(), completed: new Map(), versioning: undefined, lifecycle: [] }
    buckets.set(name, { ...state, objects, isDirectory, requesterPays: requesterPays.includes(name) })
  }
  for (const name of options.buckets ?? ['moulin']) createBucket(name)

  return {
    settings,
    pairs,
    buckets,
    createBucket,
    bucketNamed(name) {
      const found = buckets.get(name)
      if (found === undefined)
        throw s3Refusal('NoSuchBucket', 'The specified bucket does not exist', { BucketName: name })
      return found
    },
    nextUploadId: () => `upload-${String(++uploads).padStart(8, '0')}`,
    nextTag: () => `"${md5Of(Buffer.from(`tag ${++tags}`), 'hex')}"`,
    openSession() {
      const id = `FAKESESSION${++sessions}`
      const opened = { accessKeyId: id, secretAccessKey: `secret-of-${id}`, sessionToken: `token-of-${id}` }
      const pair = { ...opened, expiresMs: settings.clock.now() + SESSION_MS }
      pairs.set(id, pair)
      return pair
    },
  }
}
