import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { placeOf, systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { fileSystem, fileWal, openLog } from 'moulin'
import type { Log, StorageOptions } from 'moulin'

/** Where the job's log lies. */
export interface Place {
  /** A folder beside the log, for the digests. */
  readonly digestDir: string
  /** What the table's files are looked up in. */
  readonly store: ObjectStore
  /** What the second process is told, to find the log. */
  readonly args: readonly string[]
  open(): Promise<Log>
  /** Throws away what a first process may have cached. */
  forget(): Promise<void>
  /** Data files of the table as paths that any engine on this machine reads; copied when they lie elsewhere. */
  filesOf(locations: readonly string[]): Promise<string[]>
  close(): Promise<void>
}

interface BucketRequest {
  readonly url: string
  readonly dir: string
  readonly options: StorageOptions
}

const graceMs = 60_000

/**
 * A folder; or with `store` a bucket: `s3://bucket/prefix` by the SDK's own environment (`AWS_ENDPOINT_URL`,
 * `AWS_ACCESS_KEY_ID` …), `s3` alone a SeaweedFS that is started for this run and ends with it.
 */
export async function openPlace(request: {
  readonly dir: string
  readonly store?: string
  readonly storage?: string
}): Promise<Place> {
  const { dir, store, storage = '{}' } = request
  if (store === undefined) return folder(dir)
  const options = JSON.parse(storage) as StorageOptions
  if (store !== 's3') return bucket({ url: store, dir, options })
  return ownBucket(options)
}

function folder(dir: string): Place {
  return {
    digestDir: `${dir}.digests`,
    store: fileSystem({ root: resolve(dir), files: systemRuntime().files }),
    args: ['--dir', dir],
    open: () => openLog(dir, { graceMs }),
    forget: () => rm(`${dir}/cache`, { recursive: true, force: true }),
    filesOf: (locations) =>
      Promise.resolve(locations.map((file) => (file.startsWith('file:') ? fileURLToPath(file) : file))),
    close: () => Promise.resolve(),
  }
}

/** Beside `dir`, which is the place's name on this machine, lie the write-ahead tier and the digests. */
async function bucket({ url, dir, options }: BucketRequest): Promise<Place> {
  const place = placeOf('--store', url)
  if (place.kind !== 's3') throw new Error(`--store must be s3 or s3://bucket/prefix; it is ${url}.`)
  const [{ retry }, { s3 }] = await Promise.all([import('@moulin/storage'), import('@moulin/storage-s3')])
  const store = retry(s3({ ...options, bucket: place.bucket, prefix: place.prefix }))
  const wal = resolve(`${dir}.wal`)
  const copies = `${dir}.copies`
  const keyOf = (location: string): string => {
    if (location.startsWith(store.root)) return location.slice(store.root.length)
    throw new Error(`The table names ${location}, which does not lie in ${store.root}.`)
  }
  const removeCopies = (): Promise<void> => rm(copies, { recursive: true, force: true })
  return {
    digestDir: `${dir}.digests`,
    store,
    args: ['--dir', wal, '--store', url, '--storage', JSON.stringify(options)],
    open: () => openLog(url, { graceMs, wal: fileWal({ dir: wal }), storage: options }),
    forget: () => Promise.resolve(),
    async filesOf(locations) {
      await removeCopies()
      await mkdir(copies, { recursive: true })
      const files: string[] = []
      for (const location of locations) {
        const file = join(copies, `${files.length}.parquet`)
        const { bytes } = await store.get(keyOf(location))
        await writeFile(file, bytes)
        files.push(file)
      }
      return files
    },
    close: removeCopies,
  }
}

/** Server, write-ahead tier and digests go with the run: what is left of one would not fit an empty bucket. */
async function ownBucket(options: StorageOptions): Promise<Place> {
  const { seaweedfs } = await import('../../test/services/seaweedfs.ts')
  const service = await seaweedfs()
  // Also when the job throws: this much of it happens at once.
  const stop = (): void => void service.close()
  process.once('exit', stop)
  const { accessKeyId, secretAccessKey } = service.credentials
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: service.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  })
  const local = await mkdtemp(join(tmpdir(), 'moulin-flights-'))
  const place = await bucket({
    url: `s3://${service.bucket}/lake`,
    dir: join(local, 'lake'),
    options: { listOrder: 'none', deadlineMs: 60_000, ...options },
  })
  return {
    ...place,
    async close() {
      process.off('exit', stop)
      await service.close()
      await rm(local, { recursive: true, force: true })
    },
  }
}
