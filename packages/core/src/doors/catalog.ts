import type { JsonValue } from '../model/json.ts'
import type { Limits } from '../model/limits.ts'
import type { CatalogCapabilities, LoadedNamespace, Namespace, NamespaceChange, NamespaceChanged } from './namespace.ts'

/**
 * The door to tables by name. It speaks the JSON of Iceberg's REST catalog specification as plain types (64-bit ids as
 * number | bigint, see {@link parseJson}); what the words mean is in `@moulin/iceberg`.
 *
 * One commit is one compare-and-set: all requirements hold and all updates apply, or nothing does.
 */
export interface Catalog {
  readonly name: string
  /** What the metadata of a table is to stay below, where this catalog has a limit of its own. Committers expire snapshots before it. */
  readonly metadataWarnBytes?: number
  /** The same for as long as the catalog is open. What one does not have is `unsupported` code `CATALOG_CAPABILITY`. */
  readonly capabilities: CatalogCapabilities
  /**
   * Asked before a table is made that records are to go to: whether a file can lie at this path below its location, one that is longer than
   * the catalog's own. A catalog that learns the location later, when the table is made, leaves it out.
   * @throws `invalid` code `KEY_ROOM`.
   */
  checkRoom?(table: TableIdentifier, path: string, options?: CatalogCallOptions): Promise<void>
  /**
   * @throws `exists`; `unsupported` code `TABLE_LOCATION` for a location that this catalog cannot give. A commit-like call: an error with
   * outcome `unknown` may have created it.
   */
  createTable(table: TableIdentifier, request: CreateTableRequest, options?: CatalogCallOptions): Promise<LoadedTable>
  /**
   * What {@link createTable} would create, and creates nothing: REST specification, `stage-create`. The table comes to be by a
   * {@link commitTable} that requires `assert-create` and whose updates make all of it.
   * @throws `exists`, like `createTable`.
   */
  stageTable(table: TableIdentifier, request: CreateTableRequest, options?: CatalogCallOptions): Promise<StagedTable>
  /** @throws `not-found`; `corrupt`; `unsupported` for a format version that we do not read. */
  loadTable(table: TableIdentifier, options?: CatalogCallOptions): Promise<LoadedTable>
  /**
   * @throws `conflict` code `REQUIREMENT_FAILED` (outcome rejected): nothing happened, reload. Any error with outcome
   * `unknown`: load the table and look for your own commit before anything else. Tried once: never re-sent inside.
   *
   * With `assert-create` the updates make a new table: `exists` where there is one, `invalid` where they leave out what every table has.
   * Without it, `not-found` where there is none.
   */
  commitTable(table: TableIdentifier, commit: TableCommit, options?: CatalogCallOptions): Promise<LoadedTable>
  /** Removes the name. Files stay. @throws `not-found`. */
  dropTable(table: TableIdentifier, options?: CatalogCallOptions): Promise<void>
  /**
   * Gives a name to a table whose metadata lies there already: it goes on with its uuid and its history. Capability `register`.
   * @throws `exists`; `not-found` code `FILE_VANISHED` where no metadata is there; `unsupported` code `TABLE_LOCATION` for metadata that
   * this catalog cannot go on from. An error with outcome `unknown` may have registered it.
   */
  registerTable(table: TableIdentifier, metadataLocation: string, options?: CatalogCallOptions): Promise<LoadedTable>
  /**
   * One step: no moment has both names or none. Capability `rename`. The namespace of the new name must exist.
   * @throws `not-found` for the table or the namespace; `exists`. An error with outcome `unknown` may have renamed it.
   */
  renameTable(from: TableIdentifier, to: TableIdentifier, options?: CatalogCallOptions): Promise<void>
  /**
   * All of the commits or none, each as {@link commitTable} says; a table is named once. Capability `transactions`.
   * @throws like `commitTable`, with the table in `context.table`.
   */
  commitTransaction(commits: readonly NamedCommit[], options?: CatalogCallOptions): Promise<void>
  /** All tables, or those right in `options.namespace`, in no order. @throws `not-found` for the namespace. */
  listTables(options?: CatalogListOptions): AsyncIterable<TableIdentifier>
  /**
   * Tables need no namespace that was created: one in which a table or a namespace lies exists, without properties.
   * @throws `exists`; `invalid` code `NAMESPACE_NAME`; `unsupported` for properties where namespaces have none. An error with
   * outcome `unknown` may have created it.
   */
  createNamespace(
    namespace: Namespace,
    properties?: Readonly<Record<string, string>>,
    options?: CatalogCallOptions,
  ): Promise<LoadedNamespace>
  /** Those right below `parent` (`[]`: the outermost ones), each once, in no order. @throws `not-found` for the parent. */
  listNamespaces(parent: Namespace, options?: CatalogCallOptions): AsyncIterable<Namespace>
  /** @throws `not-found`. */
  loadNamespace(namespace: Namespace, options?: CatalogCallOptions): Promise<LoadedNamespace>
  /**
   * All of the change, on whatever the properties are by then: no acknowledged change of another is lost.
   * @throws `not-found`; `invalid` code `NAMESPACE_CHANGE` for a property named twice; `unsupported` where namespaces have
   * none. An error with outcome `unknown` may have made the change.
   */
  setNamespaceProperties(
    namespace: Namespace,
    change: NamespaceChange,
    options?: CatalogCallOptions,
  ): Promise<NamespaceChanged>
  /** @throws `not-found`; `conflict` code `NAMESPACE_NOT_EMPTY` while a table or a namespace lies in it. */
  dropNamespace(namespace: Namespace, options?: CatalogCallOptions): Promise<void>
  close?(): Promise<void>
}

