import { corrupt, isMoulinError, stringifyJson } from '@moulin/core'
import type { CallOptions, ColumnBatch, IcebergField, TableFiles } from '@moulin/core'
import { positionUnion, readPuffinFooter } from '@moulin/format'
import type { ParquetFile, PositionSet, PuffinBlob, RangeReader } from '@moulin/format'
import {
  EqualityDeletes,
  PositionDeletes,
  positionDeleteFields,
  readDeletionVector,
  tooManyKeys,
} from '@moulin/iceberg'
import type { DeleteFile, EqualityKeys } from '@moulin/iceberg'
import { fileReader } from './data-files.ts'
import type { DataFiles } from './data-files.ts'
import type { TableMapping } from './name-mappings.ts'
import type { Room, Sized } from './room.ts'
import { inSteps } from '../scan/read-passing.ts'
import { namesOf } from '../table/table-objects.ts'

/** What is read of a file of deletes, whichever data file it is read for. */
export interface DeleteFiles {
  /** Positions, by the data file that they are in, under all names that a read of it may go by. */
  positions(file: DeleteFile, call: CallOptions): Promise<PositionsByName>
  /** Rows, by the columns that are compared. */
  keys(file: DeleteFile, request: KeysRequest, call: CallOptions): Promise<EqualityKeys>
  /** Of a data file of so many rows. Only its own bytes are fetched, and of the file's footer what it says of them. Not kept. */
  vector(file: DeleteFile, rows: bigint, call: CallOptions): Promise<PositionSet>
}

export type PositionsByName = ReadonlyMap<string, PositionSet>

export interface KeysRequest {
  readonly fields: readonly IcebergField[]
  /** For files without field ids. */
  readonly mapping: TableMapping | undefined
}

/** What is kept of files of deletes. */
export type DeleteRoom = Room<PositionsByName | EqualityKeys | readonly PuffinBlob[]>

export interface DeleteFilesParts {
  readonly tableFiles: Pick<TableFiles, 'name' | 'get' | 'getRanges' | 'spellings' | 'isSame'>
  readonly files: DataFiles
  readonly room: DeleteRoom
  /** The limit `positionDeleteBytes`. */
  readonly positionDeleteBytes: number
  /** The limit `equalityDeleteBytes`: here of one file, whoever asks for it. */
  readonly equalityDeleteBytes: number
}

const VECTOR = 'deletion-vector-v1'
/** What a vector takes beside its containers, and what a container of 65 536 rows takes at most: of runs, as no writer would have it. */
const VECTOR_BYTES = 65_536
const CONTAINER_BYTES = 131_200

