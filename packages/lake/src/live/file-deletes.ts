import { createHash } from 'node:crypto'
import { corrupt, stringifyJson } from '@moulin/core'
import type { CallOptions, IcebergField, Limits, TableFiles } from '@moulin/core'
import { PositionSetBuilder, positionUnion } from '@moulin/format'
import type { PositionSet } from '@moulin/format'
import {
  equalityFields,
  equalityMightMatch,
  equalRows,
  keyBytes,
  maskOf,
  partitionTupleKey,
  schemasFrom,
  tooManyKeys,
  tooManyPositions,
} from '@moulin/iceberg'
import type { DeleteFile, DeletesOf, DeletesQuestion, RowMask } from '@moulin/iceberg'
import type { DataFiles } from './data-files.ts'
import { deleteFiles, ofAnother, rowsOf } from './delete-files.ts'
import type { DeleteFiles, DeleteRoom } from './delete-files.ts'
import { inLine } from './in-line.ts'
import type { InLine } from './in-line.ts'
import { nameMappingOf } from './name-mappings.ts'
import { Room } from './room.ts'
import type { Sized } from './room.ts'
import { inTurn, listedName, namesOf } from '../table/table-objects.ts'

/** What is remembered of deletes, for all tables in a store. */
export interface DeleteRooms {
  readonly files: DeleteRoom
  readonly masks: Room<RowMask | 'none'>
  /** Where keys are gathered that take much memory: for one data file at a time, whoever reads. */
  readonly muchAtATime: InLine
}

type DeleteLimits = Pick<Limits, 'equalityDeleteBytes' | 'positionDeleteBytes' | 'rowMaskBytes'>

export function deleteRooms({ equalityDeleteBytes, rowMaskBytes }: DeleteLimits): DeleteRooms {
  return { files: new Room(equalityDeleteBytes), masks: new Room(rowMaskBytes), muchAtATime: inLine() }
}

export interface FileDeletesParts {
  readonly tableFiles: Pick<TableFiles, 'name' | 'get' | 'getRanges' | 'spellings' | 'isSame'>
  /** Files of deletes are opened as those of rows are. */
  readonly files: DataFiles
  readonly rooms: DeleteRooms
  readonly limits: DeleteLimits
}

/**
 * What the delete files of a listed file delete in it. Files are immutable, so what was read of them once is kept; a mask's key tells the
 * files that delete anything, and nothing else.
 *
 * It throws `corrupt` for deletes that contradict themselves, their manifest or the data file (`DELETES_ELSEWHERE`, `DELETE_BEYOND`,
 * `DELETION_VECTOR`, `ROARING`, `POSITION_DELETE`, `EQUALITY_FIELD`), `exhausted` for more of them than the limits hold
 * (`EQUALITY_DELETES`, `POSITION_DELETES`), and what reading a Parquet file throws.
 */
export function fileDeletes({ tableFiles, files, rooms, limits }: FileDeletesParts): DeletesOf {
  const { equalityDeleteBytes, positionDeleteBytes } = limits
  const own = rooms.masks.share()
  const parts: MaskParts = {
    tableFiles,
    equalityDeleteBytes,
    positionDeleteBytes,
    muchAtATime: rooms.muchAtATime,
    deletes: deleteFiles({ tableFiles, files, room: rooms.files, positionDeleteBytes, equalityDeleteBytes }),
  }
  return async (question, call) => {
    const { metadata, listed } = question
    const { file, deletes } = listed
    if (deletes.length === 0) return undefined
    // Of files without field ids the mapping says what is compared.
    const mapping = nameMappingOf(metadata)?.key ?? ''
    const isByValue = deletes.some(({ content }) => content === 'equality')
    // Columns that the file lacks are told by its partition, which another snapshot may have put right.
    const told = isByValue ? `${metadata['current-schema-id']} ${partitionTupleKey(file.partition)}` : ''
    const name = `${own}${listedName(tableFiles, file.filePath)}@${mapping} ${told}#${listKeyOf(deletes)}`
    const mask = await rooms.masks.load(name, call, (shared) => maskIn(question, parts, shared))
    return mask === 'none' ? undefined : mask
  }
}

