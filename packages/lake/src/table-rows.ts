import { columnsOf } from '@moulin/core'
import type { CallOptions, ColdTopicInfo, ColumnBatch, Expression, IcebergField, ObjectStore } from '@moulin/core'
import type { ParquetFile } from '@moulin/format'
import { bindExpression, compilePredicate, decodeSingleValue, planScan, rowGroupMightMatch } from '@moulin/iceberg'
import type { DataFile, FileScanTask, Predicate } from '@moulin/iceberg'
import type { DataFiles } from './data-files.ts'
import { columnOf, fieldsOf, identitiesIn, identityNames } from './identity-rows.ts'
import type { IdentityColumns } from './identity-rows.ts'
import type { LedgerEntry } from './ledger.ts'
import type { TableColumns } from './table-layout.ts'
import type { TableState } from './topic-table.ts'
import type { ScanQuery } from './union-scan.ts'

export interface TableRowsParts {
  readonly info: ColdTopicInfo
  readonly store: ObjectStore
  readonly files: DataFiles
}

const NO_ID = -1
/** Rows read from a row group at once. */
const ROWS_AT_ONCE = 65_536

/** The table's part of a scan: live rows of the snapshot that pass, under our names. */
export async function* tableBatches(
  parts: TableRowsParts,
  state: TableState,
  query: ScanQuery,
  call: CallOptions,
): AsyncGenerator<{ readonly batch: ColumnBatch; readonly rows: readonly number[] }> {
  const predicate = bindExpression(query.where, ourFields(state.columns))
  for await (const { file } of plan(parts, state, query.where, call)) {
    const parquet = await parts.files.open(file, call)
    const judge = isAllLive(file, state) ? undefined : liveness(state)
    for (let rowGroup = 0; rowGroup < parquet.rowGroups.length; rowGroup++) {
      if (!rowGroupMightMatch(predicate, parquet.rowGroups[rowGroup]!)) continue
      yield* groupBatches(parquet, rowGroup, state.columns, query, predicate, judge, call)
    }
  }
}

async function* groupBatches(
  file: ParquetFile,
  rowGroup: number,
  columns: TableColumns,
  query: ScanQuery,
  predicate: Predicate,
  judge: ((rows: IdentityColumns, row: number) => boolean) | undefined,
  call: CallOptions,
): AsyncGenerator<{ readonly batch: ColumnBatch; readonly rows: readonly number[] }> {
  const { rowCount } = file.rowGroups[rowGroup]!
  const judged = new Set([
    ...(query.where === undefined ? [] : columnsOf(query.where)),
    ...(judge ? identityNames : []),
  ])
  for (let start = 0; start < rowCount; start += ROWS_AT_ONCE) {
    const range = { start, end: Math.min(rowCount, start + ROWS_AT_ONCE) }
    const first = await file.read({ rowGroup, types: fieldsOf(columns, [...judged]), rows: range, ...call })
    const passes = compilePredicate(predicate, ({ name }) => columnOf(first, columns, name))
    const identities = judge && identitiesIn(first, columns)
    const rows: number[] = []
    for (let row = 0; row < range.end - range.start; row++) {
      if (passes(row) && (judge === undefined || judge(identities!, row))) rows.push(row)
    }
    if (rows.length === 0) continue
    const missing = query.needed.filter((name) => !judged.has(name))
    const rest =
      missing.length === 0
        ? { columns: [] }
        : await file.read({ rowGroup, types: fieldsOf(columns, missing), rows: range, ...call })
    const all = { length: range.end - range.start, columns: [...first.columns, ...rest.columns] }
    yield { batch: inOurNames(all, columns), rows }
  }
}

/** Live rows of the snapshot; those of files that are live as a whole are taken from the manifests. */
export async function tableCount(parts: TableRowsParts, state: TableState, call: CallOptions): Promise<number> {
  let count = 0n
  for await (const { file } of plan(parts, state, undefined, call)) {
    if (isAllLive(file, state)) {
      count += file.recordCount
      continue
    }
    const query: ScanQuery = { columns: [], where: undefined, needed: [] }
    const parquet = await parts.files.open(file, call)
    for (let rowGroup = 0; rowGroup < parquet.rowGroups.length; rowGroup++) {
      const groups = groupBatches(parquet, rowGroup, state.columns, query, { op: 'true' }, liveness(state), call)
      for await (const { rows } of groups) count += BigInt(rows.length)
    }
  }
  return Number(count)
}