export function deleteFiles(parts: DeleteFilesParts): DeleteFiles {
  const { tableFiles, files, room, positionDeleteBytes, equalityDeleteBytes } = parts
  // One file may be listed as several things.
  const own = room.share()
  const blobs = (file: DeleteFile, call: CallOptions): Promise<readonly PuffinBlob[]> =>
    room.load(`${own}footer ${file.filePath}`, call, async (shared) => {
      const value = await readPuffinFooter(readerOf(file), shared)
      return { value, sizeBytes: 512 + value.length * 1024 }
    }) as Promise<readonly PuffinBlob[]>
  const readerOf = ({ filePath, fileSizeBytes }: DeleteFile): RangeReader =>
    fileReader(tableFiles, filePath, Number(fileSizeBytes))

  return {
    positions: (file, call) =>
      room.load(`${own}positions ${file.filePath}`, call, async (shared): Promise<Sized<PositionsByName>> => {
        const parquet = await files.open(file, shared)
        const deletes = new PositionDeletes(file.filePath, positionDeleteBytes)
        for await (const batch of rowsOf(parquet, positionDeleteFields, shared)) deletes.add(batch)
        return byName(deletes.finish(), file, tableFiles)
      }) as Promise<PositionsByName>,
    keys: (file, { fields, mapping }, call) =>
      // The ids say which columns; whatever they are called, their types may have grown since it was read.
      room.load(`${own}keys ${file.filePath} ${mapping?.key} ${stringifyJson(fields)}`, call, async (shared) => {
        const parquet = await files.open(file, { ...shared, mapping })
        checkColumns(parquet, file)
        let spent = 0
        const value = new EqualityDeletes((bytes) => {
          if ((spent += bytes) > equalityDeleteBytes) throw tooManyKeys(file.filePath, equalityDeleteBytes)
        })
        for await (const batch of rowsOf(parquet, fields, shared)) value.add(batch)
        return { value, sizeBytes: value.sizeBytes }
      }) as Promise<EqualityKeys>,
    async vector(file, rows, call) {
      const { blob, filePath, fileSizeBytes, recordCount } = file
      const what = `The deletion vector at ${blob?.offset} in ${filePath}`
      const context = { file: filePath, offset: blob?.offset, sizeBytes: blob?.sizeBytes }
      if (blob === undefined || blob.offset < 0n || blob.offset + blob.sizeBytes > fileSizeBytes) {
        const message = `${what} is not in it: its manifest states ${blob?.sizeBytes} bytes of ${fileSizeBytes}.`
        throw corrupt('DELETION_VECTOR', message, { context })
      }
      const maxBytes = BigInt(VECTOR_BYTES + CONTAINER_BYTES * Math.ceil(Number(rows) / 65_536))
      if (blob.sizeBytes > maxBytes) {
        const message = `${what} has ${blob.sizeBytes} bytes; for a data file of ${rows} rows none has more than ${maxBytes}.`
        throw corrupt('DELETION_VECTOR', message, { context })
      }
      const [start, sizeBytes] = [Number(blob.offset), Number(blob.sizeBytes)]
      const [bytes, known] = await Promise.all([
        readerOf(file).read(start, start + sizeBytes, call),
        // Who follows manifests needs no footer, so writers got it wrong unseen: one that cannot be read says nothing.
        blobs(file, call).catch((error: unknown) => {
          if (isMoulinError(error) && ['corrupt', 'unsupported', 'exhausted'].includes(error.kind)) return undefined
          throw error
        }),
      ])
      const described = known?.find(({ offset }) => offset === start)
      if (known !== undefined && (described?.type !== VECTOR || described.sizeBytes !== sizeBytes)) {
        const seen = described === undefined ? 'no blob' : `${described.sizeBytes} bytes of ${described.type}`
        const message = `${what} has ${sizeBytes} bytes by its manifest; the file's footer has ${seen} there.`
        throw corrupt('DELETION_VECTOR', message, { context })
      }
      const about = described?.properties.get('referenced-data-file')
      if (
        about !== undefined &&
        file.referencedDataFile !== undefined &&
        !tableFiles.isSame(about, file.referencedDataFile)
      )
        throw ofAnother(what, about, file.referencedDataFile)
      // A few bytes might hold a gigabyte; and those who follow manifests would not know of it.
      if (described?.compression !== undefined) {
        const message = `${what} is compressed with ${described.compression}; the format has none that is.`
        throw corrupt('DELETION_VECTOR', message, { context })
      }
      return readDeletionVector(bytes, recordCount, what)
    },
  }
}

/** What is thrown for deletes that are of another data file than their manifest says. */
export function ofAnother(what: string, about: string, dataFile: string): Error {
  const message = `${what} is about ${about}; its manifest says that it is about ${dataFile}.`
  return corrupt('DELETES_ELSEWHERE', message, { context: { file: what, about, dataFile } })
}

/** All rows of a file, in order, as many at once as a scan takes. */
export async function* rowsOf(
  file: Pick<ParquetFile, 'rowGroups' | 'read'>,
  types: readonly IcebergField[],
  { signal }: CallOptions,
): AsyncGenerator<ColumnBatch & { readonly firstRow: number }> {
  for (const [rowGroup, group] of file.rowGroups.entries()) {
    if (group.rowCount === 0) continue
    for (const rows of inSteps([{ start: 0, end: group.rowCount }], group)) {
      const batch = await file.read({ rowGroup, types, rows, ...(signal && { signal }) })
      yield { ...batch, firstRow: group.firstRow + rows.start }
    }
  }
}

function checkColumns(parquet: ParquetFile, { filePath, equalityIds }: DeleteFile): void {
  const missing = equalityIds.find((id) => !parquet.has(id))
  if (missing === undefined) return
  const message = `${filePath} lacks the column of id ${missing}, that its equality deletes compare.`
  throw corrupt('EQUALITY_FIELD', message, { context: { file: filePath, fieldId: missing } })
}

function byName(
  byPath: ReadonlyMap<string, PositionSet>,
  { filePath, referencedDataFile }: DeleteFile,
  tableFiles: DeleteFilesParts['tableFiles'],
): Sized<PositionsByName> {
  const value = new Map<string, PositionSet>()
  let sizeBytes = 512
  for (const [path, positions] of byPath) {
    if (referencedDataFile !== undefined && !tableFiles.isSame(path, referencedDataFile))
      throw ofAnother(filePath, path, referencedDataFile)
    const [name] = namesOf(tableFiles, path)
    const others = value.get(name!)
    value.set(name!, others === undefined ? positions : positionUnion([others, positions]))
    sizeBytes += 256 + path.length + positions.sizeBytes
  }
  // What is named raw goes before what may be meant by an escape.
  for (const path of byPath.keys()) {
    const [name, ...others] = namesOf(tableFiles, path)
    for (const other of others) if (!value.has(other)) value.set(other, value.get(name!)!)
  }
  return { value, sizeBytes }
}
