import type { LoadedNamespace, Namespace, NamespaceChange, NamespaceChanged, TableIdentifier } from '@moulin/core'
import { changed, liesIn, namespaceExists, noNamespace, notEmpty } from './namespace-change.ts'
import type { Properties } from './namespace-change.ts'
import { checkOpenNamespace, nameKey } from './open-names.ts'

/** Namespaces that are forgotten with the process, beside the tables of their catalog. */
export class MemoryNamespaces {
  readonly #created = new Map<string, LoadedNamespace>()
  readonly #tables: () => Iterable<TableIdentifier>

  constructor(tables: () => Iterable<TableIdentifier>) {
    this.#tables = tables
  }

  create(namespace: Namespace, properties: Properties): LoadedNamespace {
    if (this.#find(checkOpenNamespace(namespace)) !== undefined) throw namespaceExists(namespace)
    return this.#keep({ namespace: [...namespace], properties: { ...properties } })
  }

  load(namespace: Namespace): LoadedNamespace {
    const found = this.#find(checkOpenNamespace(namespace))
    if (found === undefined) throw noNamespace(namespace)
    return found
  }

  list(parent: Namespace): Namespace[] {
    if (parent.length > 0) this.load(parent)
    const children = new Map<string, Namespace>()
    for (const namespace of this.#all()) {
      if (namespace.length <= parent.length || !liesIn(namespace, parent)) continue
      const child = namespace.slice(0, parent.length + 1)
      children.set(nameKey(child), child)
    }
    return [...children.values()]
  }

  set(namespace: Namespace, change: NamespaceChange): NamespaceChanged {
    const { properties, answer } = changed(this.load(namespace).properties, change)
    this.#keep({ namespace: [...namespace], properties })
    return answer
  }

  drop(namespace: Namespace): void {
    this.load(namespace)
    for (const { namespace: around, name } of this.#tables()) {
      if (liesIn(around, namespace)) throw notEmpty(namespace, [...around, name])
    }
    for (const other of this.#all()) {
      if (other.length > namespace.length && liesIn(other, namespace)) throw notEmpty(namespace, other)
    }
    this.#created.delete(nameKey(namespace))
  }

  #keep(loaded: LoadedNamespace): LoadedNamespace {
    this.#created.set(nameKey(loaded.namespace), loaded)
    return loaded
  }

  #find(namespace: Namespace): LoadedNamespace | undefined {
    const created = this.#created.get(nameKey(namespace))
    if (created !== undefined) return created
    for (const other of this.#all()) if (liesIn(other, namespace)) return { namespace: [...namespace], properties: {} }
    return undefined
  }

  /** Those that were created, and those of tables. */
  *#all(): Iterable<Namespace> {
    for (const { namespace } of this.#created.values()) yield namespace
    for (const { namespace } of this.#tables()) yield namespace
  }
}
