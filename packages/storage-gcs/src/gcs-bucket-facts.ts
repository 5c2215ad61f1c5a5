import type { BucketMetadata } from '@google-cloud/storage'
import { checkOptions } from '@moulin/core'
import type { BucketFacts, LifecycleRule } from '@moulin/core'
import { checkBucket } from './gcs.ts'
import { clientOf } from './gcs-client.ts'
import { gcsFailure, statusOf } from './gcs-failure.ts'
import { gcsOptionTable } from './gcs-options.ts'
import type { GcsOptions } from './gcs-options.ts'

const DAY_SECONDS = 24 * 60 * 60
/** Cloud Storage, resumable uploads: how long a session is kept. */
const SESSION_DAYS = 7
/** No such request, or none that we are let in for. */
const untold: ReadonlySet<number | undefined> = new Set([403, 405, 501])

type GcsRule = NonNullable<NonNullable<BucketMetadata['lifecycle']>['rule']>[number]

/**
 * Versioning, soft delete and lifecycle rules of a bucket, for `moulin doctor`: one request, of the permission `storage.buckets.get`. Without
 * it versioning and rules are undefined.
 *
 * @throws `invalid` for a bad option; what any call of the store throws.
 */
export async function gcsBucketFacts(options: GcsOptions): Promise<BucketFacts> {
  checkOptions('gcsBucketFacts', options, gcsOptionTable)
  checkBucket(options.bucket)
  const { bucket, userProject, client = clientOf(options) } = options
  try {
    const [metadata] = await client.bucket(bucket, userProject === undefined ? {} : { userProject }).getMetadata()
    return factsIn(metadata)
  } catch (thrown) {
    const failure = gcsFailure(`gcs(${bucket})`, thrown, 'list', undefined)
    if (untold.has(statusOf(thrown)) && !failure.retryable)
      return { versioning: undefined, lifecycle: undefined, uploadsEndDays: SESSION_DAYS }
    throw failure
  }
}

/** Old versions from before versioning was turned off show nowhere in it. */
export function factsIn({ versioning, lifecycle, softDeletePolicy }: BucketMetadata): BucketFacts {
  const softDeleteDays = Number(softDeletePolicy?.retentionDurationSeconds ?? 0) / DAY_SECONDS
  return {
    versioning: versioning?.enabled === true ? 'on' : 'off',
    lifecycle: (lifecycle?.rule ?? []).flatMap(rulesOf),
    ...(softDeleteDays > 0 ? { softDeleteDays } : {}),
    uploadsEndDays: SESSION_DAYS,
  }
}

/** One for each prefix. A change of the storage class is none: every class is read at once. */
function rulesOf({ action: { type }, condition }: GcsRule, at: number): LifecycleRule[] {
  // A client's own settings may come as the service sends them, or without what it leaves out.
  const { matchesPrefix = [''], customTimeBefore, daysSinceCustomTime, age } = condition
  // No object of ours has a time of its own.
  if (customTimeBefore !== undefined || daysSinceCustomTime !== undefined) return []
  const days = daysOf(type, condition, age)
  if (days === undefined) return []
  // Google gives rules no names.
  return matchesPrefix.map((prefix) => ({ id: `${type} ${at + 1}`, prefix, ...days }))
}

function daysOf(
  type: GcsRule['action']['type'],
  condition: GcsRule['condition'],
  age: number | undefined,
): Pick<LifecycleRule, 'expirationDays' | 'oldVersionDays' | 'abortUploadsDays'> | undefined {
  if (type === 'AbortIncompleteMultipartUpload') return { abortUploadsDays: age ?? 0 }
  if (type !== 'Delete') return undefined
  const { isLive, numNewerVersions = 0, daysSinceNoncurrentTime, noncurrentTimeBefore } = condition
  const isOfOldOnes =
    isLive === false ||
    numNewerVersions > 0 ||
    daysSinceNoncurrentTime !== undefined ||
    noncurrentTimeBefore !== undefined
  if (isOfOldOnes) return { oldVersionDays: daysSinceNoncurrentTime ?? age ?? 0 }
  // All that a rule asks must be so: where it asks for a day and an age, the age decides at last.
  const expirationDays = age ?? 0
  return isLive === true ? { expirationDays } : { expirationDays, oldVersionDays: expirationDays }
}
