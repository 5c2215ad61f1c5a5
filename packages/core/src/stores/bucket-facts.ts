/** What its owner set up for a bucket, as far as we are let in to look. */
export interface BucketFacts {
  /** Whether what is overwritten or deleted stays as an old version. Undefined: nobody may ask. */
  readonly versioning: 'on' | 'suspended' | 'off' | undefined
  /** Rules that are in force. Undefined: nobody may ask. */
  readonly lifecycle: readonly LifecycleRule[] | undefined
  /** What is overwritten or deleted can be had back for so many days, and costs so long. Undefined: it cannot, or nobody may ask. */
  readonly softDeleteDays?: number
  /** After so many days the service itself drops uploads that nobody completes. Undefined: never. */
  readonly uploadsEndDays?: number
}

/** A rule by which the service deletes by itself. */
export interface LifecycleRule {
  readonly id: string
  /** Begin of the keys that it is about; empty: all. */
  readonly prefix: string
  /** Objects are deleted so many days after they were written; 0: on a day that is named. */
  readonly expirationDays?: number
  /** Versions that are no longer the newest, after so many days. */
  readonly oldVersionDays?: number
  /** Uploads in parts that nobody completes, after so many days. */
  readonly abortUploadsDays?: number
  /** Objects move to where they cannot be read at once. */
  readonly isArchiving?: boolean
}
