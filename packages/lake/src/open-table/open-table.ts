import {
  allowedPlaces,
  checkOptions,
  closed,
  defaultLimits,
  invalid,
  option,
  systemRuntime,
  tableFiles as filesOf,
  tableIdentifier,
  tableText,
  waitFor,
  withDefaults,
} from '@moulin/core'
import type {
  CallOptions,
  Catalog,
  CatalogCallOptions,
  IcebergField,
  Limits,
  LoadedTable,
  ObjectStore,
  OptionTable,
  Runtime,
  Scan,
  ScanOptions,
  TableIdentifier,
  TableMetadata,
  TableStores,
} from '@moulin/core'
import { parquetWorkers, pooledDecodes } from '@moulin/format'
import type { ParquetWorkers } from '@moulin/format'
import { checkTableMetadata, currentSchema, metadataAt } from '@moulin/iceberg'
import type { SnapshotChoice } from '@moulin/iceberg'
import { tierPool } from '../encode/tier-workers.ts'
import type { TierPool } from '../encode/tier-workers.ts'
import { dataFiles, FileRoom } from '../live/data-files.ts'
import { deleteRooms, fileDeletes } from '../live/file-deletes.ts'
import { liveFiles } from '../live/live-files.ts'
import { keptManifests, manifestRoom } from '../live/manifest-room.ts'
import type { Row } from '../scan/scan-output.ts'
import { snapshotOf, snapshotsOf } from './table-snapshot.ts'
import type { TableSnapshot } from './table-snapshot.ts'
import { scanOf } from './table-view.ts'
import type { TableViewParts } from './table-view.ts'

/** What {@link Limits} bound where a table is read. */
export type TableLimits = Pick<
  Limits,
  | 'openFileBytes'
  | 'manifestBytes'
  | 'equalityDeleteBytes'
  | 'positionDeleteBytes'
  | 'rowMaskBytes'
  | 'maxWorkerBytes'
  | 'decodeDeadlineMs'
>

export interface OpenTableOptions {
  /** Whose table it is; all that is asked of it is {@link Catalog.loadTable}. */
  readonly catalog: Pick<Catalog, 'loadTable'>
  /** `namespace.table`. */
  readonly table: string
  /** Where its files are: the store that its locations name, or a function that finds the store of a location ({@link TableStores}). */
  readonly stores: ObjectStore | TableStores
  /** Folders, by URI, that its files must lie in, as for `icebergTier`. */
  readonly allow?: readonly string[]
  /** Threads that decode; 0: the calling thread, where damaged bytes may hang it. Default: the machine's cores, less one, but at least 1. */
  readonly threads?: number
  /** The module that they run, as for `icebergTier`. */
  readonly worker?: URL
  /** Of what is held at once and kept for the next scan. Default: those of a log. */
  readonly limits?: Partial<TableLimits>
  /** Default: the machine's own. */
  readonly runtime?: Runtime
  readonly signal?: AbortSignal
}

const optionTable: OptionTable<OpenTableOptions> = {
  catalog: option.required(option.door('a Catalog', ['loadTable'])),
  table: option.required(option.text),
  stores: option.required(option.anyOf(option.storeCheck, option.callback)),
  allow: option.listOf(option.text),
  threads: option.integer('threads', 0, 1024),
  worker: option.moduleUrl,
  limits: option.nested<TableLimits>({
    openFileBytes: option.positiveBytes,
    manifestBytes: option.positiveBytes,
    equalityDeleteBytes: option.positiveBytes,
    positionDeleteBytes: option.positiveBytes,
    rowMaskBytes: option.positiveBytes,
    maxWorkerBytes: option.positiveBytes,
    decodeDeadlineMs: option.milliseconds(1),
  }),
  runtime: option.runtimeOf('threads', 'process', 'clock'),
  signal: option.abortSignal,
}

/** A table as one snapshot has it. */
export interface TableView {
  /** The columns, in order: of the snapshot's own schema, but for the current one and that of a branch the table's. */
  readonly columns: readonly IcebergField[]
  /** Undefined: the table is empty, and always was. */
  readonly snapshot: TableSnapshot | undefined
  /**
   * Its rows, without those that are deleted, in no order that is promised; values are exact: `long` and all times are bigints (of
   * microseconds, or nanoseconds where the column has these), and the rest as the types of `t`. Without `columns`: all of the schema's.
   *
   * Beside them, by name: `_file` and `_pos`, where a row lies; and from format version 3 on `_row_id` and
   * `_last_updated_sequence_number`, null where nobody knows.
   *
   * @throws `invalid` for what is no column or no fit literal; `unsupported` for a column of a type without a form in JavaScript
   * (`variant`, `geometry`, …), when it is asked for. While it reads: `not-found` code `TABLE_FILE` or `FILE_VANISHED` when the snapshot has
   * expired (see {@link OpenTable.refresh}), `unsupported` by name, `exhausted` code `EQUALITY_DELETES`, `corrupt`, `aborted`.
   */
  scan(options?: ScanOptions): Scan<Row>
  /** How many rows it has: from the metadata, and what is deleted. */
  count(call?: CallOptions): Promise<number>
}

