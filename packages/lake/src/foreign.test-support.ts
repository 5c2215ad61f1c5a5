/** What another engine may do to a topic's table, through nothing but its catalog and files. */
import { Int32Builder, Int64Builder, isValid, keyOf, tableIdentifier, takeRows, tableFiles } from '@moulin/core'
import type { Column, ColumnBatch, LoadedTable, TableUpdate } from '@moulin/core'
import { openParquet, readAvroFile, storeRangeReader, writeAvroFile } from '@moulin/format'
import type { FileWriterFactory } from '@moulin/format'
import { hyparquetWriter } from '@moulin/format/second-opinion'
import {
  bindPartitionSpec,
  currentSchema,
  currentSnapshot,
  currentSpec,
  dataFileMetrics,
  planAppend,
  planScan,
  readManifestList,
  toInt64,
  writeManifest,
  writeManifestList,
} from '@moulin/iceberg'
import type { DataFile, ManifestEntry } from '@moulin/iceberg'
import type { TestLog } from './lake.test-support.ts'
import { SliceBuffer } from './encode/slice-buffer.ts'
import { TupleRuns } from './encode/tuple-runs.ts'

const secondWriter = await hyparquetWriter()

export interface ForeignRow {
  readonly partition: number | null
  readonly offset: bigint | null
  readonly incarnation?: number | null
}

export const tableOf = (log: TestLog): Promise<LoadedTable> => log.catalog.loadTable(tableIdentifier(log.info.table))

/** Commits updates without any requirement. */
export async function change(log: TestLog, updates: readonly TableUpdate[]): Promise<void> {
  await log.catalog.commitTable(tableIdentifier(log.info.table), { requirements: [], updates })
}

/** A snapshot of another engine, with a file of these rows if there are any. */
export async function foreignAppend(log: TestLog, rows: readonly ForeignRow[] = []): Promise<void> {
  const table = await tableOf(log)
  const id = log.runtime.random.uuid()
  const files = rows.length === 0 ? [] : [await foreignFile(log, table, batchOf(rows), id)]
  await commitFiles(log, table, files, id)
}

/** How an engine spells locations. */
export interface Spelling {
  /** Where it stores the object that we would store at this location. */
  readonly stored?: (uri: string) => string
  /** How its metadata names the location where it stored an object. */
  readonly named?: (uri: string) => string
}

/** Writes and appends rows as the columns of the table say them. */
export async function foreignFile(
  log: TestLog,
  table: LoadedTable,
  batch: ColumnBatch,
  id: string,
  writerFactory: FileWriterFactory = secondWriter,
  { stored = same, named = same }: Spelling = {},
): Promise<DataFile> {
  const { metadata } = table
  const schema = currentSchema(metadata)
  const writer = writerFactory.create({ schema, compression: 'zstd' })
  writer.writeRowGroup(batch)
  const { bytes, rowCount, metrics, rowGroups } = writer.finish()
  const place = stored(`${metadata.location}/data/foreign-${id}.parquet`)
  await log.store.put(place.slice(log.store.root.length), bytes)
  return {
    content: 0,
    filePath: named(place),
    fileFormat: 'PARQUET',
    specId: metadata['default-spec-id'],
    partition: tupleOf(table, batch),
    recordCount: BigInt(rowCount),
    fileSizeBytes: BigInt(bytes.length),
    ...dataFileMetrics(schema, metrics),
    splitOffsets: rowGroups.map(({ offset }) => BigInt(offset)),
    sortOrderId: undefined,
  }
}

function tupleRuns({ metadata }: LoadedTable): TupleRuns {
  const schema = currentSchema(metadata)
  return new TupleRuns(bindPartitionSpec(currentSpec(metadata), [schema]), schema)
}

/** Nulls where the rows have several: plans prune by the tuple, so whoever asks for more than places splits them first. */
function tupleOf(table: LoadedTable, batch: ColumnBatch): DataFile['partition'] {
  const groups = tupleRuns(table).groups(batch)
  return groups.length === 1 ? groups[0]!.tuple : currentSpec(table.metadata).fields.map(() => null)
}

/** The rows, apart by the partition that they belong into. */
export async function byPartition(log: TestLog, batch: ColumnBatch): Promise<ColumnBatch[]> {
  const groups = tupleRuns(await tableOf(log)).groups(batch)
  return groups.map(({ rows }) => (rows === undefined ? batch : pick(batch, [...rows])))
}

