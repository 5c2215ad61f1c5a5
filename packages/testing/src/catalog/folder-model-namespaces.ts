import {
  checkNamespace,
  conflict,
  exists,
  invalid,
  isKind,
  isMoulinError,
  namespaceText,
  notFound,
  parseJson,
  requireCapability,
  throwIfAborted,
  unavailable,
} from '@moulin/core'
import type {
  CatalogCallOptions,
  CatalogCapabilities,
  LoadedNamespace,
  Namespace,
  NamespaceChange,
  NamespaceChanged,
  ObjectStore,
} from '@moulin/core'
import type { SeededRandom } from '../seeded-random.ts'

/** What a model catalog does wrong with namespaces, each at one place. */
export type NamespaceFlaw =
  | 'claims-what-it-lacks'
  | 'namespaces-of-one-client'
  | 'loses-first-properties'
  | 'namespace-create-replaces'
  | 'namespace-looks-then-creates'
  | 'makes-namespaces-up'
  | 'needs-a-created-namespace'
  | 'lists-namespaces-twice'
  | 'lists-deeper-namespaces'
  | 'takes-a-beginning-for-a-parent'
  | 'lists-namespaces-as-tables'
  | 'replaces-all-properties'
  | 'forgets-removals'
  | 'sets-on-created-namespaces-only'
  | 'takes-a-property-twice'
  | 'namespace-last-writer-wins'
  | 'drops-full-namespaces'
  | 'drops-parents-of-namespaces'
  | 'brings-properties-back'
  | 'takes-any-namespace-name'
  | 'namespaces-ignore-signals'
  | 'drops-properties-silently'
  | 'namespace-in-a-table'
  | 'lost-namespace-is-failure'
  | 'unknown-namespace-is-failure'

type Properties = Readonly<Record<string, string>>

interface State {
  readonly number: number
  readonly isDropped: boolean
  readonly properties: Properties
}

export interface NamespaceParts {
  readonly store: ObjectStore
  readonly random: SeededRandom
  readonly capabilities: CatalogCapabilities
  has(flaw: NamespaceFlaw): boolean
  tables(): Promise<readonly (readonly string[])[]>
}

/**
 * The namespaces of the model: `.namespace.<n>.json`, each state of one a new name, by create-if-absent; a dropped one has
 * a state that says so. Nothing is collected.
 */
export class ModelNamespaces {
  readonly #parts: NamespaceParts
  readonly #own = new Map<string, LoadedNamespace>()

  constructor(parts: NamespaceParts) {
    this.#parts = parts
  }

