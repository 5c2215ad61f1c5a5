import { isKind, mayBeThere, namespaceText, unsupported } from '@moulin/core'
import type {
  CatalogCallOptions,
  LoadedNamespace,
  Namespace,
  NamespaceChange,
  NamespaceChanged,
  TableIdentifier,
} from '@moulin/core'
import { checkChange, checkProperties, liesIn } from '../namespace-change.ts'
import { pageOf, pages } from './pages.ts'
import { aboutNamespace } from './rest-client.ts'
import type { RestClient, RestSession } from './rest-client.ts'
import { checkOpenNamespace, nameKey } from '../open-names.ts'
import { readNamespace, readNamespaceChange, readNamespaces, readTables } from './wire/answers.ts'

type Properties = Readonly<Record<string, string>>

/** The namespaces of a REST catalog, and which tables lie in them. */
export class RestNamespaces {
  readonly #client: RestClient
  readonly #pageSize: number | undefined

  constructor(client: RestClient, pageSize: number | undefined) {
    this.#client = client
    this.#pageSize = pageSize
  }

  async create(
    namespace: Namespace,
    properties: Properties = {},
    call: CatalogCallOptions = {},
  ): Promise<LoadedNamespace> {
    checkOpenNamespace(namespace)
    checkProperties('restCatalog.createNamespace', properties)
    return await this.#client.run(namespaceText(namespace), call, async (session) => {
      if (Object.keys(properties).length > 0 && !session.server.routes.has('setNamespaceProperties')) {
        const message = `${this.#client.name} keeps no properties of namespaces: create it without.`
        throw unsupported('CATALOG_CAPABILITY', message, { context: { capability: 'namespaceProperties' } })
      }
      return await createIn(session, namespace, properties)
    })
  }

  async load(namespace: Namespace, call: CatalogCallOptions = {}): Promise<LoadedNamespace> {
    checkOpenNamespace(namespace)
    return await this.#client.run(namespaceText(namespace), call, async ({ send }) => {
      return loadedOf(namespace, (await send('loadNamespace', { namespace })).read(readNamespace).properties)
    })
  }

  async set(namespace: Namespace, change: NamespaceChange, call: CatalogCallOptions = {}): Promise<NamespaceChanged> {
    checkOpenNamespace(namespace)
    const { updates = {}, removals = [] } = checkChange('restCatalog.setNamespaceProperties', change)
    return await this.#client.run(namespaceText(namespace), call, async ({ send }) => {
      const named = [...new Set(removals)]
      const answer = await send('setNamespaceProperties', { namespace, body: { removals: named, updates } })
      const { updated, removed, missing } = answer.read(readNamespaceChange)
      // A server need not say what was missing: it is what it neither says it removed.
      return { updated, removed, missing: missing ?? named.filter((name) => !removed.includes(name)) }
    })
  }

  async drop(namespace: Namespace, call: CatalogCallOptions = {}): Promise<void> {
    checkOpenNamespace(namespace)
    await this.#client.run(namespaceText(namespace), call, async ({ send }) => {
      const answer = await send('dropNamespace', { namespace })
      answer.requireDone()
    })
  }

  /** Those right below, each once, whatever else the server lists. */
  async *list(parent: Namespace, call: CatalogCallOptions = {}): AsyncGenerator<Namespace> {
    if (parent.length > 0) checkOpenNamespace(parent)
    const given = new Set<string>()
    const ask = (query: Properties) =>
      this.#client.run(aboutNamespace(parent), call, async ({ send }) => {
        const below = parent.length === 0 ? {} : { parent }
        return pageOf(await send('listNamespaces', { ...below, query }), readNamespaces)
      })
    for await (const namespace of pages(ask, (page) => page.namespaces, this.#pageSize)) {
      if (namespace.length <= parent.length || !liesIn(namespace, parent)) continue
      const child = namespace.slice(0, parent.length + 1)
      const text = nameKey(child)
      if (given.has(text)) continue
      given.add(text)
      yield child
    }
  }

  /** The tables right in the namespace. */
  async *tables(namespace: Namespace, call: CatalogCallOptions = {}): AsyncGenerator<TableIdentifier> {
    checkOpenNamespace(namespace)
    const ask = (query: Properties) =>
      this.#client.run(namespaceText(namespace), call, async ({ send }) =>
        pageOf(await send('listTables', { namespace, query }), readTables),
      )
    yield* pages(ask, (page) => page.identifiers, this.#pageSize)
  }

  /** All tables of the catalog. What is dropped meanwhile is left out. */
  async *allTables(call: CatalogCallOptions = {}): AsyncGenerator<TableIdentifier> {
    const left: Namespace[] = [[]]
    for (let parent = left.pop(); parent !== undefined; parent = left.pop()) {
      try {
        if (parent.length > 0) yield* this.tables(parent, call)
        for await (const child of this.list(parent, call)) left.push(child)
      } catch (error) {
        if (!isKind(error, 'not-found', 'NAMESPACE_MISSING')) throw error
      }
    }
  }
}

/** Creates the namespace, and those around it where the server wants them first. */
async function createIn(
  { send }: RestSession,
  namespace: Namespace,
  properties: Properties = {},
): Promise<LoadedNamespace> {
  const create = async (levels: Namespace, given: Properties): Promise<LoadedNamespace> => {
    const answer = await send('createNamespace', { body: { namespace: levels, properties: given } })
    return loadedOf(levels, answer.read(readNamespace).properties)
  }
  try {
    return await create(namespace, properties)
  } catch (error) {
    if (namespace.length === 1 || !isKind(error, 'not-found', 'NAMESPACE_MISSING')) throw error
  }
  for (let levels = 1; levels < namespace.length; levels++) {
    await create(namespace.slice(0, levels), {}).catch(unlessThere)
  }
  return await create(namespace, properties)
}

/**
 * Tables need no namespace that was created ({@link Catalog.createNamespace}), and most servers want one: where it is missing it is
 * created, and the work done again.
 */
export async function inNamespace<T>(session: RestSession, namespace: Namespace, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isKind(error, 'not-found', 'NAMESPACE_MISSING')) throw error
    await createIn(session, namespace).catch(unlessThere)
    return await work()
  }
}

/** What comes next says whether it is: it is refused where it is not. */
function unlessThere(error: unknown): void {
  if (!mayBeThere(error)) throw error
}

function loadedOf(namespace: Namespace, properties: Properties | null | undefined): LoadedNamespace {
  return { namespace: [...namespace], properties: { ...properties } }
}
