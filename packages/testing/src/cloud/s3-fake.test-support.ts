import type { S3ClientConfig } from '@aws-sdk/client-s3'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { onTestFinished } from 'vitest'
import type { S3Fake } from './s3-fake.ts'
import type { S3FakeOptions } from './s3-options.ts'
import { s3Fake } from './s3-fake.ts'

/** A fake with the bucket `lake`, gone with the test, and the vendor's own client before it. */
export async function fakeWithClient(options: S3FakeOptions = {}): Promise<S3Bench> {
  const fake = await s3Fake({ buckets: ['lake'], ...options })
  onTestFinished(() => fake.close())
  return { fake, ...benchOf(fake) }
}

export interface S3Bench extends ReturnType<typeof benchOf> {
  readonly fake: S3Fake
}

/** `endpoint` may be that of a proxy. */
export function benchOf(
  { endpoint, region, credentials }: Pick<S3Fake, 'endpoint' | 'region' | 'credentials'>,
  options: Partial<S3ClientConfig> = {},
) {
  const client = new S3Client({
    endpoint,
    region,
    credentials,
    forcePathStyle: true,
    maxAttempts: 1,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    ...options,
  })
  const Bucket = 'lake'
  return {
    client,
    Bucket,
    put: (Key: string, Body: string | Uint8Array, more: object = {}) =>
      client.send(new PutObjectCommand({ Bucket, Key, Body, ...more })),
    get: (Key: string, more: object = {}) => client.send(new GetObjectCommand({ Bucket, Key, ...more })),
    text: async (Key: string, more: object = {}) =>
      (await client.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body!.transformToString(),
    /** An upload of these parts, to be completed. */
    async upload(Key: string, bodies: readonly (string | Uint8Array)[], more: object = {}) {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }))
      const Parts: { readonly ETag: string | undefined; readonly PartNumber: number }[] = []
      for (const [i, Body] of bodies.entries()) {
        const part = { Bucket, Key, UploadId, PartNumber: i + 1, Body }
        const { ETag } = await client.send(new UploadPartCommand(part))
        Parts.push({ ETag, PartNumber: i + 1 })
      }
      return {
        UploadId: UploadId!,
        Parts,
        complete: (conditions: object = {}) =>
          client.send(
            new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...conditions }),
          ),
      }
    },
  }
}

/** `200`, or `412 PreconditionFailed`, or `no answer`: what the client was told. */
export async function said(call: Promise<unknown>): Promise<string> {
  type Told = { readonly name?: string; readonly $metadata?: { readonly httpStatusCode?: number } }
  const isAnswer = await call.then(
    (answer) => ({ told: answer as Told, name: '' }),
    (error: unknown) => ({ told: error as Told, name: (error as Told).name ?? '' }),
  )
  const { told, name } = isAnswer
  const status = told.$metadata?.httpStatusCode
  return status === undefined ? 'no answer' : `${status} ${name}`.trim()
}
