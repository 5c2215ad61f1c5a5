import { isKind, tableText, unavailable, withOutcome } from '@moulin/core'
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
import { contradiction, wasMade } from './made-commits.ts'
import type { RestClient, RestSession } from './rest-client.ts'
import { checkOpenTable } from '../open-names.ts'
import { inNamespace } from './rest-namespaces.ts'
import { tableKey, TablePlaces } from './table-places.ts'
import type { RestAnswer } from './transport.ts'
import { readCommit, readCredentials, readTable } from './wire/answers.ts'
import { restHeaders } from './wire/headers.ts'
import type { LoadTableAnswer } from './wire/messages.ts'
import { commitBodyOf, createBodyOf } from './wire/requests.ts'

const KEPT_TABLE_BYTES = 64 * 1024 * 1024

/** The tables of a REST catalog. */
export class RestTables {
  readonly #client: RestClient
  readonly #kept: KeptTables
  readonly #places = new TablePlaces()

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
    const key = tableKey(checkOpenTable(table))
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
      try {
        return await this.#commitOnce(session, table, commit)
      } catch (error) {
        if (!isKind(error, 'conflict') && !isKind(error, 'invalid', 'BAD_REQUEST')) throw error
        const made = await this.#secondArrival(session, table, commit).catch((cause: unknown) => {
          throw isKind(cause, 'not-found') ? error : withOutcome(error, 'unknown')
        })
        if (made === undefined) throw error
        return made
      }
    })
  }

  async #commitOnce(session: RestSession, table: TableIdentifier, commit: TableCommit): Promise<LoadedTable> {
    const body = commitBodyOf({ identifier: table, ...commit })
    const answer = await session.send('commitTable', { ...partsOf(table), body })
    const read = answer.read(readCommit)
    const lie = contradiction(commit, read.metadata)
    if (lie !== undefined) throw answer.fault(`says that the commit was made, and ${lie}: load the table and look`)
    return { identifier: table, metadataLocation: read['metadata-location'], metadata: read.metadata }
  }

  /**
   * We send a commit once, and proxies and meshes send again what they got no answer to: then the conflict is with the commit itself,
   * which was made. Some servers say 400 of it, for a sequence number or a snapshot that is there. Whoever took that at its word would
   * delete the files of a commit that was made. Undefined: it is not there.
   */
  async #secondArrival(
    session: RestSession,
    table: TableIdentifier,
    commit: TableCommit,
  ): Promise<LoadedTable | undefined> {
    if (!commit.updates.some(({ action }) => action === 'add-snapshot')) return undefined
    const answer = await session.send('loadTable', partsOf(table))
    const read = answer.read(readTable)
    const metadataLocation = read['metadata-location'] ?? undefined
    if (metadataLocation === undefined || !wasMade(commit, read.metadata)) return undefined
    return { identifier: table, metadataLocation, metadata: read.metadata }
  }

  async drop(table: TableIdentifier, call: CatalogCallOptions = {}): Promise<void> {
    await this.#changing([table], tableText(table), call, async ({ send }) => {
      const answer = await send('dropTable', { ...partsOf(table), query: { purgeRequested: 'false' } })
      answer.requireDone()
      this.#places.forget(table)
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
      this.#places.forget(from)
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
    const found = this.#places.tableAt(location)
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
    const keys = tables.map((table) => tableKey(checkOpenTable(table)))
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
    this.#places.remember(table, read.metadata.location)
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
}

function partsOf({ namespace, name }: TableIdentifier) {
  return { namespace, table: name }
}

function identifierOf({ namespace, name }: TableIdentifier): TableIdentifier {
  return { namespace, name }
}
