import type { LoadedTable } from '../doors/catalog.ts'
import type { CallOptions, ObjectInfo, ObjectStore } from '../doors/object-store.ts'
import type { DeletedFiles, TableFiles, TableStores } from '../doors/table-files.ts'
import { isKind, isMoulinError, notFound, throwIfAborted, withOutcome } from '../model/errors.ts'
import { keyOf, keysOf, oneSpelling } from '../model/object-key.ts'
import { anyOf, callback, door, listOf, required, storeCheck, text } from '../options/option-checks.ts'
import { checkOptions, type OptionTable } from '../options/options.ts'
import { allowedPlaces } from './allowed-places.ts'
import { Renewal, StoresOfTable } from './stores-of-table.ts'
import type { Refusal } from './stores-of-table.ts'

export interface TableFilesOptions {
  /** Whose config and credentials count until {@link RenewableFiles.renew} brings others. Default: none. */
  readonly table?: LoadedTable
  /** Loads the table, for credentials that are good still. Default: what is refused stays refused. */
  readonly reload?: () => Promise<LoadedTable>
  /** Folders that locations must lie in, by URI: `s3://bucket/warehouse/`. Default: wherever `stores` has a store for. */
  readonly allow?: readonly string[] | undefined
}

const optionTable: OptionTable<TableFilesOptions> = {
  table: door('a loaded table', []),
  reload: callback,
  allow: listOf(text),
}

/** Files whose credentials follow the table. */
export interface RenewableFiles extends TableFiles {
  /** At every load of the table: stores are made anew where it comes with other credentials. What is under way goes on with the old ones. */
  renew(table: Pick<LoadedTable, 'config' | 'credentials'>): void
}

/** Locations whose spelling is known; the oldest are found out again. */
const MAX_KNOWN = 4096

/**
 * The files of a table in one store, or in those that a function makes.
 *
 * Of stores that are made, one is kept for each scheme, authority and choice of credentials, until the table comes with other config or credentials. A call
 * that is refused for its credentials is made again where there are others by now; else it loads the table once, with all others that
 * wait for the same, and is made again where that brought others; a delete of many only for what was refused, a list only while it has
 * given nothing.
 */
export function tableFiles(stores: ObjectStore | TableStores, options: TableFilesOptions = {}): RenewableFiles {
  checkOptions('tableFiles', { stores }, { stores: required(anyOf(storeCheck, callback)) })
  checkOptions('tableFiles', options, optionTable)
  const one = typeof stores === 'function' ? undefined : stores
  const made = typeof stores === 'function' ? new StoresOfTable(stores, options.reload) : undefined
  if (options.table !== undefined) made?.renew(options.table)
  const check = options.allow === undefined ? undefined : allowedPlaces(options.allow)
  const storeOf = (location: string): ObjectStore => {
    check?.(location)
    return one ?? made!.of(location)
  }
  const known = new Map<string, string>()

  const rootOf = (store: ObjectStore): string => made?.rootOf(store) ?? store.root
  const renewalOf = ({ signal }: CallOptions): Renewal | undefined => made && new Renewal(made, signal)

  /** Again, where the credentials were refused and there are others now. */
  const retried = async <T>(
    location: string,
    call: CallOptions,
    work: (store: ObjectStore) => Promise<T>,
  ): Promise<T> => {
    const renewal = renewalOf(call)
    for (;;) {
      const store = storeOf(location)
      try {
        const answer = await work(store)
        renewal?.done()
        return answer
      } catch (error) {
        if (!isRefused(error) || !(await renewal?.after([{ store, location }]))) throw error
      }
    }
  }

  /** Under the raw key, and where nothing is there, under the other spellings; the one that answered is kept to. */
  const found = async <T>(location: string, read: (key: string) => Promise<T>, store: ObjectStore): Promise<T> => {
    const keys = keysOf(store, location)
    const settled = keys.length === 1 ? keys[0] : known.get(location)
    if (settled !== undefined) {
      return await read(settled).catch((error: unknown) => {
        if (isKind(error, 'not-found')) known.delete(location)
        throw error
      })
    }
    let missing: unknown
    for (const key of keys) {
      try {
        const object = await read(key)
        if (!known.has(location)) known.set(location, key)
        if (known.size > MAX_KNOWN) known.delete(known.keys().next().value!)
        return object
      } catch (error) {
        // A store cannot have what is too long for it: escapes may make a name so.
        if (!isKind(error, 'not-found') && !isKind(error, 'unsupported')) throw error
        missing ??= error
      }
    }
    throw missing
  }

  const canonical = (location: string): string => {
    const store = storeOf(location)
    return rootOf(store) + keyOf(store, location)
  }
  const spellings = (location: string): readonly string[] => {
    const store = storeOf(location)
    return keysOf(store, location).map((key) => rootOf(store) + key)
  }

  return {
    name: one?.name ?? 'tableFiles',
    get: (location, call = {}) =>
      retried(location, call, (store) => found(location, (key) => store.get(key, call), store)),
    getRanges: (location, ranges, call = {}) =>
      retried(location, call, (store) => found(location, (key) => store.getRanges(key, ranges, call), store)),
    head: (location, call = {}) =>
      retried(location, call, async (store) => {
        const read = (key: string): Promise<ObjectInfo> => infoOf(store, key, call)
        const wasKnown = known.has(location)
        try {
          return await found(location, read, store).catch((error: unknown) => {
            // The spelling that was kept to is gone: another one may be there.
            if (!wasKnown || !isKind(error, 'not-found')) throw error
            return found(location, read, store)
          })
        } catch (error) {
          if (isKind(error, 'not-found') || isKind(error, 'unsupported')) return undefined
          throw error
        }
      }),
    put: (location, bytes, call = {}) =>
      retried(location, call, (store) => store.put(keyOf(store, location), bytes, call)),
    async deleteMany(locations, call = {}) {
      const renewal = renewalOf(call)
      const errors = new Map<string, unknown>()
      let isBegun = false
      const round = async (left: readonly string[]): Promise<void> => {
        const { failed, refused } = await deleteOnce(left, storeOf, call)
        for (const location of left) errors.delete(location)
        for (const { location, error } of failed) errors.set(location, error)
        isBegun ||= refused.length < left.length
        if (refused.length < left.length) renewal?.done()
        if (refused.length > 0 && (await renewal?.after(refused))) await round(refused.map(({ location }) => location))
      }
      try {
        await round(locations)
      } catch (error) {
        throw isBegun ? withOutcome(error, 'unknown') : error
      }
      const failed = locations.filter((location) => errors.has(location))
      return { failed: failed.map((location) => ({ location, error: errors.get(location) })) }
    },
    async *list(prefix, call = {}) {
      const renewal = renewalOf(call)
      for (let isAtStart = true; ;) {
        const store = storeOf(prefix)
        try {
          for await (const { key, ...info } of store.list({ ...call, prefix: prefixIn(store, prefix) })) {
            isAtStart = false
            yield { ...info, location: rootOf(store) + key }
          }
          renewal?.done()
          return
        } catch (error) {
          if (!isAtStart || !isRefused(error) || !(await renewal?.after([{ store, location: prefix }]))) throw error
        }
      }
    },
    under(folder, path) {
      const location = `${oneSpelling(folder).replace(/\/+$/, '')}/${path}`
      // Thrown for what is outside, or no key.
      const plain = canonical(location)
      const store = storeOf(location)
      return location.startsWith(oneSpelling(rootOf(store))) ? plain : location
    },
    canonical,
    spellings,
    isSame(a, b) {
      const others = new Set(within(spellings, b))
      return within(spellings, a).some((spelling) => others.has(spelling))
    },
    renew: (table) => made?.renew(table),
  }
}

