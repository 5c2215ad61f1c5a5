/** What another engine may do to a topic's table, through nothing but its catalog and files. */
import { Int32Builder, Int64Builder } from '@moulin/core'
import type { ColumnBatch, LoadedTable, TableUpdate } from '@moulin/core'
import { hyparquetWriter } from '@moulin/format'
import { currentSchema, dataFileMetrics, planAppend } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import type { TestLog } from './lake.test-support.ts'
import { tableIdentifier } from './table-layout.ts'

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

/** Writes and appends rows as the columns of the table say them. */
export async function foreignFile(log: TestLog, table: LoadedTable, batch: ColumnBatch, id: string): Promise<DataFile> {
  const { metadata } = table
  const schema = currentSchema(metadata)
  const writer = hyparquetWriter.create({ schema, compression: 'zstd' })
  writer.writeRowGroup(batch)
  const { bytes, rowCount, metrics, rowGroups } = writer.finish()
  const filePath = `${metadata.location}/data/foreign-${id}.parquet`
  await log.store.put(filePath.slice(log.store.root.length), bytes)
  return {
    content: 0,
    filePath,
    fileFormat: 'PARQUET',
    specId: metadata['default-spec-id'],
    partition: metadata['partition-specs'][0]!.fields.map(() => null),
    recordCount: BigInt(rowCount),
    fileSizeBytes: BigInt(bytes.length),
    ...dataFileMetrics(schema, metrics),
    splitOffsets: rowGroups.map(({ offset }) => BigInt(offset)),
    sortOrderId: undefined,
  }
}

export async function commitFiles(
  log: TestLog,
  table: LoadedTable,
  files: readonly DataFile[],
  id: string,
): Promise<void> {
  const plan = await planAppend({
    table,
    store: log.store,
    files,
    snapshotId: log.runtime.random.int63(),
    commitId: id,
    nowMs: log.runtime.clock.now(),
    expire: false,
  })
  for (const { key, bytes } of plan.objects) await log.store.put(key, bytes)
  await log.catalog.commitTable(table.identifier, plan.commit)
}

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
