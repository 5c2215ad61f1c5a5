import { gcsJson, gcsRefusal } from './gcs-answers.ts'
import { resourceOf } from './gcs-resource.ts'
import type { GcsBucket } from './gcs-state.ts'
import type { FakeAnswer } from './http-fake.ts'
import type { ListPage } from './object-bucket.ts'

const MAX_RESULTS = 1000
/** What a list would have to look at, and this one does not. */
const lacking = [
  'matchGlob',
  'versions',
  'softDeleted',
  'includeTrailingDelimiter',
  'includeFoldersAsPrefixes',
  'filter',
] as const

export function listObjects({ objects }: GcsBucket, query: ReadonlyMap<string, string>): FakeAnswer {
  const unknown = lacking.find((name) => !['false', '', undefined].includes(query.get(name)))
  if (unknown !== undefined) throw gcsRefusal('notImplemented', `This fake does not know ${unknown} of a list.`)
  const text = (name: string): string => query.get(name) ?? ''
  const asked = Number(query.get('maxResults') ?? MAX_RESULTS)
  if (!Number.isInteger(asked) || asked < 1)
    throw gcsRefusal('invalidParameter', 'Invalid value for maxResults: it is a number from 1.')
  const limit = Math.min(asked, MAX_RESULTS)
  const token = query.get('pageToken')
  const from = token === undefined ? startOf(text('startOffset')) : placeAt(token)
  const page = objects.list({ prefix: text('prefix'), delimiter: text('delimiter'), limit, ...from })
  const end = text('endOffset')
  const isBefore = (name: string): boolean => end === '' || Buffer.compare(Buffer.from(name), Buffer.from(end)) < 0
  const items = page.objects.filter(({ key }) => isBefore(key))
  const prefixes = page.folders.filter(isBefore)
  const isOver = page.last === undefined || !isBefore(page.last.name)
  return gcsJson({
    kind: 'storage#objects',
    ...(isOver ? {} : { nextPageToken: tokenOf(page.last) }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(items.length === 0 ? {} : { items: items.map((object) => resourceOf(objects.name, object)) }),
  })
}

function startOf(from: string): { readonly from?: string } {
  return from === '' ? {} : { from }
}

function tokenOf(last: NonNullable<ListPage['last']>): string {
  return Buffer.from(`${last.isFolder ? 'f' : 'k'}${last.name}`).toString('base64url')
}

function placeAt(token: string): { readonly after: string; readonly isAfterFolder: boolean } {
  const text = Buffer.from(token, 'base64url').toString()
  if (!/^[fk]./su.test(text)) throw gcsRefusal('invalidParameter', 'Invalid value for pageToken.')
  return { after: text.slice(1), isAfterFolder: text.startsWith('f') }
}

/** What Google tells of a bucket, versioning and lifecycle among it. */
export function bucketResource({ objects, versioning, lifecycle, requesterPays }: GcsBucket): FakeAnswer {
  return gcsJson({
    kind: 'storage#bucket',
    id: objects.name,
    name: objects.name,
    location: 'US',
    locationType: 'multi-region',
    storageClass: 'STANDARD',
    ...(requesterPays ? { billing: { requesterPays: true } } : {}),
    ...(versioning === undefined ? {} : { versioning: { enabled: versioning === 'Enabled' } }),
    ...(lifecycle.length === 0 ? {} : { lifecycle: { rule: lifecycle.flatMap(rulesOf) } }),
  })
}

function rulesOf({
  prefix,
  enabled = true,
  expirationDays,
  abortUploadsDays,
}: GcsBucket['lifecycle'][number]): readonly object[] {
  if (!enabled) return []
  const where = prefix === undefined ? {} : { matchesPrefix: [prefix] }
  return [
    ...(expirationDays === undefined
      ? []
      : [{ action: { type: 'Delete' }, condition: { age: expirationDays, ...where } }]),
    ...(abortUploadsDays === undefined
      ? []
      : [{ action: { type: 'AbortIncompleteMultipartUpload' }, condition: { age: abortUploadsDays, ...where } }]),
  ]
}
