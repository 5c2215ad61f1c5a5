import { columnsOf, corrupt } from '@moulin/core'
import type { CallOptions, ColdTopicInfo, ColumnBatch, Expression, IcebergField, TableFiles } from '@moulin/core'
import { singleValueIn } from '@moulin/iceberg'
import type { BoundColumn, DataFile, Predicate } from '@moulin/iceberg'
import { countingFiles } from '../live/counting-files.ts'
import type { CountingFile, CountingRows } from '../live/counting-files.ts'
import { rowOf } from '../live/live-files.ts'
import type { LiveFiles } from '../live/live-files.ts'
import { fieldsOf, fittingOf, identitiesIn, identityNames, tableColumnOf } from '../places/identity-rows.ts'
import type { IdentityColumns } from '../places/identity-rows.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import { mapAhead, READS_AHEAD } from './map-ahead.ts'
import { countOf, passingRows } from './passing-rows.ts'
import type { PassingRows } from './passing-rows.ts'
import { placeOf } from '../places/place.ts'
import { boundToTable, renamed } from './promoted.ts'
import { rowsToRead } from './prune-row-group.ts'
import { inSteps, readPassing } from './read-passing.ts'
import type { RowPlaces } from '../places/row-places.ts'
import type { RowRange } from './row-ranges.ts'
import type { TableColumns } from '../table/table-layout.ts'
import type { TableState } from '../table/table-state.ts'
import type { ScanQuery } from './scan-query.ts'

export interface TableRowsParts {
  readonly info: ColdTopicInfo
  readonly tableFiles: TableFiles
  readonly files: LiveFiles
  readonly places: RowPlaces
}

/** Some rows of a file, to be read, judged and shown. */
interface ReadTask {
  readonly path: string
  readonly file: CountingRows
  readonly rowGroup: number
  readonly rows: RowRange
  /** Undefined: every row is live. */
  readonly judge: Judge | undefined
}

/** What stands in the way of a file's rows. */
interface Failure {
  readonly path: string
  readonly error: unknown
}

/** Asked of a file that cannot be read and has given no row yet: whether the scan may go on without it. */
export type Spare = (path: string, error: unknown) => Promise<boolean>

type Judge = (rows: IdentityColumns, row: number) => boolean

/**
 * The table's part of a scan: live rows of the snapshot that pass, under our names; without those of files that are missing, or are
 * spared. Of a file all rows are given that pass, or none.
 */
export async function* tableBatches(
  parts: TableRowsParts,
  state: TableState,
  query: ScanQuery,
  call: CallOptions,
  spare: Spare = () => Promise.resolve(false),
): AsyncGenerator<PassingRows> {
  const predicate = boundToTable(query.where, state.columns)
  const spared = new Set<string>()
  const tasks = readTasks(parts, state, query, { predicate, spared }, call)
  const reads = mapAhead(tasks, READS_AHEAD, async (task) => {
    if ('error' in task) return task
    const { path } = task
    return readRows(task, state.columns, query, predicate, call).then(
      (passing) => ({ path, passing }),
      (error: unknown): Failure => ({ path, error }),
    )
  })
  let given: string | undefined
  for await (const read of reads) {
    const { path } = read
    if (spared.has(path)) continue
    if ('error' in read) {
      if (path === given || !(await spare(path, read.error))) throw read.error
      spared.add(path)
    } else if (countOf(read.passing) > 0) {
      given = path
      yield read.passing
    }
  }
}

async function* readTasks(
  parts: TableRowsParts,
  state: TableState,
  query: ScanQuery,
  { predicate, spared }: { readonly predicate: Predicate; readonly spared: ReadonlySet<string> },
  call: CallOptions,
): AsyncGenerator<ReadTask | Failure> {
  const fieldOf = ({ name }: BoundColumn): IcebergField | undefined => state.columns.byName.get(name)
  for await (const counting of plan(parts, state, query.where, call)) {
    const { path } = counting
    const judge = isAllLive(counting.listed.file, state) ? undefined : liveness(state)
    try {
      const opened = await counting.open(call)
      for (let rowGroup = 0; rowGroup < opened.rowGroups.length && !spared.has(path); rowGroup++) {
        const ranges = await rowsToRead({ file: opened, rowGroup, predicate, fieldOf, ...call })
        if (ranges.length === 0) continue
        const file = await counting.rows(call)
        for (const rows of inSteps(ranges, opened.rowGroups[rowGroup]!)) yield { path, file, rowGroup, rows, judge }
      }
    } catch (error) {
      // In its turn: rows before it may be on their way.
      yield { path, error }
    }
  }
}

