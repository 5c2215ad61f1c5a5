import type { Column, ColumnBatch, FileCaps, IcebergField, IcebergType, Runtime } from '@moulin/core'
import type { MetricValue } from './file-writer.ts'
import type { NameMapping } from './name-mapping.ts'
import type { ParquetWorkers } from './workers.ts'

export interface OpenParquetOptions {
  /** Lower caps than {@link formatCaps}, for input that is known to be small. */
  readonly caps?: Partial<FileCaps>
  /** Where row groups are decoded. Default: in this thread, where damaged bytes may hang it. */
  readonly workers?: ParquetWorkers
  /** Names for a file without field ids, or with one that two columns have (table property `schema.name-mapping.default`); without it such a file is `unsupported`. */
  readonly nameMapping?: readonly NameMapping[]
  /**
   * What to do with INT96 columns, the deprecated timestamps of old writers: refuse them (`unsupported`), or read them as
   * `timestamp`, `timestamptz` (cut to µs) or their ns types. Default `refuse`.
   */
  readonly int96?: 'refuse' | 'timestamp'
  /** Its logger is told of statistics that are wrong and were passed over. Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'logger'>
  readonly signal?: AbortSignal
}

/** An open file: its footer. It holds nothing that needs closing. */
export interface ParquetFile {
  readonly name: string
  readonly rowCount: number
  /** Key-value metadata of the footer. */
  readonly keyValue: ReadonlyMap<string, string>
  /** Top-level fields. */
  readonly fields: readonly ParquetField[]
  /** Whether it has the field, nested or not. */
  has(fieldId: number): boolean
  readonly rowGroups: readonly ParquetRowGroup[]
  /**
   * Rows of one row group as columns, exact to the last bit. Only the pages that hold the rows are fetched where the
   * file has an offset index; ranges that lie near each other are fetched as one.
   * @throws `corrupt` naming file and row group; `unsupported` for a codec, an encoding or a change of type that we do
   * not read; `invalid` for a row group or rows that are not there; what the file's reader throws; `aborted`.
   */
  read(request: ParquetReadRequest): Promise<ColumnBatch>
  /**
   * What the column index says of the pages of a leaf field, in order, every row in one of them; undefined where the file
   * has none. Bounds are those of {@link ParquetRowGroup.bounds}.
   */
  pageBounds(request: ParquetPageBoundsRequest): Promise<readonly ParquetPageBounds[] | undefined>
  /**
   * The values that a top-level primitive field has in a row group, each once and some perhaps in none of its rows, nulls
   * left out; undefined unless the footer tells that every data page holds indexes of its dictionary.
   */
  dictionary(request: {
    readonly rowGroup: number
    readonly field: IcebergField
    readonly signal?: AbortSignal
  }): Promise<Column | undefined>
  /**
   * Whether the bloom filter of a leaf field lets a row group have the value, to the bit (−0 is not 0); true where there
   * is no filter. The value is one of the field's type as the file has it, or a `bigint` for an int.
   */
  mightContain(request: {
    readonly rowGroup: number
    readonly fieldId: number
    readonly value: MetricValue
    readonly signal?: AbortSignal
  }): Promise<boolean>
}

export interface ParquetPageBoundsRequest {
  readonly rowGroup: number
  readonly fieldId: number
  /** As for {@link ParquetRowGroup.bounds}. */
  readonly type?: IcebergType
  readonly signal?: AbortSignal
}

export interface ParquetReadRequest {
  /** Position in {@link ParquetFile.rowGroups}. */
  readonly rowGroup: number
  /** The wanted top-level fields: matched by id, given back under their names and as their types, in this order. */
  readonly types: readonly IcebergField[]
  /** Only these of them. Default: all. */
  readonly fieldIds?: readonly number[]
  /** Half-open, counted from the row group's first row. Default: all. */
  readonly rows?: { readonly start: number; readonly end: number }
  /** Is told how many bytes of pages were fetched for it. */
  readonly fetched?: ((bytes: number) => void) | undefined
  readonly signal?: AbortSignal
}

export interface ParquetField {
  readonly id: number
  readonly name: string
  /** `INT32` to `FIXED_LEN_BYTE_ARRAY`; undefined for a nested field. */
  readonly physicalType: string | undefined
}

export interface ParquetRowGroup {
  readonly rowCount: number
  /** Rows of the file before it. */
  readonly firstRow: number
  /** Compressed bytes of its pages. */
  readonly sizeBytes: number
  /**
   * What the footer says of a leaf field: bounds that no value lies outside of (a string's may be cut, so not
   * themselves values) and the count of nulls. A field that the file lacks is all null, whatever its initial default. Given a `type`, the bounds are
   * those of that type (an int's become bigints for `long`). Members that the footer does not state are absent.
   */
  bounds(fieldId: number, type?: IcebergType): ParquetBounds
}

export interface ParquetBounds {
  readonly min?: MetricValue
  readonly max?: MetricValue
  readonly nullCount?: number
}

/** Of one page: rows within the row group, half-open. */
export interface ParquetPageBounds extends ParquetBounds {
  readonly start: number
  readonly end: number
}
