import { noSuchKey, s3Refusal } from './s3-answers.ts'
import type { Condition, FakeObject } from './object-bucket.ts'
import type { S3Call } from './s3-state.ts'

type Headers = Readonly<Record<string, string>>

/**
 * The preconditions of a write. One that was true when the request came in and no longer is has been overtaken: Amazon answers either 412 or
 * `ConditionalRequestConflict`.
 */
export function writeCondition({ request, settings, key, atStart }: S3Call): Condition | undefined {
  const { headers } = request
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  if (settings.ignoreConditions || (ifMatch === undefined && ifNoneMatch === undefined)) return undefined
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*')
    throw s3Refusal('NotImplemented', 'A header you provided implies functionality that is not implemented', {
      Header: 'If-None-Match',
    })
  return (present) => {
    if (settings.overtaken === 'conflict' && present?.generation !== atStart?.generation)
      throw s3Refusal(
        'ConditionalRequestConflict',
        'The conditional request cannot succeed due to a conflicting operation against this resource.',
      )
    if (ifNoneMatch !== undefined && present !== undefined) throw unmet('If-None-Match')
    if (ifMatch !== undefined) checkIfMatch(ifMatch, present, key)
  }
}

/** `If-Match` of a write or a delete: with nothing there it is the key that is missing. */
export function checkIfMatch(tag: string, present: FakeObject | undefined, key: string): void {
  if (present === undefined) throw noSuchKey(key)
  if (!names(tag, present)) throw unmet('If-Match')
}

/** Of a read, or with `x-amz-copy-source-` before their names of a copy's source. True where nothing is told, for nothing has changed. */
export function isUnchanged(headers: Headers, present: FakeObject, prefix: string = ''): boolean {
  const header = (name: string): string | undefined => headers[prefix + name]
  const [match, none] = [header('if-match'), header('if-none-match')]
  if (match !== undefined && !names(match, present)) throw unmet('If-Match')
  const unmodified = secondsOf(header('if-unmodified-since'))
  // A tag that matches counts more than a time.
  if (match === undefined && unmodified !== undefined && wholeSeconds(present) > unmodified)
    throw unmet('If-Unmodified-Since')
  if (none !== undefined) return names(none, present)
  const modified = secondsOf(header('if-modified-since'))
  return modified !== undefined && wholeSeconds(present) <= modified
}

function names(tags: string, { etag }: FakeObject): boolean {
  return tags.split(',').some((tag) => tag.trim() === '*' || `"${tag.trim().replaceAll('"', '')}"` === etag)
}

function wholeSeconds({ modifiedMs }: FakeObject): number {
  return Math.floor(modifiedMs / 1000)
}

function secondsOf(date: string | undefined): number | undefined {
  const ms = date === undefined ? Number.NaN : Date.parse(date)
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}

export function unmet(condition: string): Error {
  return s3Refusal('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: condition,
  })
}
