import { createHash } from 'node:crypto'
import { corrupt } from '@moulin/core'
import type { CallOptions, Limits, TableFiles } from '@moulin/core'
import { PositionSetBuilder, positionUnion } from '@moulin/format'
import type { PositionSet } from '@moulin/format'
import { equalityFields, equalRows, KEY_BYTES, maskOf, tooManyKeys } from '@moulin/iceberg'
import type { DeleteFile, DeletesOf, DeletesQuestion, RowMask } from '@moulin/iceberg'
import type { DataFiles } from './data-files.ts'
import { deleteFiles, ofAnother, rowsOf } from './delete-files.ts'
import type { DeleteFiles, DeleteRoom } from './delete-files.ts'
import { nameMappingOf } from './name-mappings.ts'
import { Room } from './room.ts'
import type { Sized } from './room.ts'
import { inTurn, listedName, namesOf } from '../table/table-objects.ts'

/** What is remembered of deletes, for all tables in a store. */
export interface DeleteRooms {
  readonly files: DeleteRoom
  readonly masks: Room<RowMask | 'none'>
}

type DeleteLimits = Pick<Limits, 'equalityDeleteBytes' | 'positionDeleteBytes' | 'rowMaskBytes'>

export function deleteRooms({ equalityDeleteBytes, rowMaskBytes }: DeleteLimits): DeleteRooms {
  return { files: new Room(equalityDeleteBytes), masks: new Room(rowMaskBytes) }
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
    deletes: deleteFiles({ tableFiles, files, room: rooms.files, positionDeleteBytes }),
  }
  return async (question, call) => {
    const { metadata, listed } = question
    const { file, deletes } = listed
    if (deletes.length === 0) return undefined
    // Of files without field ids the mapping says what is compared.
    const mapping = nameMappingOf(metadata)?.key ?? ''
    const name = `${own}${listedName(tableFiles, file.filePath)}@${mapping}#${keyOf(deletes)}`
    const mask = await rooms.masks.load(name, call, (shared) => maskIn(question, parts, shared))
    return mask === 'none' ? undefined : mask
  }
}

interface MaskParts {
  readonly tableFiles: FileDeletesParts['tableFiles']
  readonly deletes: DeleteFiles
  readonly equalityDeleteBytes: number
}

/** Rows, and the files that delete them. */
interface Deleted {
  readonly rows: PositionSet
  readonly by: readonly DeleteFile[]
}

async function maskIn(
  question: DeletesQuestion,
  parts: MaskParts,
  call: CallOptions,
): Promise<Sized<RowMask | 'none'>> {
  const { file, deletes } = question.listed
  const placed = deletes.filter(({ content }) => content !== 'equality')
  const equal = deletes.filter(({ content }) => content === 'equality')
  const found = [
    ...(await deletedByPlace(question, placed, parts, call)),
    ...(await deletedByValue(question, equal, parts, call)),
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
  return { value: maskOf(keyOf(some.flatMap(({ by }) => by)), rows)!, sizeBytes: 512 + rows.sizeBytes }
}

/** By vectors, and by files of positions. */
async function deletedByPlace(
  { listed: { file } }: DeletesQuestion,
  deletes: readonly DeleteFile[],
  { tableFiles, deletes: read }: MaskParts,
  call: CallOptions,
): Promise<readonly Deleted[]> {
  const names = namesOf(tableFiles, file.filePath)
  const found: Deleted[] = []
  await inTurn(
    deletes,
    async (each) => {
      const { referencedDataFile: about } = each
      if (about !== undefined && !tableFiles.isSame(about, file.filePath))
        throw ofAnother(each.filePath, about, file.filePath)
      if (each.content === 'vector') {
        found.push({ rows: await read.vector(each, call), by: [each] })
        return
      }
      const positions = await read.positions(each, call)
      const name = names.find((one) => positions.has(one))
      if (name !== undefined) found.push({ rows: positions.get(name)!, by: [each] })
    },
    call,
  )
  return found
}

/** By files of equality deletes: all that compare the same columns at once, so that the data file is read once for each such set. */
async function deletedByValue(
  { metadata, listed: { file }, whole }: DeletesQuestion,
  deletes: readonly DeleteFile[],
  { deletes: read, equalityDeleteBytes }: MaskParts,
  call: CallOptions,
): Promise<readonly Deleted[]> {
  const isTooMuch = (bytes: number): boolean => bytes > equalityDeleteBytes
  const tooMuch = (): Error => tooManyKeys(file.filePath, equalityDeleteBytes)
  const rows = deletes.reduce((sum, { recordCount }) => sum + Number(recordCount), 0)
  if (isTooMuch(rows * KEY_BYTES)) throw tooMuch()
  const bySet = Map.groupBy(deletes, ({ equalityIds }) => [...new Set(equalityIds)].sort((a, b) => a - b).join())
  let sizeBytes = 0
  // Of what is on its way, beside what has come.
  let spent = 0
  const spend = (bytes: number): void => {
    if (isTooMuch((spent += bytes))) throw tooMuch()
  }
  const found: Deleted[] = []
  for (const alike of bySet.values()) {
    const fields = equalityFields(metadata.schemas, alike[0]!.equalityIds, alike[0]!.filePath)
    const sets: ReadonlySet<string>[] = []
    await inTurn(
      alike,
      async (each) => {
        const { keys, sizeBytes: bytes } = await read.keys(
          each,
          { fields, mapping: nameMappingOf(metadata), spend },
          call,
        )
        if (isTooMuch((sizeBytes += bytes))) throw tooMuch()
        sets.push(keys)
      },
      call,
    )
    const keys = sets.length === 1 ? sets[0]! : allOf(sets)
    const gone = new PositionSetBuilder()
    for await (const { firstRow, ...batch } of rowsOf(await whole(call), fields, call))
      equalRows(batch, keys, (row) => gone.add(firstRow + row))
    found.push({ rows: gone.finish(), by: alike })
  }
  return found
}

function allOf(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  const all = new Set<string>()
  for (const set of sets) for (const key of set) all.add(key)
  return all
}

/** Short, whatever they are called; the same whatever order they come in. */
function keyOf(deletes: readonly DeleteFile[]): string {
  const names = deletes.map(({ content, filePath, sequenceNumber, blob }) =>
    JSON.stringify([content, filePath, sequenceNumber.toString(), blob?.offset.toString()]),
  )
  return createHash('sha256').update(names.sort().join()).digest('hex').slice(0, 32)
}