async function deleteOnce(
  locations: readonly string[],
  storeOf: (location: string) => ObjectStore,
  call: CallOptions,
): Promise<DeletedFiles & { readonly refused: readonly Refusal[] }> {
  const byStore = new Map<ObjectStore, Map<string, string[]>>()
  for (const location of locations) {
    const store = storeOf(location)
    const key = keyOf(store, location)
    const named = byStore.get(store) ?? new Map<string, string[]>()
    byStore.set(store, named)
    named.set(key, [...(named.get(key) ?? []), location])
  }
  const errors = new Map<string, unknown>()
  const refused: Refusal[] = []
  let begun = false
  for (const [store, named] of byStore) {
    try {
      throwIfAborted(call.signal)
      const { failed } = await store.deleteMany([...named.keys()], call)
      for (const { key, error } of failed) {
        // Of a key that nobody asked for: whichever of them it means, it is not gone.
        for (const location of named.get(key) ?? [...named.values()].flat()) {
          errors.set(location, error)
          if (isRefused(error)) refused.push({ store, location })
        }
      }
    } catch (error) {
      throw begun && isMoulinError(error) ? withOutcome(error, 'unknown') : error
    }
    begun = true
  }
  const failed = locations.filter((location) => errors.has(location))
  return { failed: failed.map((location) => ({ location, error: errors.get(location) })), refused }
}

/** Thrown as `get` throws it where nothing is there. */
async function infoOf(store: ObjectStore, key: string, call: CallOptions): Promise<ObjectInfo> {
  const info = await store.head(key, call)
  if (info === undefined) throw notFound('KEY_MISSING', `${store.name} holds no object ${JSON.stringify(key)}.`)
  return info
}

/** What the store's keys begin with where locations begin so; it may end anywhere, also in a slash. */
function prefixIn(store: ObjectStore, prefix: string): string {
  return keyOf(store, `${prefix}x`).slice(0, -1)
}

/** Nothing happened, and it would with other credentials. */
function isRefused(error: unknown): boolean {
  return isKind(error, 'unavailable', 'CREDENTIALS') && error.outcome === 'rejected'
}

/** None for a location that lies elsewhere. */
function within(spellings: (location: string) => readonly string[], location: string): readonly string[] {
  try {
    return spellings(location)
  } catch (error) {
    if (isKind(error, 'invalid', 'OUTSIDE_STORE')) return []
    throw error
  }
}
