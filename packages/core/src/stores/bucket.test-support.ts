import { virtualRuntime } from '@moulin/testing'
import type { ByteRange, ObjectInfo, ObjectStore, StoredObject } from '../doors/object-store.ts'
import { failureOf, type StoreAnswer, type StoreCall } from './answers.ts'
import type { Bucket, BucketObject, BucketUpload, BucketWrite } from './bucket.ts'
import { bucketStore } from './bucket-store.ts'
import type { BucketStoreOptions } from './bucket-store.ts'

const answers: readonly StoreAnswer[] = [
  { status: 404, on: ['swap'], means: 'moved', source: 'this test' },
  { status: 404, means: 'missing', source: 'this test' },
  { status: 412, on: ['create'], means: 'taken', source: 'this test' },
  { status: 412, means: 'moved', source: 'this test' },
  { status: 409, means: 'raced', source: 'this test' },
  { status: 304, means: 'unchanged', source: 'this test' },
  { status: 416, means: 'pastEnd', source: 'this test' },
]

/** What a service throws, with its status. */
export const thrown = (status?: number): Error => Object.assign(new Error('secret'), { status })

export interface MemoryBucket extends Bucket {
  readonly objects: Map<string, BucketObject & { readonly bytes: Uint8Array }>
  /** Uploads that are neither complete nor aborted. */
  readonly uploads: Set<string>
  readonly calls: string[]
  /** Called before each request, by its name. */
  before: (call: string) => Promise<void> | void
  /** Called once its effect is there: an answer that is lost. */
  after: (call: string) => Promise<void> | void
  keepsIds: boolean
}

/** A service in memory, whose requests fail as a test says. */
export function memoryBucket(): MemoryBucket {
  const objects: MemoryBucket['objects'] = new Map()
  const uploads = new Set<string>()
  const calls: string[] = []
  let version = 0
  const asked = async <T>(call: string, effect: () => T): Promise<T> => {
    calls.push(call)
    await bucket.before(call)
    const answer = effect()
    await bucket.after(call)
    return answer
  }
  const found = (key: string): BucketObject & { readonly bytes: Uint8Array } => {
    const object = objects.get(key)
    if (object === undefined) throw thrown(404)
    return object
  }
  const store = (key: string, bytes: Uint8Array, { mode, attemptId }: BucketWrite): { etag: string } => {
    const present = objects.get(key)
    if (mode === 'create' && present !== undefined) throw thrown(412)
    if (typeof mode === 'object' && present === undefined) throw thrown(404)
    if (typeof mode === 'object' && present!.etag !== mode.ifMatch) throw thrown(412)
    const etag = `"${++version}"`
    const id = bucket.keepsIds ? attemptId : undefined
    objects.set(key, {
      key,
      size: bytes.length,
      etag,
      modifiedMs: version,
      attemptId: id,
      bytes: new Uint8Array(bytes),
    })
    return { etag }
  }
  const bucket: MemoryBucket = {
    objects,
    uploads,
    calls,
    before: () => {},
    after: () => {},
    keepsIds: true,
    get: (key, { range, ifNoneMatch, ifMatch }) =>
      asked('get', (): StoredObject => {
        const { bytes, attemptId: _, ...info } = found(key)
        if (info.etag === ifNoneMatch) throw thrown(304)
        if (ifMatch !== undefined && info.etag !== ifMatch) throw thrown(412)
        return { ...info, bytes: cut(bytes, range) }
      }),
    head: (key) => asked('head', () => objects.get(key)),
    put: (key, bytes, write) => asked('put', () => store(key, bytes, write)),
    beginUpload: (key, write) =>
      asked('begin', (): BucketUpload => {
        const id = `upload ${++version}`
        uploads.add(id)
        const parts = new Map<number, Uint8Array>()
        return {
          part: (number, bytes) => asked('part', () => void parts.set(number, new Uint8Array(bytes))),
          complete: () =>
            asked('complete', () => {
              if (!uploads.has(id)) throw thrown(404)
              const whole = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes))
              const answer = store(key, new Uint8Array(whole), write)
              uploads.delete(id)
              return answer
            }),
          abort: () => asked('abort', () => void uploads.delete(id)),
        }
      }),
    delete: (key) => asked('delete', () => void objects.delete(key)),
    deleteBatch: (keys) =>
      asked('deleteBatch', () => {
        for (const key of keys) if (!key.includes('kept')) objects.delete(key)
        return keys.filter((key) => key.includes('kept')).map((key) => ({ key, thrown: thrown(503) }))
      }),
    listPage: ({ prefix, after = '', token }) =>
      asked('list', () => {
        const bytesOf = (key: string): Buffer => Buffer.from(key)
        const from = token ?? after
        const infos: ObjectInfo[] = [...objects.values()]
          .map(({ bytes: _, attemptId: __, ...info }) => info)
          .filter(({ key }) => key.startsWith(prefix) && Buffer.compare(bytesOf(key), bytesOf(from)) > 0)
          .sort((a, b) => Buffer.compare(bytesOf(a.key), bytesOf(b.key)))
        const page = infos.slice(0, 100)
        return { infos: page, token: infos.length > page.length ? page.at(-1)!.key : undefined }
      }),
    failure: (error, call: StoreCall, key) =>
      failureOf(answers, {
        store: 'bucket',
        call,
        ...(key === undefined ? {} : { key }),
        status: (error as { status?: number }).status,
      }),
  }
  return bucket
}

function cut(bytes: Uint8Array, range: ByteRange | undefined): Uint8Array {
  if (range === undefined) return bytes.slice()
  if (bytes.length === 0 || ('start' in range && range.start >= bytes.length)) throw thrown(416)
  return 'suffix' in range ? bytes.slice(-range.suffix) : bytes.slice(range.start, range.end)
}

export const bucketOptions: Omit<BucketStoreOptions, 'runtime'> = {
  name: 'bucket',
  bucketRoot: 's3://bucket/',
  bucketAliases: ['s3a://bucket/'],
  prefix: 'a b/',
  durability: 'region',
  listOrder: 'bytes',
  deadlineMs: 1_000,
  partBytes: 64 * 1024,
  minPartBytes: 16,
  maxParts: 10_000,
  parallelParts: 3,
  maxPutBytes: 128 * 1024 * 1024,
  maxBatchKeys: 50,
  attemptIds: true,
}

/** A store over a bucket in memory, on a clock that a test moves. */
export const opened = (
  options: Partial<BucketStoreOptions> = {},
): { bucket: MemoryBucket; store: ObjectStore; runtime: ReturnType<typeof virtualRuntime> } => {
  const bucket = memoryBucket()
  const runtime = virtualRuntime({ seed: 1 })
  return { bucket, runtime, store: bucketStore(bucket, { ...bucketOptions, runtime, ...options }) }
}
