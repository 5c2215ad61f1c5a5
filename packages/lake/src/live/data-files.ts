import { corrupt, isKind, notFound } from '@moulin/core'
import type { CallOptions, ColdTopicInfo, Runtime, TableFiles, TableMetadata } from '@moulin/core'
import { openParquet, storeRangeReader } from '@moulin/format'
import type { OpenParquetOptions, ParquetFile, ParquetWorkers, RangeReader } from '@moulin/format'
import type { DataFile } from '@moulin/iceberg'
import { Room } from './room.ts'
import { footerKeys } from '../table/system-columns.ts'
import { canonicalIn, folderOf } from '../table/table-objects.ts'
import type { TableMapping } from './name-mappings.ts'

/** Open data files: footers that were read already, the least used of them forgotten. */
export interface DataFiles {
  /**
   * @throws `corrupt`; `not-found` code `FILE_VANISHED` when the object is not there (any more); `unavailable` code `FILE_OVERWRITTEN`
   * while somebody overwrites it.
   */
  open(file: OpenableFile, call?: DataFileCall): Promise<ParquetFile>
}

export interface DataFileCall extends CallOptions {
  /** For a file without field ids, or with one twice: what its columns' names mean. Without it such a file is `unsupported`. */
  readonly mapping?: TableMapping | undefined
}

/** A Parquet file as a manifest describes it, of rows or of deletes. */
export type OpenableFile = Pick<DataFile, 'filePath' | 'fileSizeBytes' | 'recordCount'>

export interface DataFilesOptions {
  readonly tableFiles: Pick<TableFiles, 'name' | 'get' | 'getRanges'>
  readonly workers: ParquetWorkers
  readonly room: FileRoom
  /** Is told of statistics that are wrong and were passed over. */
  readonly runtime: Pick<Runtime, 'logger'>
}

/** Of files without field ids, by which mapping they were opened. */
const mappedBy = new WeakMap<object, string>()

/** Its columns go by their names: it has no field ids that mean anything. */
export const isMapped = (file: object): boolean => mappedBy.has(file)

/** Room for open files. */
export class FileRoom extends Room<ParquetFile> {}

/** What the footer of a column chunk takes once it is parsed: 1.4 to 1.7 kB as measured, whatever the file has. */
const CHUNK_BYTES = 1700

export function dataFiles({ tableFiles, workers, room, runtime }: DataFilesOptions): DataFiles {
  const own = room.share()
  // Old writers of timestamps have no other form, and engines read it.
  const opening: OpenParquetOptions = { workers, runtime, int96: 'timestamp' }

  async function openMapped(
    reader: RangeReader,
    mapping: TableMapping | undefined,
    call: CallOptions,
  ): Promise<ParquetFile> {
    try {
      return await openParquet(reader, { ...opening, ...call })
    } catch (error) {
      if (mapping === undefined || !lacksIds(error)) throw error
      const file = await openParquet(reader, { ...opening, nameMapping: mapping.names(), ...call })
      mappedBy.set(file, mapping.key)
      return file
    }
  }
  return {
    async open({ filePath, fileSizeBytes, recordCount }, { mapping, ...call } = {}) {
      const known = room.get(own + filePath)
      const knownBy = known === undefined ? undefined : mappedBy.get(known)
      if (known !== undefined && (knownBy === undefined || knownBy === mapping?.key)) return known
      // Its footer may be another one by now.
      const onOverwritten = (): void => room.forget(own + filePath)
      const reader = fileReader(tableFiles, filePath, Number(fileSizeBytes), onOverwritten)
      const file = await openMapped(reader, mapping, call)
      if (BigInt(file.rowCount) !== recordCount) {
        const message = `${filePath} has ${file.rowCount} rows; its manifest says ${recordCount}.`
        throw corrupt('FILE_ROWS', message, { context: { file: filePath, rows: file.rowCount, expected: recordCount } })
      }
      room.add(own + filePath, file, memoryOf(file, Number(fileSizeBytes)))
      return file
    },
  }
}

/** Bytes of memory that an open file takes: its parsed footer, and of page indexes as many as there are behind its pages. */
function memoryOf({ rowGroups, fields }: ParquetFile, fileBytes: number): number {
  const pageBytes = rowGroups.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return Math.max(1, rowGroups.length) * Math.max(1, fields.length) * CHUNK_BYTES + Math.max(0, fileBytes - pageBytes)
}

/** A reader that names the file where it is gone. */
export function fileReader(
  tableFiles: DataFilesOptions['tableFiles'],
  filePath: string,
  size: number,
  onOverwritten: () => void = () => {},
): RangeReader {
  const reader = storeRangeReader(tableFiles, filePath, size)
  const vanished = (cause: unknown): never => {
    if (isOverwritten(cause)) onOverwritten()
    if (!isKind(cause, 'not-found')) throw cause
    const message = `The data file ${filePath} is not there.`
    throw notFound('FILE_VANISHED', message, { context: { file: filePath }, cause })
  }
  const { read, readMany } = reader
  return {
    ...reader,
    read: (start, end, options) => read(start, end, options).catch(vanished),
    ...(readMany && { readMany: (spans, options) => readMany(spans, options).catch(vanished) }),
  }
}

/**
 * Written by a tiering commit of this topic, so its rows are what we put there: files are immutable. Footer and name must say
 * the same commit, for engines that rewrite a file may keep what they do not know of its footer (Arrow does), but give
 * the new file a name of their own.
 */
export function isOwnFile(
  { keyValue, name }: Pick<ParquetFile, 'keyValue' | 'name'>,
  { logId, id }: TopicIds,
): boolean {
  const commit = keyValue.get(footerKeys.commit)
  const isOfTopic = keyValue.get(footerKeys.log) === logId && keyValue.get(footerKeys.topic) === id
  return commit !== undefined && isOfTopic && name.includes(`/data/${commit}-`)
}

/** Whose table it is. */
export type TopicIds = Pick<ColdTopicInfo, 'logId' | 'id'>

/** Named as {@link isOwnFile} asks: by a commit of ours, or a copy of what one wrote, or that of another topic. */
export function isOwnName(filePath: string): boolean {
  return /\/data\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d+\.parquet$/.test(filePath)
}

/**
 * Where commits of ours put their files: in the table's own folder nobody else names files so, though only the footer proves it. Elsewhere
 * lie copies, and the files of other topics.
 */
export function isOwnPlace(
  tableFiles: Pick<TableFiles, 'canonical' | 'under'>,
  { location }: Pick<TableMetadata, 'location'>,
): (filePath: string) => boolean {
  const folder = `${folderOf(tableFiles, location)}data/`
  return (filePath) => isOwnName(filePath) && canonicalIn(tableFiles, filePath)?.startsWith(folder) === true
}

/** Somebody writes the data file while it is read: it may become readable again, or be another one by then. */
export function isOverwritten(error: unknown): boolean {
  return isKind(error, 'unavailable', 'FILE_OVERWRITTEN')
}

/** The file has no field ids, or one twice, and nobody has said what its names mean. */
export function lacksIds(error: unknown): boolean {
  return isKind(error, 'unsupported', 'PARQUET_FIELD_IDS')
}

/** The object of a data file is not there. */
export function isVanished(error: unknown): boolean {
  return isKind(error, 'not-found')
}
