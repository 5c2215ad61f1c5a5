import { tableFiles, tableIdentifier } from '@moulin/core'
import type { TopicConfig } from '@moulin/core'
import { avro } from '@moulin/format'
import { planScan } from '@moulin/iceberg'
import type { VirtualRuntime } from '@moulin/testing'
import { commitDeletes, newEquality, newPositions, newVectors } from '../deletes/foreign-deletes.ts'
import type { ForeignTable, NewDeletes } from '../deletes/foreign-deletes.ts'
import { every, Flat, raw, send } from './golden-records.ts'
import { goldenTables, openGolden } from './golden-store.ts'

type Positions = ReadonlyMap<string, readonly number[]>

/** Tables of format 2 and 3 in which others have deleted rows in each way that is, and what deep audits remember of it. */
export async function deleted(dir: string, runtime: VirtualRuntime): Promise<void> {
  const log = await openGolden(dir, runtime)
  const topicOf = async (name: string, config: TopicConfig): ReturnType<typeof log.ensureTopic> =>
    log.ensureTopic(name, { partitionBy: [], ...config })
  const positions = await topicOf('positions', { partitions: 2 })
  const vectors = await topicOf('vectors', { formatVersion: 3 })
  const returned = await topicOf('returned', { formatVersion: 3 })
  for (const topic of [positions, vectors, returned]) {
    await send(topic, raw(0, 12))
    await topic.tier()
  }
  const equality = await log.ensureTopic('equality', { value: avro(Flat), partitionBy: [] })
  await send(equality, every(0, 12))
  await equality.tier()
  // From now on the tables alone have the rows.
  await log.releaseNow()

  const tables = goldenTables(dir, runtime)
  const at = (table: string): ForeignTable => ({ ...tables, table: `default.${table}` })
  await deletePositions(at('positions'), 'third', (position) => position % 3 === 0, newPositions)
  await deletePositions(at('vectors'), 'second', (position) => position % 2 === 1, newVectors)
  await deletePositions(at('returned'), 'middle', (position) => position > 2 && position < 8, asRuns)
  await deleteEqual(at('equality'), 'equal', 'int', [[-1], [4]])
  for (const topic of [positions, vectors, returned, equality]) await topic.audit({ deep: true })

  // Rows beside the deletes, with row ids of their own; and deletes taken back, of which the audit remembers.
  await send(vectors, raw(12, 16))
  await vectors.tier()
  await commitDeletes(at('returned'), 'back', () => [])
  await log.close()
}

const asRuns = (location: string, gone: Positions): NewDeletes => newVectors(location, gone, true)

async function deletePositions(
  table: ForeignTable,
  name: string,
  isGone: (position: number) => boolean,
  make: (location: string, gone: Positions) => NewDeletes,
): Promise<void> {
  const { metadata } = await table.catalog.loadTable(tableIdentifier(table.table))
  const gone = new Map<string, number[]>()
  for await (const { file } of planScan({ tableFiles: tableFiles(table.store), metadata }))
    gone.set(file.filePath, Array.from({ length: Number(file.recordCount) }, (_, position) => position).filter(isGone))
  await commitDeletes(table, name, (location) => [make(`${location}.deletes`, gone)])
}

/** By one column of the present schema. */
async function deleteEqual(
  table: ForeignTable,
  name: string,
  column: string,
  rows: readonly (readonly number[])[],
): Promise<void> {
  const { metadata } = await table.catalog.loadTable(tableIdentifier(table.table))
  const fields = metadata.schemas.at(-1)!.fields.filter((field) => field.name === column)
  await commitDeletes(table, name, (location) => [newEquality(`${location}.parquet`, fields, rows)])
}
