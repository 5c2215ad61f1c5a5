import * as option from './option-checks.ts'

export { Arena } from './arena.ts'
export { sameInt64 } from './catalog.ts'
export type {
  Catalog,
  CatalogCallOptions,
  CreateTableRequest,
  IcebergField,
  IcebergSchema,
  IcebergType,
  Int64,
  LoadedTable,
  PartitionField,
  PartitionSpec,
  Snapshot,
  SnapshotRef,
  SortOrder,
  TableCommit,
  TableIdentifier,
  TableMetadata,
  TableRequirement,
  TableUpdate,
} from './catalog.ts'
export type {
  Codec,
  CodecFormat,
  ColumnarCodec,
  RegistryIdentity,
  SchemaFieldId,
  SchemaLedger,
  SchemaLedgerEntry,
  ValueFidelity,
} from './codec.ts'
export type {
  ColdAdoption,
  ColdContext,
  ColdTier,
  ColdTopic,
  ColdTopicInfo,
  HotSource,
  PlannedTopic,
  ValueMode,
} from './cold-tier.ts'
export {
  BooleanBuilder,
  builderFor,
  BytesBuilder,
  FixedBuilder,
  Float32Builder,
  Float64Builder,
  Int32Builder,
  Int64Builder,
  ListBuilder,
  StructBuilder,
} from './column-builder.ts'
export type { ColumnBuilder } from './column-builder.ts'
export { decimalWidth, isValid, nullCount, takeRows } from './columns.ts'
export type {
  BytesColumn,
  Column,
  ColumnBatch,
  FixedColumn,
  ListColumn,
  PrimitiveColumn,
  StructColumn,
} from './columns.ts'
export {
  aborted,
  assert,
  closed,
  conflict,
  corrupt,
  exhausted,
  exists,
  fenced,
  fromErrorData,
  internal,
  invalid,
  isKind,
  isMoulinError,
  MoulinError,
  notFound,
  throwIfAborted,
  toErrorData,
  unavailable,
  unsupported,
} from './errors.ts'
export { dateMs } from './date-ms.ts'
export type { ErrorContext, ErrorData, ErrorKind, ErrorOptions, Outcome } from './errors.ts'
export { and, columnsOf, eq, gt, gte, isIn, isNull, lt, lte, ne, not, notNull, or, startsWith } from './expression.ts'
export type { Comparable, Comparison, Expression, Literal, Where } from './expression.ts'
export type { DirectoryEntry, DiskSize, FileHandle, Files, FileStat } from './files.ts'
export { jsonBytes, jsonInt64, parseJson, stringifyJson } from './json.ts'
export type { JsonValue } from './json.ts'
export { formatCaps } from './format-caps.ts'
export type { BatchCaps, FileCaps, FormatCaps } from './format-caps.ts'
export { defaultLimits, INT64_MAX, INT64_MIN, TIMESTAMP_MS_MAX } from './limits.ts'
export type { Limits } from './limits.ts'
export type { Log, LogRecovery, LogStats, WalFull } from './log.ts'
export {
  checkKey,
  checkRoot,
  compareKeys,
  headLocation,
  isSameLocation,
  keyOf,
  keysOf,
  openLocation,
  uriOf,
} from './object-key.ts'
export { defineObjectStore } from './object-store.ts'
export type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoreCapabilities,
  StoredObject,
} from './object-store.ts'
export { objectStoreOptions } from './object-store-options.ts'
export type { ObjectStoreOptions } from './object-store-options.ts'
export { option }
export { checkOptions, withDefaults } from './options.ts'
export type { OptionCheck, OptionTable } from './options.ts'
export { alwaysNull, bucket, day, hour, identity, month, truncate, year } from './partition-spec.ts'
export type { PartitionFieldOf } from './partition-spec.ts'
export { folderOf } from './place.ts'
export type { Ack, BatchAck, Producer, ProducerOptions, ProducerRecord } from './producer.ts'
export type { BatchRun, Fidelity, Header, LogRecord, Position, StoredRecord } from './record.ts'
export type { RecordSource, SourcePartition } from './record-source.ts'
export { Redacted, redacted } from './redacted.ts'
export { SharedWork, waitFor } from './shared-work.ts'
export { messageOf, shown } from './shown.ts'
export { silentLogger } from './runtime.ts'
export type { Clock, Logger, ProcessInfo, Random, Runtime, Timer, Timers } from './runtime.ts'
export { checkSchema, schema, schemaFromJson, schemaOf, schemaToJson, structOf, SYSTEM_PREFIX, t } from './schema.ts'
export type { Field, Infer, InferFields, Schema, TimeType, Type, TypeKind, Types, TypeSpec } from './schema.ts'
export type { Sequenced, Sequencer, SequencerContext, SequencerSession, UnsequencedSection } from './sequencer.ts'
export {
  arrayField,
  asObject,
  checkReadable,
  countField,
  fieldError,
  loadAnyVersion,
  loadStored,
  parseStored,
  storedBytes,
  stringField,
} from './stored-json.ts'
export type { AnyVersion, JsonObject, StoredKind } from './stored-json.ts'
export { systemFiles } from './system-files.ts'
export { systemRuntime } from './system-runtime.ts'
export { lowerThreadPriority } from './system-threads.ts'
export { tableGuard } from './table-guard.ts'
export type { TableGuard } from './table-guard.ts'
export type {
  AuditGap,
  AuditMove,
  AuditOptions,
  AuditPartition,
  AuditPlace,
  AuditProgress,
  AuditRange,
  AuditReport,
  DeepAudit,
  EarlierRange,
  Lineage,
  OnBroken,
  PartitionOffsets,
  ReadOptions,
  ResolvedTopicConfig,
  Scan,
  ScanOptions,
  SystemRow,
  TableAdoption,
  TierResult,
  Topic,
  TopicConfig,
  Failing,
  Failure,
  TopicStats,
} from './topic.ts'
export type {
  Durability,
  Section,
  SectionHeader,
  TornTail,
  EpochOpener,
  EpochOwner,
  Wal,
  WalLocation,
  WalOpenOptions,
  WalSession,
  WalSpace,
  WalUsage,
} from './wal.ts'
