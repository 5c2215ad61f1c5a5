import type { GcsAccount } from './gcs-account.ts'
import { asMedia, gcsJson, gcsRefusal } from './gcs-answers.ts'
import { bucketResource, listObjects } from './gcs-bucket-calls.ts'
import { deleteObject, getObject, insertObject, jsonOf, patchObject, rewriteObject } from './gcs-objects.ts'
import { gcsAddressOf, gcsOperationOf } from './gcs-route.ts'
import type { GcsBucket, GcsCall } from './gcs-state.ts'
import { beginUpload, cancelUpload, continueUpload } from './gcs-uploads.ts'
import type { FakeAnswer, FakeRequest } from './http-fake.ts'
import { Refusal } from './http-fake.ts'

/** Lets a request in, or refuses it, and has it done. */
export async function answerGcs(account: GcsAccount, request: FakeRequest): Promise<FakeAnswer> {
  try {
    return await answer(account, request)
  } catch (error) {
    throw error instanceof Refusal && request.query.get('alt') === 'media' ? asMedia(error) : error
  }
}

async function answer(account: GcsAccount, request: FakeRequest): Promise<FakeAnswer> {
  const { settings, buckets, bucketNamed, nextUploadId } = account
  account.checkToken(request.headers['authorization'])
  const operation = gcsOperationOf(request)
  if (operation === '') throw notImplemented(request)
  if (operation === 'buckets.insert') return await makeBucket(account, request)
  if (operation === 'buckets.list')
    return gcsJson({ kind: 'storage#buckets', items: [...buckets.keys()].map((name) => ({ name })) })
  const { bucket: bucketName, key } = gcsAddressOf(request)
  const bucket = bucketNamed(bucketName)
  if (bucket.requesterPays && !request.query.has('userProject'))
    throw gcsRefusal('required', 'Bucket is a requester pays bucket but no user project provided.')
  const call = { request, settings, bucketName, key, nextUploadId, bucket: () => bucketNamed(bucketName) }
  return (await answerOfObject(account, operation, call)) ?? answerOfBucket(account, operation, request, bucket)
}

async function answerOfObject(
  { bucketNamed }: GcsAccount,
  operation: string,
  call: GcsCall,
): Promise<FakeAnswer | undefined> {
  switch (operation) {
    case 'objects.insert':
      return await insertObject(call)
    case 'objects.get':
    case 'objects.get.media':
      return getObject(call)
    case 'objects.delete':
      return deleteObject(call)
    case 'objects.patch':
      return await patchObject(call)
    case 'objects.rewrite':
      return await rewriteObject(call, (name) => () => bucketNamed(name))
    case 'uploads.begin':
      return await beginUpload(call)
    case 'uploads.put':
      return await continueUpload(call)
    case 'uploads.cancel':
      return cancelUpload(call)
    default:
      return undefined
  }
}

function answerOfBucket(
  { buckets }: GcsAccount,
  operation: string,
  request: FakeRequest,
  bucket: GcsBucket,
): FakeAnswer {
  switch (operation) {
    case 'objects.list':
      return listObjects(bucket, request.query)
    case 'buckets.get':
      return bucketResource(bucket)
    case 'buckets.delete':
      if (bucket.objects.objects().length > 0)
        throw gcsRefusal('conflict', 'The bucket you tried to delete is not empty.')
      buckets.delete(bucket.objects.name)
      return { status: 204 }
    default:
      throw notImplemented(request)
  }
}

function notImplemented({ method, target }: FakeRequest): Error {
  return gcsRefusal('notImplemented', `This fake does not know ${method} ${target}.`)
}

async function makeBucket({ buckets, createBucket }: GcsAccount, request: FakeRequest): Promise<FakeAnswer> {
  const said = jsonOf(Buffer.from(await request.body()).toString()) as { readonly name?: string }
  const { name = '' } = said
  if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(name)) throw gcsRefusal('invalid', `Invalid bucket name: '${name}'`)
  if (buckets.has(name)) throw gcsRefusal('conflict', 'Your previous request to create the named bucket succeeded.')
  createBucket(name)
  return bucketResource(buckets.get(name)!)
}
