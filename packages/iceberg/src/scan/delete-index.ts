import { corrupt, isKind, type TableFiles } from '@moulin/core'
import type { DataFile, DeleteFile } from '../manifests/data-file.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { compareBytes, partitionTupleKey } from '../values/datum.ts'
import { fileNames } from './file-names.ts'

/** Says of a snapshot's files of deletes which may be about a data file. */
export interface DeleteIndex {
  /**
   * By rising sequence number; of files that only the same deletes by value are about mostly the same array. A vector stands alone beside deletes by value, for it takes the place of files of positions.
   * @throws `corrupt` code `DELETION_VECTORS` where two vectors are about the file.
   */
  of(file: Pick<DataFile, 'filePath' | 'specId' | 'partition'>, sequenceNumber: bigint): readonly DeleteFile[]
}

export interface DeleteIndexParts {
  readonly tableFiles: Pick<TableFiles, 'spellings'>
  readonly specOf: (specId: number) => BoundPartitionSpec
}

/** Field id of the column of a position delete file that names the data file. Spec: "Reserved Field IDs". */
export const FILE_PATH_ID = 2147483546
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const none: readonly DeleteFile[] = []
/** Lists that are kept to be given again. */
const MAX_SHARED = 64

/**
 * The rules of the specification: positions and vectors are about files that are not newer, values about files that are older; all of the same
 * partition of the same spec, but for values of a spec without partitions, which are about all files. What names the one file that it is
 * about is about it, whatever partition it is listed under: DuckDB lists it under the table's present spec, and Iceberg's own reader does
 * not look. Passed over, it would bring deleted rows back.
 * Spec: "Scan Planning".
 */
export function deleteIndex(files: readonly DeleteFile[], { tableFiles, specOf }: DeleteIndexParts): DeleteIndex {
  if (files.length === 0) return { of: () => none }
  const vectors = new Groups()
  const namedPositions = new Groups()
  const positions = new Groups()
  const values = new Groups()
  const paths = new Map<DeleteFile, PathBounds | undefined>()
  const names = fileNames(tableFiles)
  const nameOf = (location: string): string => unlessElsewhere(names, location)
  for (const file of files.toSorted(bySequence)) {
    const named = file.referencedDataFile ?? onlyPath(file)
    if (file.content === 'vector') vectors.add(nameOf(named!), file)
    else if (file.content === 'equality') values.add(isGlobal(specOf(file.specId)) ? '' : scopeOf(file), file)
    else if (named !== undefined) namedPositions.add(nameOf(named), file)
    else {
      positions.add(scopeOf(file), file)
      paths.set(file, pathBounds(file))
    }
  }
  const meeting = ({ filePath }: Named, deletes: readonly DeleteFile[]): readonly DeleteFile[] => {
    if (deletes.length === 0) return none
    const [path, place] = [encoder.encode(filePath), placeOf(filePath)]
    return deletes.filter((file) => {
      const bounds = paths.get(file)
      return bounds === undefined || mayHave(bounds, path, place)
    })
  }
  // Many files have the same: thousands of deletes for each of thousands of files are to be put together once.
  const shared = new Map<string, readonly DeleteFile[]>()
  const valuesSince = (scope: string, least: bigint): readonly DeleteFile[] => {
    const [global, own] = [values.since('', least), values.since(scope, least)]
    if (own.length === 0 && global.length === 0) return none
    const key = `${global.length} ${own.length} ${scope}`
    const known = shared.get(key)
    if (known !== undefined) return known
    const found = [...global, ...own].sort(bySequence)
    if (shared.size >= MAX_SHARED) shared.clear()
    shared.set(key, found)
    return found
  }
  const hasNames = vectors.size + namedPositions.size > 0
  const hasScopes = positions.size + values.size > 0

  return {
    of(file, sequenceNumber) {
      const name = hasNames ? nameOf(file.filePath) : ''
      const scope = hasScopes ? scopeOf(file) : undefined
      const vector = ofOne(file, vectors.since(name, sequenceNumber))
      const byValue = scope === undefined ? none : valuesSince(scope, sequenceNumber + 1n)
      const byPlace = vector === undefined ? [...namedPositions.since(name, sequenceNumber)] : [vector]
      if (vector === undefined && scope !== undefined)
        byPlace.push(...meeting(file, positions.since(scope, sequenceNumber)))
      return byPlace.length === 0 ? byValue : [...byValue, ...byPlace].sort(bySequence)
    },
  }
}