/** A table that is read, and never written. */
export interface OpenTable extends TableView {
  readonly table: TableIdentifier
  /** All that the metadata has by now, oldest first. */
  snapshots(): readonly TableSnapshot[]
  /**
   * The table as it was: at a snapshot, at a time (the last one that was current by then), or at a branch or tag. It stays that, whatever
   * {@link refresh} brings.
   * @throws `not-found` code `SNAPSHOT` or `REF`; `invalid`.
   */
  at(choice: SnapshotChoice): TableView
  /** Loads the table anew: scans that begin from then on see it. */
  refresh(call?: CallOptions): Promise<void>
  /** Ends the threads; what is read after that is `closed`. Idempotent. */
  close(): Promise<void>
}

const scanTable: OptionTable<ScanOptions> = {
  columns: option.listOf(option.text),
  where: option.objectOf('an expression'),
  signal: option.abortSignal,
}

const choiceTable: OptionTable<{ readonly choice: SnapshotChoice }> = {
  choice: option.required(
    option.anyOf(
      option.integer('', 0),
      option.int64('the id of a snapshot'),
      option.nested<{ timestamp: number; ref: string }>({ timestamp: option.milliseconds(), ref: option.text }),
    ),
  ),
}

/**
 * Opens an Iceberg table of anybody's, of format version 1, 2 or 3, for reading: what is deleted in it is left out, columns go by field
 * id, defaults count. No log is needed, and nothing is written.
 * @throws `not-found`; `invalid`; `unsupported`; `corrupt`; `exhausted`; what the catalog does.
 */
export async function openTable(options: OpenTableOptions): Promise<OpenTable> {
  checkOptions('openTable', options, optionTable)
  if (options.allow !== undefined) allowedPlaces(options.allow)
  const { catalog, stores, runtime = systemRuntime() } = options
  const limits = withDefaults<TableLimits>(defaultLimits, options.limits)
  const table = tableIdentifier(options.table)
  const load = (call: CatalogCallOptions): Promise<LoadedTable> => waitFor(loadedBy(catalog, table, call), call.signal)
  let loaded = await load(options.signal === undefined ? {} : { signal: options.signal })
  const tableFiles = filesOf(stores, { table: loaded, reload: () => load({ fresh: true }), allow: options.allow })
  const { workers, pool } = decoders(options, runtime, limits)
  const whole = dataFiles({ tableFiles, workers, runtime, room: new FileRoom(limits.openFileBytes) })
  const deletesOf = fileDeletes({ tableFiles, files: whole, rooms: deleteRooms(limits), limits })
  const files = liveFiles({ files: whole, deletesOf })
  const manifests = manifestRoom(keptManifests(limits.manifestBytes))
  const parts: TableViewParts = { tableFiles, files, manifests, table: tableText(table) }
  let isClosed = false
  // Of refreshes.
  let [asked, shown] = [0, 0]
  const opened = (): TableViewParts => {
    if (isClosed) throw closed('CLOSED', `The table ${parts.table} was closed.`)
    return parts
  }
  const current = viewOf(opened, () => loaded.metadata)

  return {
    table,
    get columns() {
      return current.columns
    },
    get snapshot() {
      return current.snapshot
    },
    scan: current.scan,
    count: current.count,
    snapshots: () => snapshotsOf(loaded.metadata),
    at(choice) {
      checkOptions('at', { choice }, choiceTable)
      if (typeof choice === 'object' && Object.keys(choice).length !== 1)
        throw invalid('OPTION', 'at takes { timestamp } or { ref }, one of the two.')
      const metadata = metadataAt(loaded.metadata, choice)
      return viewOf(opened, () => metadata)
    },
    async refresh(call = {}) {
      checkOptions('refresh', call, option.signalOnly)
      opened()
      const order = ++asked
      const found = await load(call)
      // Whoever asked later has a newer answer, and may have got it before.
      if (order < shown) return
      shown = order
      loaded = found
      tableFiles.renew(loaded)
    },
    async close() {
      isClosed = true
      await pool?.close()
    },
  }
}

/** A catalog of anybody's own may give what is no metadata, or not as {@link checkTableMetadata} leaves it. */
async function loadedBy(
  catalog: OpenTableOptions['catalog'],
  table: TableIdentifier,
  call: CatalogCallOptions,
): Promise<LoadedTable> {
  const loaded: LoadedTable | undefined = await catalog.loadTable(table, call)
  const { metadata } = loaded ?? {}
  return { ...loaded!, metadata: checkTableMetadata(metadata, `What the catalog says of ${tableText(table)}`) }
}

function viewOf(parts: () => TableViewParts, metadata: () => TableMetadata): TableView {
  return {
    get columns() {
      return currentSchema(metadata()).fields
    },
    get snapshot() {
      return snapshotOf(metadata())
    },
    scan(options = {}) {
      checkOptions('scan', options, scanTable)
      return scanOf(parts, metadata(), options)
    },
    async count(call = {}) {
      checkOptions('count', call, option.signalOnly)
      return await scanOf(parts, metadata(), { columns: [], ...call }).count()
    },
  }
}

function decoders(
  { threads, worker }: OpenTableOptions,
  runtime: Runtime,
  { maxWorkerBytes, decodeDeadlineMs }: TableLimits,
): { readonly workers: ParquetWorkers; readonly pool: TierPool | undefined } {
  const count = threads ?? Math.max(1, runtime.process.cores - 1)
  if (count === 0) return { workers: parquetWorkers({ threads: 0, runtime }), pool: undefined }
  const pool = tierPool({ threads: count, memoryBytes: maxWorkerBytes, runtime, source: worker })
  return { workers: pooledDecodes(pool, { deadlineMs: decodeDeadlineMs }), pool }
}