// Who counts at its place is decided before any predicate, by the file: the one that does may not pass where another would.
async function readRows(
  { path, file, rowGroup, rows, judge }: ReadTask,
  columns: TableColumns,
  query: ScanQuery,
  predicate: Predicate,
  call: CallOptions,
): Promise<PassingRows> {
  const judged = new Set([
    ...(query.where === undefined ? [] : columnsOf(query.where)),
    ...(judge ? identityNames : []),
  ])
  const rest = query.needed.filter((name) => !judged.has(name))
  const passing = (batch: ColumnBatch): Int32Array | undefined => {
    const some = passingRows(predicate, batch.length, ({ name }) => tableColumnOf(batch, name))
    return judge === undefined ? some : liveRows(some, identitiesIn(batch, columns), judge)
  }
  const asked = { file, rowGroup, rows, judged: fieldsOf(columns, [...judged]), rest: fieldsOf(columns, rest), passing }
  const read = await readPassing(asked, call)
  const { batch, kept } = read
  if (batch.length === 0) return { batch, rows: undefined, isOwned: true }
  const place = { path, rowGroup, kept, rowOf: (position: number) => rowOf(read, position) }
  return { batch: shown(batch, columns, query.columns, place), rows: kept, isOwned: true }
}

function liveRows(passing: Int32Array | undefined, identities: IdentityColumns, judge: Judge): Int32Array {
  const rows = passing ?? Int32Array.from({ length: identities.length }, (_, row) => row)
  return rows.filter((row) => judge(identities, row))
}

/** Live rows of the snapshot but for missing files; those of files that are live as a whole are taken from the manifests. */
export async function tableCount(parts: TableRowsParts, state: TableState, call: CallOptions): Promise<number> {
  let count = 0n
  for await (const counting of plan(parts, state, undefined, call)) {
    if (isAllLive(counting.listed.file, state)) {
      count += await counting.count(call)
      continue
    }
    const query: ScanQuery = { columns: [], where: undefined, needed: [] }
    const { path } = counting
    const { rowGroups } = await counting.open(call)
    const file = await counting.rows(call)
    for (const [rowGroup, group] of rowGroups.entries()) {
      for (const rows of inSteps([{ start: 0, end: group.rowCount }], group)) {
        const task = { path, file, rowGroup, rows, judge: liveness(state) }
        count += BigInt(countOf(await readRows(task, state.columns, query, { op: 'true' }, call)))
      }
    }
  }
  return Number(count)
}

// Whoever adds a file again does not add its rows again.
async function* plan(
  parts: TableRowsParts,
  state: TableState,
  where: Expression | undefined,
  call: CallOptions,
): AsyncGenerator<CountingFile> {
  const { columns, missing } = state
  // A column that is gone has no bounds to prune by.
  const isPrunable = where !== undefined && [...columnsOf(where)].every((name) => columns.byName.get(name))
  const wanted = {
    where: isPrunable ? renamed(where, columns) : undefined,
    skip: (location: string) => missing.has(location),
  }
  for await (const file of countingFiles(parts, state, wanted, call)) {
    if (!file.isAgain && !missing.has(file.path)) yield file
  }
}

/** The ledger entry that covers a row: the marker says which offsets of which incarnation are live. */
function liveness({ marker }: TableState): Judge {
  const byPlace = new Map(marker.ledger.map((entry) => [placeOf(entry.incarnation, entry.partition), entry]))
  return (rows, row) => {
    if (!rows.isKnown(row)) return false
    const entry = byPlace.get(placeOf(rows.incarnation(row), rows.partition(row)))
    const offset = rows.offset(row)
    return entry !== undefined && offset >= entry.start && offset < entry.frontier
  }
}

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
  const [least, most] = [singleValueIn(type, lower), singleValueIn(type, upper)]
  // What is no value, or contradicts the other bound, proves nothing.
  if (least === undefined || most === undefined || least > most) return undefined
  return { lower: BigInt(least as number | bigint), upper: BigInt(most as number | bigint) }
}

/** Of rows of a file, by their number within a row group. */
interface ShownRows {
  readonly path: string
  readonly rowGroup: number
  /** Positions in the batch; undefined: all. */
  readonly kept: Int32Array | undefined
  readonly rowOf: (position: number) => number
}

/**
 * The columns that are shown, as our types.
 * @throws `corrupt` code `BAD_VALUE` where one of the rows has a value that its type does not hold.
 */
function shown(batch: ColumnBatch, columns: TableColumns, names: readonly string[], rows: ShownRows): ColumnBatch {
  let kept: ReadonlySet<number> | undefined
  const isShown = (position: number): boolean => rows.kept === undefined || (kept ??= new Set(rows.kept)).has(position)
  const named = names.flatMap((name) => {
    const column = fittingOf(batch, columns, name, (position, path, value) => {
      if (isShown(position)) throw misfit(rows, rows.rowOf(position), `${name}${path}`, value)
    })
    return column === undefined ? [] : [{ name, column }]
  })
  return { length: batch.length, columns: named }
}

function misfit({ path, rowGroup }: ShownRows, row: number, column: string, value: string): Error {
  const message =
    `Row ${row} of row group ${rowGroup} of ${path} has ${value} in ${column}, which the topic's type of that column does not hold: ` +
    'the table was given a wider one. Scan other columns or other rows, or change the row.'
  return corrupt('BAD_VALUE', message, { context: { file: path, rowGroup, row, column } })
}
