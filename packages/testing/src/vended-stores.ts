import { checkOptions, isKind, notFound, option, unavailable, unsupported } from '@moulin/core'
import type { Catalog, LoadedTable, ObjectStore, StorageCredential, TableStores } from '@moulin/core'
import { hookedStore } from './hooked-store.ts'
import { derive } from './wrong-store.ts'

export interface VendedStoresOptions {
  /** Of the two buckets. Default `lake` and `attic`. */
  readonly buckets?: readonly [string, string]
  /** Calls, and keys of a delete of many, that one set of credentials is good for; more than are made at once. */
  readonly calls: number
}

/** Two buckets that take no call without credentials, which run out, and a catalog that gives new ones out. */
export interface VendedStores {
  /**
   * For tables' files: `s3://<bucket>/`, which `s3a:` and `s3n:` mean as well. Other schemes and buckets are `unsupported`.
   */
  readonly stores: TableStores
  /** The bucket for whoever needs no credentials: the catalog, and a test that looks or breaks. Called `s3a:`, if that is asked for. */
  bucket(name: string, scheme?: 's3' | 's3a'): ObjectStore
  /** The catalog, whose tables come with credentials: the same ones while they are good, then new ones. */
  vending(catalog: Catalog): Catalog
  /** Credentials given out, and calls that were refused because they had run out. */
  counts(): { readonly issued: number; readonly refused: number }
  /** All that were given out run out. */
  expire(): void
}

/** What every secret of these stores begins with: no name, log line or error holds it. */
export const VENDED_SECRET = 'vended-secret-'

const location = /^(s3|s3a|s3n):\/\/([^/]+)\//

export function vendedStores(options: VendedStoresOptions): VendedStores {
  checkOptions('vendedStores', options, {
    buckets: option.listOf(option.text),
    calls: option.required(option.integer('calls', 1)),
  })
  const buckets = new Map((options.buckets ?? ['lake', 'attic']).map((name) => [name, bucketOf(name)]))
  const names = (): string => [...buckets.keys()].join(' and ')
  /** Calls left, by secret. */
  const left = new Map<string, number>()
  let newest: string | undefined
  let refused = 0

  const present = (): string => {
    if (newest === undefined || left.get(newest)! <= 0) {
      newest = `${VENDED_SECRET}${left.size + 1}`
      left.set(newest, options.calls)
    }
    return newest
  }
  const credentials = (): StorageCredential[] => [
    // Not the one that is meant: a shorter prefix.
    { prefix: 's3', config: { 's3.session-token': `${VENDED_SECRET}of-nobody` } },
    ...[...buckets.keys()].map((name) => ({ prefix: `s3://${name}/`, config: { 's3.session-token': present() } })),
  ]
  const vended = async (table: Promise<LoadedTable>): Promise<LoadedTable> => ({
    ...(await table),
    config: { 'client.region': 'nowhere' },
    credentials: credentials(),
  })

  const guarded = (inner: ObjectStore, secret: string | undefined): ObjectStore => {
    const take = (): void => {
      const calls = (secret === undefined ? undefined : left.get(secret)) ?? 0
      if (calls > 0) {
        left.set(secret!, calls - 1)
        return
      }
      refused++
      throw unavailable(
        'CREDENTIALS',
        `${inner.name} refuses the credentials: they have run out. Load the table again.`,
      )
    }
    const charged = async <T>(work: () => Promise<T>): Promise<T> => {
      take()
      return await work()
    }
    return derive(inner, {
      get: (key, call) => charged(() => inner.get(key, call)),
      getRanges: (key, ranges, call) => charged(() => inner.getRanges(key, ranges, call)),
      head: (key, call) => charged(() => inner.head(key, call)),
      put: (key, bytes, call) => charged(() => inner.put(key, bytes, call)),
      putStream: (key, chunks, call) => charged(() => inner.putStream(key, chunks, call)),
      delete: (key, call) => charged(() => inner.delete(key, call)),
      async deleteMany(keys, call) {
        const failures: { key: string; error: unknown }[] = []
        const taken = keys.filter((key) => {
          try {
            take()
            return true
          } catch (error) {
            if (!isKind(error, 'unavailable', 'CREDENTIALS')) throw error
            failures.push({ key, error })
            return false
          }
        })
        const { failed } = await inner.deleteMany(taken, call)
        return { failed: [...failed, ...failures] }
      },
      async *list(call) {
        take()
        yield* inner.list(call)
      },
    })
  }

  return {
    stores(place, _config, given) {
      const [, , name = ''] = location.exec(place) ?? []
      const inner = buckets.get(name)
      if (inner === undefined) throw unsupported('STORE_SCHEME', `${place} is in none of the buckets ${names()}.`)
      const root = `s3://${name}/`
      const [meant] = given
        .filter(({ prefix }) => root.startsWith(prefix))
        .sort((a, b) => b.prefix.length - a.prefix.length)
      return guarded(inner, meant?.config['s3.session-token'])
    },
    bucket(name, scheme = 's3') {
      const inner = buckets.get(name)
      if (inner === undefined) throw notFound('BUCKET', `There is no bucket ${name}: ${names()} are.`)
      return derive(inner, namesOf(name, scheme))
    },
    vending: (catalog) => ({
      ...catalog,
      createTable: (table, request, call) => vended(catalog.createTable(table, request, call)),
      loadTable: (table, call) => vended(catalog.loadTable(table, call)),
      commitTable: (table, commit, call) => vended(catalog.commitTable(table, commit, call)),
    }),
    counts: () => ({ issued: left.size, refused }),
    expire() {
      for (const secret of left.keys()) left.set(secret, 0)
    },
  }
}

function bucketOf(name: string): ObjectStore {
  return derive(hookedStore(), { name: `bucket ${name}`, ...namesOf(name, 's3') })
}

/** A bucket goes by all schemes; by one of them it is called. */
function namesOf(name: string, scheme: 's3' | 's3a'): { root: string; aliases: string[] } {
  const others = ['s3', 's3a', 's3n'].filter((other) => other !== scheme)
  return { root: `${scheme}://${name}/`, aliases: others.map((other) => `${other}://${name}/`) }
}