export async function commitFiles(
  log: TestLog,
  table: LoadedTable,
  files: readonly DataFile[],
  id: string,
  where: 'main' | 'aside' = 'main',
): Promise<void> {
  const plan = await planAppend({
    table,
    tableFiles: tableFiles(log.store),
    files,
    snapshotId: log.runtime.random.int63(),
    commitId: id,
    nowMs: log.runtime.clock.now(),
    expire: false,
  })
  for (const { location, bytes } of plan.objects) await log.store.put(keyOf(log.store, location), bytes)
  const { requirements, updates } = plan.commit
  const kept = where === 'main' ? updates : updates.filter(({ action }) => action !== 'set-snapshot-ref')
  await log.catalog.commitTable(table.identifier, { requirements, updates: kept })
}

/** A snapshot with position deletes of these names beside the data of the one before; one manifest has them all. */
export async function foreignDeletes(
  log: TestLog,
  names: readonly string[],
): Promise<{ readonly snapshotId: ReturnType<typeof toInt64>; readonly manifest: string }> {
  const { metadata } = await tableOf(log)
  const { store } = log
  const id = log.runtime.random.uuid()
  const snapshotId = log.runtime.random.int63()
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const files = names.map((name) => `data/deletes-${name}.parquet`)
  for (const file of files) await store.put(keyOf(store, `${metadata.location}/${file}`), new Uint8Array(4))
  const schema = currentSchema(metadata)
  const path = `${metadata.location}/metadata/${id}-deletes.avro`
  const entry = (file: string): ManifestEntry => ({
    status: 'added',
    snapshotId,
    sequenceNumber: undefined,
    fileSequenceNumber: undefined,
    file: {
      content: 0,
      filePath: `${metadata.location}/${file}`,
      fileFormat: 'PARQUET',
      specId: metadata['default-spec-id'],
      partition: metadata['partition-specs'][0]!.fields.map(() => null),
      recordCount: 1n,
      fileSizeBytes: 4n,
      ...noMetrics,
      splitOffsets: [],
      sortOrderId: undefined,
    },
  })
  const spec = bindPartitionSpec(currentSpec(metadata), [schema])
  const entries = files.map(entry)
  const data = writeManifest({ path, spec, schema, entries, snapshotId, sequenceNumber })
  // Ours has rows only: what makes it one of deletes is in two places.
  const avro = readAvroFile(data.bytes, { what: path })
  const bytes = writeAvroFile({
    schema: avro.schema,
    metadata: { ...Object.fromEntries(avro.metadata), content: 'deletes' },
    records: avro.records.map((record) => {
      const row = record as { data_file: object }
      return { ...row, data_file: { ...row.data_file, content: 1 } }
    }),
  })
  const deletes = { ...data.manifest, content: 'deletes' as const, sizeBytes: BigInt(bytes.length) }
  const before = currentSnapshot(metadata)!['manifest-list']
  const old = readManifestList((await store.get(keyOf(store, before))).bytes, { path: before })
  const parent = metadata['current-snapshot-id']!
  const list = `${metadata.location}/metadata/snap-${id}.avro`
  await store.put(keyOf(store, path), bytes)
  const manifests = [...old.filter(({ content }) => content === 'data'), deletes]
  await store.put(
    keyOf(store, list),
    writeManifestList({ manifests, snapshotId, parentSnapshotId: BigInt(parent), sequenceNumber }),
  )
  const snapshot = {
    'snapshot-id': toInt64(snapshotId),
    'parent-snapshot-id': parent,
    'sequence-number': toInt64(sequenceNumber),
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': list,
    summary: { operation: 'overwrite' },
    'schema-id': metadata['current-schema-id'],
  }
  await change(log, [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': toInt64(snapshotId) },
  ])
  return { snapshotId: toInt64(snapshotId), manifest: keyOf(store, path) }
}

const none = new Map<number, never>()
const noMetrics = {
  columnSizes: none,
  valueCounts: none,
  nullValueCounts: none,
  nanValueCounts: none,
  lowerBounds: none,
  upperBounds: none,
}

const same = (uri: string): string => uri

function batchOf(rows: readonly ForeignRow[]): ColumnBatch {
  const partition = new Int32Builder()
  const offset = new Int64Builder()
  const incarnation = new Int32Builder()
  for (const row of rows) {
    if (row.partition === null) partition.appendNull()
    else partition.append(row.partition)
    if (row.offset === null) offset.appendNull()
    else offset.append(row.offset)
    if (row.incarnation === null) incarnation.appendNull()
    else incarnation.append(row.incarnation ?? 1)
  }
  const columns = [
    { name: '_kafka_partition', column: partition.finish() },
    { name: '_kafka_offset', column: offset.finish() },
    { name: '_kafka_incarnation', column: incarnation.finish() },
  ]
  return { length: rows.length, columns }
}

