import { gcsRefusal, noSuchBucket } from './gcs-answers.ts'
import type { FakeToken, GcsFakeOptions, GcsSettings } from './gcs-options.ts'
import { gcsSettingsOf, standardToken } from './gcs-options.ts'
import type { GcsBucket } from './gcs-state.ts'
import { objectBucket } from './object-bucket.ts'

/** All that a fake holds: whom it lets in, and the buckets. */
export interface GcsAccount {
  readonly settings: GcsSettings
  readonly tokens: Map<string, FakeToken>
  readonly buckets: Map<string, GcsBucket>
  createBucket(name: string): void
  /** Throws the refusal. */
  bucketNamed(name: string): GcsBucket
  nextUploadId(): string
  /** Throws the refusal of a header that lets nobody in. */
  checkToken(header: string | undefined): void
}

export function gcsAccount(options: GcsFakeOptions): GcsAccount {
  const { requesterPays = [] } = options
  const settings = gcsSettingsOf(options)
  const tokens = new Map((options.tokens ?? [standardToken]).map((each) => [each.token, each]))
  const buckets = new Map<string, GcsBucket>()
  let uploads = 0

  const createBucket = (name: string): void => {
    buckets.set(name, {
      objects: objectBucket({ name, clock: settings.clock, order: settings.listOrder }),
      uploads: new Map(),
      completed: new Map(),
      writtenMs: new Map(),
      requesterPays: requesterPays.includes(name),
      versioning: undefined,
      lifecycle: [],
    })
  }
  for (const name of options.buckets ?? ['moulin']) createBucket(name)

  return {
    settings,
    tokens,
    buckets,
    createBucket,
    bucketNamed(name) {
      const bucket = buckets.get(name)
      if (bucket === undefined) throw noSuchBucket()
      return bucket
    },
    nextUploadId: () => `upload-${String(++uploads).padStart(8, '0')}`,
    checkToken(header) {
      if (header === undefined) {
        if (settings.anonymous) return
        throw gcsRefusal('authError', 'Anonymous caller does not have access.')
      }
      const [, word] = /^Bearer ([\w.~+/-]+=*)$/.exec(header) ?? []
      const token = word === undefined ? undefined : tokens.get(word)
      if (token === undefined || settings.clock.now() >= (token.expiresMs ?? Infinity))
        throw gcsRefusal('authError', 'Invalid Credentials', { 'www-authenticate': 'Bearer error="invalid_token"' })
    },
  }
}
