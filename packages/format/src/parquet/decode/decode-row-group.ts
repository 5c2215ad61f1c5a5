import {
  type Column,
  type ColumnBatch,
  corrupt,
  type IcebergType,
  isMoulinError,
  messageOf,
  MoulinError,
} from '@moulin/core'
import { bytesIn, type ByteSpan, type LoadedRange } from '../byte-ranges.ts'
import { dictionaryColumn, flatColumn, nestedColumn } from './assemble.ts'
import { decodeEntries, decodeLeaf, type LeafChunk, type LeafData, type RowRange } from './leaf-decoder.ts'
import { chunkPages } from './pages.ts'
import type { FieldConversion, LeafConversion } from './field-conversion.ts'

/** All that decoding some rows of one row group takes: plain data with the bytes in it, so any thread can do it. */
export interface DecodeTask {
  readonly file: string
  readonly rowGroup: number
  /** Half-open, within the row group, not empty. */
  readonly rows: RowRange
  readonly maxPageBytes: number
  readonly columns: readonly DecodeColumn[]
  readonly ranges: readonly LoadedRange[]
}

export interface DecodeColumn {
  readonly name: string
  readonly type: IcebergType
  readonly conversion: FieldConversion
  readonly chunks: readonly DecodeChunk[]
}

/** A leaf that the column takes values or levels from. */
export interface DecodeChunk extends LeafChunk {
  /** For messages. */
  readonly path: string
  /** Where its loaded pages lie in the file. */
  readonly spans: readonly ByteSpan[]
  /** Where its dictionary lies, if that was not loaded with the pages: it is loaded as well when one of them needs it. */
  readonly dictionary: ByteSpan | undefined
}

/**
 * Decodes the columns one after the other, in this thread. The columns are made of memory of their own: the task's bytes
 * may be reused. Damaged bytes end in an error, not in a loop or in more memory than the limits say.
 * @throws `corrupt`, `unsupported` or `exhausted`, naming file, row group and column.
 */
export function decodeRowGroup(task: DecodeTask): ColumnBatch {
  const { rows } = task
  const columns = task.columns.map((column) => ({ name: column.name, column: decodeColumn(task, column) }))
  return { length: rows.end - rows.start, columns }
}

function decodeColumn(task: DecodeTask, { name, conversion, chunks }: DecodeColumn): Column {
  let path = name
  try {
    const leaves = chunks.map((chunk) => {
      path = chunk.path
      return { chunk, data: decodeChunk(task, chunk) }
    })
    path = name
    const [first] = leaves
    if (conversion.kind === 'leaf') return flatColumn(conversion, first!.chunk, first!.data, task.rows)
    return nestedColumn(conversion, leaves, task.rows)
  } catch (cause) {
    throw located(task, name, path, cause)
  }
}

/** The entries of a chunk's dictionary, whose page `chunk.spans` is. @throws as {@link decodeRowGroup}. */
export function decodeDictionary(
  task: Omit<DecodeTask, 'rows' | 'columns'>,
  chunk: DecodeChunk,
  conversion: LeafConversion,
): Column {
  try {
    return dictionaryColumn(conversion, chunk, decodeEntries(chunk, loadedPages(task, chunk), task.maxPageBytes))
  } catch (cause) {
    throw located(task, chunk.path, chunk.path, cause)
  }
}

function decodeChunk(task: DecodeTask, chunk: DecodeChunk): LeafData {
  return decodeLeaf(chunk, loadedPages(task, chunk), task.rows, task.maxPageBytes)
}

/** The dictionaries that are not loaded and that the loaded pages need. @throws as {@link decodeRowGroup}. */
export function spansOfDictionaries(task: DecodeTask): ByteSpan[] {
  const spans: ByteSpan[] = []
  for (const { name, chunks } of task.columns) {
    for (const chunk of chunks) {
      if (chunk.dictionary === undefined || chunk.levelsOnly) continue
      try {
        const { data } = chunkPages(loadedPages(task, chunk), { ...chunk, maxPageBytes: task.maxPageBytes })
        if (data.some(({ header }) => header.encoding.endsWith('_DICTIONARY'))) spans.push(chunk.dictionary)
      } catch (cause) {
        throw located(task, name, chunk.path, cause)
      }
    }
  }
  return spans
}

function loadedPages({ ranges }: Pick<DecodeTask, 'ranges'>, { spans, dictionary }: DecodeChunk): Uint8Array[] {
  const pages = spans.map((span) => {
    const bytes = bytesIn(ranges, span)
    if (bytes === undefined) throw corrupt('PARQUET_PAGE', 'Its pages were not all loaded.')
    return bytes
  })
  const entries = dictionary === undefined ? undefined : bytesIn(ranges, dictionary)
  return entries === undefined ? pages : [entries, ...pages]
}

/** An error of ours learns where it was; any other means that the bytes made something impossible. */
function located(
  { file, rowGroup }: Pick<DecodeTask, 'file' | 'rowGroup'>,
  column: string,
  path: string,
  cause: unknown,
): MoulinError {
  const context = { file, rowGroup, column }
  const where = `Column ${path} in row group ${rowGroup} of ${file}`
  const message = messageOf(cause)
  if (!isMoulinError(cause))
    return corrupt('PARQUET_DECODE', `${where} does not decode: ${message}`, { context, cause })
  return new MoulinError(cause.kind, cause.code, `${where}: ${message}`, {
    context: { ...cause.context, ...context },
    cause,
  })
}