/** Files by a name, in each group by rising sequence number: they are added so. */
class Groups {
  readonly #groups = new Map<string, DeleteFile[]>()

  get size(): number {
    return this.#groups.size
  }

  add(name: string, file: DeleteFile): void {
    const group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, [file])
    else group.push(file)
  }

  /** Those whose sequence number is not below, the last of the group. */
  since(name: string, least: bigint): readonly DeleteFile[] {
    const group = this.#groups.get(name)
    if (group === undefined) return none
    let low = 0
    let high = group.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (group[middle]!.sequenceNumber < least) low = middle + 1
      else high = middle
    }
    return low === 0 ? group : group.slice(low)
  }
}

// Of one sequence number in an order of their own, so that the same deletes come in the same order again.
function bySequence(a: DeleteFile, b: DeleteFile): number {
  if (a.sequenceNumber !== b.sequenceNumber) return a.sequenceNumber < b.sequenceNumber ? -1 : 1
  if (a.filePath !== b.filePath) return a.filePath < b.filePath ? -1 : 1
  return Number((a.blob?.offset ?? 0n) - (b.blob?.offset ?? 0n))
}

type Scoped = Pick<DataFile, 'specId' | 'partition'>

const scopeOf = ({ specId, partition }: Scoped): string => `${specId} ${partitionTupleKey(partition)}`

const isGlobal = ({ fields }: BoundPartitionSpec): boolean => fields.every(({ transform }) => transform.kind === 'void')

/** What lies elsewhere keeps its own name. */
function unlessElsewhere(names: (location: string) => string, location: string): string {
  try {
    return names(location)
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error
    return location
  }
}

type Named = Pick<DataFile, 'filePath'>

function ofOne(file: Named, vectors: readonly DeleteFile[]): DeleteFile | undefined {
  if (vectors.length < 2) return vectors[0]
  const places = vectors.slice(0, 2).map(({ filePath, blob }) => `${filePath} at ${blob?.offset}`)
  const message = `${file.filePath} has ${vectors.length} deletion vectors, in ${places.join(' and ')}; a data file has one at most.`
  throw corrupt('DELETION_VECTORS', message, { context: { filePath: file.filePath } })
}

/** Between which paths a file of positions has rows; undefined: it does not say. */
interface PathBounds {
  readonly lower: Uint8Array
  readonly upper: Uint8Array
  readonly place: string
}

function pathBounds({ lowerBounds, upperBounds }: DeleteFile): PathBounds | undefined {
  const lower = lowerBounds.get(FILE_PATH_ID)
  const upper = upperBounds.get(FILE_PATH_ID)
  // Bounds that contradict each other say nothing.
  if (lower === undefined || upper === undefined || compareBytes(lower, upper) > 0) return undefined
  const place = placeOf(decoder.decode(lower))
  return place === placeOf(decoder.decode(upper)) ? { lower, upper, place } : undefined
}

/** The only data file that a file of positions has rows for. Bounds that were cut short differ. */
function onlyPath(file: DeleteFile): string | undefined {
  const bounds = pathBounds(file)
  return bounds === undefined || compareBytes(bounds.lower, bounds.upper) !== 0
    ? undefined
    : decoder.decode(bounds.lower)
}

/** Scheme and authority. Of a path that is spelled otherwise (`file:/x` is `file:///x`) the order says nothing. */
const placeOf = (path: string): string => /^[^/]*\/*[^/]*/.exec(path)![0]

function mayHave({ lower, upper, place }: PathBounds, path: Uint8Array, pathPlace: string): boolean {
  return place !== pathPlace || (compareBytes(lower, path) <= 0 && compareBytes(path, upper) <= 0)
}