/** All rows of the table in one batch, in the order of its files, with the columns of its present schema. */
export async function allRows(log: TestLog): Promise<ColumnBatch> {
  const { metadata } = await tableOf(log)
  const { fields } = currentSchema(metadata)
  const rows = new SliceBuffer()
  for await (const { file } of planScan({ tableFiles: tableFiles(log.store), metadata })) {
    const parquet = await openParquet(
      storeRangeReader(log.store, keyOf(log.store, file.filePath), Number(file.fileSizeBytes)),
    )
    for (let rowGroup = 0; rowGroup < parquet.rowGroups.length; rowGroup++) {
      rows.append(await parquet.read({ rowGroup, types: fields }))
    }
  }
  return rows.view()
}

/** Replaces all files of the table by one that holds these rows, as an overwrite of another engine does. */
export async function replaceRows(
  log: TestLog,
  batches: readonly ColumnBatch[],
  writerFactory: FileWriterFactory = secondWriter,
  spelling: Spelling = {},
): Promise<void> {
  const table = await tableOf(log)
  const id = log.runtime.random.uuid()
  const files: DataFile[] = []
  for (const [at, batch] of batches.entries())
    files.push(await foreignFile(log, table, batch, `${id}-${at}`, writerFactory, spelling))
  await replaceFiles(log, files, spelling)
}

/** Replaces all files of the table by these, in one snapshot. */
export async function replaceFiles(
  log: TestLog,
  files: readonly DataFile[],
  { named = same }: Spelling = {},
): Promise<void> {
  const { metadata } = await tableOf(log)
  const id = log.runtime.random.uuid()
  const snapshotId = log.runtime.random.int63()
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const folder = `${metadata.location}/metadata`
  const key = (uri: string): string => uri.slice(log.store.root.length)
  const path = `${folder}/${id}-m0.avro`
  const { bytes, manifest } = writeManifest({
    path: named(path),
    spec: bindPartitionSpec(currentSpec(metadata), [currentSchema(metadata)]),
    schema: currentSchema(metadata),
    entries: files.map((file) => ({
      status: 'added',
      snapshotId,
      sequenceNumber: undefined,
      fileSequenceNumber: undefined,
      file,
    })),
    snapshotId,
    sequenceNumber,
  })
  const parent = metadata['current-snapshot-id']!
  const list = writeManifestList({
    manifests: files.length === 0 ? [] : [manifest],
    snapshotId,
    parentSnapshotId: BigInt(parent),
    sequenceNumber,
  })
  await log.store.put(key(path), bytes)
  await log.store.put(key(`${folder}/snap-${id}.avro`), list)
  const snapshot = {
    'snapshot-id': toInt64(snapshotId),
    'parent-snapshot-id': parent,
    'sequence-number': toInt64(sequenceNumber),
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': named(`${folder}/snap-${id}.avro`),
    summary: { operation: 'overwrite' },
    'schema-id': metadata['current-schema-id'],
  }
  await change(log, [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': toInt64(snapshotId) },
  ])
}

/** The rows at these positions, in that order. */
export function pick(batch: ColumnBatch, rows: readonly number[]): ColumnBatch {
  const at = Int32Array.from(rows)
  return {
    length: rows.length,
    columns: batch.columns.map(({ name, column }) => ({ name, column: takeRows(column, at) })),
  }
}

/** The same batch with another column in place of one. */
export function withColumn(batch: ColumnBatch, name: string, column: Column): ColumnBatch {
  return { ...batch, columns: batch.columns.map((entry) => (entry.name === name ? { name, column } : entry)) }
}

export const columnOf = (batch: ColumnBatch, name: string): Column =>
  batch.columns.find((column) => column.name === name)!.column

/** A column of numbers, row by row. */
export function numbersOf(batch: ColumnBatch, name: string): (number | bigint | null)[] {
  const column = columnOf(batch, name) as Column & { readonly values: ArrayLike<number | bigint> }
  return Array.from({ length: batch.length }, (_, row) => (isValid(column, row) ? column.values[row]! : null))
}

/** The same batch with other numbers in one column. */
export function withNumbers(
  batch: ColumnBatch,
  name: string,
  values: readonly (number | bigint | null)[],
): ColumnBatch {
  const builder = columnOf(batch, name).storage === 'int64' ? new Int64Builder() : new Int32Builder()
  for (const value of values) {
    if (value === null) builder.appendNull()
    else builder.append(value as never)
  }
  return withColumn(batch, name, builder.finish())
}
