import type { ErrorKind, Outcome } from '@moulin/core'
import { routes } from './routes.ts'
import type { RouteName } from './routes.ts'

/** Calls after which the catalog is not what it was. */
export const changing: ReadonlySet<RouteName> = new Set([
  'createNamespace',
  'dropNamespace',
  'setNamespaceProperties',
  'createTable',
  'registerTable',
  'commitTable',
  'dropTable',
  'renameTable',
  'commitTransaction',
] as const)

const ofNamespaces = ['listNamespaces', 'createNamespace', 'loadNamespace', 'dropNamespace'] as const
const inNamespace = [...ofNamespaces, 'setNamespaceProperties', 'listTables', 'createTable', 'registerTable'] as const

/** What an answer of a server means to its client. The first row that fits decides. */
export interface AnswerRow {
  readonly status: number
  /** The server's word for it, as the specification and Apache's classes have it. Left out: any, and none. */
  readonly type?: string
  /** In answer to these calls alone. Left out: to all. */
  readonly on?: readonly RouteName[]
  readonly kind: ErrorKind
  readonly code: string
  /** Default `rejected`. `if-changing`: unknown for a call that changes something. */
  readonly outcome?: Outcome | 'if-changing'
  /** Default: that of the kind. */
  readonly retryable?: boolean
}

const commits = ['commitTable', 'commitTransaction'] as const

/** Rows of answers that are errors of the specification. Without that shape (a page, an intermediary's word) nothing is believed. */
export const answerRows: readonly AnswerRow[] = [
  { status: 400, type: 'NamespaceNotEmptyException', kind: 'conflict', code: 'NAMESPACE_NOT_EMPTY' },
  { status: 400, kind: 'invalid', code: 'BAD_REQUEST' },
  { status: 401, kind: 'unavailable', code: 'UNAUTHENTICATED', retryable: false },
  { status: 403, kind: 'unavailable', code: 'ACCESS_DENIED', retryable: false },
  { status: 404, on: ['config'], kind: 'not-found', code: 'WAREHOUSE_MISSING' },
  { status: 404, type: 'NoSuchWarehouseException', kind: 'not-found', code: 'WAREHOUSE_MISSING' },
  { status: 404, type: 'NoSuchNamespaceException', kind: 'not-found', code: 'NAMESPACE_MISSING' },
  { status: 404, type: 'NoSuchTableException', kind: 'not-found', code: 'TABLE_MISSING' },
  // Of the metadata file, not of its table.
  { status: 404, type: 'NotFoundException', kind: 'not-found', code: 'FILE_VANISHED' },
  { status: 404, on: inNamespace, kind: 'not-found', code: 'NAMESPACE_MISSING' },
  { status: 404, kind: 'not-found', code: 'TABLE_MISSING' },
  { status: 405, kind: 'unsupported', code: 'CATALOG_CAPABILITY' },
  { status: 406, kind: 'unsupported', code: 'CATALOG_CAPABILITY' },
  { status: 408, kind: 'unavailable', code: 'CATALOG_TIMEOUT', outcome: 'if-changing' },
  { status: 409, on: commits, kind: 'conflict', code: 'REQUIREMENT_FAILED' },
  { status: 409, type: 'CommitFailedException', kind: 'conflict', code: 'REQUIREMENT_FAILED' },
  { status: 409, type: 'NamespaceNotEmptyException', kind: 'conflict', code: 'NAMESPACE_NOT_EMPTY' },
  { status: 409, on: ['dropNamespace'], kind: 'conflict', code: 'NAMESPACE_NOT_EMPTY' },
  { status: 409, on: ['createNamespace'], kind: 'exists', code: 'NAMESPACE_EXISTS' },
  { status: 409, on: ['createTable', 'registerTable', 'renameTable'], kind: 'exists', code: 'TABLE_EXISTS' },
  { status: 409, kind: 'conflict', code: 'CATALOG_CONFLICT' },
  { status: 413, kind: 'exhausted', code: 'BODY_TOO_LARGE' },
  { status: 419, kind: 'unavailable', code: 'UNAUTHENTICATED', retryable: false },
  { status: 422, on: ['setNamespaceProperties'], kind: 'invalid', code: 'NAMESPACE_CHANGE' },
  { status: 422, kind: 'invalid', code: 'BAD_REQUEST' },
  { status: 429, kind: 'unavailable', code: 'CATALOG_BUSY' },
  { status: 501, kind: 'unsupported', code: 'CATALOG_CAPABILITY' },
  // The specification: it could have been done in part.
  { status: 503, kind: 'unavailable', code: 'CATALOG_BUSY', outcome: 'if-changing' },
]

