import { notFound } from '@moulin/core'
import type { Clock } from '@moulin/core'
import type { FakeListOrder } from './key-order.ts'
import { keyOrders, placeOf } from './key-order.ts'
import type { ObjectContent } from './object-content.ts'

/** An object of a fake, as one write left it. Never changed: the next write makes another. */
export interface FakeObject extends NewObject {
  readonly key: string
  /** Rises with every write of the bucket, never twice the same: microseconds, as far as the clock goes. */
  readonly generation: number
  /** From 1; rises with each change of the metadata alone. */
  readonly metageneration: number
  readonly modifiedMs: number
}

export interface NewObject {
  readonly content: ObjectContent
  /** As the service tells it, quotes included where it has some. */
  readonly etag: string
  /** The user's own, names as the service gives them back. */
  readonly metadata: Readonly<Record<string, string>>
  /** What else is told with the object: its type, encoding, storage class, encryption. By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** In base64, by the algorithm's name in lower case: `crc32c`, `md5`. */
  readonly checksums: Readonly<Record<string, string>>
  /** Sizes of its parts, where it was made of some. */
  readonly partSizes?: readonly number[]
}

/** Throws the refusal where a precondition does not hold for what is there. */
export type Condition = (present: FakeObject | undefined) => void

/**
 * The objects of one bucket. Each call is one step: what `condition` sees is what the write replaces, and nothing comes between, which is
 * what a lock for each key would give. So whoever writes has the whole body first.
 */
export interface ObjectBucket {
  readonly name: string
  get(key: string): FakeObject | undefined
  put(key: string, object: NewObject, condition?: Condition): FakeObject
  /** The same bytes and generation, with other words about them. Throws what `condition` throws; `undefined` where nothing is. */
  patch(
    key: string,
    change: Partial<Pick<NewObject, 'metadata' | 'headers'>>,
    condition?: Condition,
  ): FakeObject | undefined
  /** What was there. */
  delete(key: string, condition?: Condition): FakeObject | undefined
  list(request: ListRequest): ListPage
  /** All, in the order of listings. */
  objects(): readonly FakeObject[]
}

export interface ListRequest {
  readonly prefix: string
  /** '' for none. */
  readonly delimiter: string
  /** Entries behind this one alone, in the bucket's order; it need not be there. */
  readonly after?: string
  /** `after` was a folder: everything in it is done with. */
  readonly isAfterFolder?: boolean
  /** Google's `startOffset`: this one included. */
  readonly from?: string
  /** Most objects and folders together. */
  readonly limit: number
}

export interface ListPage {
  readonly objects: readonly FakeObject[]
  /** Common prefixes, the delimiter at their end. */
  readonly folders: readonly string[]
  /** For `after` of the next page. Undefined on the last one. */
  readonly last: { readonly name: string; readonly isFolder: boolean } | undefined
}

export interface ObjectBucketOptions {
  readonly name: string
  readonly clock: Pick<Clock, 'now'>
  readonly order: FakeListOrder
}

export function objectBucket({ name, clock, order }: ObjectBucketOptions): ObjectBucket {
  const compare = keyOrders[order]
  const objects = new Map<string, FakeObject>()
  /** In the bucket's order. */
  const keys: string[] = []
  let lastGeneration = 0

  const nextGeneration = (): number => (lastGeneration = Math.max(lastGeneration + 1, clock.now() * 1000))
  const store = (object: FakeObject): FakeObject => {
    if (!objects.has(object.key)) keys.splice(placeOf(keys, object.key, compare), 0, object.key)
    objects.set(object.key, object)
    return object
  }

  return {
    name,
    get: (key) => objects.get(key),
    put(key, object, condition) {
      condition?.(objects.get(key))
      return store({ ...object, key, generation: nextGeneration(), metageneration: 1, modifiedMs: clock.now() })
    },
    patch(key, change, condition) {
      const present = objects.get(key)
      condition?.(present)
      if (present === undefined) return undefined
      return store({ ...present, ...change, metageneration: present.metageneration + 1 })
    },
    delete(key, condition) {
      const present = objects.get(key)
      condition?.(present)
      if (present === undefined) return undefined
      objects.delete(key)
      keys.splice(placeOf(keys, key, compare), 1)
      return present
    },
    list({ prefix, delimiter, after, isAfterFolder = false, from, limit }) {
      const found: FakeObject[] = []
      const folders: string[] = []
      const seen = new Set<string>()
      let last: ListPage['last']
      const startAt =
        after === undefined ? (from === undefined ? 0 : placeOf(keys, from, compare)) : placeOf(keys, after, compare)
      for (let i = startAt; i < keys.length; i++) {
        const key = keys[i]!
        if (key === after || !key.startsWith(prefix) || (isAfterFolder && key.startsWith(after!))) continue
        const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
        const folder = cut < 0 ? undefined : key.slice(0, cut + delimiter.length)
        if (folder !== undefined && seen.has(folder)) continue
        if (found.length + folders.length >= limit) return { objects: found, folders, last }
        if (folder === undefined) found.push(objects.get(key)!)
        else {
          seen.add(folder)
          folders.push(folder)
        }
        last = { name: folder ?? key, isFolder: folder !== undefined }
      }
      return { objects: found, folders, last: undefined }
    },
    objects: () => keys.map((key) => objects.get(key)!),
  }
}

/** The bucket of that name, for a test that looks into a fake. @throws `not-found` code `BUCKET`. */
export function bucketIn<B>(buckets: ReadonlyMap<string, B>, name: string): B {
  const found = buckets.get(name)
  if (found === undefined)
    throw notFound('BUCKET', `There is no bucket ${name}: ${[...buckets.keys()].join(', ')}.`, { context: { name } })
  return found
}
