import type { LoadedTable, StorageCredential } from '../doors/catalog.ts'
import type { ObjectStore } from '../doors/object-store.ts'
import type { TableStores } from '../doors/table-files.ts'
import { invalid, isKind } from '../model/errors.ts'
import { checkRoot, oneSpelling, rootsOf } from '../model/object-key.ts'
import { required, storeCheck } from '../options/option-checks.ts'
import { checkOptions } from '../options/options.ts'
import { waitFor } from '../shared-work.ts'

type Config = Readonly<Record<string, string>>

/** Loads of no use until some refusals are passed over, and how many at most. */
const FREE_LOADS = 4
const MAX_SKIPS = 63

/** What reaches a table's files, as its catalog said last. */
interface Access {
  readonly config: Config
  readonly credentials: readonly StorageCredential[]
}

/** All names of the empty key of one place that stores have told, and the one of them that is used. */
interface Place {
  readonly root: string
  readonly names: Set<string>
}

/** The stores of one table, one for each scheme, authority and choice of credentials, made with what its catalog said last. */
export class StoresOfTable {
  readonly #stores: TableStores
  readonly #reload: (() => Promise<LoadedTable>) | undefined
  #access: Access = { config: {}, credentials: [] }
  /** By scheme, authority and which of the credentials are meant for the location. */
  #made = new Map<string, ObjectStore>()
  /** Of all stores that there were: what is canonical must not change with the credentials. */
  readonly #places: Place[] = []
  #reloading: Promise<void> | undefined
  /** Loads, one after the other, after which nothing was let in that was refused before. */
  #futile = 0
  /** Refusals for which the table is not loaded. */
  #skips = 0

  constructor(stores: TableStores, reload: (() => Promise<LoadedTable>) | undefined) {
    this.#stores = stores
    this.#reload = reload
  }

  /** Stores are made anew, when they are asked for, where the table comes with other credentials. */
  renew({ config = {}, credentials = [] }: Pick<LoadedTable, 'config' | 'credentials'>): void {
    const access = { config, credentials }
    if (isSameAccess(access, this.#access)) return
    this.#access = access
    this.#made = new Map()
  }

  /** @throws `invalid` code `OUTSIDE_STORE` where there is none for the location; what is wrong with the one that was given. */
  of(location: string): ObjectStore {
    const origin = /^[a-z][a-z0-9+.-]*:\/\/[^/]*(?=\/)/i.exec(oneSpelling(location))?.[0]
    if (origin === undefined) throw outside(location)
    const { config, credentials } = this.#access
    const one = `${origin} ${meantFor(location, credentials).join()}`
    let store = this.#made.get(one)
    if (store === undefined) {
      try {
        store = this.#stores(location, config, credentials)
      } catch (error) {
        throw isKind(error, 'unsupported') ? outside(location, error) : error
      }
      checkOptions(`The stores of ${origin}/`, { store }, { store: required(storeCheck) })
      checkRoot(store)
      this.#made.set(one, store)
      this.#place(store)
    }
    return store
  }

  /** The name of the empty key that canonical locations in the store begin with: stores of one place have the same. */
  rootOf({ root }: ObjectStore): string {
    const name = oneSpelling(root)
    return this.#places.find(({ names }) => names.has(name))?.root ?? root
  }

  // The first name of a place stays: what was compared before another store told of it counts still.
  #place(store: ObjectStore): void {
    const roots = rootsOf(store)
    const known = this.#places.filter(({ names }) => roots.some((root) => names.has(root)))
    const [first = { root: store.root, names: new Set<string>() }, ...others] = known
    for (const name of [...roots, ...others.flatMap(({ names }) => [...names])]) first.names.add(name)
    for (const place of others) this.#places.splice(this.#places.indexOf(place), 1)
    if (known.length === 0) this.#places.push(first)
  }

  /** What had been refused was let in. */
  cured(): void {
    this.#futile = 0
    this.#skips = 0
  }

  /**
   * Loads the table, once for all who wait for it; a load that fails changes nothing. Where loads are of no use, as for files that are
   * forbidden whatever the credentials, not for every refusal: other loads of the table bring what it brings as well.
   */
  async load(signal: AbortSignal | undefined): Promise<void> {
    if (this.#reload === undefined) return
    if (this.#reloading === undefined) {
      if (this.#skips > 0) return void this.#skips--
      this.#futile++
      this.#skips = Math.min(MAX_SKIPS, 2 ** Math.max(0, this.#futile - FREE_LOADS) - 1)
      this.#reloading = this.#reload()
        .then((table) => this.renew(table))
        .finally(() => (this.#reloading = undefined))
    }
    await waitFor(this.#reloading, signal).catch((error: unknown) => {
      // Why the store was asked anew matters less than that it refused.
      if (isKind(error, 'aborted')) throw error
    })
  }
}

/** What a store refused for its credentials. */
export interface Refusal {
  readonly store: ObjectStore
  readonly location: string
}

/**
 * What is left to try for one call that is refused: once the stores that there are by now, where another load of the table brought others
 * meanwhile, and once those that a load for this call brings.
 */
export class Renewal {
  readonly #stores: StoresOfTable
  readonly #signal: AbortSignal | undefined
  #isAsked = false
  #isLoaded = false

  constructor(stores: StoresOfTable, signal: AbortSignal | undefined) {
    this.#stores = stores
    this.#signal = signal
  }

  /** Whether what was refused is worth another try. */
  async after(refusals: readonly Refusal[]): Promise<boolean> {
    if (this.#isLoaded) return false
    const hasOthers = (): boolean => refusals.some(({ store, location }) => this.#stores.of(location) !== store)
    if (!this.#isAsked && hasOthers()) return (this.#isAsked = true)
    this.#isLoaded = true
    await this.#stores.load(this.#signal)
    return hasOthers()
  }

  /** The call, or some of it, was not refused. */
  done(): void {
    if (this.#isAsked || this.#isLoaded) this.#stores.cured()
  }
}

/**
 * Which of the credentials a location may be meant for, by paths alone: one that a store takes for another scheme's too counts for it.
 * Whatever a store chooses among them, it chooses the same for all locations that have the same ones.
 */
function meantFor(location: string, credentials: readonly StorageCredential[]): readonly number[] {
  const path = pathOf(location)
  return credentials.flatMap(({ prefix }, at) => (path.startsWith(pathOf(prefix)) ? [at] : []))
}

function pathOf(uri: string): string {
  return oneSpelling(uri).replace(/^[a-z][a-z0-9+.-]*(?::(?:\/\/[^/]*)?|$)/i, '')
}

function outside(location: string, cause?: unknown): Error {
  const message = `${location} lies in no store that this table's files are in: it is not read. Let the function that finds stores give one for it.`
  return invalid('OUTSIDE_STORE', message, { context: { uri: location }, cause })
}

function isSameAccess(a: Access, b: Access): boolean {
  return (
    isSameConfig(a.config, b.config) &&
    a.credentials.length === b.credentials.length &&
    a.credentials.every(({ prefix, config }, at) => {
      const other = b.credentials[at]!
      return prefix === other.prefix && isSameConfig(config, other.config)
    })
  )
}

function isSameConfig(a: Config, b: Config): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
}
