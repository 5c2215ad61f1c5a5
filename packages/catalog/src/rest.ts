export { errorAnswer, refusedError } from './rest/wire/errors.ts'
export type { ErrorAnswer, Refused } from './rest/wire/errors.ts'
export { restHeaders, VENDED_CREDENTIALS } from './rest/wire/headers.ts'
export type {
  CatalogConfig,
  CommitTableAnswer,
  CommitTableBody,
  CommitTransactionBody,
  CreateNamespaceBody,
  CreateTableBody,
  CredentialsAnswer,
  ErrorModel,
  ListNamespacesAnswer,
  ListTablesAnswer,
  LoadTableAnswer,
  NamespaceAnswer,
  NamespaceChangeAnswer,
  NamespaceChangeBody,
  RegisterTableBody,
  RenameTableBody,
  TokenAnswer,
} from './rest/wire/messages.ts'
export {
  createBodyOf,
  createRequestOf,
  readCommitTable,
  readCommitTransaction,
  readCreateNamespace,
  readCreateTable,
  readRegisterTable,
  readRenameTable,
  readSetProperties,
} from './rest/wire/requests.ts'
export { defaultRoutes, endpointText, routePath, routes } from './rest/wire/routes.ts'
export type { Method, Route, RouteName, RouteParameters } from './rest/wire/routes.ts'
export {
  decodeNamespace,
  decodeSegment,
  DEFAULT_SEPARATOR,
  encodeNamespace,
  namespaceParameter,
  parentNamespace,
} from './rest/wire/url-names.ts'
