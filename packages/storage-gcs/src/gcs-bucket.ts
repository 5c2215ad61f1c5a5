import { IdempotencyStrategy } from '@google-cloud/storage'
import type { Storage } from '@google-cloud/storage'
import { invalid, md5Of, withOutcome } from '@moulin/core'
import type { Bucket, BucketObject, BucketUpload, BucketWrite, ByteRange, StoreCall } from '@moulin/core'
import { gcsFailure, saysNoBucket, saysNoObject, statusOf } from './gcs-failure.ts'
import type { GcsOptions } from './gcs-options.ts'
import {
  checkDeleted,
  generationIn,
  infoOf,
  metadataOf,
  pageOf,
  secondOf,
  sessionOf,
  sizeBehind,
  writtenTag,
} from './gcs-facts.ts'
import type { NoAnswer } from './gcs-facts.ts'
import { asked, askedForBytes, insertParts } from './gcs-requests.ts'
import { checkSums, checkWhole } from './gcs-sums.ts'
import { gcsUpload } from './gcs-upload.ts'

/** Name of the attempt id among an object's user metadata. */
const ATTEMPT = 'moulin-attempt'

export interface GcsBucketOptions extends Pick<GcsOptions, 'storageClass' | 'kmsKeyName' | 'userProject'> {
  readonly name: string
  readonly bucket: string
  readonly client: Storage
}

/** The requests of Google's JSON API, each sent once by the SDK. An object's etag is its generation. */
export function gcsBucket({
  name,
  bucket: bucketName,
  client,
  storageClass,
  kmsKeyName,
  userProject,
}: GcsBucketOptions): Bucket {
  const bucket = client.bucket(bucketName)
  const payer = userProject === undefined ? {} : { userProject }
  const encryption = kmsKeyName === undefined ? {} : { kmsKeyName }
  const about = ({ attemptId }: BucketWrite): object => ({
    contentType: 'application/octet-stream',
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(attemptId === undefined ? {} : { metadata: { [ATTEMPT]: attemptId } }),
  })
  /** The low door leaves to whoever knocks what a client of one's own says of writes. */
  const retriesOf = (isConditional: boolean): { readonly maxRetries?: 0 } => {
    const strategy = client.retryOptions.idempotencyStrategy
    const isAllowed =
      strategy === IdempotencyStrategy.RetryAlways ||
      (strategy === IdempotencyStrategy.RetryConditional && isConditional)
    return isAllowed ? {} : { maxRetries: 0 }
  }
  const uploadUri = `${client.apiEndpoint}/upload/storage/v1/b/${encodeURIComponent(bucketName)}/o`
  const uriOf = (key: string): string => `/o/${encodeURIComponent(key)}`

  const noAnswer =
    (call: StoreCall, key?: string): NoAnswer =>
    () =>
      gcsFailure(name, { name: 'NoAnswer' }, call, key)

  /** Whether a 404 is about the object: one in words that are not Google's may be about the whole bucket. */
  const isMissing = async (thrown: unknown): Promise<boolean> => {
    if (statusOf(thrown) !== 404 || saysNoBucket(thrown)) return false
    if (saysNoObject(thrown)) return true
    try {
      pageOf(await asked(bucket, { uri: '/o', qs: { ...payer, maxResults: '1', fields: 'kind' } }), noAnswer('list'))
      return true
    } catch (error) {
      if (statusOf(error) === 404) return false
      throw error
    }
  }
  /** Throws what tells a missing object from a missing bucket. */
  const looked = async <T>(call: StoreCall, key: string, send: () => Promise<T>): Promise<T> => {
    try {
      return await send()
    } catch (thrown) {
      if (statusOf(thrown) !== 404 || (await isMissing(thrown))) throw thrown
      throw gcsFailure(name, { code: 404, message: 'The bucket does not exist' }, call, key)
    }
  }

  return {
    async get(key, { range, ifNoneMatch, ifMatch }, signal, onBytes) {
      const { headers, bytes } = await looked('get', key, () =>
        askedForBytes(
          bucket,
          {
            uri: uriOf(key),
            qs: {
              ...payer,
              alt: 'media',
              ...(ifMatch === undefined ? {} : { ifGenerationMatch: generationOf(ifMatch) }),
              ...(ifNoneMatch === undefined ? {} : { ifGenerationNotMatch: generationOf(ifNoneMatch) }),
            },
            headers: {
              // As it is stored, and not as a cache on the way remembers it.
              'accept-encoding': 'gzip',
              'cache-control': 'no-store',
              ...(range === undefined ? {} : { range: rangeText(range) }),
            },
          },
          signal,
          onBytes,
        ),
      )
      const fail = noAnswer('get', key)
      const etag = generationIn(headers['x-goog-generation'], fail)
      checkWhole(name, key, headers, bytes)
      if (range === undefined) checkSums(client, name, key, headers, bytes)
      const size = sizeBehind(key, headers['content-range'], range, bytes.length, fail)
      return { key, size, etag, modifiedMs: secondOf(headers['last-modified']), bytes }
    },

    async head(key): Promise<BucketObject | undefined> {
      try {
        const qs = { ...payer, fields: 'name,size,generation,updated,metadata' }
        const { body } = await looked('head', key, () => asked(bucket, { uri: uriOf(key), qs }))
        return { ...infoOf(body, noAnswer('head', key)), attemptId: metadataOf(body, ATTEMPT) }
      } catch (thrown) {
        if (statusOf(thrown) !== 404) throw thrown
        return undefined
      }
    },

    async put(key, bytes, write) {
      checkWords(name, key)
      const md5Hash = Buffer.from(md5Of(bytes)).toString('base64')
      const qs = { ...payer, ...encryption, ...conditionOf(write), uploadType: 'multipart', name: key }
      let tries = 0
      const multipart = insertParts({ ...about(write), md5Hash }, bytes, () => tries++)
      try {
        const retries = retriesOf(write.mode !== 'overwrite')
        const reply = await asked(bucket, { method: 'POST', uri: uploadUri, qs, multipart, ...retries })
        return writtenTag(reply, noAnswer(callOf(write), key))
      } catch (thrown) {
        // A condition that failed after the SDK had sent it before may have failed by its own first sending.
        if (tries < 2 || write.mode === 'overwrite') throw thrown
        throw withOutcome(gcsFailure(name, thrown, callOf(write), key), 'unknown')
      }
    },

    async beginUpload(key, write): Promise<BucketUpload> {
      checkWords(name, key)
      const qs = { ...payer, ...encryption, ...conditionOf(write), uploadType: 'resumable', name: key }
      try {
        const fail = noAnswer(callOf(write), key)
        const reply = await asked(bucket, { method: 'POST', uri: uploadUri, qs, json: about(write) })
        return gcsUpload(name, bucket, withPayer(sessionOf(reply, fail), userProject), fail)
      } catch (thrown) {
        if (statusOf(thrown) !== 412) throw thrown
        return refusedUpload(thrown)
      }
    },

    async delete(key) {
      try {
        const reply = await looked('delete', key, () =>
          asked(bucket, { method: 'DELETE', uri: uriOf(key), qs: payer, ...retriesOf(false) }),
        )
        checkDeleted(reply, noAnswer('delete', key))
      } catch (thrown) {
        if (statusOf(thrown) !== 404) throw thrown
      }
    },

    async listPage({ prefix, after, token }) {
      checkWords(name, prefix + (after ?? ''))
      // A page goes on under the words of the first one, so its token takes them along.
      const [pageToken = '', startOffset = ''] = token === undefined ? ['', after ?? ''] : split(token)
      const reply = await asked(bucket, {
        uri: '/o',
        qs: {
          ...payer,
          prefix,
          fields: 'kind,items(name,size,generation,updated),nextPageToken',
          ...(startOffset === '' ? {} : { startOffset }),
          ...(pageToken === '' ? {} : { pageToken }),
        },
      })
      const { infos, nextPageToken } = pageOf(reply, noAnswer('list', prefix))
      // Empty, it would ask for the first page again.
      const next = nextPageToken === '' ? undefined : nextPageToken
      return { infos, token: next === undefined ? undefined : `${next}\n${startOffset}` }
    },

    failure: (thrown, call, key) => gcsFailure(name, thrown, call, key),
  }
}

