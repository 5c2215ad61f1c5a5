import type { CallOptions, Expression, TableFiles } from '@moulin/core'
import type { ParquetReadRequest } from '@moulin/format'
import { planScan } from '@moulin/iceberg'
import type { FileScanTask, LiveFile, LiveRows, ManifestRoom } from '@moulin/iceberg'
import { listedAgain } from './listed-once.ts'
import { left, rowOf } from './live-files.ts'
import type { LiveFiles } from './live-files.ts'
import type { LostRows } from '../places/lost-rows.ts'
import type { RowSet } from '../places/row-set.ts'
import { listedName } from '../table/table-objects.ts'
import type { TableState } from '../table/table-state.ts'

/** Says of a snapshot's files which of their rows are at places where another one counts; undefined: none. */
export interface PlaceRule {
  /** Nobody but the log has ever committed: no file is listed twice. */
  readonly isOurs?: boolean
  of(filePath: string, call: CallOptions): Promise<LostRows | undefined>
}

export interface CountingFilesParts {
  readonly tableFiles: TableFiles
  readonly files: LiveFiles
  readonly manifests?: ManifestRoom | undefined
  readonly places: { losersOf(state: TableState): PlaceRule }
}

/** Of which files a snapshot's are wanted. */
export interface Wanted {
  /** Under the table's names. */
  readonly where?: Expression | undefined
  readonly skip?: (location: string) => boolean
}

/**
 * The files of a snapshot for whoever goes through the table file by file. What they give as their rows are those that count: not deleted,
 * and, of several at one place, the one. Predicates come after that.
 */
export async function* countingFiles(
  { tableFiles, files, manifests: room, places }: CountingFilesParts,
  state: TableState,
  wanted: Wanted,
  call: CallOptions,
): AsyncGenerator<CountingFile> {
  const rule = places.losersOf(state)
  const plan = (): AsyncIterable<FileScanTask> =>
    planScan({ tableFiles, metadata: state.loaded.metadata, room, ...wanted, ...call })
  const again = rule.isOurs === true ? undefined : await listedAgain(tableFiles, plan)
  const seen = new Set<string>()
  for await (const listed of plan()) {
    // By whatever name.
    const location = listedName(tableFiles, listed.file.filePath)
    const isAgain = seen.has(location)
    yield new CountingFile(isAgain ? listed : (again?.get(location) ?? listed), isAgain, { files, rule, state })
    seen.add(location)
  }
}

interface CountingFileParts {
  readonly files: LiveFiles
  readonly rule: PlaceRule
  readonly state: TableState
}

export class CountingFile {
  readonly listed: FileScanTask
  readonly path: string
  /** It was listed before: whoever adds a file again does not add its rows again. */
  readonly isAgain: boolean
  readonly #parts: CountingFileParts
  #live: Promise<LiveFile> | undefined
  #rows: Promise<CountingRows> | undefined

  constructor(listed: FileScanTask, isAgain: boolean, parts: CountingFileParts) {
    this.listed = listed
    this.path = listed.file.filePath
    this.isAgain = isAgain
    this.#parts = parts
  }

  /** How many of its rows count; opens it only where its rows have to be looked at for that. */
  async count(call: CallOptions): Promise<bigint> {
    if (this.isAgain) return 0n
    const { files, rule, state } = this.#parts
    const lost = await rule.of(this.path, call)
    return (await files.count(this.listed, state.loaded.metadata, call)) - BigInt(lost?.size ?? 0)
  }

  /** What it says of its rows before they are read. */
  open(call: CallOptions): Promise<Omit<LiveFile, 'read'>> {
    return this.withRivals(call)
  }

  /** All its rows that are not deleted, those too at whose places others count: for whoever looks for these. */
  withRivals(call: CallOptions): Promise<LiveFile> {
    const { files, state } = this.#parts
    return (this.#live ??= files.open(this.listed, state.loaded.metadata, call))
  }

  /** To be read. What is to be known of other files for that is found out here. */
  rows(call: CallOptions): Promise<CountingRows> {
    return (this.#rows ??= this.#judged(call))
  }

  async #judged(call: CallOptions): Promise<CountingRows> {
    const file = await this.withRivals(call)
    const lost = await this.#parts.rule.of(this.path, call)
    return new CountingRows(file, this.isAgain ? 'all' : lost)
  }
}

/** The rows of a file, and which of them count. */
export class CountingRows {
  readonly #file: LiveFile
  readonly #lost: LostRows | 'all' | undefined

  constructor(file: LiveFile, lost: LostRows | 'all' | undefined) {
    this.#file = file
    this.#lost = lost
  }

  /** Those that count. */
  async read(request: ParquetReadRequest): Promise<LiveRows> {
    const rows = await this.#file.read(request)
    const lost = this.#lostIn(request)
    if (lost === undefined) return rows
    return left(rows, lost === 'all' ? new Int32Array(0) : othersIn(rows, lost))
  }

  /** All that are not deleted, and of each whether it counts. */
  async judged(request: ParquetReadRequest): Promise<LiveRows & { readonly counts: (at: number) => boolean }> {
    const rows = await this.#file.read(request)
    const lost = this.#lostIn(request)
    if (lost === undefined) return { ...rows, counts: () => true }
    return { ...rows, counts: (at) => lost !== 'all' && !lost.has(rowOf(rows, at)) }
  }

  #lostIn({ rowGroup }: ParquetReadRequest): RowSet | 'all' | undefined {
    return this.#lost === 'all' ? 'all' : this.#lost?.in(rowGroup)
  }
}

/** The positions of the rows that are not in the set; undefined: all of them. */
function othersIn({ batch, start, rows }: LiveRows, lost: RowSet): Int32Array | undefined {
  if (rows === undefined) return lost.othersIn(start, start + batch.length)
  const positions = Int32Array.from(rows, (_, at) => at)
  return positions.filter((at) => !lost.has(rows[at]!))
}
