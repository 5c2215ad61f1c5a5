import { isKind, sameInt64, tableText, unavailable } from '@moulin/core'
import type {
  CatalogCallOptions,
  CreateTableRequest,
  LoadedTable,
  NamedCommit,
  RenewedAccess,
  StagedTable,
  TableCommit,
  TableIdentifier,
} from '@moulin/core'
import { KeptTables } from './kept-tables.ts'
import type { RestClient, RestSession } from './rest-client.ts'
import { checkOpenTable, nameKey } from '../open-names.ts'
import { inNamespace } from './rest-namespaces.ts'
import type { RestAnswer } from './transport.ts'
import { readCommit, readCredentials, readTable } from './wire/answers.ts'
import { restHeaders } from './wire/headers.ts'
import type { CommitTableAnswer, LoadTableAnswer } from './wire/messages.ts'
import { commitBodyOf, createBodyOf } from './wire/requests.ts'

const KEPT_TABLE_BYTES = 64 * 1024 * 1024
/** Tables whose place is remembered, to know whose credentials are asked for. */
const MAX_PLACES = 4096

/** The tables of a REST catalog. */
export class RestTables {
  readonly #client: RestClient
  readonly #kept: KeptTables
  /** Where tables lie that were loaded. */
  readonly #places = new Map<string, { readonly identifier: TableIdentifier; readonly location: string }>()

  constructor(client: RestClient, keptTableBytes: number = KEPT_TABLE_BYTES) {
    this.#client = client
    this.#kept = new KeptTables(keptTableBytes)
  }

