import { corrupt, isKind, notFound, openLocation } from '@moulin/core'
import type { CallOptions, GetOptions, ObjectStore } from '@moulin/core'
import { openParquet, storeRangeReader } from '@moulin/format'
import type { ParquetFile, ParquetWorkers, RangeReader } from '@moulin/format'
import type { DataFile } from '@moulin/iceberg'
import { footerKeys } from './system-columns.ts'

/** Open data files: footers that were read already, the least used of them forgotten. */
export interface DataFiles {
  /** @throws `corrupt`; `not-found` code `FILE_VANISHED` when the object is not there (any more). */
  open(file: DataFile, options?: CallOptions): Promise<ParquetFile>
}

export interface DataFilesOptions {
  readonly store: ObjectStore
  readonly workers: ParquetWorkers
  /** Of memory, about, that files take which are kept open. The last one is kept, however large. */
  readonly maxBytes: number
}

/** What the footer of a column chunk takes once it is parsed: 1.4 to 1.7 kB as measured, whatever the file has. */
const CHUNK_BYTES = 1700

export function dataFiles({ store, workers, maxBytes }: DataFilesOptions): DataFiles {
  // Insertion order is the order of use. Files are immutable, so what is kept never grows old.
  const kept = new Map<string, { readonly file: ParquetFile; readonly sizeBytes: number }>()
  let bytes = 0
  const drop = (path: string): void => {
    const file = kept.get(path)
    if (file !== undefined) bytes -= file.sizeBytes
    kept.delete(path)
  }

  return {
    async open({ filePath, fileSizeBytes, recordCount }, options = {}) {
      const known = kept.get(filePath)
      if (known !== undefined) {
        kept.delete(filePath)
        kept.set(filePath, known)
        return known.file
      }
      const get = openLocation(store, filePath)
      const located = { name: store.name, get: (_: string, range?: GetOptions) => get(range) }
      const reader = plainBytes(storeRangeReader(located, filePath, Number(fileSizeBytes)), filePath)
      const file = await openParquet(reader, { workers, ...options })
      if (BigInt(file.rowCount) !== recordCount) {
        const message = `${filePath} has ${file.rowCount} rows; its manifest says ${recordCount}.`
        throw corrupt('FILE_ROWS', message, { context: { file: filePath, rows: file.rowCount, expected: recordCount } })
      }
      // Somebody else may have opened it meanwhile.
      drop(filePath)
      const sizeBytes = memoryOf(file, Number(fileSizeBytes))
      kept.set(filePath, { file, sizeBytes })
      bytes += sizeBytes
      for (const path of kept.keys()) {
        if (bytes <= maxBytes || path === filePath) break
        drop(path)
      }
      return file
    },
  }
}

/** Bytes of memory that an open file takes: its parsed footer, and of page indexes as many as there are behind its pages. */
function memoryOf({ rowGroups, fields }: ParquetFile, fileBytes: number): number {
  const pageBytes = rowGroups.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return Math.max(1, rowGroups.length) * Math.max(1, fields.length) * CHUNK_BYTES + Math.max(0, fileBytes - pageBytes)
}

/**
 * Plain bytes: a store may answer with Buffers, whose `slice` is a view, so that who means to copy before a transfer
 * would give away the store's memory. An object that ends before a range begins is cut, not a wrong call; one that is gone is named.
 */
function plainBytes(reader: RangeReader, filePath: string): RangeReader {
  return {
    ...reader,
    async read(start, end, options) {
      try {
        const { buffer, byteOffset, length } = await reader.read(start, end, options)
        return new Uint8Array(buffer, byteOffset, length)
      } catch (cause) {
        if (isKind(cause, 'not-found')) {
          const message = `The data file ${filePath} is not there.`
          throw notFound('FILE_VANISHED', message, { context: { file: filePath }, cause })
        }
        if (!isKind(cause, 'invalid', 'RANGE')) throw cause
        const message = `${reader.name} ends before byte ${start}; ${reader.size} bytes are recorded: it is cut.`
        throw corrupt('FILE_SIZE', message, { context: { file: reader.name, start, expected: reader.size }, cause })
      }
    },
  }
}

/**
 * Written by a tiering commit of this log, so its rows are what we put there: files are immutable. Footer and name must say
 * the same commit, for engines that rewrite a file may keep what they do not know of its footer (Arrow does), but give
 * the new file a name of their own.
 */
export function isOwnFile(file: ParquetFile, logId: string): boolean {
  const commit = file.keyValue.get(footerKeys.commit)
  return commit !== undefined && file.keyValue.get(footerKeys.log) === logId && file.name.includes(`/data/${commit}-`)
}

/** Named as {@link isOwnFile} asks. Nobody else names files so, but only the footer proves it. */
export function isOwnName(filePath: string): boolean {
  return /\/data\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d+\.parquet$/.test(filePath)
}

/** The object of a data file is not there. */
export function isVanished(error: unknown): boolean {
  return isKind(error, 'not-found')
}
