import * as option from './options/option-checks.ts'

export { Arena } from './columns/arena.ts'
export { sameInt64 } from './doors/catalog.ts'
export type {
  BlobMetadata,
  Catalog,
  CatalogCallOptions,
  CatalogListOptions,
  CreateTableRequest,
  EncryptedKey,
  IcebergField,
  IcebergSchema,
  IcebergType,
  Int64,
  LoadedTable,
  NamedCommit,
  StagedTable,
  PartitionField,
  PartitionSpec,
  PartitionStatisticsFile,
  Snapshot,
  SnapshotRef,
  SortOrder,
  StatisticsFile,
  StorageCredential,
  TableCommit,
  TableIdentifier,
  TableMetadata,
  TableRequirement,
  TableUpdate,
} from './doors/catalog.ts'
export { requireCapability } from './doors/namespace.ts'
export type {
  CatalogCapabilities,
  LoadedNamespace,
  Namespace,
  NamespaceChange,
  NamespaceChanged,
} from './doors/namespace.ts'
export type {
  Codec,
  CodecFormat,
  ColumnarCodec,
  RegistryIdentity,
  RowsEncoder,
  SchemaFieldId,
  SchemaLedger,
  SchemaLedgerEntry,
  ValueFidelity,
} from './doors/codec.ts'
export type {
  ColdAdoption,
  ColdContext,
  ColdTier,
  ColdTopic,
  ColdTopicInfo,
  HotSource,
  PlannedTopic,
} from './doors/cold-tier.ts'
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
} from './columns/column-builder.ts'
export type { ColumnBuilder } from './columns/column-builder.ts'
export { decimalWidth, isValid, nullCount, takeRows, valueArrays } from './columns/columns.ts'
export type {
  BytesColumn,
  Column,
  ColumnBatch,
  FixedColumn,
  ListColumn,
  PrimitiveColumn,
  StructColumn,
} from './columns/columns.ts'
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
  hasOutcome,
  internal,
  invalid,
  isKind,
  isMoulinError,
  isUnreadable,
  mayBeThere,
  MoulinError,
  notFound,
  throwIfAborted,
  toErrorData,
  unavailable,
  unsupported,
  withOutcome,
} from './model/errors.ts'
export { dateMs } from './model/date-ms.ts'
export { joinBytes } from './model/join-bytes.ts'
export { isBytes, lengthOf, plainView } from './model/given-bytes.ts'
export type { Durability } from './model/durability.ts'
export type { ErrorContext, ErrorData, ErrorKind, ErrorOptions, Outcome } from './model/errors.ts'
export {
  and,
  columnsOf,
  eq,
  gt,
  gte,
  isIn,
  isNull,
  lt,
  lte,
  ne,
  not,
  notNull,
  or,
  startsWith,
} from './model/expression.ts'
export type { Comparable, Comparison, Expression, Literal, Where } from './model/expression.ts'
export type { DirectoryEntry, DiskSize, FileHandle, FileOpenOptions, Files, FileStat } from './doors/files.ts'
export { jsonBytes, jsonInt64, parseJson, stringifyJson } from './model/json.ts'
export type { JsonValue } from './model/json.ts'
export { jsonChecks } from './model/json-checks.ts'
export type { JsonChecks, JsonObject } from './model/json-checks.ts'
export { foldIceberg, foldType, nestedFields } from './model/fold-type.ts'
export type { ScalarType } from './model/fold-type.ts'
export { formatCaps } from './model/format-caps.ts'
export type { BatchCaps, FileCaps, FormatCaps } from './model/format-caps.ts'
export { defaultLimits, INT64_MAX, INT64_MIN, TIMESTAMP_MS_MAX } from './model/limits.ts'
export type { Limits } from './model/limits.ts'
export type { Log, LogRecovery, LogStats, WalFull } from './doors/log.ts'
export { checkKey, checkRoot, compareKeys, isSameLocation, keyOf, uriOf } from './model/object-key.ts'
export { checkKeyRoom } from './stores/key-room.ts'
export type {
  ByteRange,
  CallOptions,
  Chunks,
  DeleteFailure,
  DeleteManyResult,
  GetOptions,
  GetRangesOptions,
  ListOptions,
  ListOrder,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutStreamOptions,
  SmallObjectStore,
  StoreCapabilities,
  StoredObject,
  StoredRanges,
} from './doors/object-store.ts'
export type { DeletedFiles, TableFileInfo, TableFiles, TableStores } from './doors/table-files.ts'
export { objectStoreOptions } from './options/object-store-options.ts'
export { hasOffset, rangeBehind, rangesWithin } from './model/offset-range.ts'
export type { OffsetRange } from './model/offset-range.ts'
export { option }
export { checkOptions, withDefaults } from './options/options.ts'
export type { OptionCheck, OptionTable } from './options/options.ts'
export { alwaysNull, bucket, byValue, day, hour, month, truncate, year } from './model/partition-spec.ts'
export type { PartitionFieldOf } from './model/partition-spec.ts'
export { folderOf, placeOf } from './model/place.ts'
export type { BucketPlace, FolderPlace, StorePlace } from './model/place.ts'
export { MAX_PRECISION, parsePrimitive, plainPrimitives, typeName } from './model/primitive-type.ts'
export type { PrimitiveKind, PrimitiveType } from './model/primitive-type.ts'
export type { Ack, BatchAck, Feed, Producer, ProducerOptions, ProducerRecord } from './doors/producer.ts'
export type { BatchRun, Fidelity, Header, LogRecord, Position, StoredRecord } from './model/record.ts'
export type { RecordSource, SourcePartition } from './doors/record-source.ts'
export { Redacted, redacted } from './model/redacted.ts'
export { heeding } from './heeding.ts'
export { SharedWork, waitFor } from './shared-work.ts'
export { failureBy, failureOf, verdictOf } from './stores/answers.ts'
export type { StoreAnswer, StoreCall, StoreFailure, StoreVerdict } from './stores/answers.ts'
export { atMost } from './stores/at-most.ts'
export { bucketStore, MAX_REQUEST_BYTES } from './stores/bucket-store.ts'
export type { BucketStoreOptions } from './stores/bucket-store.ts'
export type { BucketFacts, LifecycleRule } from './stores/bucket-facts.ts'
export type {
  Bucket,
  BucketDeleteFailure,
  BucketList,
  BucketObject,
  BucketPage,
  BucketRead,
  BucketUpload,
  BucketWrite,
} from './stores/bucket.ts'
export { resolveRange } from './stores/byte-range.ts'
export { checkBody, checkChunks, equalParts, readChunks } from './stores/chunks.ts'
export { defineObjectStore } from './stores/define-object-store.ts'
export type { DefineObjectStoreOptions } from './stores/define-object-store.ts'
export { getIfThere } from './model/get-if-there.ts'
export { joinSpans } from './stores/join-spans.ts'
export { inByteOrder, listInOrder, MAX_LIST_KEYS } from './stores/list-in-order.ts'
export { md5Of } from './stores/md5.ts'
export { settledWrite } from './stores/settled-write.ts'
export type { ConditionalWrite, WrittenBy } from './stores/settled-write.ts'
export { propertiesAt, tableAccess, timeOf } from './stores/table-credentials.ts'
export type { RenewAccess, RenewedAccess, StoreProperties, TableAccess } from './stores/table-credentials.ts'
export { allowedPlaces } from './stores/allowed-places.ts'
export { tableFiles } from './stores/table-files.ts'
export type { RenewableFiles, TableFilesOptions } from './stores/table-files.ts'
export { metrics } from './model/metrics.ts'
export type { CounterName, GaugeName, HistogramName, Metric, MetricName } from './model/metrics.ts'
export { messageOf, shown } from './model/shown.ts'
export { silentLogger } from './doors/runtime.ts'
export type { Clock, Logger, ProcessInfo, Random, Runtime, Timer, Timers } from './doors/runtime.ts'
export type {
  Counter,
  Gauge,
  GaugeObserver,
  Histogram,
  HistogramOptions,
  InstrumentOptions,
  Meter,
  MetricAttributes,
} from './doors/meter.ts'
export type { Thread, ThreadEnded, ThreadOptions, ThreadPort, Threads } from './doors/threads.ts'
export {
  checkSchema,
  schema,
  schemaFromJson,
  schemaOf,
  schemaToJson,
  structOf,
  SYSTEM_PREFIX,
  t,
} from './model/schema.ts'
export type { Field, Infer, InferFields, Schema, TimeType, Type, TypeKind, Types, TypeSpec } from './model/schema.ts'
export type { FetchedBatches, FetchOptions, Isolation, OffsetForOptions, ReadOptions } from './doors/topic-reads.ts'
export type {
  SectionFollower,
  Sequencer,
  SequencerContext,
  SequencerSession,
  UnsequencedSection,
} from './doors/sequencer.ts'
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
  storedCheck,
  storedText,
  stringField,
} from './model/stored-json.ts'
export type { StoredKind } from './model/stored-json.ts'
export { guardedLogger, guardedRuntime } from './system/guarded-logger.ts'
export { counterOf, errorType, gaugeOf, histogramOf } from './system/instruments.ts'
export { guardedMeter } from './system/guarded-meter.ts'
export { gatedReads, ReadGate } from './system/read-gate.ts'
export { systemFiles } from './system/system-files.ts'
export { systemRuntime } from './system/system-runtime.ts'
export { lowerThreadPriority } from './system/system-threads.ts'
export type { ValueMode } from './model/value-mode.ts'
export { checkNamespace, checkTableIdentifier, namespaceText, tableIdentifier, tableText } from './model/table-name.ts'
export { tableGuard } from './doors/table-guard.ts'
export type { TableGuard } from './doors/table-guard.ts'
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
} from './doors/audit.ts'
export type {
  EarlierRange,
  AdoptTableOptions,
  JudgeTableOptions,
  Lineage,
  OnBroken,
  PartitionOffsets,
  ResolvedTopicConfig,
  Scan,
  ScanOptions,
  SystemRow,
  TableAdoption,
  TableFilesVerdict,
  TableVerdict,
  TierOptions,
  TierResult,
  Topic,
  TopicConfig,
  Failing,
  Failure,
  TopicStats,
} from './doors/topic.ts'
export type { Section, SectionFacts, SectionHeader, SectionOffsets, WalLocation } from './doors/section.ts'
export type { Wal } from './doors/wal.ts'
export type { WalReader, WalReaderOptions } from './doors/wal-reader.ts'
export type { WalOptions, WalSession, WalUsage } from './doors/wal-session.ts'
export { isLivedThrough } from './doors/wal-writer.ts'
export type { Appended, NextOffset, TornTail, WalSpace, WalWriter, WalWriterOptions } from './doors/wal-writer.ts'