  async create(
    table: TableIdentifier,
    request: CreateTableRequest,
    call: CatalogCallOptions = {},
  ): Promise<LoadedTable> {
    return await this.#run(table, call, async (session) => {
      const answer = await this.#createIn(session, table, request, false)
      return this.#loaded(table, session, answer.read(readTable), answer)
    })
  }

  async stage(
    table: TableIdentifier,
    request: CreateTableRequest,
    call: CatalogCallOptions = {},
  ): Promise<StagedTable> {
    return await this.#run(table, call, async (session) => {
      const answer = await this.#createIn(session, table, request, true)
      return this.#staged(table, session, answer.read(readTable))
    })
  }

  async load(table: TableIdentifier, call: CatalogCallOptions = {}): Promise<LoadedTable> {
    const { clock } = this.#client.runtime
    const key = keyOf(checkOpenTable(table))
    return await this.#run(table, call, async (session) => {
      const kept = call.fresh === true ? undefined : this.#kept.get(key, clock.now())
      const headers = kept === undefined ? {} : { [restHeaders.ifNoneMatch]: kept.etag }
      const answer = await session.send('loadTable', { ...partsOf(table), headers, isVended: true })
      // Whatever became of what was kept meanwhile: the server speaks of what it was asked about.
      if (answer.status === 304) return kept!.loaded
      const loaded = this.#loaded(table, session, answer.read(readTable), answer)
      const etag = answer.headers.get(restHeaders.etag)
      if (etag === null) this.#kept.drop(key)
      else this.#kept.keep(key, etag, loaded, answer.size, clock.now())
      return loaded
    })
  }

  async commit(table: TableIdentifier, commit: TableCommit, call: CatalogCallOptions = {}): Promise<LoadedTable> {
    return await this.#changing([table], tableText(table), call, async (session) => {
      const body = commitBodyOf({ identifier: table, ...commit })
      const answer = await session.send('commitTable', { ...partsOf(table), body })
      const read = answer.read(readCommit)
      const lie = contradiction(commit, read)
      if (lie !== undefined) throw answer.fault(`says that the commit was made, and ${lie}: load the table and look`)
      return { identifier: table, metadataLocation: read['metadata-location'], metadata: read.metadata }
    })
  }

  async drop(table: TableIdentifier, call: CatalogCallOptions = {}): Promise<void> {
    await this.#changing([table], tableText(table), call, async ({ send }) => {
      const answer = await send('dropTable', { ...partsOf(table), query: { purgeRequested: 'false' } })
      answer.requireDone()
      this.#places.delete(keyOf(table))
    })
  }

  async register(table: TableIdentifier, location: string, call: CatalogCallOptions = {}): Promise<LoadedTable> {
    return await this.#changing([table], tableText(table), call, async (session) => {
      const body = { name: table.name, 'metadata-location': location }
      const answer = await session.send('registerTable', { namespace: table.namespace, body, isVended: true })
      return this.#loaded(table, session, answer.read(readTable), answer)
    })
  }

  async rename(from: TableIdentifier, to: TableIdentifier, call: CatalogCallOptions = {}): Promise<void> {
    await this.#changing([from, to], tableText(from), call, async ({ send }) => {
      const body = { source: identifierOf(from), destination: identifierOf(to) }
      const answer = await send('renameTable', { body })
      answer.requireDone()
      this.#places.delete(keyOf(from))
    })
  }

  async commitAll(commits: readonly NamedCommit[], call: CatalogCallOptions = {}): Promise<void> {
    const tables = commits.map(({ identifier }) => identifier)
    await this.#changing(tables, `${commits.length} tables`, call, async ({ send }) => {
      const answer = await send('commitTransaction', { body: { 'table-changes': commits.map(commitBodyOf) } })
      answer.requireDone()
    })
  }

  /** Credentials that are good for a while, for the table that lies there: of their own endpoint, or with the table loaded anew. */
  async renew(location: string, signal: AbortSignal | undefined): Promise<RenewedAccess> {
    const found = this.#tableAt(location)
    if (found === undefined) {
      const message = `${this.#client.name} has loaded no table that lies at ${location}: whose credentials are meant is not known.`
      throw unavailable('CREDENTIALS', message, { retryable: false })
    }
    const call = signal === undefined ? {} : { signal }
    const asked = this.#run(found, call, async ({ server, send }) => {
      if (!server.routes.has('loadCredentials')) return undefined
      const answer = await send('loadCredentials', { ...partsOf(found), isVended: true })
      return { config: server.fileProperties, credentials: answer.read(readCredentials)['storage-credentials'] }
    })
    const renewed = await asked.catch((error: unknown) => {
      if (isKind(error, 'aborted') || isKind(error, 'closed')) throw error
      return undefined
    })
    // One that gives none there, or lists what it does not serve, gives them with the table.
    if (renewed !== undefined && renewed.credentials.length > 0) return renewed
    const { config = {}, credentials = [] } = await this.load(found, { ...call, fresh: true })
    return { config, credentials }
  }

  async #run<T>(
    table: TableIdentifier,
    call: CatalogCallOptions,
    work: (session: RestSession) => Promise<T>,
  ): Promise<T> {
    return await this.#client.run(tableText(checkOpenTable(table)), call, work)
  }

  /** What was kept is forgotten before and after, for a load may come between. */
  async #changing<T>(
    tables: readonly TableIdentifier[],
    about: string,
    call: CatalogCallOptions,
    work: (session: RestSession) => Promise<T>,
  ): Promise<T> {
    const keys = tables.map((table) => keyOf(checkOpenTable(table)))
    const forget = (): void => keys.forEach((key) => this.#kept.drop(key))
    forget()
    try {
      return await this.#client.run(about, call, work)
    } finally {
      forget()
    }
  }

  async #createIn(
    session: RestSession,
    table: TableIdentifier,
    request: CreateTableRequest,
    isStaged: boolean,
  ): Promise<RestAnswer> {
    const { namespace, name } = table
    const body = createBodyOf(name, request, isStaged)
    return await inNamespace(session, namespace, () => session.send('createTable', { namespace, body, isVended: true }))
  }

  #loaded(
    table: TableIdentifier,
    session: RestSession,
    read: LoadTableAnswer,
    answer: Pick<RestAnswer, 'fault'>,
  ): LoadedTable {
    const location = read['metadata-location'] ?? undefined
    if (location === undefined) throw answer.fault('names no metadata-location')
    this.#remember(table, read.metadata.location)
    return { ...this.#staged(table, session, read), metadataLocation: location }
  }

  #staged(table: TableIdentifier, { server }: RestSession, read: LoadTableAnswer): StagedTable {
    const { token: _, ...said } = read.config ?? {}
    const config = { ...server.fileProperties, ...said }
    const credentials = read['storage-credentials'] ?? []
    return {
      identifier: table,
      metadata: read.metadata,
      ...(Object.keys(config).length === 0 ? {} : { config }),
      ...(credentials.length === 0 ? {} : { credentials }),
    }
  }

  #remember(identifier: TableIdentifier, location: string): void {
    const key = keyOf(identifier)
    this.#places.delete(key)
    this.#places.set(key, { identifier, location: plainScheme(location).replace(/\/+$/, '') })
    if (this.#places.size > MAX_PLACES) this.#places.delete(this.#places.keys().next().value!)
  }

  /** The one whose location is the longest that the file's begins with; of names of one table, which others may have changed, the last. */
  #tableAt(location: string): TableIdentifier | undefined {
    const plain = plainScheme(location)
    const [found] = [...this.#places.values()]
      .reverse()
      .filter((each) => plain === each.location || plain.startsWith(`${each.location}/`))
      .sort((a, b) => b.location.length - a.location.length)
    return found?.identifier
  }
}

function partsOf({ namespace, name }: TableIdentifier) {
  return { namespace, table: name }
}

function identifierOf({ namespace, name }: TableIdentifier): TableIdentifier {
  return { namespace, name }
}

function keyOf({ namespace, name }: TableIdentifier): string {
  return nameKey([...namespace, name])
}

/** Names of one scheme: a catalog may say another than its metadata. */
function plainScheme(location: string): string {
  return location.replace(/^s3[an](?=:)/, 's3')
}

/** What cannot be so where the commit was made. */
function contradiction({ requirements, updates }: TableCommit, { metadata }: CommitTableAnswer): string | undefined {
  for (const requirement of requirements) {
    if (requirement.type !== 'assert-table-uuid') continue
    if (requirement.uuid.toLowerCase() !== metadata['table-uuid'].toLowerCase()) return 'is of another table'
  }
  const removed = updates.flatMap((update) => (update.action === 'remove-snapshots' ? update['snapshot-ids'] : []))
  for (const update of updates) {
    if (update.action === 'assign-uuid' && update.uuid.toLowerCase() !== metadata['table-uuid'].toLowerCase())
      return 'is of another table'
    if (update.action !== 'add-snapshot') continue
    const id = update.snapshot['snapshot-id']
    const isThere = (metadata.snapshots ?? []).some((snapshot) => sameInt64(snapshot['snapshot-id'], id))
    if (!isThere && !removed.some((other) => sameInt64(other, id))) return `does not have its snapshot ${id}`
  }
  return undefined
}