/** The SDK puts the project's id in for these words, wherever they stand in a query: the object would get another name. */
function checkWords(store: string, key: string): void {
  if (!key.includes('{{projectId}}')) return
  const message = `${store}: the SDK cannot send the words {{projectId}} in a key (${JSON.stringify(key)}): use another.`
  throw invalid('KEY', message, { context: { store, key } })
}

function callOf({ mode }: BucketWrite): StoreCall {
  return typeof mode === 'object' ? 'swap' : mode
}

function conditionOf({ mode }: BucketWrite): { readonly ifGenerationMatch?: string } {
  if (mode === 'overwrite') return {}
  return { ifGenerationMatch: mode === 'create' ? '0' : generationOf(mode.ifMatch) }
}

/** A tag that is no generation is none that an object ever had. 0 would mean that there is no object. */
function generationOf(tag: string): string {
  return /^[1-9]\d{0,18}$/.test(tag) ? tag : '1'
}

/** Google judges the condition of a session already when it begins. What is known only then is told at the end, where it is looked into. */
function refusedUpload(thrown: unknown): BucketUpload {
  return {
    part: async () => {},
    complete: () => Promise.reject(thrown as Error),
    abort: async () => {},
  }
}

function withPayer(uri: string, userProject: string | undefined): string {
  if (userProject === undefined) return uri
  const url = new URL(uri)
  url.searchParams.set('userProject', userProject)
  return url.href
}

function rangeText(range: ByteRange): string {
  if ('suffix' in range) return `bytes=-${range.suffix}`
  return `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}`
}

function split(token: string): readonly [string, string] {
  const end = token.indexOf('\n')
  return [token.slice(0, end), token.slice(end + 1)]
}