interface MaskParts {
  readonly tableFiles: FileDeletesParts['tableFiles']
  readonly deletes: DeleteFiles
  readonly equalityDeleteBytes: number
  readonly positionDeleteBytes: number
  readonly muchAtATime: InLine
}

/** Rows, and the files that delete them. */
interface Deleted {
  readonly rows: PositionSet
  readonly by: readonly DeleteFile[]
  /** What rows were compared by. */
  readonly fields?: readonly IcebergField[]
}

async function maskIn(
  question: DeletesQuestion,
  parts: MaskParts,
  call: CallOptions,
): Promise<Sized<RowMask | 'none'>> {
  const { file } = question.listed
  const deletes = eachOnce(question.listed.deletes)
  const placed = deletes.filter(({ content }) => content !== 'equality')
  const equal = deletes.filter(({ content }) => content === 'equality')
  const isMuch = equal.reduce((sum, { recordCount }) => sum + Number(recordCount), 0) > ROWS_ON_THEIR_WAY
  const byValue = (): Promise<readonly Deleted[]> => deletedByValue(question, equal, parts, call)
  const found = [
    ...(await deletedByPlace(question, placed, parts, call)),
    ...(await (isMuch ? parts.muchAtATime(byValue, call) : byValue())),
  ]
  const some = found.filter(({ rows }) => rows.size > 0)
  if (some.length === 0) return { value: 'none', sizeBytes: 256 }
  // Before they come together: of what is of another file there may be more than of this one's rows.
  for (const { rows } of some) {
    const beyond = rows.countIn(Number(file.recordCount), Number.MAX_SAFE_INTEGER)
    if (beyond === 0) continue
    const message = `${beyond} deletes of ${file.filePath} are of rows beyond its ${file.recordCount}: they are of another file.`
    throw corrupt('DELETE_BEYOND', message, { context: { file: file.filePath, rows: file.recordCount, beyond } })
  }
  const rows = positionUnion(some.map((each) => each.rows))
  const compared = some.flatMap(({ fields = [] }) => fields.map((field) => stringifyJson(field)))
  if (compared.length > 0) compared.push(partitionTupleKey(file.partition))
  const key = keyOf(
    some.flatMap(({ by }) => by),
    compared,
  )
  return { value: maskOf(key, rows)!, sizeBytes: 512 + rows.sizeBytes }
}

/** What manifests name a thousand times deletes as much as once. */
function eachOnce(deletes: readonly DeleteFile[]): DeleteFile[] {
  const byName = new Map<string, DeleteFile>()
  for (const file of deletes) {
    const { content, filePath, fileSizeBytes, recordCount, equalityIds, referencedDataFile = '', blob } = file
    const name = [content, fileSizeBytes, recordCount, equalityIds, blob?.offset, referencedDataFile, filePath].join(
      ' ',
    )
    if (!byName.has(name)) byName.set(name, file)
  }
  return [...byName.values()]
}

/** By vectors, and by files of positions. */
async function deletedByPlace(
  { listed: { file } }: DeletesQuestion,
  deletes: readonly DeleteFile[],
  { tableFiles, deletes: read, positionDeleteBytes }: MaskParts,
  call: CallOptions,
): Promise<readonly Deleted[]> {
  const names = namesOf(tableFiles, file.filePath)
  const found: Deleted[] = []
  let sizeBytes = 0
  await eachOf(
    deletes,
    async (each) => {
      const { referencedDataFile: about } = each
      if (about !== undefined && !tableFiles.isSame(about, file.filePath))
        throw ofAnother(each.filePath, about, file.filePath)
      if (each.content === 'vector') {
        found.push({ rows: await read.vector(each, file.recordCount, call), by: [each] })
        return
      }
      const positions = await read.positions(each, call)
      const name = names.find((one) => positions.has(one))
      if (name === undefined) return
      const rows = positions.get(name)!
      if ((sizeBytes += rows.sizeBytes) > positionDeleteBytes)
        throw tooManyPositions(file.filePath, positionDeleteBytes)
      found.push({ rows, by: [each] })
    },
    call,
  )
  return found
}

