import type { FakeAnswer, FakeRequest } from './http-fake.ts'
import type { FakeObject, ListPage } from './object-bucket.ts'
import { s3Refusal, s3Xml } from './s3-answers.ts'
import { checkedBody } from './s3-body.ts'
import { unmet } from './s3-conditions.ts'
import { Refusal } from './http-fake.ts'
import type { S3Bucket, S3Settings } from './s3-state.ts'
import { childText, parseXml } from './xml.ts'

const MAX_KEYS = 1000

/** ListObjectsV2. */
export function listObjects(bucket: S3Bucket, { query }: FakeRequest): FakeAnswer {
  const text = (name: string): string | undefined => query.get(name)
  const asked = Number(text('max-keys') ?? MAX_KEYS)
  if (!Number.isInteger(asked) || asked < 0)
    throw s3Refusal('InvalidArgument', 'Argument maxKeys must be an integer between 0 and 2147483647', {
      ArgumentName: 'max-keys',
    })
  const limit = Math.min(asked, MAX_KEYS)
  const encoding = text('encoding-type')
  if (encoding !== undefined && encoding !== 'url')
    throw s3Refusal('InvalidArgument', 'Invalid Encoding Method specified in Request', {
      ArgumentName: 'encoding-type',
    })
  const shown = encoding === 'url' ? urlEncoded : (value: string): string => value
  const [prefix, delimiter] = [text('prefix') ?? '', text('delimiter') ?? '']
  if (bucket.isDirectory && text('start-after') !== undefined)
    throw s3Refusal('NotImplemented', 'A directory bucket knows no start-after.')
  if (bucket.isDirectory && ((prefix !== '' && !prefix.endsWith('/')) || (delimiter !== '' && delimiter !== '/')))
    throw s3Refusal('InvalidRequest', 'A directory bucket lists by folders: prefixes end in /, the only delimiter.')
  const page: ListPage =
    limit === 0
      ? { objects: [], folders: [], last: undefined }
      : bucket.objects.list({ prefix, delimiter, limit, ...startOf(text('continuation-token'), text('start-after')) })
  return s3Xml('ListBucketResult', {
    Name: bucket.objects.name,
    Prefix: shown(prefix),
    Delimiter: delimiter === '' ? undefined : shown(delimiter),
    StartAfter: text('start-after') === undefined ? undefined : shown(text('start-after')!),
    ContinuationToken: text('continuation-token'),
    NextContinuationToken: page.last === undefined ? undefined : tokenOf(page.last),
    KeyCount: page.objects.length + page.folders.length,
    MaxKeys: limit,
    EncodingType: encoding,
    IsTruncated: page.last !== undefined,
    Contents: page.objects.map((object) => entryOf(object, shown)),
    CommonPrefixes: page.folders.map((folder) => ({ Prefix: shown(folder) })),
  })
}

function entryOf({ key, modifiedMs, etag, content, headers, checksums }: FakeObject, shown: (text: string) => string) {
  return {
    Key: shown(key),
    LastModified: new Date(modifiedMs).toISOString(),
    ETag: etag,
    ChecksumAlgorithm: Object.keys(checksums).map((name) => name.toUpperCase()),
    Size: content.size,
    StorageClass: headers['x-amz-storage-class'] ?? 'STANDARD',
  }
}

/** As forms are encoded, but for the slash. */
function urlEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1).replaceAll('%2F', '/')
}

function tokenOf(last: NonNullable<ListPage['last']>): string {
  return Buffer.from(`${last.isFolder ? 'f' : 'k'}${last.name}`).toString('base64url')
}

/** A token counts more than a start. */
function startOf(
  token: string | undefined,
  startAfter: string | undefined,
): { after?: string; isAfterFolder?: boolean } {
  if (token === undefined) return startAfter === undefined ? {} : { after: startAfter }
  const text = Buffer.from(token, 'base64url').toString()
  if (!/^[fk]./su.test(text) || Buffer.from(text).toString('base64url') !== token)
    throw s3Refusal('InvalidArgument', 'The continuation token provided is incorrect', {
      ArgumentName: 'continuation-token',
    })
  return { after: text.slice(1), isAfterFolder: text.startsWith('f') }
}

/** DeleteObjects: each key by itself, with the tag that it may be given. */
export async function deleteObjects(
  bucketNow: () => S3Bucket,
  request: FakeRequest,
  settings: S3Settings,
): Promise<FakeAnswer> {
  const isChecked = Object.keys(request.headers).some((name) =>
    /^(content-md5|x-amz-checksum-.*|x-amz-trailer)$/.test(name),
  )
  const { bytes } = await checkedBody(request, settings.minChunkBytes)
  if (!isChecked)
    throw s3Refusal('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*')
  const sent = parseXml(Buffer.from(bytes).toString())
  const named = sent?.children.filter(({ name }) => name === 'Object') ?? []
  if (sent?.name !== 'Delete' || named.length === 0 || named.length > MAX_KEYS)
    throw s3Refusal(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    )
  const isQuiet = childText(sent, 'Quiet') === 'true'
  const { objects } = bucketNow()
  const deleted: { readonly Key: string }[] = []
  const errors: { readonly Key: string; readonly Code: string; readonly Message: string }[] = []
  for (const one of named) {
    const key = childText(one, 'Key') ?? ''
    const tag = settings.ignoreConditions ? undefined : childText(one, 'ETag')
    try {
      objects.delete(key, (present) => {
        if (tag !== undefined && tag !== '*' && present?.etag !== `"${tag.replaceAll('"', '')}"`)
          throw unmet('If-Match')
      })
      deleted.push({ Key: key })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      errors.push({
        Key: key,
        Code: error.code,
        Message: 'At least one of the pre-conditions you specified did not hold',
      })
    }
  }
  return s3Xml('DeleteResult', { Deleted: isQuiet ? [] : deleted, Error: errors })
}

export function versioningOf({ versioning }: S3Bucket): FakeAnswer {
  return s3Xml('VersioningConfiguration', { Status: versioning })
}

export function lifecycleOf({ lifecycle }: S3Bucket): FakeAnswer {
  if (lifecycle.length === 0)
    throw s3Refusal('NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist')
  return s3Xml('LifecycleConfiguration', {
    Rule: lifecycle.map(({ id, prefix = '', enabled = true, expirationDays, abortUploadsDays }) => ({
      ID: id,
      Filter: { Prefix: prefix },
      Status: enabled ? 'Enabled' : 'Disabled',
      Expiration: expirationDays === undefined ? undefined : { Days: expirationDays },
      AbortIncompleteMultipartUpload:
        abortUploadsDays === undefined ? undefined : { DaysAfterInitiation: abortUploadsDays },
    })),
  })
}
