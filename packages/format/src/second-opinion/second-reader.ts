import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import {
  checkOptions,
  invalid,
  isMoulinError,
  option,
  type OptionTable,
  throwIfAborted,
  unsupported,
} from '@moulin/core'
import type * as hyparquetPackage from 'hyparquet'
import { neutralName } from '../parquet/parquet-schema.ts'
import type { RangeReader } from '../parquet/range-reader.ts'
import { loadPackage } from './load-package.ts'
import { neutralMetadata, type SecondElement, secondElements } from './second-schema.ts'

/** A Parquet file as a reader sees it that shares no code with ours. It holds nothing that needs closing. */
export interface SecondOpinion {
  /** Whose opinion it is. */
  readonly reader: string
  readonly rowCount: number
  /** Depth first; the first is the root. */
  readonly schema: readonly SecondElement[]
  readonly rowGroups: readonly { readonly rowCount: number }[]
  /**
   * A top-level column of a row group, one value a row.
   * @throws `invalid` for one that is not there; `unsupported` code `SECOND_READER` with what the reader said; what the
   * file's reader throws; `aborted`.
   */
  readColumn(request: SecondReadRequest): Promise<readonly PhysicalValue[]>
}

export interface SecondReadRequest {
  readonly rowGroup: number
  /** Position among the children of the schema's root. */
  readonly column: number
  readonly signal?: AbortSignal
}

/**
 * A value as the file has it, its annotation left aside: INT32, FLOAT and DOUBLE as numbers, INT64 as bigint, INT96 as
 * nanoseconds since 1970 (bigint), bytes as bytes; whatever is repeated as an array; a group as an object of its members
 * `c0`, `c1` and so on, by position. Nothing is null or undefined.
 */
export type PhysicalValue =
  null | undefined | boolean | number | bigint | Uint8Array | readonly PhysicalValue[] | PhysicalGroup

export interface PhysicalGroup {
  readonly [member: string]: PhysicalValue
}

const isPosition = option.required(option.integer('', 0))
const readTable: OptionTable<SecondReadRequest> = {
  rowGroup: isPosition,
  column: isPosition,
  signal: option.abortSignal,
}

type Package = typeof hyparquetPackage

// hyparquet has a snappy of its own; the rest is Node's. Ours is not asked, and no output may be longer than the page.
const within = (maxOutputLength: number) => ({ maxOutputLength: Math.max(1, maxOutputLength) })
const compressors: hyparquetPackage.Compressors = {
  GZIP: (bytes, length) => gunzipSync(bytes, within(length)),
  ZSTD: (bytes, length) => zstdDecompressSync(bytes, within(length)),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, within(length)),
}
const parsers = { timestampFromNanoseconds: (nanos: bigint): bigint => nanos }

/**
 * Asks hyparquet. It runs in this thread and trusts its input: damaged bytes may hang it.
 * @throws `unsupported` code `PACKAGE_MISSING` where hyparquet is not installed, `SECOND_READER` when it does not read the
 * file's footer; what the file's reader throws.
 */
export async function secondOpinion(file: RangeReader): Promise<SecondOpinion> {
  return opinionOf(file, () => import('hyparquet'))
}

export async function opinionOf(file: RangeReader, load: () => Promise<Package>): Promise<SecondOpinion> {
  const { parquetMetadataAsync, parquetRead } = await loadPackage('hyparquet', load)
  const original = await said(file.name, 'its footer', () =>
    parquetMetadataAsync(asyncBuffer(file), { geoparquet: false }),
  )
  const metadata = neutralMetadata(original)
  const schema = secondElements(original.schema)
  const rowGroups = original.row_groups.map(({ num_rows }) => ({ rowCount: Number(num_rows) }))
  return {
    reader: 'hyparquet',
    rowCount: Number(original.num_rows),
    schema,
    rowGroups,
    async readColumn(request) {
      checkOptions(`${file.name}: readColumn`, request, readTable)
      const { rowGroup, column, signal } = request
      throwIfAborted(signal)
      const group = metadata.row_groups[rowGroup]
      if (group === undefined || column >= schema[0]!.childCount)
        throw invalid('PARQUET_ROWS', `${file.name} has no column ${column} in row group ${rowGroup}.`)
      if (group.num_rows === 0n) return []
      const alone = { ...metadata, num_rows: group.num_rows, row_groups: [group] }
      const values: PhysicalValue[] = []
      await said(file.name, `column ${column} of row group ${rowGroup}`, () =>
        parquetRead({
          file: asyncBuffer(file, signal),
          metadata: alone,
          columns: [neutralName(column)],
          compressors,
          parsers,
          utf8: false,
          geoparquet: false,
          onComplete: (rows) => {
            for (const row of rows) values.push(row[0] as PhysicalValue)
          },
        }),
      )
      return values
    },
  }
}

/** Its errors are plain ones, and not always about the file: they are passed on as words. */
async function said<T>(file: string, what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    if (isMoulinError(cause)) throw cause
    const message = `hyparquet does not read ${what} in ${file}: ${cause instanceof Error ? cause.message : 'no reason given'}.`
    throw unsupported('SECOND_READER', message, { context: { file }, cause })
  }
}

function asyncBuffer(file: RangeReader, signal?: AbortSignal): hyparquetPackage.AsyncBuffer {
  return {
    byteLength: file.size,
    async slice(start, end = file.size) {
      const bytes = await file.read(start, end, signal === undefined ? {} : { signal })
      return new Uint8Array(bytes).buffer
    },
  }
}
