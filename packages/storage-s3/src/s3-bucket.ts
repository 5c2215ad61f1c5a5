import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import type { Bucket, BucketObject, BucketUpload, BucketWrite, ByteRange, MoulinError, StoreCall } from '@moulin/core'
import { bodyOf, decoded, infoOf, isNext, isRefusal, sizeBehind, tagOf } from './s3-facts.ts'
import type { NoAnswer } from './s3-facts.ts'
import { s3Failure } from './s3-failure.ts'
import type { S3Options } from './s3-options.ts'

/** Name of the attempt id among an object's user metadata. */
const ATTEMPT = 'moulin-attempt'

export interface S3BucketOptions extends Pick<S3Options, 'storageClass' | 'encryption' | 'requesterPays'> {
  readonly name: string
  readonly bucket: string
  readonly client: S3Client
  /** Directory buckets list prefixes that end in a slash alone. */
  readonly isDirectory: boolean
}

/** The requests of S3, each sent once by the SDK. */
export function s3Bucket(options: S3BucketOptions): Bucket {
  const { name, client, isDirectory } = options
  const place = {
    Bucket: options.bucket,
    ...(options.requesterPays === true ? ({ RequestPayer: 'requester' } as const) : {}),
  }
  const kept = keptOf(options)
  const conditionOf = ({ mode }: BucketWrite): { IfNoneMatch?: string; IfMatch?: string } => {
    if (mode === 'overwrite') return {}
    return mode === 'create' ? { IfNoneMatch: '*' } : { IfMatch: mode.ifMatch }
  }
  const metadataOf = ({ attemptId }: BucketWrite): { Metadata?: Record<string, string> } =>
    attemptId === undefined ? {} : { Metadata: { [ATTEMPT]: attemptId } }

  const callOf = ({ mode }: BucketWrite): StoreCall => (typeof mode === 'object' ? 'swap' : mode)
  const noAnswer =
    (call: StoreCall, key?: string): NoAnswer =>
    ({ $metadata }) =>
      s3Failure(name, { name: 'NoAnswer', $metadata }, call, key)

  return {
    async get(key, { range, ifNoneMatch, ifMatch }, abortSignal, onBytes) {
      const answer = await client.send(
        new GetObjectCommand({
          ...place,
          Key: key,
          ...(range === undefined ? {} : { Range: rangeText(range) }),
          ...(ifNoneMatch === undefined ? {} : { IfNoneMatch: ifNoneMatch }),
          ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
        }),
        { abortSignal },
      )
      const bytes = await bodyOf(name, key, answer, onBytes)
      const fail = noAnswer('get', key)
      const size = range === undefined ? bytes.length : sizeBehind(key, answer, range, bytes.length, fail)
      return { ...infoOf(key, { ...answer, ETag: tagOf(answer, fail) }, size), bytes }
    },

    async head(key, abortSignal): Promise<BucketObject | undefined> {
      try {
        return await headOf(key, abortSignal)
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown
        // An answer to HEAD has no body, so it does not say which of two is missing, the key or the bucket, nor why a request is refused.
        const reason = await refusalOf(key, abortSignal)
        if (reason !== undefined && !leavesKeyMissing(reason)) throw reason
        if (isMissing(thrown, key)) return undefined
      }
      // The GET was not refused: meanwhile the SDK has set its clock right, by the date of the refusal.
      try {
        return await headOf(key, abortSignal)
      } catch (thrown) {
        if (isMissing(thrown, key)) return undefined
        throw thrown
      }
    },

    async put(key, bytes, write, abortSignal) {
      const answer = await client.send(
        new PutObjectCommand({
          ...place,
          ...kept,
          Key: key,
          Body: bytes,
          ...conditionOf(write),
          ...metadataOf(write),
        }),
        { abortSignal },
      )
      return { etag: tagOf(answer, noAnswer(callOf(write), key)) }
    },

    async beginUpload(key, write, abortSignal): Promise<BucketUpload> {
      const begun = await client.send(
        new CreateMultipartUploadCommand({
          ...place,
          ...kept,
          ...metadataOf(write),
          Key: key,
          ChecksumAlgorithm: 'CRC32',
        }),
        { abortSignal },
      )
      const fail = noAnswer(callOf(write), key)
      if (begun.UploadId === undefined) throw fail(begun)
      const upload = { ...place, Key: key, UploadId: begun.UploadId }
      const parts = new Map<number, { ETag: string | undefined; ChecksumCRC32: string | undefined }>()
      return {
        async part(number, bytes, end) {
          const answer = await client.send(
            new UploadPartCommand({ ...upload, PartNumber: number, Body: bytes, ChecksumAlgorithm: 'CRC32' }),
            { abortSignal: end },
          )
          parts.set(number, { ETag: tagOf(answer, fail), ChecksumCRC32: answer.ChecksumCRC32 })
        },
        async complete(end) {
          const Parts = [...parts].sort(([a], [b]) => a - b).map(([PartNumber, part]) => ({ PartNumber, ...part }))
          const answer = await client.send(
            new CompleteMultipartUploadCommand({ ...upload, ...conditionOf(write), MultipartUpload: { Parts } }),
            { abortSignal: end },
          )
          return { etag: tagOf(answer, fail) }
        },
        async abort(end) {
          try {
            await client.send(new AbortMultipartUploadCommand(upload), { abortSignal: end })
          } catch (thrown) {
            if ((thrown as Error).name !== 'NoSuchUpload') throw thrown
          }
        },
      }
    },

    async delete(key, abortSignal) {
      try {
        const answer = await client.send(new DeleteObjectCommand({ ...place, Key: key }), { abortSignal })
        // Every other success is the page of a gateway.
        if (answer.$metadata.httpStatusCode !== 204) throw noAnswer('delete', key)(answer)
      } catch (thrown) {
        // Amazon says 204 of a key that is missing, some of its likes 404.
        if (s3Failure(name, thrown, 'delete', key).kind !== 'not-found') throw thrown
      }
    },

    async deleteBatch(keys, abortSignal) {
      // Not quietly: what is not named may not have been deleted, and a quiet answer looks like the page of a gateway.
      const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: false }
      const answer = await client.send(new DeleteObjectsCommand({ ...place, Delete }), { abortSignal })
      const { Deleted = [], Errors = [] } = answer
      const named = new Set([...Deleted, ...Errors].map(({ Key }) => Key))
      const unnamed = Deleted.length + Errors.length < keys.length ? keys.filter((key) => !named.has(key)) : []
      return [
        ...Errors.filter(({ Code }) => Code !== 'NoSuchKey').map(({ Key, Code }) => ({
          key: Key ?? '',
          thrown: { name: Code },
        })),
        ...unnamed.map((key) => ({ key, thrown: { name: 'NoAnswer' } })),
      ]
    },

    async listPage({ prefix, after, token }, abortSignal) {
      const folder = isDirectory ? prefix.slice(0, prefix.lastIndexOf('/') + 1) : prefix
      const answer = await client.send(
        new ListObjectsV2Command({
          ...place,
          Prefix: folder,
          // Keys may hold what XML has no spelling for.
          EncodingType: 'url',
          ...(token === undefined ? {} : { ContinuationToken: token }),
          ...(after === undefined ? {} : { StartAfter: after }),
        }),
        { abortSignal },
      )
      // A page of some gateway, read as a list, would be an empty one; a list that goes on nowhere would be a short one.
      const { IsTruncated, NextContinuationToken } = answer
      if (IsTruncated === undefined || (IsTruncated && !isNext(NextContinuationToken, token)))
        throw noAnswer('list', prefix)(answer)
      const keyOf = answer.EncodingType === 'url' ? decoded : (text: string): string => text
      return {
        infos: (answer.Contents ?? []).map((each) => infoOf(keyOf(each.Key ?? ''), each, each.Size ?? 0)),
        token: IsTruncated ? NextContinuationToken : undefined,
      }
    },

    failure: (thrown, call, key) => s3Failure(name, thrown, call, key),
  }

  async function headOf(key: string, abortSignal: AbortSignal): Promise<BucketObject> {
    const answer = await client.send(new HeadObjectCommand({ ...place, Key: key }), { abortSignal })
    const info = infoOf(key, { ...answer, ETag: tagOf(answer, noAnswer('head', key)) }, answer.ContentLength ?? 0)
    return { ...info, attemptId: answer.Metadata?.[ATTEMPT] }
  }

  function isMissing(thrown: unknown, key: string): boolean {
    return s3Failure(name, thrown, 'head', key).kind === 'not-found'
  }

  /** What a GET of the key is refused for; undefined: it is not. */
  async function refusalOf(key: string, abortSignal: AbortSignal): Promise<MoulinError | undefined> {
    try {
      const answer = await client.send(new GetObjectCommand({ ...place, Key: key, Range: 'bytes=0-0' }), {
        abortSignal,
      })
      // One byte, and its connection is free again.
      await answer.Body?.transformToByteArray()
      return undefined
    } catch (thrown) {
      return s3Failure(name, thrown, 'head', key)
    }
  }
}

/** The bucket is there. An object that came meanwhile, an empty one has no first byte, was not when the head was asked. */
function leavesKeyMissing(error: MoulinError): boolean {
  return error.kind === 'not-found' || error.code === 'RANGE'
}

function keptOf({ storageClass, encryption }: S3BucketOptions): Partial<PutObjectCommandInput> {
  return {
    ...(storageClass === undefined
      ? {}
      : { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
    ...(encryption === undefined ? {} : { ServerSideEncryption: encryption.type }),
    ...(encryption !== undefined && 'keyId' in encryption ? { SSEKMSKeyId: encryption.keyId } : {}),
  }
}

function rangeText(range: ByteRange): string {
  if ('suffix' in range) return `bytes=-${range.suffix}`
  return `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}`
}
