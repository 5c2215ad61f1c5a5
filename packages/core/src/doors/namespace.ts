import { unsupported } from '../model/errors.ts'

/** What only some catalogs have. All the rest of {@link Catalog} every one has. */
export interface CatalogCapabilities {
  /** Metadata that lies there already may get a name: `registerTable`. */
  readonly register: boolean
  /** A table may take another name: `renameTable`. */
  readonly rename: boolean
  /** Commits of several tables, all or none: `commitTransaction`. */
  readonly transactions: boolean
  readonly views: boolean
  /** Namespaces have properties. Without, they are created with none, and none can be set. */
  readonly namespaceProperties: boolean
}

/** Levels, outermost first, as in a table's identifier. */
export type Namespace = readonly string[]

export interface LoadedNamespace {
  readonly namespace: Namespace
  readonly properties: Readonly<Record<string, string>>
}

/** A property is named once: to be set, or to be removed. */
export interface NamespaceChange {
  readonly updates?: Readonly<Record<string, string>>
  readonly removals?: readonly string[]
}

/** Names of properties: which were set, which removed, and which were to be removed but were not there. */
export interface NamespaceChanged {
  readonly updated: readonly string[]
  readonly removed: readonly string[]
  readonly missing: readonly string[]
}

const words: Readonly<Record<keyof CatalogCapabilities, string>> = {
  register: 'registering of tables',
  rename: 'renaming of tables',
  transactions: 'commits of several tables at once',
  views: 'views',
  namespaceProperties: 'properties of namespaces',
}

/** @throws `unsupported` code `CATALOG_CAPABILITY`, which names what the catalog does not have. */
export function requireCapability(
  catalog: { readonly name: string; readonly capabilities: CatalogCapabilities },
  capability: keyof CatalogCapabilities,
): void {
  if (catalog.capabilities[capability]) return
  const message = `${catalog.name} has no ${words[capability]} (${capability}).`
  throw unsupported('CATALOG_CAPABILITY', message, { context: { catalog: catalog.name, capability } })
}