/** What is on its way is bounded file by file: many at once only where they are small. */
async function eachOf(
  deletes: readonly DeleteFile[],
  work: (file: DeleteFile, at: number) => Promise<void>,
  call: CallOptions,
): Promise<void> {
  for (let first = 0; first < deletes.length;) {
    let end = first
    let rows = 0
    do rows += Number(deletes[end++]!.recordCount)
    while (end < deletes.length && rows + Number(deletes[end]!.recordCount) <= ROWS_ON_THEIR_WAY)
    const some = deletes.slice(first, end).map((each, at) => [each, first + at] as const)
    await inTurn(some, ([each, at]) => work(each, at), call)
    first = end
  }
}

/** Of deletes that are read side by side; a file with more than these by itself. */
const ROWS_ON_THEIR_WAY = 100_000

/** By files of equality deletes: all that compare the same columns at once, so that the data file is read once for each such set. */
async function deletedByValue(
  { metadata, listed, whole }: DeletesQuestion,
  deletes: readonly DeleteFile[],
  { deletes: read, equalityDeleteBytes }: MaskParts,
  call: CallOptions,
): Promise<readonly Deleted[]> {
  const { file } = listed
  const bySet = Map.groupBy(deletes, ({ equalityIds }) => [...new Set(equalityIds)].sort((a, b) => a - b).join())
  const schemas = schemasFrom(metadata)
  let spent = 0
  const spend = (bytes: number): void => {
    if ((spent += bytes) > equalityDeleteBytes) throw tooManyKeys(file.filePath, equalityDeleteBytes)
  }
  const found: Deleted[] = []
  for (const all of bySet.values()) {
    const fields = equalityFields(schemas, all[0]!.equalityIds, all[0]!.filePath)
    const alike = all.filter(equalityMightMatch(listed, fields))
    if (alike.length === 0) continue
    const keys = new HeldKeys(spend)
    const takes = async (each: DeleteFile, at: number): Promise<void> =>
      keys.add((await read.keys(each, { fields, mapping: nameMappingOf(metadata) }, call)).keys, at)
    await eachOf(alike, takes, call)
    const gone = new PositionSetBuilder()
    const by = new Set<number>()
    for await (const { firstRow, ...batch } of rowsOf(await whole(call), fields, call)) {
      equalRows(batch, keys, (row, key) => {
        gone.add(firstRow + row)
        by.add(keys.firstOf(key)!)
      })
    }
    found.push({ rows: gone.finish(), by: alike.filter((_, at) => by.has(at)), fields })
  }
  return found
}

/** Keys of several files of deletes, each once, and the first of the files that has it: it alone is said to delete the key's rows. */
class HeldKeys {
  readonly #spend: (bytes: number) => void
  readonly #first = new Map<string, number>()

  /** @param spend Is told of memory that is taken, once a key, and throws where it is too much. */
  constructor(spend: (bytes: number) => void) {
    this.#spend = spend
  }

  /** In whatever order they come. */
  add(keys: Iterable<string>, file: number): void {
    for (const key of keys) {
      const first = this.#first.get(key)
      if (first === undefined) this.#spend(keyBytes(key))
      if (first === undefined || file < first) this.#first.set(key, file)
    }
  }

  has(key: string): boolean {
    return this.#first.has(key)
  }

  firstOf(key: string): number | undefined {
    return this.#first.get(key)
  }
}

/** By the list: plans give the same one for many files. */
const listKeys = new WeakMap<readonly DeleteFile[], string>()

function listKeyOf(deletes: readonly DeleteFile[]): string {
  const known = listKeys.get(deletes)
  if (known !== undefined) return known
  const key = keyOf(deletes)
  listKeys.set(deletes, key)
  return key
}

/** Short, whatever they are called; the same whatever order they come in. */
function keyOf(deletes: readonly DeleteFile[], compared: readonly string[] = []): string {
  const names = deletes.map(({ content, filePath, sequenceNumber, blob }) =>
    JSON.stringify([content, filePath, sequenceNumber.toString(), blob?.offset.toString()]),
  )
  return createHash('sha256')
    .update([...names.sort(), ...compared].join())
    .digest('hex')
    .slice(0, 32)
}
