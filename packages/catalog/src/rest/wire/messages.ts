import type {
  IcebergSchema,
  Namespace,
  NamedCommit,
  PartitionSpec,
  SortOrder,
  StorageCredential,
  TableCommit,
  TableIdentifier,
  TableMetadata,
} from '@moulin/core'

// The bodies of the REST specification, member for member, under its names for them. Ids are as in core's types: exact, by
// `parseJson` and `stringifyJson`. A body that has no type here is one of core's already: `TableRequirement`, `TableUpdate`.

type Properties = Readonly<Record<string, string>>

export interface CatalogConfig {
  readonly defaults: Properties
  readonly overrides: Properties
  /** `GET /v1/{prefix}/namespaces`, …; left out: the default ones. */
  readonly endpoints?: readonly string[]
  /** How long a key is remembered, as an ISO 8601 duration; left out: keys are not known. */
  readonly 'idempotency-key-lifetime'?: string
}

export interface CreateNamespaceBody {
  readonly namespace: Namespace
  readonly properties?: Properties
}

export interface NamespaceAnswer {
  readonly namespace: Namespace
  /** null: this server keeps none. */
  readonly properties?: Properties | null
}

export interface NamespaceChangeBody {
  readonly removals?: readonly string[]
  readonly updates?: Properties
}

export interface NamespaceChangeAnswer {
  readonly updated: readonly string[]
  readonly removed: readonly string[]
  readonly missing?: readonly string[] | null
}

export interface ListNamespacesAnswer {
  readonly namespaces: readonly Namespace[]
  readonly 'next-page-token'?: string | null
}

export interface ListTablesAnswer {
  readonly identifiers: readonly TableIdentifier[]
  readonly 'next-page-token'?: string | null
}

export interface CreateTableBody {
  readonly name: string
  readonly location?: string
  readonly schema: IcebergSchema
  readonly 'partition-spec'?: PartitionSpec
  readonly 'write-order'?: SortOrder
  readonly 'stage-create'?: boolean
  readonly properties?: Properties
}

export interface RegisterTableBody {
  readonly name: string
  readonly 'metadata-location': string
  readonly overwrite?: boolean
}

export interface LoadTableAnswer {
  /** null or left out: the table is staged. */
  readonly 'metadata-location'?: string | null
  readonly metadata: TableMetadata
  readonly config?: Properties
  readonly 'storage-credentials'?: readonly StorageCredential[]
}

export interface CommitTableBody extends TableCommit {
  readonly identifier?: TableIdentifier
}

export interface CommitTableAnswer {
  readonly 'metadata-location': string
  readonly metadata: TableMetadata
}

export interface CommitTransactionBody {
  readonly 'table-changes': readonly NamedCommit[]
}

export interface RenameTableBody {
  readonly source: TableIdentifier
  readonly destination: TableIdentifier
}

export interface CredentialsAnswer {
  readonly 'storage-credentials': readonly StorageCredential[]
}

/** RFC 6749, 5.1. */
export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: string
  readonly expires_in?: number
}

/** All errors come as `{ error: ErrorModel }`. */
export interface ErrorModel {
  readonly message: string
  /** `NoSuchTableException`, … */
  readonly type: string
  readonly code: number
}