  async create(namespace: Namespace, properties: Properties = {}, call?: CatalogCallOptions): Promise<LoadedNamespace> {
    const { has, capabilities } = this.#parts
    this.#check(namespace, call)
    if (Object.keys(properties).length > 0 && !has('drops-properties-silently'))
      requireCapability({ name: 'modelCatalog', capabilities }, 'namespaceProperties')
    const kept = has('drops-properties-silently') || has('loses-first-properties') ? {} : properties
    const loaded = { namespace, properties: kept }
    for (const table of await this.#parts.tables())
      if (this.#isIn(namespace, table) && !has('namespace-in-a-table')) throw exists('OCCUPIED', 'A table is there.')
    const newest = await this.#newest(namespace)
    const isThere = newest?.isDropped === false || (await this.#inside(namespace)) !== undefined
    if (isThere && !has('namespace-create-replaces')) throw taken(namespace)
    if (has('namespaces-of-one-client')) this.#own.set(namespaceText(namespace), loaded)
    else await this.#put(namespace, newest, has('brings-properties-back') ? { ...newest?.properties, ...kept } : kept)
    return loaded
  }

  async load(namespace: Namespace, call?: CatalogCallOptions): Promise<LoadedNamespace> {
    const { has } = this.#parts
    this.#check(namespace, call)
    const own = this.#own.get(namespaceText(namespace))
    if (own !== undefined) return own
    const newest = await this.#newest(namespace)
    if (newest?.isDropped === false) return { namespace, properties: newest.properties }
    const isImplied = !has('needs-a-created-namespace') && (await this.#inside(namespace)) !== undefined
    if (!isImplied && !has('makes-namespaces-up')) throw missing(namespace)
    return { namespace, properties: {} }
  }

  async list(parent: Namespace, call?: CatalogCallOptions): Promise<Namespace[]> {
    const { has } = this.#parts
    throwIfAborted(call?.signal)
    if (parent.length > 0) await this.load(parent)
    const found = (await this.#all()).filter((levels) => levels.length > parent.length && this.#isIn(levels, parent))
    const children = found.map((levels) => levels.slice(0, has('lists-deeper-namespaces') ? 9 : parent.length + 1))
    if (has('lists-namespaces-twice')) return children
    return [...new Map(children.map((child) => [namespaceText(child), child])).values()]
  }

  async set(namespace: Namespace, change: NamespaceChange, call?: CatalogCallOptions): Promise<NamespaceChanged> {
    const { has, capabilities } = this.#parts
    this.#check(namespace, call)
    if (!has('drops-properties-silently'))
      requireCapability({ name: 'modelCatalog', capabilities }, 'namespaceProperties')
    const { updates = {}, removals = [] } = change
    if (removals.some((name) => Object.hasOwn(updates, name)) && !has('takes-a-property-twice'))
      throw invalid('NAMESPACE_CHANGE', 'A property is named twice.')
    for (;;) {
      const newest = await this.#newest(namespace)
      const isCreated = newest?.isDropped === false
      if (!isCreated && has('sets-on-created-namespaces-only')) throw missing(namespace)
      if (!isCreated) await this.load(namespace)
      const present = isCreated ? newest.properties : {}
      const gone = has('forgets-removals') ? [] : removals
      const kept = Object.entries(present).filter(([name]) => !gone.includes(name))
      const next = { ...(has('replaces-all-properties') ? {} : Object.fromEntries(kept)), ...updates }
      try {
        if (!has('drops-properties-silently')) await this.#put(namespace, newest, next)
      } catch (error) {
        if (isKind(error, 'exists')) continue
        throw error
      }
      const wasThere = (name: string): boolean => Object.hasOwn(present, name)
      const missed = removals.filter((name) => !wasThere(name))
      return { updated: Object.keys(updates), removed: removals.filter(wasThere), missing: missed }
    }
  }

  async drop(namespace: Namespace, call?: CatalogCallOptions): Promise<void> {
    const { has } = this.#parts
    this.#check(namespace, call)
    await this.load(namespace)
    const inside = await this.#inside(namespace, has('drops-parents-of-namespaces'))
    if (inside !== undefined && !has('drops-full-namespaces'))
      throw conflict('NAMESPACE_NOT_EMPTY', `${namespaceText(inside)} is there.`)
    const newest = await this.#newest(namespace)
    await this.#put(namespace, newest, newest?.properties ?? {}, true)
  }

  #check(namespace: Namespace, call: CatalogCallOptions | undefined): void {
    const { has } = this.#parts
    if (!has('namespaces-ignore-signals')) throwIfAborted(call?.signal)
    if (!has('takes-any-namespace-name')) checkNamespace(namespace)
  }

  #isIn(levels: readonly string[], parent: Namespace): boolean {
    if (this.#parts.has('takes-a-beginning-for-a-parent'))
      return namespaceText(levels).startsWith(namespaceText(parent))
    return parent.every((level, at) => levels[at] === level)
  }

  /** Of every namespace that was created or has a table, the levels; not once each. */
  async #all(): Promise<Namespace[]> {
    const tables = await this.#parts.tables()
    return [...(await this.#created()), ...tables.map((levels) => levels.slice(0, -1))]
  }

  async #inside(namespace: Namespace, tablesOnly: boolean = false): Promise<readonly string[] | undefined> {
    const [tables, created] = [await this.#parts.tables(), tablesOnly ? [] : await this.#created()]
    return [...tables, ...created].find((levels) => levels.length > namespace.length && this.#isIn(levels, namespace))
  }

  async #created(): Promise<Namespace[]> {
    const folders = new Set<string>()
    for await (const { key } of this.#parts.store.list({ prefix: 'tables/' }))
      if (/\/\.namespace\.\d+\.json$/.test(key)) folders.add(key.slice(0, key.lastIndexOf('/')))
    const created: Namespace[] = []
    for (const folder of folders) {
      const namespace = folder.split('/').slice(1)
      if ((await this.#newest(namespace))?.isDropped === false) created.push(namespace)
    }
    return created
  }

  async #newest(namespace: Namespace): Promise<State | undefined> {
    const { store } = this.#parts
    const prefix = `tables/${namespace.join('/')}/.namespace.`
    const numbers: number[] = []
    for await (const { key } of store.list({ prefix })) numbers.push(Number.parseInt(key.slice(prefix.length), 10))
    if (numbers.length === 0) return undefined
    const number = Math.max(...numbers)
    const { bytes } = await store.get(`${prefix}${number}.json`)
    const { isDropped, properties } = parseJson(bytes, 'a state of a namespace') as unknown as State
    return { number, isDropped, properties: { ...properties } }
  }

  async #put(namespace: Namespace, after: State | undefined, properties: Properties, isDropped = false): Promise<void> {
    const { store, has, random } = this.#parts
    const number = (after?.number ?? 0) + 1
    const key = `tables/${namespace.join('/')}/.namespace.${number}.json`
    const bytes = new TextEncoder().encode(JSON.stringify({ isDropped, properties, attempt: random.uuid() }))
    const looksOnly = number === 1 && has('namespace-looks-then-creates')
    const mode = looksOnly || has('namespace-last-writer-wins') ? 'overwrite' : 'create'
    try {
      await store.put(key, bytes, { mode })
    } catch (error) {
      if (!isMoulinError(error) || error.outcome !== 'unknown') throw isKind(error, 'exists') ? taken(namespace) : error
      if (has('lost-namespace-is-failure')) throw unavailable('PUT', `${key} was not stored.`)
      const present = await store.get(key).catch(() => undefined)
      if (present !== undefined && Buffer.compare(present.bytes, bytes) === 0) return
      const outcome = has('unknown-namespace-is-failure') ? 'rejected' : 'unknown'
      throw unavailable('PUT', `${key} may be stored.`, { outcome })
    }
  }
}

const taken = (namespace: Namespace): Error => exists('NAMESPACE', `${namespaceText(namespace)} exists.`)
const missing = (namespace: Namespace): Error => notFound('NAMESPACE', `There is no ${namespaceText(namespace)}.`)
