import { invalid, isKind, notFound, unsupported } from '@moulin/core'
import type { LoadedTable, TableIdentifier, TableMetadata } from '@moulin/core'
import {
  createRequestOf,
  readCreateTable,
  readRegisterTable,
  readRenameTable,
  restHeaders,
  VENDED_CREDENTIALS,
} from '@moulin/catalog/rest'
import type { CredentialsAnswer, ListTablesAnswer, LoadTableAnswer } from '@moulin/catalog/rest'
import { withFreshIds } from '@moulin/iceberg'
import { done, jsonAnswer } from '../answer.ts'
import type { Answer } from '../answer.ts'
import { etagOf, matches } from '../etag.ts'
import type { SnapshotsMode } from '../etag.ts'
import type { Gateway, GatewayCall, Handler } from '../gateway.ts'
import { filesToPurge } from '../purge/files-to-purge.ts'
import type { PurgePlan } from '../purge/files-to-purge.ts'
import { jsonBody } from './json-body.ts'
import { changeCall } from './change-call.ts'
import { pageOf } from './pages.ts'

/** How old the newest records are that the answer lacks, in milliseconds; left out where it lacks none beyond `maxStalenessMs`. */
export const STALE_HEADER = 'moulin-stale-ms'

export function tableOf({ namespace, table }: Pick<GatewayCall, 'namespace' | 'table'>): TableIdentifier {
  return { namespace, name: table }
}

export const listTables: Handler = async (call, { catalog, limits }) => {
  const { namespace, signal } = call
  await call.may('listTables', { namespace })
  const { items, token } = await pageOf(call, catalog.listTables({ namespace, signal }), nameOf, limits.maxPageSize)
  const body: ListTablesAnswer = { identifiers: items, ...(token === undefined ? {} : { 'next-page-token': token }) }
  return jsonAnswer(body)
}

const nameOf = ({ name }: TableIdentifier): string => name

export const createTable: Handler = async (call, gateway) => {
  const { catalog, overrideLocations } = gateway
  const body = readCreateTable(call.body)
  const table = { namespace: call.namespace, name: body.name }
  await call.may('createTable', { namespace: call.namespace, table: body.name })
  await requireNamespace(call, gateway)
  const isStaged = body['stage-create'] === true
  const make = (request: ReturnType<typeof createRequestOf>): Promise<Omit<LoadedTable, 'metadataLocation'>> =>
    isStaged
      ? catalog.stageTable(table, request, { signal: call.signal })
      : catalog.createTable(table, request, changeCall(call))
  const request = withFreshIds(createRequestOf(body))
  const made = await make(request).catch((error: unknown) => {
    if (!overrideLocations || !isLocationRefused(error)) throw error
    const { location: _, ...elsewhere } = request
    return make(elsewhere)
  })
  return tableAnswer(call, gateway, made)
}

/** The catalog cannot put the table there: it has a place of its own for each name. */
export function isLocationRefused(error: unknown): boolean {
  return isKind(error, 'unsupported', 'TABLE_LOCATION') || isKind(error, 'unsupported', 'SET_LOCATION')
}

/** @throws `not-found`: REST specification, `createTable`. A catalog of ours makes tables in namespaces that nobody created. */
export async function requireNamespace(
  { namespace, signal }: GatewayCall,
  { catalog, implicitNamespaces }: Gateway,
): Promise<void> {
  if (!implicitNamespaces) await catalog.loadNamespace(namespace, { signal })
}

export const loadTable: Handler = async (call, gateway) => {
  const mode = snapshotsMode(call.query.get('snapshots'))
  await call.may('loadTable', { namespace: call.namespace, table: call.table })
  const { loaded, staleMs } = await freshTable(call, gateway)
  const stale =
    staleMs === undefined ? {} : { [STALE_HEADER]: Number.isNaN(staleMs) ? 'unknown' : String(Math.ceil(staleMs)) }
  // Before anything is written: most who ask again have it.
  const etag = etagOf(loaded, mode, vendedTo(call, gateway, loaded))
  if (matches(call.headers.get(restHeaders.ifNoneMatch), etag)) return { status: 304, headers: { etag, ...stale } }
  const answer = tableAnswer(call, gateway, loaded, mode)
  return { ...answer, headers: { ...answer.headers, ...stale } }
}

async function freshTable(
  call: GatewayCall,
  { catalog, fresh }: Gateway,
): Promise<{ readonly loaded: LoadedTable; readonly staleMs: number | undefined }> {
  const table = tableOf(call)
  const load = (): Promise<LoadedTable> => catalog.loadTable(table, { signal: call.signal })
  if (fresh === undefined) return { loaded: await load(), staleMs: undefined }
  return fresh.load(table, load, call.signal)
}

export const tableExists: Handler = async (call, { catalog }) => {
  await call.may('loadTable', { namespace: call.namespace, table: call.table })
  await catalog.loadTable(tableOf(call), { signal: call.signal })
  return done
}

