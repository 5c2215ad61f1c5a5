/** A rule of a bucket's lifecycle that does away with objects. */
export interface FakeLifecycleRule {
  readonly id: string
  /** Which keys. Default all. */
  readonly prefix?: string
  readonly enabled?: boolean
  readonly expirationDays?: number
  readonly abortUploadsDays?: number
}
