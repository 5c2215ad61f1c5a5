import type { CallOptions, IcebergField, Scan, ScanOptions, TableFiles, TableMetadata } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { BoundColumn, FileScanTask, LiveFile, ManifestRoom } from '@moulin/iceberg'
import type { LiveFiles } from '../live/live-files.ts'
import { mapAhead, READS_AHEAD } from '../scan/map-ahead.ts'
import { countOf, passingRows } from '../scan/passing-rows.ts'
import type { PassingRows } from '../scan/passing-rows.ts'
import { rowsToRead } from '../scan/prune-row-group.ts'
import { inSteps, readPassing } from '../scan/read-passing.ts'
import type { RowRange } from '../scan/row-ranges.ts'
import { scanOutput } from '../scan/scan-output.ts'
import type { Row } from '../scan/scan-output.ts'
import { tableQuery } from './table-query.ts'
import type { TableQuery } from './table-query.ts'

export interface TableViewParts {
  readonly tableFiles: TableFiles
  readonly files: LiveFiles
  readonly manifests: ManifestRoom
  /** For messages. */
  readonly table: string
}

/**
 * The rows of a table as the metadata's current snapshot has them. See `OpenTable.scan`.
 * @param parts Asked for again and again: the table may be closed by then.
 */
export function scanOf(parts: () => TableViewParts, metadata: TableMetadata, options: ScanOptions): Scan<Row> {
  const query = tableQuery(metadata, options, parts().table)
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal }
  return scanOutput({
    columns: query.shown,
    passing: () => passing(parts, metadata, query, call),
    count: async () => count(parts, metadata, query, call),
    call,
  })
}

/** Some rows of a file, to be read. */
interface ReadTask {
  readonly file: LiveFile
  readonly rowGroup: number
  readonly rows: RowRange
}

async function* passing(
  parts: () => TableViewParts,
  metadata: TableMetadata,
  query: TableQuery,
  call: CallOptions,
): AsyncGenerator<PassingRows> {
  const tasks = readTasks(parts(), metadata, query, call)
  for await (const rows of mapAhead(tasks, READS_AHEAD, (task) => rowsOf(task, query, call))) {
    parts()
    if (countOf(rows) > 0) yield rows
  }
}

async function* readTasks(
  parts: TableViewParts,
  metadata: TableMetadata,
  { where, predicate, judged }: TableQuery,
  call: CallOptions,
): AsyncGenerator<ReadTask> {
  const byId = new Map(judged.map((field) => [field.id, field]))
  const fieldOf = ({ id }: BoundColumn): IcebergField | undefined => byId.get(id)
  for await (const listed of planOf(parts, metadata, where, call)) {
    const file = await parts.files.open(listed, metadata, call)
    for (const [rowGroup, group] of file.rowGroups.entries()) {
      if (group.liveRows === 0) continue
      const ranges = await rowsToRead({ file, rowGroup, predicate, fieldOf, ...call })
      for (const rows of inSteps(ranges, group)) yield { file, rowGroup, rows }
    }
  }
}

function planOf(
  { tableFiles, manifests: room }: TableViewParts,
  metadata: TableMetadata,
  where: TableQuery['where'],
  call: CallOptions,
): AsyncGenerator<FileScanTask> {
  return planScan({ tableFiles, metadata, where, room, ...call })
}

async function rowsOf({ file, rowGroup, rows }: ReadTask, query: TableQuery, call: CallOptions): Promise<PassingRows> {
  const { predicate, judged, rest, made } = query
  const read = await readPassing(
    {
      file,
      rowGroup,
      rows,
      judged,
      rest,
      passing: (batch) => passingRows(predicate, batch.length, ({ name }) => named(batch.columns, name)),
    },
    call,
  )
  const { batch, kept } = read
  const extras = made.map((column) => {
    return { name: column.name, column: column.make(file, rowGroup, read, named(batch.columns, column.name)) }
  })
  // What is made comes first: a file may have columns of the same names, which are used up by then.
  return { batch: { length: batch.length, columns: [...extras, ...batch.columns] }, rows: kept, isOwned: true }
}

function named<C>(columns: readonly { readonly name: string; readonly column: C }[], name: string): C | undefined {
  return columns.find((entry) => entry.name === name)?.column
}

/** From the metadata alone, but where rows are to be judged. */
async function count(
  parts: () => TableViewParts,
  metadata: TableMetadata,
  query: TableQuery,
  call: CallOptions,
): Promise<number> {
  if (query.where !== undefined) {
    let count = 0
    for await (const rows of passing(parts, metadata, { ...query, rest: [], made: [] }, call)) count += countOf(rows)
    return count
  }
  let total = 0n
  for await (const listed of planOf(parts(), metadata, undefined, call)) {
    total += await parts().files.count(listed, metadata, call)
  }
  return Number(total)
}
