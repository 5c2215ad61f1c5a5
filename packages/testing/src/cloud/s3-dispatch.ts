import type { FakeAnswer, FakeRequest } from './http-fake.ts'
import type { S3Account } from './s3-account.ts'
import { s3Refusal, s3Xml } from './s3-answers.ts'
import { deleteObjects, lifecycleOf, listObjects, versioningOf } from './s3-bucket-calls.ts'
import { checkHeaders } from './s3-headers.ts'
import { copyObject, deleteObject, getObject, putObject } from './s3-objects.ts'
import { addressOf, s3OperationOf } from './s3-route.ts'
import { checkSignature } from './s3-signature.ts'
import type { S3Bucket, S3Call } from './s3-state.ts'
import { abortUpload, completeUpload, createUpload, listParts, listUploads, uploadPart } from './s3-uploads.ts'

/** Lets a request in, or refuses it, and has it done. */
export async function answerS3(account: S3Account, request: FakeRequest): Promise<FakeAnswer> {
  const { settings, pairs, buckets } = account
  const pair = checkSignature(request, { ...settings, credentials: (id) => pairs.get(id) })
  const operation = s3OperationOf(request)
  const { bucket: name, key } = addressOf(request)
  if (operation === '') throw notImplemented(request)
  if (key !== '') checkHeaders(request.headers)
  if (operation === 'ListBuckets')
    return s3Xml('ListAllMyBucketsResult', { Buckets: { Bucket: [...buckets.keys()].map((Name) => ({ Name })) } })
  if (operation === 'CreateBucket') return makeBucket(account, name)
  const bucket = account.bucketNamed(name)
  const isPaid = !bucket.requesterPays || request.headers['x-amz-request-payer'] === 'requester'
  const isOfBucket = operation === 'CreateSession' || operation === 'HeadBucket'
  // A directory bucket takes nobody without a session.
  const isLetIn = !bucket.isDirectory || isOfBucket || pair.accessKeyId.startsWith('FAKESESSION')
  if (!isPaid || !isLetIn) throw s3Refusal('AccessDenied', 'Access Denied')
  const call = {
    request,
    settings,
    bucket: () => account.bucketNamed(name),
    bucketNamed: account.bucketNamed,
    atStart: bucket.objects.get(key),
    nextUploadId: account.nextUploadId,
    nextTag: account.nextTag,
  }
  const answer =
    key === ''
      ? await answerOfBucket(account, operation, request, bucket)
      : await answerOfObject(operation, { ...call, key: checkedKey(key) })
  if (!bucket.requesterPays) return answer
  return { ...answer, headers: { ...answer.headers, 'x-amz-request-charged': 'requester' } }
}

function makeBucket({ buckets, createBucket }: S3Account, name: string): FakeAnswer {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name))
    throw s3Refusal('InvalidBucketName', 'The specified bucket is not valid.', { BucketName: name })
  if (buckets.has(name))
    throw s3Refusal('BucketAlreadyOwnedByYou', 'Your previous request to create the named bucket succeeded.')
  createBucket(name)
  return { status: 200, headers: { location: `/${name}` } }
}

function answerOfBucket(
  account: S3Account,
  operation: string,
  request: FakeRequest,
  bucket: S3Bucket,
): FakeAnswer | Promise<FakeAnswer> {
  const { settings, buckets, bucketNamed } = account
  const { name } = bucket.objects
  switch (operation) {
    case 'HeadBucket':
      return { status: 200, headers: { 'x-amz-bucket-region': settings.region } }
    case 'CreateSession':
      return sessionOf(account, bucket)
    case 'ListObjectsV2':
      return listObjects(bucket, request)
    case 'ListMultipartUploads':
      return listUploads(bucket, request.query)
    case 'GetBucketVersioning':
      return versioningOf(bucket)
    case 'GetBucketLifecycleConfiguration':
      return lifecycleOf(bucket)
    case 'GetBucketLocation':
      return s3Xml('LocationConstraint', settings.region === 'us-east-1' ? '' : settings.region)
    case 'DeleteObjects':
      return deleteObjects(() => bucketNamed(name), request, settings)
    case 'DeleteBucket':
      if (bucket.objects.objects().length > 0)
        throw s3Refusal('BucketNotEmpty', 'The bucket you tried to delete is not empty')
      buckets.delete(name)
      return { status: 204 }
    default:
      throw notImplemented(request)
  }
}

function sessionOf(account: S3Account, { isDirectory }: S3Bucket): FakeAnswer {
  if (!isDirectory) throw s3Refusal('InvalidRequest', 'Sessions are of directory buckets alone.')
  const { accessKeyId, secretAccessKey, sessionToken, expiresMs } = account.openSession()
  return s3Xml('CreateSessionResult', {
    Credentials: {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      SessionToken: sessionToken,
      Expiration: new Date(expiresMs!).toISOString(),
    },
  })
}

function answerOfObject(operation: string, call: S3Call): FakeAnswer | Promise<FakeAnswer> {
  switch (operation) {
    case 'PutObject':
      return putObject(call)
    case 'CopyObject':
      return copyObject(call)
    case 'GetObject':
    case 'HeadObject':
      return getObject(call)
    case 'DeleteObject':
      return deleteObject(call)
    case 'CreateMultipartUpload':
      return createUpload(call)
    case 'UploadPart':
      return uploadPart(call)
    case 'CompleteMultipartUpload':
      return completeUpload(call)
    case 'AbortMultipartUpload':
      return abortUpload(call)
    case 'ListParts':
      return listParts(call)
    default:
      throw notImplemented(call.request)
  }
}

function checkedKey(key: string): string {
  if (Buffer.byteLength(key) > 1024)
    throw s3Refusal('KeyTooLongError', 'Your key is too long', { MaxSizeAllowed: 1024, Size: Buffer.byteLength(key) })
  return key
}

function notImplemented({ method, target }: FakeRequest): Error {
  return s3Refusal('NotImplemented', `This fake does not know ${method} ${target}.`)
}