/** Of any 5xx without a row: the specification, "the commit state is unknown". */
export const serverFault: AnswerRow = {
  status: 500,
  kind: 'unavailable',
  code: 'CATALOG_FAULT',
  outcome: 'if-changing',
}

/** Of any 4xx without a row. */
export const clientFault: AnswerRow = { status: 400, kind: 'invalid', code: 'BAD_REQUEST' }

/** What a server says of an error of ours. The first row that fits decides. */
export interface ErrorRow {
  readonly kind: ErrorKind
  /** Left out: any. */
  readonly code?: string
  readonly status: number
  readonly type: string
}

/** An outcome that is unknown comes before all rows: {@link unknownOutcome}. */
export const errorRows: readonly ErrorRow[] = [
  { kind: 'not-found', code: 'TABLE_MISSING', status: 404, type: 'NoSuchTableException' },
  { kind: 'not-found', code: 'NAMESPACE_MISSING', status: 404, type: 'NoSuchNamespaceException' },
  { kind: 'not-found', code: 'WAREHOUSE_MISSING', status: 404, type: 'NoSuchWarehouseException' },
  { kind: 'not-found', status: 404, type: 'NotFoundException' },
  { kind: 'exists', status: 409, type: 'AlreadyExistsException' },
  { kind: 'conflict', code: 'NAMESPACE_NOT_EMPTY', status: 409, type: 'NamespaceNotEmptyException' },
  { kind: 'conflict', status: 409, type: 'CommitFailedException' },
  { kind: 'invalid', code: 'NAMESPACE_CHANGE', status: 422, type: 'UnprocessableEntityException' },
  { kind: 'invalid', status: 400, type: 'BadRequestException' },
  // The specification asks for 400 here: the request, not the server, has what is not known.
  { kind: 'unsupported', code: 'TABLE_UPDATE', status: 400, type: 'BadRequestException' },
  { kind: 'unsupported', code: 'REQUIREMENT', status: 400, type: 'BadRequestException' },
  { kind: 'unsupported', code: 'FORMAT_VERSION', status: 400, type: 'BadRequestException' },
  { kind: 'unsupported', code: 'TABLE_LOCATION', status: 400, type: 'BadRequestException' },
  { kind: 'unsupported', status: 406, type: 'UnsupportedOperationException' },
  { kind: 'unavailable', code: 'UNAUTHENTICATED', status: 401, type: 'NotAuthorizedException' },
  { kind: 'unavailable', code: 'FORBIDDEN', status: 403, type: 'ForbiddenException' },
  { kind: 'unavailable', code: 'ACCESS_DENIED', status: 403, type: 'ForbiddenException' },
  { kind: 'unavailable', code: 'CATALOG_BUSY', status: 429, type: 'SlowDownException' },
  { kind: 'exhausted', code: 'BODY_TOO_LARGE', status: 413, type: 'ContentTooLargeException' },
  // A limit of the table's own: no matter how often.
  { kind: 'exhausted', code: 'METADATA_TOO_LARGE', status: 400, type: 'BadRequestException' },
  { kind: 'exhausted', code: 'NAMESPACE_TOO_LARGE', status: 400, type: 'BadRequestException' },
  { kind: 'unavailable', status: 503, type: 'ServiceUnavailableException' },
  { kind: 'exhausted', status: 503, type: 'ServiceUnavailableException' },
  { kind: 'aborted', status: 503, type: 'ServiceUnavailableException' },
  { kind: 'closed', status: 503, type: 'ServiceUnavailableException' },
  { kind: 'fenced', status: 503, type: 'ServiceUnavailableException' },
  { kind: 'corrupt', status: 500, type: 'InternalServerError' },
  { kind: 'internal', status: 500, type: 'InternalServerError' },
]

/** It may have happened: no row of the kind says that. */
export const unknownOutcome: Omit<ErrorRow, 'kind'> = { status: 500, type: 'CommitStateUnknownException' }

/** Whether a call of this name has nothing to lose by being sent twice. */
export function isReading(name: RouteName): boolean {
  return routes[name].method === 'GET' || routes[name].method === 'HEAD'
}