export interface CatalogCallOptions {
  readonly signal?: AbortSignal
  /** How large a table's metadata may become, for a catalog that writes it itself and was given no limits of its own. */
  readonly limits?: Pick<Limits, 'metadataWarnBytes' | 'metadataStopBytes'>
  /**
   * Of a call that changes something: the same for all sends of the one change. A catalog behind a network hands it on where its server
   * takes one (REST specification, `Idempotency-Key`). A hint: an unknown outcome is settled by reading all the same.
   */
  readonly changeId?: string
  /** Of a load: what a catalog keeps of an earlier one is not enough, for its credentials were refused. */
  readonly fresh?: boolean
}

export interface CatalogListOptions extends CatalogCallOptions {
  readonly namespace?: Namespace
}

export interface TableIdentifier {
  /** Levels, outermost first. */
  readonly namespace: readonly string[]
  readonly name: string
}

export interface LoadedTable {
  readonly identifier: TableIdentifier
  readonly metadataLocation: string
  readonly metadata: TableMetadata
  /** What the catalog says of the table's files: endpoints, credentials that expire. A secret: never into logs or errors. */
  readonly config?: Readonly<Record<string, string>>
  /** REST specification, `storage-credentials`: what reaches files of some locations, before `config` does. Secrets as well. */
  readonly credentials?: readonly StorageCredential[]
}

/** A table that is not there yet. */
export type StagedTable = Omit<LoadedTable, 'metadataLocation'>

/** REST specification, `StorageCredential`. Of several that fit a location, the one with the longest prefix is meant. */
export interface StorageCredential {
  /** Of locations. */
  readonly prefix: string
  readonly config: Readonly<Record<string, string>>
}

