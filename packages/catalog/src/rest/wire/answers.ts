import { parseJson } from '@moulin/core'
import type { JsonObject, StorageCredential } from '@moulin/core'
import { checkTableMetadata } from '@moulin/iceberg'
import { check, identifierIn, maybe, namespaceIn, optional, stringMap } from './body-checks.ts'
import type {
  CatalogConfig,
  CommitTableAnswer,
  CredentialsAnswer,
  ErrorModel,
  ListNamespacesAnswer,
  ListTablesAnswer,
  LoadTableAnswer,
  NamespaceAnswer,
  NamespaceChangeAnswer,
  TokenAnswer,
} from './messages.ts'

// What a client makes of the bodies that it was answered with. `what` names the answer in messages. They throw `corrupt`, code
// `REST_BODY` or that of `parseJson`, for what is not as the specification has it; of a table's metadata, what `checkTableMetadata` does.

export type ReadAnswer<T> = (bytes: Uint8Array, what: string) => T

function reader<T>(read: (body: JsonObject, what: string) => T): ReadAnswer<T> {
  return (bytes, what) => read(check.object(parseJson(bytes, what, Infinity), what), what)
}

export const readConfig: ReadAnswer<CatalogConfig> = reader((body, what) => ({
  defaults: optional(body['defaults'], (map) => stringMap(map, `${what}: defaults`)) ?? {},
  overrides: optional(body['overrides'], (map) => stringMap(map, `${what}: overrides`)) ?? {},
  ...maybe(body, 'endpoints', (list) => check.strings(list, `${what}: endpoints`)),
  ...maybe(body, 'idempotency-key-lifetime', (text) => check.string(text, `${what}: idempotency-key-lifetime`)),
}))

export const readNamespace: ReadAnswer<NamespaceAnswer> = reader((body, what) => ({
  namespace: namespaceIn(body['namespace'], `${what}: namespace`),
  properties: optional(body['properties'], (map) => stringMap(map, `${what}: properties`)) ?? null,
}))

export const readNamespaceChange: ReadAnswer<NamespaceChangeAnswer> = reader((body, what) => ({
  updated: check.strings(body['updated'], what, 'updated'),
  removed: check.strings(body['removed'], what, 'removed'),
  missing: optional(body['missing'], (list) => check.strings(list, what, 'missing')) ?? null,
}))

export const readNamespaces: ReadAnswer<ListNamespacesAnswer> = reader((body, what) => ({
  namespaces: listIn(body['namespaces'], `${what}: namespaces`, namespaceIn),
  ...pageToken(body, what),
}))

export const readTables: ReadAnswer<ListTablesAnswer> = reader((body, what) => ({
  identifiers: listIn(body['identifiers'], `${what}: identifiers`, identifierIn),
  ...pageToken(body, what),
}))

export const readTable: ReadAnswer<LoadTableAnswer> = reader((body, what) => ({
  metadata: checkTableMetadata(body['metadata'], `${what}: metadata`),
  ...maybe(body, 'metadata-location', (text) => check.string(text, `${what}: metadata-location`)),
  ...maybe(body, 'config', (map) => stringMap(map, `${what}: config`)),
  ...maybe(body, 'storage-credentials', (list) => credentialsIn(list, `${what}: storage-credentials`)),
}))

export const readCommit: ReadAnswer<CommitTableAnswer> = reader((body, what) => ({
  metadata: checkTableMetadata(body['metadata'], `${what}: metadata`),
  'metadata-location': check.string(body['metadata-location'], what, 'metadata-location'),
}))

export const readCredentials: ReadAnswer<CredentialsAnswer> = reader((body, what) => ({
  'storage-credentials': credentialsIn(body['storage-credentials'], `${what}: storage-credentials`),
}))

export const readToken: ReadAnswer<TokenAnswer> = reader((body, what) => ({
  access_token: check.string(body['access_token'], what, 'access_token'),
  token_type: check.string(body['token_type'] ?? 'bearer', what, 'token_type'),
  ...maybe(body, 'expires_in', (seconds) => check.count(asNumber(seconds), what, 'expires_in')),
}))

/** Some issuers spell it as text. */
function asNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
}

/** undefined for a body that is no error of the specification, such as a page for people. Servers that leave out the type are understood. */
export function readError(bytes: Uint8Array): ErrorModel | undefined {
  try {
    const { error } = check.object(parseJson(bytes, 'The error', Infinity), 'The error')
    const { message, type, code } = check.object(error, 'error')
    return {
      message: check.string(message ?? '', 'message'),
      type: check.string(type ?? '', 'type'),
      code: check.int(code, 'code'),
    }
  } catch {
    return undefined
  }
}

function pageToken(body: JsonObject, what: string): Pick<ListTablesAnswer, 'next-page-token'> {
  return maybe(body, 'next-page-token', (text) => check.string(text, what, 'next-page-token'))
}

function credentialsIn(value: unknown, what: string): readonly StorageCredential[] {
  return listIn(value, what, (member, place) => {
    const { prefix, config } = check.object(member, place)
    return { prefix: check.string(prefix, place, 'prefix'), config: stringMap(config, `${place}.config`) }
  })
}

/** A list that is left out is empty. */
function listIn<T>(value: unknown, what: string, read: (member: unknown, what: string) => T): readonly T[] {
  return check.array(value ?? [], what).map((member, at) => read(member, `${what}[${at}]`))
}