export const dropTable: Handler = async (call, gateway) => {
  const { catalog } = gateway
  const isPurge = call.query.get('purgeRequested')?.toLowerCase() === 'true'
  await call.may(isPurge ? 'purgeTable' : 'dropTable', { namespace: call.namespace, table: call.table })
  const table = tableOf(call)
  // Found out before, while there is something to read; deleted afterwards, when nobody is told of them any more.
  const files = isPurge ? await purgePlan(call, gateway) : undefined
  await catalog.dropTable(table, changeCall(call))
  await files?.delete()
  return done
}

/** Made anew where somebody has changed the table meanwhile, a log that took it for its history among them. */
async function purgePlan(call: GatewayCall, gateway: Gateway): Promise<PurgePlan> {
  const load = (): Promise<LoadedTable> => gateway.catalog.loadTable(tableOf(call), { signal: call.signal })
  let planned = await load()
  for (;;) {
    const plan = await filesToPurge(planned, gateway)
    const present = await load()
    if (present.metadataLocation === planned.metadataLocation) return plan
    planned = present
  }
}

export const registerTable: Handler = async (call, gateway) => {
  const { name, 'metadata-location': location, overwrite } = readRegisterTable(call.body)
  await call.may('registerTable', { namespace: call.namespace, table: name })
  if (overwrite === true)
    throw unsupported(
      'REGISTER_OVERWRITE',
      'A table is registered under a name that is free; drop the other one first.',
    )
  await requireNamespace(call, gateway)
  const loaded = await gateway.catalog.registerTable({ namespace: call.namespace, name }, location, changeCall(call))
  return tableAnswer(call, gateway, loaded)
}

export const renameTable: Handler = async (call, { catalog }) => {
  const { source, destination } = readRenameTable(call.body)
  await call.may('renameTable', { namespace: source.namespace, table: source.name })
  await call.may('createTable', { namespace: destination.namespace, table: destination.name })
  await catalog.renameTable(source, destination, changeCall(call))
  return done
}

export const reportMetrics: Handler = async (call, { runtime }) => {
  await call.may('reportMetrics', { namespace: call.namespace, table: call.table })
  const report = jsonBody('The report', call.body)
  runtime.logger.debug({ table: tableOf(call), caller: call.caller.name, report }, 'an engine reports what it did')
  return done
}

export const loadCredentials: Handler = async (call, { catalog, passCredentials }) => {
  await call.may('loadCredentials', { namespace: call.namespace, table: call.table })
  const { credentials = [] } = await catalog.loadTable(tableOf(call), { signal: call.signal })
  if (!passCredentials) throw notFound('CREDENTIALS', 'This server hands out no credentials.')
  const body: CredentialsAnswer = { 'storage-credentials': credentials }
  return jsonAnswer(body)
}

/** With its tag, where it has a metadata file to name. */
export function tableAnswer(
  call: Pick<GatewayCall, 'headers'>,
  gateway: Pick<Gateway, 'passCredentials'>,
  loaded: Omit<LoadedTable, 'metadataLocation'> & Partial<LoadedTable>,
  mode: SnapshotsMode = 'all',
): Answer {
  const { metadataLocation, metadata } = loaded
  const vended = vendedTo(call, gateway, loaded)
  const body: LoadTableAnswer = {
    ...(metadataLocation === undefined ? {} : { 'metadata-location': metadataLocation }),
    metadata: mode === 'all' ? metadata : withRefsOnly(metadata),
    ...vended,
  }
  return jsonAnswer(
    body,
    metadataLocation === undefined ? {} : { etag: etagOf({ metadata, metadataLocation }, mode, vended) },
  )
}

type Vended = Pick<LoadTableAnswer, 'config' | 'storage-credentials'>

/** What the catalog says of the files, for whom it may be handed on to. */
function vendedTo(
  { headers }: Pick<GatewayCall, 'headers'>,
  { passCredentials }: Pick<Gateway, 'passCredentials'>,
  { config, credentials }: Pick<LoadedTable, 'config' | 'credentials'>,
): Vended {
  if (!passCredentials || !isAskedFor(headers)) return {}
  return {
    ...(config === undefined ? {} : { config }),
    ...(credentials === undefined ? {} : { 'storage-credentials': credentials }),
  }
}

function isAskedFor(headers: Headers): boolean {
  return (headers.get(restHeaders.accessDelegation) ?? '').split(',').some((word) => word.trim() === VENDED_CREDENTIALS)
}

function snapshotsMode(text: string | null): SnapshotsMode {
  if (text === null || text === '') return 'all'
  const mode = text.toLowerCase()
  if (mode === 'all' || mode === 'refs') return mode
  throw invalid('BAD_REQUEST', `snapshots must be all or refs, not ${JSON.stringify(text)}.`)
}

/** Those that a branch or a tag names; the log of which one was current when stays whole, for time travel. */
function withRefsOnly(metadata: TableMetadata): TableMetadata {
  const named = new Set(Object.values(metadata.refs ?? {}).map((ref) => BigInt(ref['snapshot-id'])))
  const current = metadata['current-snapshot-id']
  if (current !== undefined && current !== null) named.add(BigInt(current))
  const snapshots = (metadata.snapshots ?? []).filter((snapshot) => named.has(BigInt(snapshot['snapshot-id'])))
  return { ...metadata, snapshots }
}