export interface CreateTableRequest {
  readonly location?: string
  readonly schema: IcebergSchema
  readonly partitionSpec?: PartitionSpec
  /** REST specification, `write-order`. Default: unsorted. */
  readonly sortOrder?: SortOrder
  /** `format-version` is the table's format, as in the REST specification. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface TableCommit {
  readonly requirements: readonly TableRequirement[]
  readonly updates: readonly TableUpdate[]
}

export interface NamedCommit extends TableCommit {
  readonly identifier: TableIdentifier
}

/** REST specification, `TableRequirement`. */
export type TableRequirement =
  | { readonly type: 'assert-create' }
  | { readonly type: 'assert-table-uuid'; readonly uuid: string }
  | { readonly type: 'assert-ref-snapshot-id'; readonly ref: string; readonly 'snapshot-id': Int64 | null }
  | { readonly type: 'assert-last-assigned-field-id'; readonly 'last-assigned-field-id': number }
  | { readonly type: 'assert-current-schema-id'; readonly 'current-schema-id': number }
  | { readonly type: 'assert-last-assigned-partition-id'; readonly 'last-assigned-partition-id': number }
  | { readonly type: 'assert-default-spec-id'; readonly 'default-spec-id': number }
  | { readonly type: 'assert-default-sort-order-id'; readonly 'default-sort-order-id': number }

/**
 * REST specification, `TableUpdate`: all of them, and `enable-row-lineage`, which it had for a while. Encryption keys and any
 * other action are `unsupported`.
 */
export type TableUpdate =
  | { readonly action: 'assign-uuid'; readonly uuid: string }
  | { readonly action: 'upgrade-format-version'; readonly 'format-version': number }
  | { readonly action: 'add-schema'; readonly schema: IcebergSchema; readonly 'last-column-id'?: number }
  | { readonly action: 'set-current-schema'; readonly 'schema-id': number }
  | { readonly action: 'add-spec'; readonly spec: PartitionSpec }
  | { readonly action: 'set-default-spec'; readonly 'spec-id': number }
  | { readonly action: 'add-sort-order'; readonly 'sort-order': SortOrder }
  | { readonly action: 'set-default-sort-order'; readonly 'sort-order-id': number }
  | { readonly action: 'add-snapshot'; readonly snapshot: Snapshot }
  | ({ readonly action: 'set-snapshot-ref'; readonly 'ref-name': string } & SnapshotRef)
  | { readonly action: 'remove-snapshot-ref'; readonly 'ref-name': string }
  | { readonly action: 'remove-snapshots'; readonly 'snapshot-ids': readonly Int64[] }
  | { readonly action: 'set-location'; readonly location: string }
  | { readonly action: 'set-properties'; readonly updates: Readonly<Record<string, string>> }
  | { readonly action: 'remove-properties'; readonly removals: readonly string[] }
  | { readonly action: 'remove-schemas'; readonly 'schema-ids': readonly number[] }
  | { readonly action: 'remove-partition-specs'; readonly 'spec-ids': readonly number[] }
  | { readonly action: 'set-statistics'; readonly 'snapshot-id'?: Int64; readonly statistics: StatisticsFile }
  | { readonly action: 'remove-statistics'; readonly 'snapshot-id': Int64 }
  | { readonly action: 'set-partition-statistics'; readonly 'partition-statistics': PartitionStatisticsFile }
  | { readonly action: 'remove-partition-statistics'; readonly 'snapshot-id': Int64 }
  | { readonly action: 'enable-row-lineage' }
  | { readonly action: 'add-encryption-key'; readonly 'encryption-key': EncryptedKey }
  | { readonly action: 'remove-encryption-key'; readonly 'key-id': string }

/** A Puffin file about one snapshot. */
export type StatisticsFile = PartitionStatisticsFile & {
  readonly 'file-footer-size-in-bytes': Int64
  readonly 'blob-metadata': readonly BlobMetadata[]
  readonly 'key-metadata'?: string
}

export interface BlobMetadata {
  readonly type: string
  readonly 'snapshot-id': Int64
  readonly 'sequence-number': Int64
  readonly fields: readonly number[]
  readonly properties?: Readonly<Record<string, string>>
}

export interface PartitionStatisticsFile {
  readonly 'snapshot-id': Int64
  readonly 'statistics-path': string
  readonly 'file-size-in-bytes': Int64
}

export interface EncryptedKey {
  readonly 'key-id': string
  /** Base64. */
  readonly 'encrypted-key-metadata': string
  readonly 'encrypted-by-id'?: string
  readonly properties?: Readonly<Record<string, string>>
}

/** A 64-bit integer in JSON: a number while safe, else a bigint. Compare with {@link sameInt64} or after `BigInt()`. */
export type Int64 = number | bigint

/** Iceberg spec, "Table metadata fields", in the shape of format version 2 and 3. Unknown members are kept. */
export interface TableMetadata {
  readonly 'format-version': number
  readonly 'table-uuid': string
  readonly location: string
  readonly 'last-sequence-number': Int64
  /** Format version 3: above every row id that is taken. */
  readonly 'next-row-id'?: Int64
  readonly 'last-updated-ms': Int64
  readonly 'last-column-id': number
  readonly schemas: readonly IcebergSchema[]
  readonly 'current-schema-id': number
  readonly 'partition-specs': readonly PartitionSpec[]
  readonly 'default-spec-id': number
  readonly 'last-partition-id': number
  readonly 'sort-orders': readonly SortOrder[]
  readonly 'default-sort-order-id': number
  readonly properties?: Readonly<Record<string, string>>
  readonly 'current-snapshot-id'?: Int64 | null
  readonly snapshots?: readonly Snapshot[]
  readonly 'snapshot-log'?: readonly { readonly 'timestamp-ms': Int64; readonly 'snapshot-id': Int64 }[]
  readonly 'metadata-log'?: readonly { readonly 'timestamp-ms': Int64; readonly 'metadata-file': string }[]
  readonly refs?: Readonly<Record<string, SnapshotRef>>
  readonly statistics?: readonly JsonValue[]
  readonly 'partition-statistics'?: readonly JsonValue[]
}

export interface SnapshotRef {
  readonly type: 'branch' | 'tag'
  readonly 'snapshot-id': Int64
  readonly 'min-snapshots-to-keep'?: number
  readonly 'max-snapshot-age-ms'?: Int64
  readonly 'max-ref-age-ms'?: Int64
}

export interface Snapshot {
  readonly 'snapshot-id': Int64
  readonly 'parent-snapshot-id'?: Int64
  readonly 'sequence-number': Int64
  readonly 'timestamp-ms': Int64
  /** Empty where `manifests` are. */
  readonly 'manifest-list': string
  /** Format version 1, before there were manifest lists: the locations of its manifests. */
  readonly manifests?: readonly string[]
  readonly summary: Readonly<Record<string, string>>
  readonly 'schema-id'?: number
  /** Format version 3: what its new manifests count row ids from, and how many ids they take. */
  readonly 'first-row-id'?: Int64
  readonly 'added-rows'?: Int64
}

export interface IcebergSchema {
  readonly type: 'struct'
  readonly 'schema-id'?: number
  readonly 'identifier-field-ids'?: readonly number[]
  readonly fields: readonly IcebergField[]
}

export interface IcebergField {
  readonly id: number
  readonly name: string
  readonly required: boolean
  readonly type: IcebergType
  readonly doc?: string
  /** Format version 3: what a row of a file has that lacks the field. JSON single values (spec, "Default values"). */
  readonly 'initial-default'?: JsonValue
  /** Format version 3: what a writer writes who is given no value for the field. */
  readonly 'write-default'?: JsonValue
}

/** `long`, `decimal(9,2)`, `fixed[16]`, … or a nested type. */
export type IcebergType =
  | string
  | { readonly type: 'struct'; readonly fields: readonly IcebergField[] }
  | {
      readonly type: 'list'
      readonly 'element-id': number
      readonly element: IcebergType
      readonly 'element-required': boolean
    }
  | {
      readonly type: 'map'
      readonly 'key-id': number
      readonly key: IcebergType
      readonly 'value-id': number
      readonly value: IcebergType
      readonly 'value-required': boolean
    }

export interface PartitionSpec {
  readonly 'spec-id'?: number
  readonly fields: readonly PartitionField[]
}

export interface PartitionField {
  readonly 'source-id': number
  readonly 'field-id'?: number
  readonly name: string
  readonly transform: string
}

export interface SortOrder {
  readonly 'order-id': number
  readonly fields: readonly JsonValue[]
}

/** Whether two 64-bit ids, in either form, are the same; null and undefined are no id. */
export function sameInt64(a: Int64 | null | undefined, b: Int64 | null | undefined): boolean {
  if (a === null || a === undefined || b === null || b === undefined) return (a ?? undefined) === (b ?? undefined)
  return BigInt(a) === BigInt(b)
}
