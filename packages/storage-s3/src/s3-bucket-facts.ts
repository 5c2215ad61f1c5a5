import { GetBucketLifecycleConfigurationCommand, GetBucketVersioningCommand } from '@aws-sdk/client-s3'
import type { LifecycleRule as S3LifecycleRule, S3Client } from '@aws-sdk/client-s3'
import { checkOptions } from '@moulin/core'
import type { BucketFacts, LifecycleRule } from '@moulin/core'
import { checkBucket } from './s3.ts'
import { clientOf } from './s3-client.ts'
import { s3Failure } from './s3-failure.ts'
import { s3OptionTable } from './s3-options.ts'
import type { S3Options } from './s3-options.ts'

/** Storage classes that take hours to read from. */
const archives: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE'])
/** No such request, or none that we are let in for. */
const untold: ReadonlySet<number> = new Set([400, 403, 405, 501])

/**
 * Versioning and lifecycle rules of a bucket, for `moulin doctor`: two requests, of permissions `s3:GetBucketVersioning` and
 * `s3:GetLifecycleConfiguration`. What may not be asked is undefined.
 *
 * @throws `invalid` for a bad option; what any call of the store throws.
 */
export async function s3BucketFacts(options: S3Options): Promise<BucketFacts> {
  checkOptions('s3BucketFacts', options, s3OptionTable)
  checkBucket(options.bucket)
  const { bucket: Bucket, client = clientOf(options) } = options
  try {
    return {
      versioning: await told(options, async () => {
        const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket }))
        return Status === 'Enabled' ? 'on' : Status === 'Suspended' ? 'suspended' : 'off'
      }),
      lifecycle: await told(options, () => rulesOf(client, Bucket)),
    }
  } finally {
    if (options.client === undefined) client.destroy()
  }
}

async function rulesOf(client: S3Client, Bucket: string): Promise<LifecycleRule[]> {
  try {
    const { Rules = [] } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))
    return Rules.filter(({ Status }) => Status === 'Enabled').flatMap(ruleOf)
  } catch (thrown) {
    if ((thrown as { readonly name?: unknown } | null)?.name === 'NoSuchLifecycleConfiguration') return []
    throw thrown
  }
}

function ruleOf(rule: S3LifecycleRule): LifecycleRule[] {
  const { ID = '', Filter, Expiration, NoncurrentVersionExpiration, AbortIncompleteMultipartUpload, Transitions } = rule
  // No object of ours has a tag.
  if (Filter?.Tag !== undefined || (Filter?.And?.Tags ?? []).length > 0) return []
  const oldVersionDays = NoncurrentVersionExpiration?.NoncurrentDays
  const abortUploadsDays = AbortIncompleteMultipartUpload?.DaysAfterInitiation
  return [
    {
      id: ID,
      // Before filters there was a prefix of the rule itself, which old rules still have.
      prefix: Filter?.Prefix ?? Filter?.And?.Prefix ?? (rule as { readonly Prefix?: string }).Prefix ?? '',
      ...(Expiration?.Days === undefined && Expiration?.Date === undefined
        ? {}
        : { expirationDays: Expiration.Days ?? 0 }),
      ...(oldVersionDays === undefined ? {} : { oldVersionDays }),
      ...(abortUploadsDays === undefined ? {} : { abortUploadsDays }),
      ...(Transitions?.some(({ StorageClass = '' }) => archives.has(StorageClass)) === true
        ? { isArchiving: true }
        : {}),
    },
  ]
}

async function told<T>({ bucket }: S3Options, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (thrown) {
    const status = (thrown as { readonly $metadata?: { readonly httpStatusCode?: number } } | null)?.$metadata
      ?.httpStatusCode
    const failure = s3Failure(`s3(${bucket})`, thrown, 'get', undefined)
    if (status !== undefined && untold.has(status) && failure.code !== 'CREDENTIALS' && failure.code !== 'REGION')
      return undefined
    throw failure
  }
}
