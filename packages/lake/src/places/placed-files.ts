import type { DataFile, ListedFile } from '@moulin/iceberg'
import { singleValueIn } from '@moulin/iceberg'
import { Listings } from '../live/listed-once.ts'
import type { TableColumns } from '../table/table-layout.ts'

/** A data file of a snapshot, and between which places its rows are. */
export interface PlacedFile {
  readonly listings: Listings<ListedFile>
  /** Not one of the log's own. */
  readonly isStranger: boolean
  /** Inclusive; rounded outwards. */
  readonly partitions: Bounds
  readonly offsets: Bounds
}

interface Bounds {
  readonly lower: number
  readonly upper: number
}

/** The data files of a snapshot that holds files of others. Some hundred bytes for each. */
export class PlacedFiles {
  readonly #columns: TableColumns
  readonly #isOwn: (filePath: string) => boolean
  readonly #all: PlacedFile[] = []
  readonly #strangers: PlacedFile[] = []
  #isOnce = true
  readonly #byPath = new Map<string, PlacedFile>()
  /** By the first of the names that a read tries. */
  readonly #byLocation = new Map<string, PlacedFile>()

  /** @param isOwn Says of a file whether a commit of the log has named it. */
  constructor(columns: TableColumns, isOwn: (filePath: string) => boolean) {
    this.#columns = columns
    this.#isOwn = isOwn
  }

  /** Whether each is listed once. */
  get isOnce(): boolean {
    return this.#isOnce
  }

  /** A file that is listed twice, by whatever names, counts once. */
  add(listed: ListedFile, location: string): void {
    const { file } = listed
    const known = this.#byLocation.get(location)
    if (known !== undefined) {
      known.listings.add(listed)
      this.#isOnce = false
      this.#byPath.set(file.filePath, known)
      return
    }
    const placed: PlacedFile = {
      listings: new Listings(listed),
      isStranger: !this.#isOwn(file.filePath),
      partitions: boundsOf(file, this.#columns, '_kafka_partition'),
      offsets: boundsOf(file, this.#columns, '_kafka_offset'),
    }
    this.#byLocation.set(location, placed)
    this.#byPath.set(file.filePath, placed)
    this.#all.push(placed)
    if (placed.isStranger) this.#strangers.push(placed)
  }

  get isPure(): boolean {
    return this.#strangers.length === 0
  }

  get(filePath: string): PlacedFile | undefined {
    return this.#byPath.get(filePath)
  }

  /** Files that may have rows at places of this one's; of two files of the log's own, never. */
  rivalsOf(placed: PlacedFile): PlacedFile[] {
    const others = placed.isStranger ? this.#all : this.#strangers
    return others.filter(
      (other) => other !== placed && meet(placed.partitions, other.partitions) && meet(placed.offsets, other.offsets),
    )
  }
}

const meet = (a: Bounds, b: Bounds): boolean => a.lower <= b.upper && b.lower <= a.upper

function boundsOf(file: DataFile, { byName }: TableColumns, name: string): Bounds {
  const { id, type } = byName.get(name)!
  // Rows without an identity are at no place.
  if (file.nullValueCounts.get(id) === file.recordCount) return { lower: Infinity, upper: -Infinity }
  const value = (bytes: Uint8Array | undefined, none: number): number => {
    if (bytes === undefined) return none
    const exact = Number(singleValueIn(type, bytes) as number | bigint)
    return Number.isSafeInteger(exact) ? exact : none
  }
  const [lower, upper] = [value(file.lowerBounds.get(id), -Infinity), value(file.upperBounds.get(id), Infinity)]
  // Bounds that contradict each other say nothing.
  return lower <= upper ? { lower, upper } : { lower: -Infinity, upper: Infinity }
}
