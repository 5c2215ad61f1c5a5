import { corrupt, exhausted, isValid } from '@moulin/core'
import type { Column, ColumnBatch, IcebergField } from '@moulin/core'
import { halvesOf, PositionSetBuilder } from '@moulin/format'
import type { PositionSet } from '@moulin/format'
import { compareBytes } from '../values/datum.ts'

/** What is read of a file of position deletes. Spec: "Position Delete Files"; "Reserved Field IDs". */
export const positionDeleteFields: readonly IcebergField[] = [
  { id: 2_147_483_546, name: 'file_path', required: true, type: 'string' },
  { id: 2_147_483_545, name: 'pos', required: true, type: 'long' },
]

/** Upper halves of positions below 2^53. */
const MAX_HIGH = 2 ** 21
/** What a path takes beside its text. */
const PATH_BYTES = 300

/** Gathers the rows of one file of position deletes by the data files that they name. */
export class PositionDeletes {
  readonly #what: string
  readonly #maxBytes: number
  readonly #byPath = new Map<string, PositionSetBuilder>()
  #pathBytes = 0

  /** @param maxBytes Of memory, about, that they may take: the limit `positionDeleteBytes`. */
  constructor(what: string, maxBytes: number) {
    this.#what = what
    this.#maxBytes = maxBytes
  }

  /**
   * @param batch Columns of {@link positionDeleteFields}.
   * @throws `corrupt` code `POSITION_DELETE` for a null and for no position; `exhausted` code `POSITION_DELETES`.
   */
  add({ length, columns: [path, pos] }: ColumnBatch): void {
    const [paths, positions] = [path!.column as BytesColumn, pos!.column as Int64Column]
    const halves = halvesOf(positions.values)
    let builder: PositionSetBuilder | undefined
    let [sizeBytes, first] = [0, -1]
    for (let row = 0; row < length; row++) {
      if (!isValid(paths, row) || !isValid(positions, row)) throw this.#fail('a row has no path, or no position')
      // They are in order, so most are of the path before.
      if (builder === undefined || !isSame(paths, first, row)) {
        if (builder !== undefined) this.#pathBytes += builder.sizeBytes - sizeBytes
        builder = this.#builderOf(textOf(paths, row))
        sizeBytes = builder.sizeBytes
        first = row
      }
      const high = halves[2 * row + 1]!
      if (high < 0 || high >= MAX_HIGH) throw this.#fail(`a row has the position ${positions.values[row]}`)
      builder.add(high * 2 ** 32 + (halves[2 * row]! >>> 0))
      if (this.#pathBytes + builder.sizeBytes - sizeBytes > this.#maxBytes)
        throw tooManyPositions(this.#what, this.#maxBytes)
    }
    if (builder !== undefined) this.#pathBytes += builder.sizeBytes - sizeBytes
  }

  /** By path, as the file spells it. */
  finish(): ReadonlyMap<string, PositionSet> {
    return new Map(Array.from(this.#byPath, ([path, builder]) => [path, builder.finish()]))
  }

  #builderOf(path: string): PositionSetBuilder {
    let builder = this.#byPath.get(path)
    if (builder !== undefined) return builder
    this.#byPath.set(path, (builder = new PositionSetBuilder()))
    this.#pathBytes += PATH_BYTES + path.length
    if (this.#pathBytes > this.#maxBytes) throw tooManyPositions(this.#what, this.#maxBytes)
    return builder
  }

  #fail(how: string): Error {
    const message = `${this.#what} has position deletes that cannot be: ${how}.`
    return corrupt('POSITION_DELETE', message, { context: { file: this.#what } })
  }
}

/** What is thrown where the positions about one data file, or in one file of deletes, take more than they may. */
export function tooManyPositions(file: string, positionDeleteBytes: number): Error {
  const message =
    `The positions of deletes in or about ${file} take more than the limit positionDeleteBytes, ${positionDeleteBytes}. ` +
    `Have an engine rewrite the table's data files, or raise the limit.`
  return exhausted('POSITION_DELETES', message, { context: { file, positionDeleteBytes } })
}

type BytesColumn = Column & { readonly storage: 'bytes' }
type Int64Column = Column & { readonly storage: 'int64' }

function isSame({ data, starts, ends }: BytesColumn, a: number, b: number): boolean {
  // Of a dictionary they are the same bytes.
  if (starts[a] === starts[b] && ends[a] === ends[b]) return true
  return compareBytes(data.subarray(starts[a], ends[a]), data.subarray(starts[b], ends[b])) === 0
}

function textOf({ data, starts, ends }: BytesColumn, row: number): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(data.subarray(starts[row], ends[row]))
}