function plan(
  { store }: TableRowsParts,
  state: TableState,
  where: Expression | undefined,
  call: CallOptions,
): AsyncGenerator<FileScanTask> {
  const { columns, loaded } = state
  // A column that is gone has no bounds to prune by.
  const isPrunable = where !== undefined && [...columnsOf(where)].every((name) => columns.byName.get(name))
  return planScan({
    store,
    metadata: loaded.metadata,
    where: isPrunable ? renamed(where, columns) : undefined,
    ...call,
  })
}

/** The ledger entry that covers a row: the marker says which offsets of which incarnation are live. */
function liveness({ marker }: TableState): (rows: IdentityColumns, row: number) => boolean {
  const byPlace = new Map(marker.ledger.map((entry) => [placeOf(entry.incarnation, entry.partition), entry]))
  return (rows, row) => {
    if (!rows.isKnown(row)) return false
    const entry = byPlace.get(placeOf(rows.incarnation(row), rows.partition(row)))
    const offset = rows.offset(row)
    return entry !== undefined && offset >= entry.start && offset < entry.frontier
  }
}

const placeOf = (incarnation: number, partition: number): string => `${incarnation}.${partition}`

/** Bounds and null counts prove that every row of the file has a live identity. */
export function isAllLive(file: DataFile, { marker, columns }: TableState): boolean {
  const bounds = identityNames.map((name) => boundsOf(file, columns, name))
  if (bounds.some((bound) => bound === undefined)) return false
  const [partition, offset, incarnation] = bounds as readonly { lower: bigint; upper: bigint }[]
  if (incarnation!.lower !== incarnation!.upper) return false
  const entries = new Map(
    marker.ledger
      .filter((entry) => BigInt(entry.incarnation) === incarnation!.lower)
      .map((entry): [bigint, LedgerEntry] => [BigInt(entry.partition), entry]),
  )
  for (let at = partition!.lower; at <= partition!.upper; at++) {
    const entry = entries.get(at)
    if (entry === undefined || offset!.lower < entry.start || offset!.upper >= entry.frontier) return false
  }
  return true
}

// Undefined: nothing is proven, or some row has no value.
function boundsOf(file: DataFile, columns: TableColumns, name: string): { lower: bigint; upper: bigint } | undefined {
  const { id, type } = columns.byName.get(name)!
  const lower = file.lowerBounds.get(id)
  const upper = file.upperBounds.get(id)
  if (file.nullValueCounts.get(id) !== 0n || lower === undefined || upper === undefined) return undefined
  const value = (bytes: Uint8Array): bigint => BigInt(decodeSingleValue(type, bytes) as number | bigint)
  return { lower: value(lower), upper: value(upper) }
}

/** Our columns under our names, with the ids that the table has for them; a dropped one with an id that no file has. */
function ourFields({ byName, layout }: TableColumns): IcebergField[] {
  return layout.schema.fields.map((field) => ({ ...field, id: byName.get(field.name)?.id ?? NO_ID }))
}

/** The same expression with the table's names for our columns. */
export function renamed(expression: Expression, columns: TableColumns): Expression {
  switch (expression.op) {
    case 'and':
    case 'or':
      return { op: expression.op, args: expression.args.map((arg) => renamed(arg, columns)) }
    case 'not':
      return { op: 'not', arg: renamed(expression.arg, columns) }
    default:
      return { ...expression, column: columns.byName.get(expression.column)!.name }
  }
}

function inOurNames(batch: ColumnBatch, columns: TableColumns): ColumnBatch {
  const ours = new Map([...columns.byName].flatMap(([name, field]) => (field ? [[field.name, name] as const] : [])))
  const named = batch.columns.map(({ name, column }) => ({ name: ours.get(name) ?? name, column }))
  return { length: batch.length, columns: named }
}
